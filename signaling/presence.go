package signaling

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

const (
	// presencePause is the least time between two PRESENCE_EVENTs of a session.
	presencePause = 250 * time.Millisecond
	// presenceShare is how much longer it is for each watcher: to write to one takes the server some ten microseconds,
	// so that a crowd of them takes it no more than a few hundredths of a core.
	presenceShare = 250 * time.Microsecond
	// presenceSlack is how many frames may wait for a watcher who is told what changed. When there are more, it is told
	// later, and then how things are.
	presenceSlack = 4
	// hiddenFor is longer than what happened waits to be told, but to those who are behind.
	hiddenFor = time.Minute
)

// lookout tells those who asked for it who is in which channel, and who speaks there. It looks only at channels in which somebody
// came, left, changed, or spoke, all together after a pause, and compares them with what it told before. What it tells is encoded
// once for all who have been told the same so far. Who reads too slowly, or is away, is left alone until its outbox is empty, and
// told then how the channels are that changed meanwhile, so that a watcher costs one number, however slow it is.
//
// While nobody watches there is nothing in it but a flag. Safe for concurrent use.
type lookout struct {
	gw    *Gateway
	marks marks
	// maySee says whether a session may know of a channel, and who is in it.
	maySee func(s *Session, channelID string) bool

	// hidden are the channels for the invited that are there no more, and since when; until all was told that happened there.
	hidden sync.Map
	// mu guards the fields below. It is taken after Session.turn, but for a try, and before all other locks.
	mu       sync.Mutex
	watchers map[*Session]uint64     // by who watches: up to which version each was told
	channels map[string]knownChannel // by channel id: as they were told last
	version  uint64                  // counts what was told; 0 is nothing
	snapshot *bulletin               // of this version; nil until somebody asks
}

// knownChannel is a channel as it was told. It may be empty while somebody has still to be told so.
type knownChannel struct {
	members []protocol.Present
	since   uint64 // the version in which it became so
}

// bulletin is something to be told, encoded once for all who may see all of it.
type bulletin struct {
	channels []protocol.ChannelPresence
	body     *protocol.Body // nil until somebody needs it
}

func newLookout(gw *Gateway) *lookout {
	l := &lookout{
		gw: gw, maySee: gw.mayKnow,
		watchers: make(map[*Session]uint64), channels: make(map[string]knownChannel),
	}
	l.marks.due = func() { gw.guard("presence", l.tick) }
	return l
}

// mayKnow reports whether a session may know who is in a channel. That one is there no more anybody may whose token says
// nothing against it, unless it was for the invited: who knew of it is told otherwise.
func (g *Gateway) mayKnow(s *Session, channelID string) bool {
	channel, err := g.channels.Get(channelID)
	if err != nil {
		return s.reaches(channelID) && !g.lookout.wasHidden(channelID)
	}
	info := channel.Info()
	return s.sees(&info)
}

// reveal has everybody who may know of a channel told again who is in it, since some of them may not have known.
func (l *lookout) reveal(channelID string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.watchers) == 0 {
		return
	}
	l.version++
	l.channels[channelID] = knownChannel{l.look(channelID), l.version}
	l.snapshot = nil
	l.marks.again()
}

// note marks the channel in which the event happened, if it is of a kind that watchers are told of.
func (l *lookout) note(event sfu.Event) {
	switch e := event.(type) {
	case sfu.MemberJoined:
		l.marks.add(e.ChannelID)
	case sfu.MemberLeft:
		l.marks.add(e.ChannelID)
	case sfu.VoiceStateChanged:
		l.marks.add(e.ChannelID)
	case sfu.StageChanged:
		l.marks.add(e.ChannelID)
	case sfu.SpeakersChanged:
		l.marks.add(e.ChannelID)
	case sfu.ChannelDeleted:
		if e.Access == string(protocol.AccessInvited) && l.marks.on.Load() {
			l.hidden.Store(e.ChannelID, time.Now())
		}
		l.marks.add(e.ChannelID)
	default:
	}
}

// watch has the session told from now on. reply gets everything that was told to the others so far, before the session
// is told anything.
func (l *lookout) watch(s *Session, reply func(*protocol.Body)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.watchers) == 0 {
		l.beginLocked()
	}
	l.watchers[s] = l.version
	if l.snapshot == nil {
		l.snapshot = &bulletin{channels: l.sinceLocked(0)}
	}
	body, err := l.encode(l.snapshot, s, func(all protocol.Presence) (*protocol.Body, error) {
		return protocol.EncodeBody(protocol.OpAck, protocol.Ack{Op: protocol.OpPresence, Data: all})
	})
	if err != nil {
		l.unwatchLocked(s)
		return err
	}
	reply(body)
	return nil
}

// unwatch has the session told nothing more. Who does not watch may be named.
func (l *lookout) unwatch(s *Session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unwatchLocked(s)
}

func (l *lookout) unwatchLocked(s *Session) {
	if _, watches := l.watchers[s]; !watches {
		return
	}
	delete(l.watchers, s)
	if len(l.watchers) == 0 {
		l.marks.stop()
		clear(l.channels)
		l.snapshot = nil
	}
}

// beginLocked looks at all channels. Whatever happens meanwhile is marked, and looked at again.
func (l *lookout) beginLocked() {
	l.marks.start()
	l.version++
	for _, info := range l.gw.channels.List() {
		if members := l.look(info.ID); len(members) > 0 {
			l.channels[info.ID] = knownChannel{members, l.version}
		}
	}
}

// look returns who is in a channel; nobody in one that is gone.
func (l *lookout) look(channelID string) []protocol.Present {
	channel, err := l.gw.channels.Get(channelID)
	if err != nil {
		return nil
	}
	members, speakers := channel.Presence()
	present := make([]protocol.Present, len(members))
	for i, m := range members {
		present[i] = protocol.Present{
			UserID: m.UserID, Name: m.Name, SelfMute: m.SelfMute, SelfDeaf: m.SelfDeaf, Muted: m.Muted, Suppressed: m.Suppressed,
			Speaks: slices.ContainsFunc(speakers, func(s sfu.SpeakerInfo) bool { return s.UserID == m.UserID }),
		}
	}
	return present
}

// tick tells the watchers what has changed in the channels that were marked.
func (l *lookout) tick() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.watchers) == 0 {
		return
	}
	pause := max(presencePause, presenceShare*time.Duration(len(l.watchers)))
	before := l.version
	changes := l.compareLocked(l.marks.take(time.Now().Add(pause)))
	bulletins := map[uint64]*bulletin{before: {channels: changes}}
	behind := false
	for s, told := range l.watchers {
		if told == l.version {
			continue
		}
		news := bulletins[told]
		if news == nil {
			news = &bulletin{channels: l.sinceLocked(told)}
			bulletins[told] = news
		}
		slack := 0
		if told == before {
			slack = presenceSlack
		}
		if l.tell(s, news, slack) {
			l.watchers[s] = l.version
		} else {
			behind = true
		}
	}
	if behind {
		l.marks.again()
		return
	}
	maps.DeleteFunc(l.channels, func(_ string, c knownChannel) bool { return len(c.members) == 0 })
	l.forgetHidden()
}

// wasHidden reports whether a channel that is there no more was for the invited.
func (l *lookout) wasHidden(channelID string) bool {
	_, hidden := l.hidden.Load(channelID)
	return hidden
}

// forgetHidden forgets the channels of which everybody was told by now.
func (l *lookout) forgetHidden() {
	l.hidden.Range(func(id, gone any) bool {
		if at, ok := gone.(time.Time); ok && time.Since(at) > hiddenFor {
			l.hidden.Delete(id)
		}
		return true
	})
}

// compareLocked returns how these channels are otherwise than they were told, and holds them to be told so.
func (l *lookout) compareLocked(channelIDs []string) []protocol.ChannelPresence {
	var changes []protocol.ChannelPresence
	for _, id := range channelIDs {
		members := l.look(id)
		change, changed := protocol.PresenceChange(id, l.channels[id].members, members)
		if !changed {
			continue
		}
		changes = append(changes, change)
		l.channels[id] = knownChannel{members, l.version + 1}
	}
	if len(changes) > 0 {
		l.version++
		l.snapshot = nil
	}
	return changes
}

// sinceLocked returns the channels as they are that became so after a version; after the beginning, those in which
// somebody is.
func (l *lookout) sinceLocked(version uint64) []protocol.ChannelPresence {
	changed := make([]protocol.ChannelPresence, 0, len(l.channels))
	for id, c := range l.channels {
		if c.since > version && (version > 0 || len(c.members) > 0) {
			changed = append(changed, protocol.ChannelPresence{ChannelID: id, Members: append([]protocol.Present{}, c.members...)})
		}
	}
	slices.SortFunc(changed, func(a, b protocol.ChannelPresence) int { return cmp.Compare(a.ChannelID, b.ChannelID) })
	return changed
}

// tell tells a session, unless more frames than slack wait for it, or it is carrying out a request: what follows from
// that is told after its reply. Then it reports false.
func (l *lookout) tell(s *Session, news *bulletin, slack int) bool {
	if s.out.waiting() > slack || !s.turn.TryLock() {
		return false
	}
	defer s.turn.Unlock()
	body, err := l.encode(news, s, func(changes protocol.Presence) (*protocol.Body, error) {
		if len(changes.Channels) == 0 {
			return nil, nil //nolint:nilnil // nothing that this session may see has changed
		}
		return protocol.EncodeBody(protocol.OpPresenceEvent, changes)
	})
	if err != nil {
		s.log.Error("event lost", zap.Error(err))
	}
	if body != nil {
		s.out.event(body)
	}
	return true
}

// encode returns what the session may see of b.
func (l *lookout) encode(
	b *bulletin, s *Session, encode func(protocol.Presence) (*protocol.Body, error),
) (body *protocol.Body, err error) {
	hidden := func(c protocol.ChannelPresence) bool { return !l.maySee(s, c.ChannelID) }
	if slices.ContainsFunc(b.channels, hidden) {
		return encode(protocol.Presence{Channels: slices.DeleteFunc(slices.Clone(b.channels), hidden)})
	}
	if b.body == nil {
		b.body, err = encode(protocol.Presence{Channels: b.channels})
	}
	return b.body, err
}

// marks are the channels to be looked at, and the timer that says when. It is marked under the locks of channels, so it
// neither waits nor calls anybody. Safe for concurrent use.
type marks struct {
	due func() // called by the timer; set before use

	on atomic.Bool // whether anything is marked at all; written under mu

	mu       sync.Mutex // guards the fields below
	channels map[string]struct{}
	timer    *time.Timer // nil: none is running
	earliest time.Time   // when due may be called again
}

// start begins to take marks, stop ends it and forgets them.
func (m *marks) start() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.channels = make(map[string]struct{})
	m.on.Store(true)
}

func (m *marks) stop() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.on.Store(false)
	m.channels = nil
	if m.timer != nil {
		m.timer.Stop()
		m.timer = nil
	}
}

// add marks a channel. With nobody to be told of it this is one load.
func (m *marks) add(channelID string) {
	if !m.on.Load() {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.channels == nil {
		return
	}
	m.channels[channelID] = struct{}{}
	m.armLocked()
}

// again has the timer run although nothing may be marked.
func (m *marks) again() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.armLocked()
}

func (m *marks) armLocked() {
	if m.timer == nil {
		m.timer = time.AfterFunc(time.Until(m.earliest), m.due)
	}
}

// take returns what is marked, and forgets it; due is not called again before next.
func (m *marks) take(next time.Time) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	marked := slices.Sorted(maps.Keys(m.channels))
	clear(m.channels)
	if m.timer != nil {
		m.timer.Stop() // of another watch than the one that called
	}
	m.timer, m.earliest = nil, next
	return marked
}
