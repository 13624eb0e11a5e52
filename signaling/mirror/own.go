package mirror

import (
	"sync"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/signaling/cluster"
)

// own is what this node says of its own people, and what it has said. Safe for concurrent use.
type own struct {
	bus cluster.Bus

	mu sync.Mutex // guards the fields below; taken while a Channel's is held, and nothing of ours after it
	// n is the number of the last change.
	n        uint64
	sessions map[string]item   // by user id
	channels map[string]inside // by channel id
	// listeners are who listens in, by channel and user.
	listeners map[string]map[string]item
}

// inside is what was said of a channel.
type inside struct {
	members  map[string]item // by user id
	speakers []talker
}

func newOwn(bus cluster.Bus) *own {
	return &own{bus: bus, sessions: make(map[string]item), channels: make(map[string]inside), listeners: make(map[string]map[string]item)}
}

// sayLocked publishes a change. One that cannot be sent is missed by its number.
func (o *own) sayLocked(i item) {
	o.n++
	_ = o.bus.Publish(cluster.SubjectMembers, encode(message{N: o.n, Item: &i}))
}

// number is that of the last change.
func (o *own) number() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.n
}

// has reports whether somebody is in a channel here.
func (o *own) has(channelID, userID string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, in := o.channels[channelID].members[userID]
	return in
}

// head says which number was the last, so that one that was lost is missed.
func (o *own) head() {
	o.mu.Lock()
	defer o.mu.Unlock()
	_ = o.bus.Publish(cluster.SubjectMembers, encode(message{N: o.n})) // said again soon
}

// begin says that a user's session has begun.
func (o *own) begin(userID, name string, rank uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	i := item{Kind: kindSession, User: userID, Name: name, Rank: rank}
	o.sessions[userID] = i
	o.sayLocked(i)
}

// end says that a session has ended, if it is the user's.
func (o *own) end(userID string, rank uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if i, ok := o.sessions[userID]; !ok || i.Rank != rank {
		return
	}
	delete(o.sessions, userID)
	o.sayLocked(item{Kind: kindGone, User: userID})
}

// rank is that of a user's session here; 0: there is none.
func (o *own) rank(userID string) uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.sessions[userID].Rank
}

func (o *own) tell(t Telling) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sayLocked(item{Kind: kindTell, Tell: &t})
}

func (o *own) put(channelID string, m sfu.MemberInfo, by string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	c := o.channels[channelID]
	if c.members == nil {
		c.members = make(map[string]item)
	}
	i := item{Kind: kindMember, Channel: channelID, User: m.UserID, Rank: o.sessions[m.UserID].Rank, Member: wireMember(m)}
	c.members[m.UserID] = i
	o.channels[channelID] = c
	i.By = by
	o.sayLocked(i)
}

func (o *own) drop(channelID, userID string, cause sfu.LeaveCause, goesOn bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	c := o.channels[channelID]
	delete(c.members, userID)
	if len(c.members) == 0 {
		delete(o.channels, channelID)
	}
	o.sayLocked(item{Kind: kindLeft, Channel: channelID, User: userID, Cause: int(cause), GoesOn: goesOn})
}

func (o *own) speak(channelID string, speakers []sfu.SpeakerInfo) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if c, ok := o.channels[channelID]; ok {
		c.speakers = wireSpeakers(speakers)
		o.channels[channelID] = c
	}
	o.sayLocked(item{Kind: kindSpeak, Channel: channelID, Speakers: wireSpeakers(speakers)})
}

func (o *own) listen(channelID string, l sfu.ListenerInfo, listens bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !listens {
		if delete(o.listeners[channelID], l.UserID); len(o.listeners[channelID]) == 0 {
			delete(o.listeners, channelID)
		}
		o.sayLocked(item{Kind: kindQuit, Channel: channelID, User: l.UserID})
		return
	}
	if o.listeners[channelID] == nil {
		o.listeners[channelID] = make(map[string]item)
	}
	i := item{Kind: kindListen, Channel: channelID, User: l.UserID, Name: l.Name}
	o.listeners[channelID][l.UserID] = i
	o.sayLocked(i)
}

// partItems is how many items a part of a snapshot has: with names and ids as long as they may be it is still a message.
const partItems = 200

// snapshot tells a node all. What is said later comes later.
func (o *own) snapshot(asker cluster.NodeID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var items []item
	for _, i := range o.sessions {
		items = append(items, i)
	}
	for id, c := range o.channels {
		for _, i := range c.members {
			items = append(items, i)
		}
		if len(c.speakers) > 0 {
			items = append(items, item{Kind: kindSpeak, Channel: id, Speakers: c.speakers})
		}
	}
	for _, all := range o.listeners {
		for _, i := range all {
			items = append(items, i)
		}
	}
	parts := max(1, (len(items)+partItems-1)/partItems)
	for part := range parts {
		from, to := part*partItems, min((part+1)*partItems, len(items))
		s := snapshot{N: o.n, Part: part, Of: parts, Items: items[from:to]}
		if o.bus.Publish(snapshotSubject(asker), encode(s)) != nil {
			return // it is asked for again
		}
	}
}
