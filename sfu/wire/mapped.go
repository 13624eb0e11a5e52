package wire

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/pion/stun/v4"
)

// Retransmission of a STUN request over UDP (RFC 8489 §6.2.1): after 500 ms, then after twice as long each time, seven
// requests in all; 8 s after the last one it has failed.
const (
	stunRTO      = 500 * time.Millisecond
	stunRequests = 7
	stunLastWait = 16 * stunRTO
)

// ErrNoAnswer means that a STUN server did not answer.
var ErrNoAnswer = errors.New("wire: no answer from the STUN server")

// queries are the STUN requests of our own that wait for their answer.
type queries struct {
	mu   sync.Mutex // guards open
	open map[[stun.TransactionIDSize]byte]query
}

type query struct {
	server netip.AddrPort
	answer chan<- mapping // takes one without waiting
}

type mapping struct {
	mapped netip.AddrPort
	err    error
}

// Mapped asks a STUN server which address the media port is seen at from there (RFC 8489, a Binding request), and
// returns that address and port. The question goes out of the media port itself, so that it is that one's mapping in a
// NAT that it shows and keeps. It takes until ctx is done, at most 40 s. It may be called from any goroutine.
func (e *Engine) Mapped(ctx context.Context, server netip.AddrPort) (netip.AddrPort, error) {
	server = canonical(server)
	via := slices.IndexFunc(e.groups, func(g *socketGroup) bool { return g.reaches(server.Addr()) })
	if via < 0 {
		return netip.AddrPort{}, fmt.Errorf("%w: %v", ErrBadAddress, server)
	}
	d, err := newDest(nil, e.groups[via], server, netip.Addr{})
	if err != nil {
		return netip.AddrPort{}, err
	}
	request, err := stun.Build(stun.TransactionID, stun.BindingRequest)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("wire: STUN request: %w", err)
	}
	answer := make(chan mapping, 1)
	e.queries.add(request.TransactionID, query{server, answer})
	defer e.queries.remove(request.TransactionID)
	for n, wait := 1, stunRTO; n <= stunRequests; n, wait = n+1, 2*wait {
		if n == stunRequests {
			wait = stunLastWait
		}
		// One that cannot be sent now is as good as lost.
		_ = d.group.socks[0].writeTo(request.Raw, d, &e.stat)
		select {
		case a := <-answer:
			return a.mapped, a.err
		case <-ctx.Done():
			return netip.AddrPort{}, fmt.Errorf("%w %v", ErrNoAnswer, server)
		case <-e.stop:
			return netip.AddrPort{}, ErrClosed
		case <-time.After(wait):
		}
	}
	return netip.AddrPort{}, fmt.Errorf("%w %v", ErrNoAnswer, server)
}

func (q *queries) add(id [stun.TransactionIDSize]byte, one query) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.open == nil {
		q.open = make(map[[stun.TransactionIDSize]byte]query)
	}
	q.open[id] = one
}

func (q *queries) remove(id [stun.TransactionIDSize]byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.open, id)
}

// settle takes a STUN message that is no request, and reports whether it answers a query. An answer counts by its
// random transaction id of 96 bits, and from the server that was asked only.
func (q *queries) settle(packet []byte, from netip.AddrPort) bool {
	if len(packet) < stunHeader || binary.BigEndian.Uint32(packet[4:]) != stunCookie {
		return false
	}
	q.mu.Lock()
	one, ok := q.open[[stun.TransactionIDSize]byte(packet[8:stunHeader])]
	q.mu.Unlock()
	if !ok || one.server != from {
		return false
	}
	m := &stun.Message{Raw: packet}
	if m.Decode() != nil {
		return false
	}
	var a mapping
	switch m.Type {
	case stun.BindingSuccess:
		a.mapped, a.err = mappedIn(m)
	case stun.BindingError:
		var code stun.ErrorCodeAttribute
		_ = code.GetFrom(m) // 0 when there is none
		a.err = fmt.Errorf("wire: the STUN server %v refuses: %d %s", from, code.Code, code.Reason)
	default:
		return false
	}
	select {
	case one.answer <- a:
	default: // it was answered already
	}
	return true
}

// mappedIn is the address in an answer: XOR-MAPPED-ADDRESS, or what servers had before it (RFC 8489 §14.1).
func mappedIn(m *stun.Message) (netip.AddrPort, error) {
	var mapped stun.XORMappedAddress
	if mapped.GetFrom(m) != nil {
		var plain stun.MappedAddress
		if err := plain.GetFrom(m); err != nil {
			return netip.AddrPort{}, fmt.Errorf("wire: the STUN server's answer has no address: %w", err)
		}
		mapped = stun.XORMappedAddress(plain)
	}
	addr, ok := netip.AddrFromSlice(mapped.IP)
	if !ok || mapped.Port <= 0 || mapped.Port > 1<<16-1 {
		return netip.AddrPort{}, fmt.Errorf("wire: the STUN server says %v", mapped)
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(mapped.Port)), nil
}
