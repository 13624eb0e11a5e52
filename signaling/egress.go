package signaling

import (
	"sync"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// spareFrames is for how many frames an empty queue keeps its memory.
const spareFrames = 16

// outbound is one frame on its way to clients: a reply, already encoded, an event, which
// gets its number when it is written, or, with neither, a WebSocket ping. It is shared by
// the queues it waits in, and never changes.
type outbound struct {
	reply []byte
	event *protocol.Event
}

// egress is the bounded queue between everybody who has something to tell a client and
// the client's writer. It takes memory for what is waiting only, so that many quiet
// sessions with long queues cost little. Push never waits. Safe for concurrent use.
type egress struct {
	limit int
	// overflow is called once, by the first push that finds the queue full.
	overflow func()
	// ready has a token whenever frames have come since the reader last found it empty.
	ready chan struct{}

	mu      sync.Mutex // guards the fields below
	waiting []*outbound
	head    int // of waiting: what is before it has been popped
	full    bool
}

func newEgress(limit int, overflow func()) *egress {
	return &egress{limit: limit, overflow: overflow, ready: make(chan struct{}, 1)}
}

// push queues a frame and reports whether there was room. After the first overflow
// nothing is queued any more: the client has a gap, and its session ends. A droppable event
// is left out while the queue is half full, so that it never is what fills it.
func (e *egress) push(frame *outbound) bool {
	e.mu.Lock()
	if e.full {
		e.mu.Unlock()
		return false
	}
	queued := len(e.waiting) - e.head
	if frame.event != nil && frame.event.Droppable() && queued >= e.limit/2 {
		e.mu.Unlock()
		return false
	}
	if queued >= e.limit {
		e.full = true
		e.mu.Unlock()
		e.overflow()
		return false
	}
	if e.head > 0 && len(e.waiting) == cap(e.waiting) { // use what was popped before growing
		n := copy(e.waiting, e.waiting[e.head:])
		clear(e.waiting[n:])
		e.waiting, e.head = e.waiting[:n], 0
	}
	e.waiting = append(e.waiting, frame)
	e.mu.Unlock()
	select {
	case e.ready <- struct{}{}:
	default:
	}
	return true
}

// pop returns the frame that has waited longest, nil when there is none.
func (e *egress) pop() *outbound {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.head == len(e.waiting) {
		return nil
	}
	frame := e.waiting[e.head]
	e.waiting[e.head] = nil
	e.head++
	if e.head == len(e.waiting) {
		e.waiting, e.head = e.waiting[:0], 0
		if cap(e.waiting) > spareFrames {
			e.waiting = nil
		}
	}
	return frame
}

// len returns how many frames are waiting.
func (e *egress) len() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.waiting) - e.head
}
