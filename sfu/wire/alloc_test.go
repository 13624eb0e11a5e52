package wire

import (
	"net/netip"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/rtp"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu/bounded"
)

// The hot path allocates nothing. The guards run without the race detector, which allocates by itself.

func skipUnderRace(t *testing.T) {
	t.Helper()
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
}

// hotPath is a loop whose packets are put into its hands, with a sink nobody reads at the other end.
type hotPath struct {
	loop   *loop
	fan    *fan
	next   func() []byte
	from   netip.AddrPort
	packet [packetBuffer]byte
}

func newHotPath(tb testing.TB, id dtls.SRTPProtectionProfile, listeners int) *hotPath {
	tb.Helper()
	ample := bounded.PerSecond(1e9, time.Second)
	e := startEngine(tb, Config{Intake: Intake{Packets: ample, Bytes: ample, Compounds: ample}})
	x := &hotPath{fan: &fan{}, from: netip.MustParseAddrPort("127.0.0.1:4")}
	_, o := boundEndpoint(tb, e, x.fan, x.from, id)
	sink, _, err := openSocket(loopback())
	require.NoError(tb, err)
	tb.Cleanup(sink.close)
	to := make([]*Sender, 0, listeners)
	for i := range listeners {
		ep, _ := boundEndpoint(tb, e, x.fan, netip.AddrPortFrom(loopback().Addr(), uint16(i+100)), id)
		to = append(to, ep.Sender(uint32(i+1000)))
	}
	x.fan.to.Store(&to)
	g := e.groups[0]
	x.loop = &loop{engine: e, group: g, sock: g.socks[0], out: e.newBatch(0)}
	x.next = packets(tb, o)
	return x
}

// step is what a loop does with one packet read.
func (x *hotPath) step() {
	n := copy(x.packet[:], x.next())
	x.loop.handle(x.packet[:n], x.from, 0, time.Now())
	x.loop.out.Flush()
}

func TestAllocsForwarding(t *testing.T) {
	skipUnderRace(t)
	for name, id := range profiles() {
		for _, n := range []int{0, 1, 10, 100} {
			x := newHotPath(t, id, n)
			require.Zero(t, testing.AllocsPerRun(500, x.step), "%s, %d listeners", name, n)
			require.Zero(t, x.fan.err.Load())
		}
	}
}

func TestAllocsReading(t *testing.T) {
	skipUnderRace(t)
	s, at, err := openSocket(loopback())
	require.NoError(t, err)
	defer s.close()
	d, err := newDest(nil, &socketGroup{addr: at}, at, netip.Addr{})
	require.NoError(t, err)
	v, c := newRecvVec(), &engineCounters{}
	packet := []byte("to myself")
	got := 0
	require.Zero(t, testing.AllocsPerRun(500, func() {
		if s.writeTo(packet, d, c) != nil {
			return
		}
		n, _ := s.read(v)
		for i := range n {
			if p, from, ok := v.packet(i); ok && len(p) == len(packet) && from == at {
				got++
			}
		}
	}))
	require.Equal(t, 501, got)
}

func BenchmarkDemux(b *testing.B) {
	p := rtpPacket(b, rtp.Header{SSRC: 1, PayloadType: 111}, make([]byte, benchPayload))
	var t table
	for i := range 1000 {
		t.put(flow{netip.AddrPortFrom(loopback().Addr(), uint16(i)), 0}, &Endpoint{})
	}
	from := flow{netip.AddrPortFrom(loopback().Addr(), 500), 0}
	b.ReportAllocs()
	for b.Loop() {
		if classify(p) != kindRTP || t.lookup(from) == nil {
			b.Fatal("not found")
		}
	}
}

func BenchmarkProtect(b *testing.B) {
	for name, id := range profiles() {
		b.Run(name, func(b *testing.B) {
			x := newInside(b, id)
			h, payload := headerBytes(b, 1), make([]byte, benchPayload)
			b.ReportAllocs()
			b.SetBytes(int64(len(payload)))
			seq := uint16(0)
			for b.Loop() {
				seq++
				h[2], h[3] = byte(seq>>8), byte(seq)
				if err := x.sender.WriteRTP(x.batch, h, payload); err != nil {
					b.Fatal(err)
				}
				x.batch.vecs[0].n, x.batch.used, x.batch.queued = 0, 0, 0
			}
		})
	}
}

func BenchmarkUnprotect(b *testing.B) {
	for name, id := range profiles() {
		b.Run(name, func(b *testing.B) {
			x := newInside(b, id)
			const batch = 1000
			now := time.Now()
			next, buf := packets(b, x.oracle), make([]byte, packetBuffer)
			var sealed [batch][]byte
			b.ReportAllocs()
			b.SetBytes(benchPayload)
			for i := 0; b.Loop(); i++ {
				if i%batch == 0 {
					b.StopTimer()
					for k := range sealed {
						sealed[k] = append(sealed[k][:0], next()...)
					}
					b.StartTimer()
				}
				n := copy(buf, sealed[i%batch])
				if _, err := x.in.unprotect(x.suite, buf[:n], now); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
