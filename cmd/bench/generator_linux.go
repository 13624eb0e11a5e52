package bench

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// legBatch is how many packets are taken from one socket at a time.
	legBatch = 32
	// readyLegs is how many sockets are looked at between two waits.
	readyLegs = 256
	// pollTimeout is how long the receiving loop may take to notice that it shall end.
	pollTimeout = 50 * time.Millisecond
)

// generator sends and receives the RTP of all participants. Its two loops are the only
// ones that do so.
type generator struct {
	local netip.Addr // on which the participants' sockets are
	epoch time.Time
	keys  keyLog
	poll  int // the epoll descriptor

	mu    sync.RWMutex
	legs  map[int32]*leg  // by descriptor; guarded by mu
	named map[string]*leg // by ICE user name fragment; guarded by mu

	talkers talkers
	hush    atomic.Bool // nobody sends

	// The window being measured, as times since epoch. Latency and loss are those of the
	// packets sent in it; the throughput is what arrives in it. The two differ for a target
	// that cannot keep up, whose packets arrive after the window, or never.
	from, to atomic.Int64
	latency  histogram
	arrived  atomic.Uint64 // in the window
	// byNode is what of these arrived at the participants of each node, and apart the latencies between participants of one node and of two.
	byNode   [maxNodes]atomic.Uint64
	apart    [2]histogram
	expected atomic.Uint64 // thousandths of packets
	forged   atomic.Uint64 // packets that could not be decrypted

	stop atomic.Bool
	wg   sync.WaitGroup
}

func newGenerator(local netip.Addr) (*generator, error) {
	poll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("load generator: %w", err)
	}
	g := &generator{
		local: local, epoch: time.Now(), poll: poll,
		legs: make(map[int32]*leg), named: make(map[string]*leg),
	}
	g.from.Store(forever)
	g.wg.Go(g.receive)
	g.wg.Go(g.send)
	return g, nil
}

// close ends the loops and closes what sockets are left.
func (g *generator) close() {
	g.stop.Store(true)
	g.wg.Wait()
	g.mu.RLock()
	left := make([]*leg, 0, len(g.legs))
	for _, l := range g.legs {
		left = append(left, l)
	}
	g.mu.RUnlock()
	for _, l := range left {
		_ = l.Close()
	}
	_ = unix.Close(g.poll)
}

// now is the time since the generator was made.
func (g *generator) now() time.Duration { return time.Since(g.epoch) }

// newLeg opens a participant's socket.
func (g *generator) newLeg() (*leg, error) {
	fd, addr, err := openUDP(g.local, legBufferBytes)
	if err != nil {
		return nil, fmt.Errorf("open a participant's socket: %w", err)
	}
	l := &leg{
		gen: g, fd: fd, addr: addr,
		inbox: make(chan datagram, inboxPackets), closed: make(chan struct{}), heard: make(chan struct{}),
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)} //nolint:gosec // descriptors are small
	if err := unix.EpollCtl(g.poll, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("watch a participant's socket: %w", err)
	}
	g.legs[event.Fd] = l
	return l, nil
}

// remove closes a leg's socket. Nobody uses it any more: who does holds mu.
func (g *generator) remove(l *leg) {
	g.talkers.remove(l)
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.legs, int32(l.fd)) //nolint:gosec // descriptors are small
	_ = unix.Close(l.fd)        // which removes it from the epoll set, too
}

// receive is the receiving loop.
func (g *generator) receive() {
	events := make([]unix.EpollEvent, readyLegs)
	batch := newInbound(legBatch)
	for !g.stop.Load() {
		n, err := unix.EpollWait(g.poll, events, int(pollTimeout.Milliseconds()))
		if err != nil {
			continue // interrupted
		}
		g.mu.RLock()
		for _, event := range events[:n] {
			if l := g.legs[event.Fd]; l != nil {
				l.drain(batch)
			}
		}
		g.mu.RUnlock()
	}
}

// windowLead is how far ahead a window's ends are set, so that both loops know of them.
const windowLead = 10 * time.Millisecond

// forever is later than any packet.
const forever = int64(1) << 62

// measure opens the window in which packets count, and returns when it is open.
func (g *generator) measure() {
	g.to.Store(forever)
	g.from.Store(int64(g.now() + windowLead))
	time.Sleep(windowLead)
}

// stopMeasuring closes the window.
func (g *generator) stopMeasuring() {
	g.to.Store(int64(g.now() + windowLead))
	time.Sleep(windowLead)
}

func (g *generator) inWindow(at time.Duration) bool {
	return int64(at) >= g.from.Load() && int64(at) < g.to.Load()
}

// received counts a packet that arrived where it should, from a participant of one node at one of another, or of the same.
func (g *generator) received(from, at uint8, sentAt, now time.Duration) {
	if g.inWindow(sentAt) {
		g.latency.add(now - sentAt)
		if from == at {
			g.apart[sameNode].add(now - sentAt)
		} else {
			g.apart[otherNode].add(now - sentAt)
		}
	}
	if g.inWindow(now) {
		g.arrived.Add(1)
		g.byNode[at%maxNodes].Add(1)
	}
}

// What generator.apart tells apart.
const (
	sameNode = iota
	otherNode
)

// expectedPackets is how many packets have to come of those sent in the window.
func (g *generator) expectedPackets() float64 { return float64(g.expected.Load()) / 1000 }

// The generator is the ice.UDPMux of every participant: pion asks it for a socket, under
// the ICE user name fragment by which the leg is found again.

type mux struct{ *generator }

// GetConn opens the socket of one participant.
func (m mux) GetConn(ufrag string, _ net.Addr) (net.PacketConn, error) {
	l, err := m.newLeg()
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	m.named[ufrag] = l
	m.mu.Unlock()
	return l, nil
}

// RemoveConnByUfrag closes it.
func (m mux) RemoveConnByUfrag(ufrag string) {
	if l := m.take(ufrag); l != nil {
		_ = l.Close()
	}
}

func (m mux) take(ufrag string) *leg {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.named[ufrag]
	delete(m.named, ufrag)
	return l
}

// GetListenAddresses names the address; the port is made up, because it is told to nobody.
func (m mux) GetListenAddresses() []net.Addr {
	return []net.Addr{net.UDPAddrFromAddrPort(netip.AddrPortFrom(m.local, 9))}
}

// Close does nothing: the generator belongs to who made it.
func (m mux) Close() error { return nil }

// legOf finds the leg by the ICE user name fragment in a description.
func (g *generator) legOf(ufrag string) *leg {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.named[ufrag]
}
