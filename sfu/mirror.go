package sfu

import (
	"cmp"
	"slices"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/forward"
	"github.com/mini-livechat/mini-livechat/sfu/speaker"
)

// Where several nodes are one server, each knows its own members, tells the others of them (Spread), and mirrors those of the others: they
// are in the roster like everybody else, but it is their own node that says what they do.

// Spread is told what other nodes have to know of the members that are on this one. It is called while the channel's lock is held, as
// Notifier is, and must neither block nor call back.
type Spread interface {
	// MemberEntered: a member is in the channel now; MemberChanged: others see it otherwise, which by, a user id, need not be told; MemberLeft: it
	// is out, and goes on at another node or not.
	MemberEntered(channelID string, m MemberInfo)
	MemberChanged(channelID string, m MemberInfo, by string)
	MemberLeft(channelID, userID string, cause LeaveCause, goesOn bool)
	// Speaking: these of them speak now, the loudest first, at most 32. speakers is not changed later.
	Speaking(channelID string, speakers []SpeakerInfo)
	// Listening: a member of another channel listens in to this one from now on, or no more.
	Listening(channelID string, l ListenerInfo, listens bool)
}

// nowhere is the Spread of a node that is alone.
type nowhere struct{}

func (nowhere) MemberEntered(string, MemberInfo)            {}
func (nowhere) MemberChanged(string, MemberInfo, string)    {}
func (nowhere) MemberLeft(string, string, LeaveCause, bool) {}
func (nowhere) Speaking(string, []SpeakerInfo)              {}
func (nowhere) Listening(string, ListenerInfo, bool)        {}

// Mirror is a member of another node as that node says it.
type Mirror struct {
	// Node is which: names that differ are different nodes.
	Node string
	// Rank decides when several nodes say that somebody is their member: the highest counts, and of equal ones that of the first Node by name.
	Rank uint64
	// By is a user id, of who had this member be as it is now and need not be told; may be empty.
	By string
	MemberInfo
}

// Voice is what a talker of another node sounds like here.
type Voice interface {
	Source() *forward.Source
	Meter() *speaker.Meter
	OnSpeech(began func())
	// SSRC is the microphone's; ok is false until it was heard.
	SSRC() (ssrc uint32, ok bool)
}

// PutMirror takes in a member of another node, or has it be otherwise than before, and tells this node's members what is news to them. One
// who is a member of another node too, or of this one, stays one member: nobody is told of a second coming, but of what is
// otherwise. A channel that is full takes in mirrors all the same, since they are there. It reports false when the channel is deleted.
func (c *Channel) PutMirror(m Mirror) bool {
	return c.reflect(m.UserID, func() []news {
		m.Apart = c.hub.isApart(m.Node)
		return c.roster.put(m)
	})
}

// DropMirror takes a member of another node out. Where it is none, nothing happens.
func (c *Channel) DropMirror(node, userID string, cause LeaveCause) {
	c.reflect(userID, func() []news {
		if p := c.roster.of(node, userID); p != c.roster.members[userID] {
			c.hushLocked(p)
		}
		return c.roster.drop(node, userID, cause)
	})
}

// reflect has the roster change what it knows of somebody elsewhere, has their voice follow, and tells of it.
func (c *Channel) reflect(userID string, change func() []news) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.roster.closed {
		return false
	}
	was, count := c.roster.members[userID], len(c.roster.order)
	told := change()
	is := c.roster.members[userID]
	if len(c.roster.order) != count {
		c.hub.changed()
	}
	if c.roster.empty() {
		c.emptySince, c.note = time.Now(), nil
	}
	c.notifier.tell(told)
	c.followVoiceLocked(was, is)
	return true
}

// MirrorSpeakers says who of a node's members speaks, the loudest first; the slice must not be changed any more.
func (c *Channel) MirrorSpeakers(node string, speakers []SpeakerInfo) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.board.elsewhere.set(node, speakers)
	c.rouse()
}

// spreadAllLocked tells other nodes how all members of this one are.
func (c *Channel) spreadAllLocked() {
	if !c.hub.spreads {
		return
	}
	for _, p := range c.roster.own {
		c.hub.spread.MemberChanged(c.id, p.info(), "")
	}
}

// followVoiceLocked has what is heard of somebody follow who is, or was, a member elsewhere.
func (c *Channel) followVoiceLocked(was, is *occupant) {
	if was != nil && !was.here() && (is == nil || !is.talks() || was != is && !is.keepsFloor) && c.air != nil && c.decidesLocked() {
		c.silenceLocked(was) // its node may not be there to say so
	}
	switch {
	case was != is:
		if was != nil && !slices.Contains(c.roster.hidden[was.userID], was) {
			c.hushLocked(was)
		}
		if is != nil {
			c.goOnLocked(is.userID)
		}
	case is != nil && is.leg != nil:
		c.board.permit(is.leg, is.talks(), false)
	case is != nil && is.talks():
		c.goOnLocked(is.userID)
	}
	if c.board.unsettled { // most of a crowd are muted, and nobody hears otherwise for what they do
		defer contain(c.hub.journal, "assigning slots")
		c.tellSlotsLocked(c.board.settle(time.Now()), nil)
	}
	if c.board.elsewhere.any() {
		c.rouse() // who speaks may not be there any more
	}
}

// attendLocked has those of other nodes be heard from when somebody here can hear them on, until nobody can any more: most channels of many nodes have
// nobody here. Where one talks at a time they always are, since who has the floor is among them.
func (c *Channel) attendLocked() {
	attended := len(c.board.near) > 0 || len(c.board.ears) > 0 || c.air != nil
	if attended == c.attended {
		return
	}
	c.attended = attended
	if c.roster.elsewhere == 0 && len(c.roster.hidden) == 0 {
		return
	}
	for _, p := range c.roster.order {
		if attended {
			c.voiceLocked(p)
		} else {
			c.hushLocked(p)
		}
	}
	if attended {
		return
	}
	for _, hidden := range c.roster.hidden {
		for _, p := range hidden {
			c.hushLocked(p)
		}
	}
}

// voiceLocked has somebody of another node be heard, if there is something to hear, and somebody to hear it.
func (c *Channel) voiceLocked(p *occupant) {
	if p.leg != nil { // was heard in the place of one who has gone
		c.board.permit(p.leg, p.talks(), false)
		return
	}
	if p.here() || !p.talker || !c.attended || c.hub.voices == nil || c.silentLocked(p) {
		return
	}
	if voice := c.hub.voices(p.node, c.id, p.userID); voice != nil {
		p.leg = c.board.mirror(p.userID, voice, p.talks())
		p.leg.name = p.name
		voice.OnSpeech(c.rouse)
	}
}

// silentLocked reports whether nothing can be heard of somebody until they are let talk, as they never were: so it is of nearly all of a crowd. Who is on two
// nodes is heard from all the same, and where one talks at a time everybody is, since the floor may be given to any of them.
func (c *Channel) silentLocked(p *occupant) bool {
	return !p.talks() && c.air == nil && len(c.roster.hidden[p.userID]) == 0
}

// hushLocked is the other way round.
func (c *Channel) hushLocked(p *occupant) {
	if p == nil || p.leg == nil {
		return
	}
	c.unplugLocked(p.leg)
	p.leg = nil
	if c.hub.hush != nil {
		c.hub.hush(p.node, c.id, p.userID)
	}
}

// mirrored is what an occupant of another node has beside. The zero value is of one that is here.
type mirrored struct {
	node  string
	rank  uint64
	leg   *leg // nil: nothing can be heard
	apart bool // no voice comes of its node
}

// here reports whether an occupant is this node's own.
func (m *mirrored) here() bool { return m.node == "" }

// before says which of two that say to be the same user counts.
func (p *occupant) before(o *occupant) bool {
	if p.here() || o.here() {
		return p.here()
	}
	if p.rank != o.rank {
		return p.rank > o.rank
	}
	return p.node < o.node
}

// mirrors are those who are in a roster, but are not shown, since the same user is on another node too, or here. The zero value is
// ready.
type mirrors struct {
	elsewhere int                    // how many of order are not here
	hidden    map[string][]*occupant // by user id
}

// hide keeps p until nothing is shown of the user that goes before it.
func (m *mirrors) hide(p *occupant) {
	if m.hidden == nil {
		m.hidden = make(map[string][]*occupant)
	}
	m.hidden[p.userID] = append(m.hidden[p.userID], p)
}

// unhide is the other way round.
func (m *mirrors) unhide(p *occupant) {
	left := slices.DeleteFunc(m.hidden[p.userID], func(o *occupant) bool { return o == p })
	if len(left) == 0 {
		delete(m.hidden, p.userID)
		return
	}
	m.hidden[p.userID] = left
}

// best returns who of those hidden is to be shown next, or nil.
func (m *mirrors) best(userID string) *occupant {
	var best *occupant
	for _, p := range m.hidden[userID] {
		if best == nil || p.before(best) {
			best = p
		}
	}
	return best
}

// of returns a node's, shown or hidden, or nil.
func (r *roster) of(node, userID string) *occupant {
	if p := r.members[userID]; p != nil && p.node == node {
		return p
	}
	for _, p := range r.hidden[userID] {
		if p.node == node {
			return p
		}
	}
	return nil
}

// shows reports whether somebody is shown, or heard, as a member of a node of which voice comes.
func (r *roster) shows(node, userID string) bool {
	p := r.of(node, userID)
	return p != nil && !p.apart && (r.members[userID] == p || p.leg != nil)
}

// put takes in a member of another node, or changes it.
func (r *roster) put(m Mirror) []news {
	shown := r.members[m.UserID]
	p := r.of(m.Node, m.UserID)
	if p == nil {
		p = &occupant{userID: m.UserID, mirrored: mirrored{node: m.Node}}
		if shown != nil {
			r.hide(p)
		}
	}
	before := p.info()
	if p != shown || m.Rank > p.rank { // one that is shown goes behind no other for what it says of itself
		p.rank = m.Rank
	}
	p.reflect(m.MemberInfo)
	switch {
	case shown == nil:
		r.add(p)
		return r.tell("", MemberJoined{ChannelID: r.channel.ID, Member: p.info()})
	case p != shown && p.before(shown):
		r.hide(shown)
		return r.replace(shown, p)
	case p != shown:
		return nil
	}
	return r.tellOther(before, p.info(), m.By)
}

// drop takes a member of another node out.
func (r *roster) drop(node, userID string, cause LeaveCause) []news {
	p := r.of(node, userID)
	switch {
	case p == nil:
		return nil
	case r.members[userID] != p:
		r.unhide(p)
		return nil
	}
	if next := r.best(userID); next != nil {
		return r.replace(p, next)
	}
	told := r.tell("", MemberLeft{ChannelID: r.channel.ID, Member: p.info(), Cause: cause})
	r.remove(p)
	return told
}

// replace shows one who was hidden in the place of another, who is the same user.
func (r *roster) replace(shown, next *occupant) []news {
	r.unhide(next)
	r.members[next.userID] = next
	r.order[slices.Index(r.order, shown)] = next
	r.count(next)
	r.uncount(shown)
	return r.tellOther(shown.info(), next.info(), "")
}

// reflect has p be as its node says.
func (p *occupant) reflect(m MemberInfo) {
	p.name, p.talker, p.selfMute, p.selfDeaf = m.Name, m.Talker, m.SelfMute, m.SelfDeaf
	p.Muted, p.Role, p.suppressed, p.handAt = m.Muted, m.Role, m.Suppressed, m.HandAt
	p.devices, p.unstable, p.mediaLost, p.apart, p.keepsFloor = m.Devices, m.Unstable, m.MediaLost, m.Apart, m.KeepsFloor
}

// tellOther tells this node's members, without except, what is otherwise of a member. One of another name, or that has a microphone now, or none any
// more, leaves and comes, since nothing else says that.
func (r *roster) tellOther(before, after MemberInfo, except string) []news {
	var told []news
	if before.Name != after.Name || before.Talker != after.Talker {
		told = append(told, r.tell(except, MemberLeft{ChannelID: r.channel.ID, Member: before, Cause: LeaveGone})...)
		return append(told, r.tell(except, MemberJoined{ChannelID: r.channel.ID, Member: after})...)
	}
	if before.Unstable != after.Unstable {
		told = append(told, r.tell(except, ConnectionChanged{ChannelID: r.channel.ID, Member: after})...)
	}
	if before.MediaLost != after.MediaLost || before.Apart != after.Apart {
		told = append(told, r.tell(except, MediaStateChanged{ChannelID: r.channel.ID, Member: after})...)
	}
	before.Unstable, before.MediaLost, before.Apart, before.KeepsFloor = after.Unstable, after.MediaLost, after.Apart, after.KeepsFloor
	if before != after {
		told = append(told, r.tell(except, VoiceStateChanged{ChannelID: r.channel.ID, Member: after})...)
	}
	return told
}

// speakersElsewhere are who speaks on other nodes, by node. The zero value is nobody.
type speakersElsewhere map[string][]SpeakerInfo

func (e *speakersElsewhere) set(node string, speakers []SpeakerInfo) {
	if len(speakers) == 0 {
		delete(*e, node)
		return
	}
	if *e == nil {
		*e = make(speakersElsewhere)
	}
	(*e)[node] = speakers
}

func (e *speakersElsewhere) any() bool { return len(*e) > 0 }

// merge adds those whom shown confirms to be members of the node that says it, and keeps the order: the loudest first.
func (e *speakersElsewhere) merge(into []SpeakerInfo, shown func(node, userID string) bool) []SpeakerInfo {
	if !e.any() {
		return into
	}
	for node, speakers := range *e {
		for _, s := range speakers {
			if shown(node, s.UserID) {
				into = append(into, s)
			}
		}
	}
	slices.SortStableFunc(into, func(a, b SpeakerInfo) int {
		return cmp.Or(cmp.Compare(a.Level, b.Level), cmp.Compare(a.UserID, b.UserID))
	})
	return into
}
