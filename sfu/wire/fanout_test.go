package wire

import (
	"encoding/binary"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	pion "github.com/pion/rtp"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu/rtp"
)

// crowd is a fan that defers what is too much for a loop.
type crowd struct {
	receiverFunc

	to       atomic.Pointer[[]*Sender]
	jobs     sync.Pool
	longest  atomic.Int64 // time in OnRTP, ns
	dropped  atomic.Int64
	finished atomic.Int64
	failed   atomic.Int64
}

type crowdJob struct {
	crowd  *crowd
	to     []*Sender
	hdr    [rtp.FixedLen]byte
	packet [packetBuffer]byte
	n      int
}

func (c *crowd) OnRTP(b *Batch, _ *Endpoint, packet []byte, at time.Time) {
	defer func() { c.longest.Store(max(c.longest.Load(), int64(time.Since(at)))) }()
	list := *c.to.Load()
	if len(list) <= b.Budget() {
		j := c.job(packet, list)
		j.Step(b, len(list))
		return
	}
	part := binary.BigEndian.Uint32(packet[8:])
	for share := range slices.Chunk(list, JobShare) {
		b.Defer(part, c.job(packet, share))
		part++
	}
}

func (c *crowd) job(packet []byte, to []*Sender) *crowdJob {
	j, ok := c.jobs.Get().(*crowdJob)
	if !ok {
		j = &crowdJob{crowd: c}
	}
	j.to, j.n = to, copy(j.packet[:], packet)
	return j
}

func (j *crowdJob) Step(b *Batch, n int) bool {
	n = min(n, len(j.to))
	copy(j.hdr[:], j.packet[:])
	for _, s := range j.to[:n] {
		binary.BigEndian.PutUint32(j.hdr[8:], s.ssrc)
		if s.WriteRTP(b, j.hdr[:], j.packet[rtp.FixedLen:j.n]) != nil {
			j.crowd.failed.Add(1)
		}
	}
	j.to = j.to[n:]
	if len(j.to) == 0 {
		j.crowd.finished.Add(1)
		j.crowd.jobs.Put(j)
		return false
	}
	return true
}

func (j *crowdJob) Drop() {
	j.crowd.dropped.Add(1)
	j.crowd.jobs.Put(j)
}

// TestCrowdDoesNotHoldTheLoop has one talker with 1,000 listeners, and sees that each gets all in order while the
// receiver itself is done at once.
func TestCrowdDoesNotHoldTheLoop(t *testing.T) {
	e := startEngine(t, Config{})
	c := &crowd{}
	const listeners, n = 1000, 20
	ears := [3]int{0, listeners / 2, listeners - 1} // the others' packets go nowhere
	to := make([]*Sender, 0, listeners)
	heard := map[int]oracle{}
	sockets := map[int]chan []byte{}
	for i := range listeners {
		at := netip.AddrPortFrom(loopback().Addr(), uint16(i+1))
		if slices.Contains(ears[:], i) {
			conn := remote(t, e)
			at = local(conn)
			ch := make(chan []byte, n)
			sockets[i] = ch
			go func() {
				for {
					buf := make([]byte, packetBuffer)
					k, err := conn.Read(buf)
					if err != nil {
						return
					}
					ch <- buf[:k]
				}
			}()
		}
		ep, o := boundEndpoint(t, e, c, at, dtls.SRTP_AEAD_AES_128_GCM)
		heard[i] = o
		to = append(to, ep.Sender(uint32(i)))
	}
	c.to.Store(&to)
	talker := remote(t, e)
	_, o := boundEndpoint(t, e, c, local(talker), dtls.SRTP_AEAD_AES_128_GCM)
	for seq := range uint16(n) {
		sealed, err := o.write.EncryptRTP(nil, rtpPacket(t, pion.Header{SSRC: 9, SequenceNumber: seq}, []byte("x")), nil)
		require.NoError(t, err)
		_, err = talker.Write(sealed)
		require.NoError(t, err)
		time.Sleep(2 * time.Millisecond)
	}
	for _, i := range ears {
		for seq := range uint16(n) {
			select {
			case p := <-sockets[i]:
				raw, err := heard[i].read.DecryptRTP(nil, p, nil)
				require.NoError(t, err)
				require.Equal(t, seq, binary.BigEndian.Uint16(raw[2:]), "listener %d", i)
			case <-time.After(pollTimeout):
				require.Fail(t, "missing", "listener %d packet %d: %+v", i, seq, e.Stats())
			}
		}
	}
	require.Zero(t, c.failed.Load()+c.dropped.Load())
	require.Eventually(t, func() bool { return c.finished.Load() == n*((listeners+JobShare-1)/JobShare) }, pollTimeout, tick)
	t.Logf("longest time in the receiver: %v", time.Duration(c.longest.Load()))
}

// stuckJob never ends by itself.
type stuckJob struct{ dropped, steps *atomic.Int64 }

func (j stuckJob) Step(*Batch, int) bool {
	j.steps.Add(1)
	time.Sleep(100 * time.Microsecond)
	return true
}
func (j stuckJob) Drop() { j.dropped.Add(1) }

func TestFullLaneDropsAndCloseDropsTheRest(t *testing.T) {
	e, err := Listen(Config{Addrs: []netip.AddrPort{loopback()}, Lanes: 1})
	require.NoError(t, err)
	b := e.NewBatch()
	var dropped, steps atomic.Int64
	const n = 4 * laneQueue
	accepted := 0
	for range n {
		if b.Defer(0, stuckJob{&dropped, &steps}) {
			accepted++
		}
	}
	require.EqualValues(t, n-accepted, dropped.Load())
	require.NotZero(t, dropped.Load())
	require.EqualValues(t, dropped.Load(), e.Stats().JobsDropped)
	require.NoError(t, e.Close())
	require.EqualValues(t, n, dropped.Load(), "every job ends in Drop or in a last Step")
	require.False(t, b.Defer(0, stuckJob{&dropped, &steps}), "after Close")
}

// busyJob has the processor for itself. It sends packets to the engine, one after another, and counts the steps that
// each takes until it is handled.
type busyJob struct {
	send    func()
	handled *atomic.Int64
	sent    int64
	since   int
	took    []int
	done    chan []int
}

func (j *busyJob) Step(*Batch, int) bool {
	j.since++
	if j.handled.Load() == j.sent {
		j.took = append(j.took, j.since)
		j.since = 0
		j.sent++
		j.send()
	}
	if len(j.took) > 20 || j.since > 1000 {
		j.done <- append(j.took, j.since)
		return false
	}
	end := time.Now().Add(100 * time.Microsecond)
	for busy := true; busy; busy = time.Now().Before(end) { // as encrypting would be
		runtime.KeepAlive(j)
	}
	return true
}
func (j *busyJob) Drop() { close(j.done) }

// TestLaneLooksAfterTheSocket keeps the only processor busy with a crowd. Go alone would then ask its poller for packets
// every 10 ms, which are 100 steps.
func TestLaneLooksAfterTheSocket(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	e := startEngine(t, Config{Lanes: 1, Loops: 1})
	j := &busyJob{handled: new(atomic.Int64), done: make(chan []int, 1)}
	talker := remote(t, e)
	_, o := boundEndpoint(t, e, receiverFunc(func(*Batch, *Endpoint, []byte, time.Time) { j.handled.Add(1) }),
		local(talker), dtls.SRTP_AEAD_AES_128_GCM)
	j.send = func() {
		sealed, err := o.write.EncryptRTP(nil, rtpPacket(t, pion.Header{SequenceNumber: uint16(j.sent)}, []byte("x")), nil)
		if err == nil {
			_, _ = talker.Write(sealed)
		}
	}
	require.True(t, e.NewBatch().Defer(0, j))
	select {
	case took := <-j.done:
		require.LessOrEqual(t, slices.Max(took), 3, "steps until a packet was handled: %v", took)
	case <-time.After(pollTimeout):
		require.Fail(t, "the lane is stuck")
	}
}

// panicJob panics.
type panicJob struct{}

func (panicJob) Step(*Batch, int) bool { panic("boom") }
func (panicJob) Drop()                 {}

func TestPanicEndsTheJobOnly(t *testing.T) {
	told := make(chan struct{}, 2)
	e := startEngine(t, Config{Lanes: 1, OnPanic: func(*Endpoint, any, []byte) { told <- struct{}{} }})
	b := e.NewBatch()
	for range 2 {
		require.True(t, b.Defer(0, panicJob{}))
		select {
		case <-told:
		case <-time.After(pollTimeout):
			require.Fail(t, "the lane died")
		}
	}
}

func TestPanicEndsTheEndpointOnly(t *testing.T) {
	panicked := make(chan *Endpoint, 1)
	e := startEngine(t, Config{OnPanic: func(ep *Endpoint, v any, stack []byte) {
		if v == "boom" && len(stack) > 0 {
			panicked <- ep
		}
	}})
	bad, badConn := receiverFunc(func(*Batch, *Endpoint, []byte, time.Time) { panic("boom") }), remote(t, e)
	ep, o := boundEndpoint(t, e, bad, local(badConn), dtls.SRTP_AEAD_AES_128_GCM)
	good := make(chan struct{}, 1)
	fine := receiverFunc(func(*Batch, *Endpoint, []byte, time.Time) { good <- struct{}{} })
	goodConn := remote(t, e)
	_, o2 := boundEndpoint(t, e, fine, local(goodConn), dtls.SRTP_AEAD_AES_128_GCM)

	sealed, err := o.write.EncryptRTP(nil, rtpPacket(t, pion.Header{}, []byte("x")), nil)
	require.NoError(t, err)
	_, err = badConn.Write(sealed)
	require.NoError(t, err)
	select {
	case got := <-panicked:
		require.Same(t, ep, got)
	case <-time.After(pollTimeout):
		require.Fail(t, "no panic told")
	}
	require.False(t, ep.Remote().IsValid())
	sealed, err = o2.write.EncryptRTP(nil, rtpPacket(t, pion.Header{}, []byte("x")), nil)
	require.NoError(t, err)
	_, err = goodConn.Write(sealed)
	require.NoError(t, err)
	select {
	case <-good:
	case <-time.After(pollTimeout):
		require.Fail(t, "the loop died")
	}
	require.EqualValues(t, 1, e.Stats().Panics)
}

// unlucky panics when it is told that media can flow, and when it no longer can.
type unlucky struct{ receiverFunc }

func (unlucky) OnConnected(*Endpoint)           { panic("boom") }
func (unlucky) OnDisconnected(*Endpoint, error) { panic("boom") }

func TestPanicOfWhoIsTold(t *testing.T) {
	told := 0
	e := startEngine(t, Config{OnPanic: func(*Endpoint, any, []byte) { told++ }})
	ep, _ := boundEndpoint(t, e, unlucky{}, loopback(), dtls.SRTP_AEAD_AES_128_GCM)
	require.Equal(t, 1, told)
	require.False(t, ep.Remote().IsValid(), "it is closed")
	e.NewEndpoint(unlucky{}).fail(ErrPeerClosed)
	require.Equal(t, 2, told)
	require.EqualValues(t, 2, e.Stats().Panics)
}
