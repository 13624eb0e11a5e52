package wire

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/pion/dtls/v3"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/mini-livechat/mini-livechat/sfu/rtp"
)

// The benchmarks over sockets measure CPU time of everything but the client's thread, per forwarded packet, for the
// engine and for a floor in the same run: the same system calls and AES-GCM, without any logic. Listeners are sockets
// nobody reads, with tiny buffers, so that no client's wake-ups are counted; only the last one is read, to keep step.

// client is one blocking socket on a locked thread.
type client struct {
	fd   int
	addr netip.AddrPort
	buf  [packetBuffer]byte
}

func newClient(tb testing.TB, rcvbuf int) *client {
	tb.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(tb, err)
	if rcvbuf > 0 {
		require.NoError(tb, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, rcvbuf))
	}
	timeout := unix.Timeval{Sec: 5}
	require.NoError(tb, unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout))
	require.NoError(tb, unix.Bind(fd, &unix.SockaddrInet4{Addr: loopback().Addr().As4()}))
	sa, err := unix.Getsockname(fd)
	require.NoError(tb, err)
	in4, ok := sa.(*unix.SockaddrInet4)
	require.True(tb, ok)
	tb.Cleanup(func() { _ = unix.Close(fd) })
	return &client{fd: fd, addr: netip.AddrPortFrom(loopback().Addr(), uint16(in4.Port))}
}

func (c *client) connect(tb testing.TB, to netip.AddrPort) {
	tb.Helper()
	require.NoError(tb, unix.Connect(c.fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}))
}

func (c *client) send(p []byte) error {
	_, _, errno := unix.Syscall(unix.SYS_WRITE, uintptr(c.fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))
	if errno != 0 {
		return errno
	}
	return nil
}

func (c *client) recv() error {
	for {
		_, _, errno := unix.Syscall(unix.SYS_READ, uintptr(c.fd), uintptr(unsafe.Pointer(&c.buf[0])), uintptr(len(c.buf)))
		switch errno {
		case 0:
			return nil
		case unix.EINTR:
		default:
			return errno
		}
	}
}

func cpu(who int) time.Duration {
	var r syscall.Rusage
	_ = syscall.Getrusage(who, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// pattern is what both sides of the comparison do: talkers in channels of the given number of listeners, and how many
// packets arrive together.
type pattern struct{ listeners, burst int }

func (p pattern) String() string { return fmt.Sprintf("listeners=%d/burst=%d", p.listeners, p.burst) }

func patterns() []pattern {
	return []pattern{{1, 1}, {10, 1}, {100, 1}, {200, 1}, {1, 16}, {10, 16}, {100, 4}}
}

// rig is one system under measurement with its clients.
type rig struct {
	pattern
	talker, last *client
	next         func() []byte
	used         time.Duration
	engine       *Engine     // nil of the floor
	endpoints    []*Endpoint // of the listeners
	forwarded    int
}

// round sends some bursts, waits for each to come out at the last listener, and adds up what the server used.
func (r *rig) round(tb testing.TB, bursts int) {
	tb.Helper()
	all, mine := cpu(syscall.RUSAGE_SELF), cpu(syscall.RUSAGE_THREAD)
	for range bursts {
		for range r.burst {
			if err := r.talker.send(r.next()); err != nil {
				tb.Fatal("cannot send:", err)
			}
		}
		for range r.burst {
			if err := r.last.recv(); err != nil {
				tb.Fatal("nothing comes out:", err)
			}
		}
	}
	r.used += cpu(syscall.RUSAGE_SELF) - all - (cpu(syscall.RUSAGE_THREAD) - mine)
	r.forwarded += bursts * r.burst * r.listeners
}

func (r *rig) perPacket() float64 { return float64(r.used.Nanoseconds()) / float64(r.forwarded) }

// drive takes turns between the rigs, so that whatever else the machine does hits all alike.
func drive(b *testing.B, rigs ...*rig) {
	b.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	bursts := max(1, 400/(rigs[0].burst*rigs[0].listeners))
	b.ReportAllocs()
	for b.Loop() {
		for _, r := range rigs {
			r.round(b, bursts)
		}
	}
}

// newRig makes the clients of a pattern: a talker that sends to the server, and listeners.
func newRig(tb testing.TB, p pattern, server netip.AddrPort) (*rig, []*client) {
	tb.Helper()
	r := &rig{pattern: p, talker: newClient(tb, 0)}
	r.talker.connect(tb, server)
	all := make([]*client, 0, p.listeners)
	for i := range p.listeners {
		size := 1
		if i == p.listeners-1 {
			size = 1 << 20
		}
		r.last = newClient(tb, size)
		all = append(all, r.last)
	}
	return r, all
}

// BenchmarkFanout is the engine against the floor.
func BenchmarkFanout(b *testing.B) {
	for _, p := range patterns() {
		b.Run(p.String(), func(b *testing.B) {
			bare, ours := floorRig(b, p), engineRig(b, p)
			drive(b, bare, ours)
			b.ReportMetric(bare.perPacket(), "floor-cpu-ns/fwd")
			b.ReportMetric(ours.perPacket(), "cpu-ns/fwd")
			b.ReportMetric(ours.perPacket()/bare.perPacket(), "ratio")
		})
	}
}

// BenchmarkAllInterfaces is the engine on all interfaces, which is told where each packet came to and says where each
// leaves from, against the same without that.
func BenchmarkAllInterfaces(b *testing.B) {
	for _, p := range []pattern{{1, 1}, {10, 1}, {100, 1}} {
		for _, listen := range []string{"0.0.0.0:0", "[::]:0"} {
			b.Run(p.String()+"/"+listen, func(b *testing.B) {
				without, with := engineRig(b, p, addrs(listen)...), engineRig(b, p, addrs(listen)...)
				for _, l := range without.engine.groups {
					for _, s := range l.socks {
						require.NoError(b, unix.SetsockoptInt(s.fd, unix.IPPROTO_IP, unix.IP_PKTINFO, 0))
						if s.v6 {
							require.NoError(b, unix.SetsockoptInt(s.fd, unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 0))
						}
					}
				}
				for _, ep := range without.endpoints {
					d := *ep.dest.Load()
					d.sa.source = nil
					ep.dest.Store(&d)
				}
				drive(b, without, with)
				b.ReportMetric(without.perPacket(), "without-cpu-ns/fwd")
				b.ReportMetric(with.perPacket(), "cpu-ns/fwd")
				b.ReportMetric(with.perPacket()/without.perPacket(), "ratio")
			})
		}
	}
}

func engineRig(b *testing.B, p pattern, listen ...netip.AddrPort) *rig {
	b.Helper()
	e := startEngine(b, Config{Addrs: listen})
	r, listeners := newRig(b, p, onLoopback(e)[0])
	f := &fan{}
	_, o := boundEndpoint(b, e, f, r.talker.addr, dtls.SRTP_AEAD_AES_128_GCM)
	to := make([]*Sender, 0, len(listeners))
	for i, c := range listeners {
		ep, _ := boundEndpoint(b, e, f, c.addr, dtls.SRTP_AEAD_AES_128_GCM)
		to = append(to, ep.Sender(uint32(i+1000)))
		r.endpoints = append(r.endpoints, ep)
	}
	r.engine = e
	f.to.Store(&to)
	r.next = packets(b, o)
	b.Cleanup(func() { require.Zero(b, f.err.Load()) })
	return r
}

func floorRig(b *testing.B, p pattern) *rig {
	b.Helper()
	s, at, err := openSocket(loopback())
	require.NoError(b, err)
	g := &socketGroup{addr: at, socks: []*socket{s}}
	r, listeners := newRig(b, p, at)
	keys, o := testKeys(b, dtls.SRTP_AEAD_AES_128_GCM)
	r.next = packets(b, o)
	in, err := derive(keys.m.profile, &keys.m.inbound)
	require.NoError(b, err)
	fl := &floor{s: s, in: in}
	for _, c := range listeners {
		d, err := newDest(nil, g, c.addr, netip.Addr{})
		require.NoError(b, err)
		fl.to = append(fl.to, d)
		var key [16]byte
		block, err := aes.NewCipher(key[:])
		require.NoError(b, err)
		out, err := cipher.NewGCM(block)
		require.NoError(b, err)
		fl.out = append(fl.out, out)
	}
	b.Cleanup(s.close)
	var wg sync.WaitGroup
	wg.Go(fl.run)
	b.Cleanup(func() {
		fl.stop.Store(true)
		_ = r.talker.send([]byte("end"))
		wg.Wait()
	})
	return r
}

type floor struct {
	s    *socket
	to   []*dest
	in   *suite
	out  []cipher.AEAD
	stop atomic.Bool
}

func (f *floor) run() {
	v, out := newRecvVec(), new(sendVec)
	arena := make([]byte, arenaSize)
	nonce := make([]byte, 12)
	var x scratch
	var c engineCounters
	turn := func() (bool, error) {
		n, err := f.s.read(v)
		if n == 0 || err != nil {
			return false, err
		}
		used := 0
		for i := range n {
			packet, _, _ := v.packet(i)
			if len(packet) < rtp.FixedLen { // what wakes the socket at the end
				continue
			}
			plain, err := f.in.open(&x, packet, rtp.FixedLen, 1, uint64(binary.BigEndian.Uint16(packet[2:])))
			if err != nil { // the sequence number has wrapped; same work, other outcome
				plain = packet[:len(packet)-16]
			}
			for k, d := range f.to {
				if out.full() || used+len(packet) > len(arena) {
					f.s.send(out, &c)
					out.n, used = 0, 0
				}
				dst := arena[used : used+len(packet)]
				copy(dst, plain[:rtp.FixedLen])
				f.out[k].Seal(dst[rtp.FixedLen:rtp.FixedLen], nonce, plain[rtp.FixedLen:], dst[:rtp.FixedLen])
				out.add(d, dst)
				used += len(packet)
			}
		}
		f.s.send(out, &c)
		out.n = 0
		return true, nil
	}
	for !f.stop.Load() {
		if f.s.wait(turn) != nil {
			return
		}
	}
}
