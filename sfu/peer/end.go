package peer

import (
	"errors"
	"runtime/debug"

	"github.com/mini-livechat/mini-livechat/sfu/wire"
)

// Why a connection ended by itself; test with errors.Is. What is none of them is a DTLS
// handshake that failed.
var (
	// ErrGoodbye: the client closed the DTLS association by an alert (RFC 5246, section 7.2).
	ErrGoodbye = wire.ErrPeerClosed
	// ErrTooManyStreams: the client sends more SSRCs than any microphone has.
	ErrTooManyStreams = errors.New("more streams than a microphone has")
	// ErrPanic: a fault of the server's own while it handled a packet of the client.
	ErrPanic = errors.New("internal error in the media path")
)

// ending is how a connection ended by itself. Guarded by Peer.mu.
type ending struct {
	err  error           // nil: it has not
	tell func(err error) // nil: nobody asked, or it was told
}

// OnEnd sets what is called when the connection ends by itself: its handshake failed, the
// client said goodbye, or it misbehaved. ended is called at most once, soon if the
// connection ended already, and not after Close, unless that is called at the same moment.
// It has a goroutine of its own that holds no lock, so it may block.
func (p *Peer) OnEnd(ended func(err error)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ending.tell = ended
	p.tellEndLocked()
}

// end notes that the connection is over. The first reason counts.
func (p *Peer) end(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ending.err == nil {
		p.ending.err = err
	}
	p.tellEndLocked()
}

// tellEndLocked tells of the end, if there is one and somebody to be told.
func (p *Peer) tellEndLocked() {
	if p.closed || p.ending.err == nil || p.ending.tell == nil {
		return
	}
	err, tell := p.ending.err, p.ending.tell
	p.ending.tell = nil
	p.factory.spawn(func() { tell(err) })
}

// OnDisconnected implements wire.Receiver.
func (p *Peer) OnDisconnected(_ *wire.Endpoint, err error) { p.end(err) }

// spawn runs f on a goroutine that Close waits for; after Close, it does not. A panic in it
// ends f and nothing else.
func (f *Factory) spawn(run func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	f.running.Go(func() {
		defer func() {
			if value := recover(); value != nil {
				f.panicked(value, debug.Stack())
			}
		}()
		run()
	})
}

// panicked tells of a panic, which goes on when there is nobody to tell.
func (f *Factory) panicked(value any, stack []byte) {
	if f.cfg.OnPanic == nil {
		panic(value)
	}
	f.cfg.OnPanic(value, stack)
}

// endOf ends the peer that has this endpoint, which wire has closed because of a panic.
func (f *Factory) endOf(endpoint *wire.Endpoint) {
	f.mu.Lock()
	var broken *Peer
	for _, p := range f.peers {
		if p.endpoint == endpoint {
			broken = p
			break
		}
	}
	f.mu.Unlock()
	if broken != nil {
		broken.end(ErrPanic)
	}
}
