package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// BenchmarkCrowdLatency shows what a big room does to a small one: the time a packet of a two-person room takes through
// the engine, while talkers in a channel of 1,000 listeners speak at 50 packets/s each; with the fan-out deferred to
// lanes as it should be, and, for comparison, all in the receiver.
func BenchmarkCrowdLatency(b *testing.B) {
	for _, inline := range []bool{false, true} {
		for _, talkers := range []int{0, 1, 4} {
			b.Run(fmt.Sprintf("inline=%v/talkers=%d", inline, talkers), func(b *testing.B) {
				crowdLatency(b, inline, talkers)
			})
		}
	}
}

func crowdLatency(b *testing.B, inline bool, talkers int) {
	b.Helper()
	e := startEngine(b, Config{})
	sink := newClient(b, 1)
	eps := make([]*Endpoint, 0, 1000)
	for range 1000 {
		ep, _ := boundEndpoint(b, e, nil, sink.addr, dtls.SRTP_AEAD_AES_128_GCM)
		eps = append(eps, ep)
	}
	for _, ep := range eps { // all at one deaf address, which each has lost to the next
		d, err := newDest(ep, e.groups[0], sink.addr, netip.Addr{})
		require.NoError(b, err)
		ep.dest.Store(d)
	}
	audience := func(ssrc uint32) Receiver {
		to := make([]*Sender, 0, len(eps))
		for _, ep := range eps {
			to = append(to, ep.Sender(ssrc))
		}
		if inline {
			f := &fan{}
			f.to.Store(&to)
			return f
		}
		c := &crowd{}
		c.to.Store(&to)
		return c
	}
	var stop atomic.Bool
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop.Store(true)
	for i := range talkers {
		talker := newClient(b, 0)
		talker.connect(b, e.LocalAddrs()[0])
		_, o := boundEndpoint(b, e, audience(uint32(i+1)), talker.addr, dtls.SRTP_AEAD_AES_128_GCM)
		next := packets(b, o)
		wg.Go(func() {
			for !stop.Load() {
				_ = talker.send(next())
				time.Sleep(20 * time.Millisecond)
			}
		})
	}

	f := &fan{}
	talker, listener := newClient(b, 0), newClient(b, 0)
	require.NoError(b, unix.SetsockoptInt(listener.fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1))
	talker.connect(b, e.LocalAddrs()[0])
	_, o := boundEndpoint(b, e, f, talker.addr, dtls.SRTP_AEAD_AES_128_GCM)
	ep, _ := boundEndpoint(b, e, f, listener.addr, dtls.SRTP_AEAD_AES_128_GCM)
	f.to.Store(&[]*Sender{ep.Sender(5)})
	next := packets(b, o)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var took []time.Duration
	before, start := e.Stats(), time.Now()
	for b.Loop() {
		time.Sleep(time.Millisecond)
		p := next()
		sent := time.Now()
		if err := talker.send(p); err != nil {
			b.Fatal(err)
		}
		came, err := listener.arrival()
		if err != nil {
			b.Fatal(err)
		}
		took = append(took, came.Sub(sent))
	}
	b.ReportMetric(float64(e.Stats().Sent-before.Sent)/time.Since(start).Seconds(), "sent/s")
	slices.Sort(took)
	at := func(q float64) float64 { return float64(took[int(q*float64(len(took)-1))].Microseconds()) }
	b.ReportMetric(at(0.5), "p50-µs")
	b.ReportMetric(at(0.99), "p99-µs")
	b.ReportMetric(at(0.999), "p99.9-µs")
}

// arrival receives a packet and returns when the kernel did, which does not depend on when this thread gets a core. The
// socket has SO_TIMESTAMPNS.
func (c *client) arrival() (time.Time, error) {
	control := make([]byte, 64)
	for {
		_, n, _, _, err := unix.Recvmsg(c.fd, c.buf[:], control, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return time.Time{}, err
		}
		messages, err := unix.ParseSocketControlMessage(control[:n])
		if err != nil || len(messages) != 1 || len(messages[0].Data) < 16 {
			return time.Time{}, errors.Join(errors.New("no time stamp"), err)
		}
		data := messages[0].Data
		return time.Unix(int64(binary.NativeEndian.Uint64(data)), int64(binary.NativeEndian.Uint64(data[8:]))), nil
	}
}
