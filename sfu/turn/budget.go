package turn

import (
	"encoding/binary"
	"errors"
	"hash/maphash"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	// A source address over UDP may be forged, and its victim then gets the replies. So
	// no address is sent more than replyNum/replyDen times the bytes of the requests that
	// came from it: the idea of RFC 9000, section 8.1, with a smaller factor. A first
	// Allocate of 28 bytes is too small for its 401 of 84; the client's retransmission
	// (RFC 8489, section 6.2.1, after 250 to 500 ms) makes up for it. All later requests
	// carry credentials and are larger than their replies.
	replyNum, replyDen = 3, 2
	// budgetSets times budgetWays source addresses are remembered, in half a MiB. Whoever
	// is forgotten in a flood has to ask once more.
	budgetSets = 2048
	budgetWays = 4
	// maxCredit bounds what an address may save up, in bytes of requests: two retries of
	// the largest that a client sends.
	maxCredit = 4096
	// readPause is how long reading rests after an error that is not the end.
	readPause = 10 * time.Millisecond
)

// STUN's header (RFC 8489, section 5): type, length, magic cookie, transaction id.
const (
	stunHeader = 20
	stunCookie = 0x2112A442
	// The two bits of the class within the message type.
	stunClassMask = 0x0110
	stunRequest   = 0x0000
	stunSuccess   = 0x0100
	stunError     = 0x0110
)

// stunClass returns the class bits of a well-formed STUN message.
func stunClass(p []byte) (class uint16, ok bool) {
	if len(p) < stunHeader || p[0]&0xC0 != 0 || binary.BigEndian.Uint32(p[4:]) != stunCookie ||
		int(binary.BigEndian.Uint16(p[2:]))+stunHeader != len(p) {
		return 0, false
	}
	return binary.BigEndian.Uint16(p) & stunClassMask, true
}

// isChannelData reports whether p has the form of ChannelData (RFC 8656, section 12.4):
// a channel number from 0x4000 on, a length, and at least so many bytes.
func isChannelData(p []byte) bool {
	return len(p) >= 4 && p[0]&0xC0 == 0x40 && len(p)-4 >= int(binary.BigEndian.Uint16(p[2:]))
}

// budget remembers how many bytes of replies a source address may still be sent. Its
// size is fixed. Safe for concurrent use.
type budget struct {
	seed maphash.Seed

	mu   sync.Mutex // guards sets
	sets [][budgetWays]account
}

// account is one source address. The accounts of a set are ordered by last use.
type account struct {
	addr   netip.AddrPort
	credit int // in bytes of replies, times replyDen
}

func newBudget() *budget {
	return &budget{seed: maphash.MakeSeed(), sets: make([][budgetWays]account, budgetSets)}
}

// touchLocked returns the address's account, which it moves to the front of its set. Where
// there is none, a new one takes the place of the account used longest ago.
func (b *budget) touchLocked(addr netip.AddrPort) *account {
	set := &b.sets[maphash.Comparable(b.seed, addr)%budgetSets]
	at := 0
	for at < budgetWays-1 && set[at].addr != addr {
		at++
	}
	found := set[at]
	if found.addr != addr {
		found = account{addr: addr}
	}
	copy(set[1:at+1], set[:at])
	set[0] = found
	return &set[0]
}

// received credits the address with a request of so many bytes.
func (b *budget) received(addr netip.AddrPort, bytes int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.touchLocked(addr)
	a.credit = min(a.credit+bytes*replyNum, maxCredit*replyNum)
}

// spend reports whether the address may be sent a reply of so many bytes, and takes them off.
func (b *budget) spend(addr netip.AddrPort, bytes int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.touchLocked(addr)
	if a.credit < bytes*replyDen {
		return false
	}
	a.credit -= bytes * replyDen
	return true
}

// guarded is the UDP socket as pion sees it: no noise comes in, and no reply goes out that
// is out of proportion.
type guarded struct {
	net.PacketConn

	budget *budget
	stat   *counters
}

// ReadFrom returns the next datagram that is STUN or ChannelData. The only error is that
// of a closed socket.
func (g *guarded) ReadFrom(p []byte) (int, net.Addr, error) {
	for {
		n, from, err := g.PacketConn.ReadFrom(p)
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return 0, nil, err //nolint:wrapcheck // pion's to judge
			}
			time.Sleep(readPause)
			continue
		}
		addr, ok := from.(*net.UDPAddr)
		if !ok {
			continue
		}
		if class, ok := stunClass(p[:n]); ok {
			if class == stunRequest {
				g.budget.received(addr.AddrPort(), n)
			}
			return n, from, nil
		}
		if isChannelData(p[:n]) {
			return n, from, nil
		}
		g.stat.noise.Add(1)
	}
}

// WriteTo sends relayed data, and replies as far as their receiver has the credit. A reply
// beyond it is dropped and counted.
func (g *guarded) WriteTo(p []byte, addr net.Addr) (int, error) {
	class, ok := stunClass(p)
	if to, isUDP := addr.(*net.UDPAddr); ok && isUDP && (class == stunSuccess || class == stunError) &&
		!g.budget.spend(to.AddrPort(), len(p)) {
		g.stat.withheld.Add(1)
		return len(p), nil
	}
	if _, err := g.PacketConn.WriteTo(p, addr); errors.Is(err, net.ErrClosed) {
		return 0, err //nolint:wrapcheck // pion's to judge
	}
	return len(p), nil // any other failure is a lost datagram
}
