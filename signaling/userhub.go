package signaling

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// UserHub knows who is identified, by user id: registered at IDENTIFY, removed when the
// session ends. Safe for concurrent use.
type UserHub struct {
	mu    sync.RWMutex        // guards the maps
	users map[string]*Session // by user id
	byID  map[string]*Session
}

// NewUserHub returns an empty hub.
func NewUserHub() *UserHub {
	return &UserHub{users: make(map[string]*Session), byID: make(map[string]*Session)}
}

// Register adds s unless its id is taken, and returns who has it then.
func (h *UserHub) Register(s *Session) (holder *Session, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if holder := h.users[s.userID]; holder != nil {
		return holder, false
	}
	h.users[s.userID] = s
	h.byID[s.id] = s
	return s, true
}

// Unregister removes s, but never a newer session of the same id; it reports whether s
// was registered.
func (h *UserHub) Unregister(s *Session) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.users[s.userID] != s {
		return false
	}
	delete(h.users, s.userID)
	delete(h.byID, s.id)
	return true
}

// Get returns the user with this id, or nil.
func (h *UserHub) Get(id string) *Session {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.users[id]
}

// session returns the session with this id, or nil.
func (h *UserHub) session(id string) *Session {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.byID[id]
}

// Len returns how many users are identified.
func (h *UserHub) Len() int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return len(h.users)
}

// All returns everybody, in no order.
func (h *UserHub) All() []*Session {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return slices.Collect(maps.Values(h.users))
}

// those returns who matches, in no order. It is asked with the hub locked for reading.
func (h *UserHub) those(match func(*Session) bool) (found []*Session) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, s := range h.users {
		if match(s) {
			found = append(found, s)
		}
	}
	return found
}

// BroadcastTo queues an event, encoded once, for these users, without exclude ("" for
// none). Unknown ids are skipped. It never waits: the outboxes are collected under one
// read lock and filled outside it, and a user whose queue is full is disconnected.
func (h *UserHub) BroadcastTo(userIDs []string, event *protocol.Body, exclude string) {
	outboxes := make([]*outbox, 0, len(userIDs))
	h.mu.RLock()
	for _, id := range userIDs {
		if u := h.users[id]; u != nil && id != exclude {
			outboxes = append(outboxes, u.out)
		}
	}
	h.mu.RUnlock()
	tell(outboxes, event)
}

// BroadcastAll queues an event for everybody but exclude.
func (h *UserHub) BroadcastAll(event *protocol.Body, exclude string) {
	h.mu.RLock()
	outboxes := make([]*outbox, 0, len(h.users))
	for id, u := range h.users {
		if id != exclude {
			outboxes = append(outboxes, u.out)
		}
	}
	h.mu.RUnlock()
	tell(outboxes, event)
}

func tell(outboxes []*outbox, event *protocol.Body) {
	for _, out := range outboxes {
		out.event(event)
	}
}

// FindSilent returns the connections of those without a sign of life for longer than
// timeout. Who has none at present is not among them.
func (h *UserHub) FindSilent(now time.Time, timeout time.Duration) []*Conn {
	var silent []*Conn
	for _, s := range h.All() {
		if c := s.attached(); c != nil && now.Sub(c.LastSeen()) > timeout {
			silent = append(silent, c)
		}
	}
	return silent
}
