package mirror

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/signaling/cluster"
)

// other is what another node said of its people. Guarded by Exchange.mu.
type other struct {
	id  cluster.NodeID
	key string
	// last is the number of the last change, of which all is known while synced.
	last   uint64
	synced bool
	asked  time.Time // when it was last asked for all
	died   time.Time // zero: it lives
	// parts are what came of a snapshot of this number.
	parts []item
	came  int
	of    uint64

	sessions map[string]session
	channels map[string]crowd
	parting  []parting
	// listeners are the names of who listens in, by channel and user.
	listeners map[string]map[string]string
}

// parting is somebody who has left a node for another one, and is not known to be there yet.
type parting struct {
	channel, user string
	cause         sfu.LeaveCause
	at            time.Time
}

type session struct {
	name string
	rank uint64
}

// crowd is who is in a channel on a node, and who speaks there. Of most channels that is one or two on each of many nodes, for whom a map would weigh
// as much as they do.
type crowd struct {
	members  []*sfu.Mirror // by user id
	speakers []sfu.SpeakerInfo
}

// find returns where in members somebody is, or would be.
func (c *crowd) find(userID string) (at int, in bool) {
	return slices.BinarySearchFunc(c.members, userID, func(m *sfu.Mirror, id string) int { return strings.Compare(m.UserID, id) })
}

// in reports whether somebody is in a channel on the node.
func (p *other) in(channelID, userID string) bool {
	c := p.channels[channelID]
	_, in := c.find(userID)
	return in
}

// changed is told which nodes come and go.
func (x *Exchange) changed(c cluster.Change) {
	x.mu.Lock()
	defer x.mu.Unlock()
	p, now := x.others[c.Node.ID], x.now()
	if c.Alive {
		if p == nil {
			p = &other{
				id: c.Node.ID, key: Key(c.Node.ID), sessions: make(map[string]session), channels: make(map[string]crowd),
				listeners: make(map[string]map[string]string),
			}
			x.others[c.Node.ID] = p
		}
		p.died, p.synced = time.Time{}, false
		x.askLocked(p, now)
		return
	}
	if p == nil || !p.died.IsZero() {
		return
	}
	p.died, p.synced, p.parts, p.came = now, false, nil, 0
	for id := range p.channels { // they may talk on, but nobody hears them
		x.speakLocked(p, id, nil)
	}
}

// askLocked asks a node for all.
func (x *Exchange) askLocked(p *other, now time.Time) {
	p.asked = now
	_ = x.bus.Publish(snapshotSubject(p.id), encode(snapshot{Ask: true})) // asked again soon
}

// hear takes a change.
func (x *Exchange) hear(from cluster.NodeID, data []byte) {
	var m message
	if json.Unmarshal(data, &m) != nil {
		return // a later protocol would have been refused
	}
	if m.Item != nil && m.Item.Kind == kindTell { // also while the rest is not known
		if m.Item.Tell != nil {
			x.node.Tell(*m.Item.Tell)
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	p := x.others[from]
	if p != nil && !p.synced && (m.Item == nil && m.N == 0 || m.Item != nil && m.N == 1) { // the node has said nothing before
		p.last, p.synced, p.parts, p.came = 0, true, nil, 0
	}
	if p == nil || !p.synced {
		return
	}
	if next := p.last + 1; m.Item == nil && m.N != p.last || m.Item != nil && m.N != next {
		p.synced = false
		x.askLocked(p, x.now())
		return
	}
	p.last = m.N
	if m.Item != nil {
		x.applyLocked(p, m.Item)
	}
}

// applyLocked carries out what a node says.
func (x *Exchange) applyLocked(p *other, i *item) {
	switch i.Kind {
	case kindSession:
		x.sessionLocked(p, i)
	case kindGone:
		delete(p.sessions, i.User)
	case kindMember:
		if i.Member != nil {
			x.putLocked(p, i)
		}
	case kindLeft:
		if one := (parting{i.Channel, i.User, sfu.LeaveCause(i.Cause), x.now()}); i.GoesOn && !x.elsewhereLocked(p, &one) {
			p.parting = append(p.parting, one)
			return
		}
		x.dropLocked(p, i.Channel, i.User, sfu.LeaveCause(i.Cause))
	case kindSpeak:
		x.speakLocked(p, i.Channel, speakersOf(i.Speakers))
	case kindListen:
		if p.listeners[i.Channel] == nil {
			p.listeners[i.Channel] = make(map[string]string)
		}
		p.listeners[i.Channel][i.User] = i.Name
	case kindQuit:
		if delete(p.listeners[i.Channel], i.User); len(p.listeners[i.Channel]) == 0 {
			delete(p.listeners, i.Channel)
		}
	case kindTell: // done
	}
}

// sessionLocked notes a session, and ends an older one of the same user here.
func (x *Exchange) sessionLocked(p *other, i *item) {
	p.sessions[i.User] = session{i.Name, i.Rank}
	if mine := x.own.rank(i.User); mine != 0 && x.beats(p.id, i.Rank, mine) {
		x.node.Superseded(i.User, mine)
	}
}

func (x *Exchange) putLocked(p *other, i *item) {
	m := sfu.Mirror{Node: p.key, Rank: i.Rank, MemberInfo: i.Member.info(i.User)}
	p.parting = slices.DeleteFunc(p.parting, func(one parting) bool { return one.channel == i.Channel && one.user == i.User })
	c := p.channels[i.Channel]
	at, in := c.find(i.User)
	switch {
	case !in:
		c.members = slices.Insert(c.members, at, &m)
		p.channels[i.Channel] = c
	case *c.members[at] == m:
		return
	default:
		c.members[at] = &m
	}
	if channel := x.node.Channel(i.Channel); channel != nil {
		told := m
		told.By = i.By
		channel.PutMirror(told)
	}
}

// elsewhereLocked reports whether somebody who leaves a node is in the channel at another one, as far as is known.
func (x *Exchange) elsewhereLocked(p *other, leaves *parting) bool {
	for _, o := range x.others {
		if o != p && o.in(leaves.channel, leaves.user) {
			return true
		}
	}
	return x.own.has(leaves.channel, leaves.user)
}

// partLocked has those leave a node who have come to another one by now, or do not come.
func (x *Exchange) partLocked(p *other, now time.Time) {
	waits := p.parting[:0]
	for _, one := range p.parting {
		if x.elsewhereLocked(p, &one) || now.Sub(one.at) >= partWithin {
			x.dropLocked(p, one.channel, one.user, one.cause)
		} else {
			waits = append(waits, one)
		}
	}
	p.parting = waits
}

func (x *Exchange) dropLocked(p *other, channelID, userID string, cause sfu.LeaveCause) {
	c, ok := p.channels[channelID]
	if !ok {
		return
	}
	if at, in := c.find(userID); in {
		c.members = slices.Delete(c.members, at, at+1)
		p.channels[channelID] = c
	}
	if len(c.members) == 0 {
		if len(c.speakers) > 0 {
			x.speakLocked(p, channelID, nil)
		}
		delete(p.channels, channelID)
	}
	if channel := x.node.Channel(channelID); channel != nil {
		channel.DropMirror(p.key, userID, cause)
	}
}

func (x *Exchange) speakLocked(p *other, channelID string, speakers []sfu.SpeakerInfo) {
	c, ok := p.channels[channelID]
	if !ok {
		return
	}
	c.speakers = speakers
	p.channels[channelID] = c
	if channel := x.node.Channel(channelID); channel != nil {
		channel.MirrorSpeakers(p.key, speakers)
	}
}

// snapshot takes a part of all that a node has to say, or answers a node that asks.
func (x *Exchange) snapshot(from cluster.NodeID, data []byte) {
	var s snapshot
	if json.Unmarshal(data, &s) != nil {
		return
	}
	if s.Ask {
		x.own.snapshot(from)
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	p := x.others[from]
	if p == nil || p.synced {
		return
	}
	if s.Part == 0 {
		p.parts, p.came, p.of = nil, 0, s.N
	}
	if s.Part != p.came || s.N != p.of {
		return // a part was lost; all is asked for again
	}
	p.parts = append(p.parts, s.Items...)
	if p.came++; p.came < s.Of {
		return
	}
	x.replaceLocked(p, p.parts)
	p.last, p.synced, p.parts, p.came = s.N, true, nil, 0
}

// replaceLocked has all that is known of a node be this.
func (x *Exchange) replaceLocked(p *other, items []item) {
	type place struct{ channel, user string }
	there, speak := make(map[place]struct{}), make(map[string]struct{})
	clear(p.sessions)
	clear(p.listeners)
	for i := range items {
		one := &items[i]
		if one.Kind == kindMember {
			there[place{one.Channel, one.User}] = struct{}{}
		}
		if one.Kind == kindSpeak {
			speak[one.Channel] = struct{}{}
		}
	}
	for i := range items { // before others go, so that who moved is somewhere
		x.applyLocked(p, &items[i])
	}
	for _, one := range p.parting {
		there[place{one.channel, one.user}] = struct{}{}
	}
	for id, c := range p.channels {
		for _, m := range slices.Clone(c.members) {
			if _, still := there[place{id, m.UserID}]; !still {
				x.dropLocked(p, id, m.UserID, sfu.LeaveGone)
			}
		}
		if _, still := speak[id]; !still && len(c.speakers) > 0 {
			x.speakLocked(p, id, nil)
		}
	}
}

// forgetLocked takes all of a node's people out.
func (x *Exchange) forgetLocked(p *other) {
	clear(p.sessions)
	for id, c := range p.channels {
		for _, m := range slices.Backward(slices.Clone(c.members)) {
			x.dropLocked(p, id, m.UserID, sfu.LeaveGone)
		}
	}
}
