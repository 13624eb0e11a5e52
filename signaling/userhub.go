package signaling

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// User is somebody who is identified: the signalling half of a session.
type User struct {
	ID, Name  string
	SessionID string
	Admin     bool

	// via is how the client reached the server.
	via      Arrival
	tx       *egress
	lastSeen atomic.Int64 // Unix nanoseconds
	// evict asks the session to end; gone is closed when it has cleaned up after itself.
	evict func(protocol.CloseCode)
	gone  <-chan struct{}
}

// touch notes a sign of life.
func (u *User) touch(now time.Time) { u.lastSeen.Store(now.UnixNano()) }

// LastSeen returns when the user's connection last gave a sign of life.
func (u *User) LastSeen() time.Time { return time.Unix(0, u.lastSeen.Load()) }

// UserHub knows who is identified, by user id: registered at IDENTIFY, removed when the
// WebSocket ends. Safe for concurrent use.
type UserHub struct {
	mu    sync.RWMutex // guards users
	users map[string]*User
}

// NewUserHub returns an empty hub.
func NewUserHub() *UserHub { return &UserHub{users: make(map[string]*User)} }

// Register adds u unless its id is taken, and returns who has it then.
func (h *UserHub) Register(u *User) (holder *User, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if holder := h.users[u.ID]; holder != nil {
		return holder, false
	}
	h.users[u.ID] = u
	return u, true
}

// Unregister removes u, but never a newer session of the same id; it reports whether u
// was registered.
func (h *UserHub) Unregister(u *User) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.users[u.ID] != u {
		return false
	}
	delete(h.users, u.ID)
	return true
}

// Get returns the user with this id, or nil.
func (h *UserHub) Get(id string) *User {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.users[id]
}

// Len returns how many users are identified.
func (h *UserHub) Len() int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return len(h.users)
}

// All returns everybody, in no order.
func (h *UserHub) All() []*User {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return slices.Collect(maps.Values(h.users))
}

// BroadcastTo queues an event, encoded once, for these users, without exclude ("" for
// none). Unknown ids are skipped. It never waits: the queues are collected under one
// read lock and filled outside it, and a user whose queue is full is disconnected.
func (h *UserHub) BroadcastTo(userIDs []string, event *protocol.Event, exclude string) {
	queues := make([]*egress, 0, len(userIDs))
	h.mu.RLock()
	for _, id := range userIDs {
		if u := h.users[id]; u != nil && id != exclude {
			queues = append(queues, u.tx)
		}
	}
	h.mu.RUnlock()
	push(queues, event)
}

// BroadcastAll queues an event for everybody but exclude.
func (h *UserHub) BroadcastAll(event *protocol.Event, exclude string) {
	h.mu.RLock()
	queues := make([]*egress, 0, len(h.users))
	for id, u := range h.users {
		if id != exclude {
			queues = append(queues, u.tx)
		}
	}
	h.mu.RUnlock()
	push(queues, event)
}

func push(queues []*egress, event *protocol.Event) {
	frame := &outbound{event: event}
	for _, queue := range queues {
		queue.push(frame)
	}
}

// FindSilent returns the users without a sign of life for longer than timeout.
func (h *UserHub) FindSilent(now time.Time, timeout time.Duration) []*User {
	h.mu.RLock()
	defer h.mu.RUnlock()
	var silent []*User
	for _, u := range h.users {
		if now.Sub(u.LastSeen()) > timeout {
			silent = append(silent, u)
		}
	}
	return silent
}
