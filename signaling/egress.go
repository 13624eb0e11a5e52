package signaling

import (
	"sync/atomic"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// outbound is one frame on its way to clients: a reply, already encoded, or an event,
// which gets its number when it is written. It is shared by the queues it waits in, and
// never changes.
type outbound struct {
	reply []byte
	event *protocol.Event
}

// egress is the bounded queue between everybody who has something to tell a client and
// the client's writer. Push never waits. Safe for concurrent use.
type egress struct {
	frames chan *outbound
	// overflow is called once, by the first push that finds the queue full.
	overflow func()
	full     atomic.Bool
}

func newEgress(size int, overflow func()) *egress {
	return &egress{frames: make(chan *outbound, size), overflow: overflow}
}

// push queues a frame and reports whether there was room. After the first overflow
// nothing is queued any more: the client has a gap, and its session ends.
func (e *egress) push(frame *outbound) bool {
	if e.full.Load() {
		return false
	}
	select {
	case e.frames <- frame:
		return true
	default:
	}
	if e.full.CompareAndSwap(false, true) {
		e.overflow()
	}
	return false
}
