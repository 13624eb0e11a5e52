package wire

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/rtcp"
	pion "github.com/pion/rtp"
	"github.com/pion/stun/v4"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu/bounded"
)

//nolint:gochecknoglobals // constant
var narrow = Intake{
	Packets: bounded.PerSecond(100, time.Second), Bytes: bounded.PerSecond(50_000, time.Second),
	Compounds: bounded.PerSecond(100, 500*time.Millisecond),
}

// intakeRig is a peer with little intake, whose packets are put into the loop's hands at times of the test's own.
type intakeRig struct {
	*testing.T

	loop   *loop
	ep     *Endpoint
	oracle oracle
	from   netip.AddrPort
	now    time.Time
	seq    uint16
	passed int
}

func newIntakeRig(t *testing.T) *intakeRig {
	t.Helper()
	e := startEngine(t, Config{Intake: narrow})
	r := &intakeRig{T: t, from: netip.MustParseAddrPort("127.0.0.1:4"), now: e.start}
	r.ep, r.oracle = boundEndpoint(t, e, receiverFunc(func(*Batch, *Endpoint, []byte, time.Time) { r.passed++ }),
		r.from, dtls.SRTP_AEAD_AES_128_GCM)
	r.loop = &loop{engine: e, group: e.groups[0], sock: e.groups[0].socks[0], out: e.newBatch(0)}
	return r
}

// rtp is the next packet, of one SSRC.
func (r *intakeRig) rtp(payload int) []byte {
	r.seq++
	raw := rtpPacket(r.T, pion.Header{SSRC: 1, PayloadType: 111, SequenceNumber: r.seq}, make([]byte, payload))
	sealed, err := r.oracle.write.EncryptRTP(nil, raw, nil)
	require.NoError(r, err)
	return sealed
}

func (r *intakeRig) rtcp() []byte {
	raw, err := (&rtcp.SenderReport{SSRC: 1}).Marshal()
	require.NoError(r, err)
	sealed, err := r.oracle.write.EncryptRTCP(nil, raw, nil)
	require.NoError(r, err)
	return sealed
}

// play has n packets come in so long.
func (r *intakeRig) play(n int, within time.Duration, packet func(i int) []byte) {
	for i := range n {
		r.loop.handle(packet(i), r.from, 0, r.now)
		r.now = r.now.Add(within / time.Duration(n))
	}
}

func TestIntakeIsBounded(t *testing.T) {
	const seconds = 4
	for name, test := range map[string]struct{ perSecond, size, most int }{
		"as many as may be":   {100, 100, 100 * seconds},
		"too many":            {2000, 20, 100 * (seconds + 1)},
		"too many bytes":      {2000, 1900, 50_000*(seconds+1)/1900 + 1},
		"few, too many bytes": {90, 1900, 50_000*(seconds+1)/1900 + 1},
	} {
		t.Run(name, func(t *testing.T) {
			r := newIntakeRig(t)
			n := test.perSecond * seconds
			r.play(n, seconds*time.Second, func(int) []byte { return r.rtp(test.size) })
			stats := r.ep.Stats()
			require.EqualValues(t, n, stats.PacketsIn+stats.RTPRate, "each is counted: %+v", stats)
			require.EqualValues(t, r.passed, stats.PacketsIn)
			require.LessOrEqual(t, r.passed, test.most)
			require.GreaterOrEqual(t, r.passed, test.most*3/4)

			r.now = r.now.Add(time.Second)
			before := r.passed
			r.play(20, time.Second, func(int) []byte { return r.rtp(100) })
			require.Equal(t, before+20, r.passed, "all is well a second later")
		})
	}
}

// A stranger who forges a peer's address has what it sends dropped as forged, and takes nothing of what the peer may send.
func TestForgeryUsesUpNoIntake(t *testing.T) {
	r := newIntakeRig(t)
	forged := r.rtp(1000)
	n := 0
	r.play(5000, time.Second, func(i int) []byte {
		if i%100 == 0 {
			n++
			return r.rtp(100)
		}
		r.seq++
		again := append([]byte(nil), forged...)
		binary.BigEndian.PutUint16(again[2:], r.seq)
		return again
	})
	require.Equal(t, n, r.passed)
	stats := r.ep.Stats()
	require.Zero(t, stats.RTPRate)
	require.EqualValues(t, 5000-n, stats.AuthFailed)
}

func TestRTCPIntakeIsBounded(t *testing.T) {
	r := newIntakeRig(t)
	r.play(50, 0, func(int) []byte { return r.rtcp() })
	require.Zero(t, r.ep.Stats().RTCPRate, "after a stall")
	r.now = r.now.Add(time.Second)
	r.play(4000, 2*time.Second, func(int) []byte { return r.rtcp() })
	require.InDelta(t, 4000-2*100-50, r.ep.Stats().RTCPRate, 2)
	r.play(50, time.Second, func(int) []byte { return r.rtp(10) })
	require.Equal(t, 50, r.passed, "to the media it makes no difference")
}

func TestAllocsBeyondIntake(t *testing.T) {
	skipUnderRace(t)
	r := newIntakeRig(t)
	r.play(200, 0, func(int) []byte { return r.rtp(10) })
	before := r.passed
	packet := r.rtp(1000)
	require.Zero(t, testing.AllocsPerRun(500, func() { r.loop.handle(packet, r.from, 0, r.now) }))
	require.Equal(t, before, r.passed)
}

func TestChecksAreBounded(t *testing.T) {
	e := startEngine(t, Config{Intake: Intake{Checks: bounded.PerSecond(100, 500*time.Millisecond)}})
	p := newRawPeer(t, e)
	l := &loop{engine: e, group: e.groups[0], in: newRecvVec(), out: e.newBatch(0)}
	from := netip.MustParseAddrPort("127.0.0.1:4")
	genuine := check(t, p.credentials).Raw
	forged := check(t, Credentials{p.credentials.Ufrag, "another password"}).Raw
	now := e.start
	send := func(packet []byte, n int, within time.Duration) {
		for range n {
			l.handle(append([]byte(nil), packet...), from, 0, now)
			l.out.Flush()
			now = now.Add(within / time.Duration(n))
		}
	}
	send(forged, 1000, time.Second)
	require.EqualValues(t, 1000, e.Stats().STUNRefused)
	send(genuine, 50, 0)
	require.Zero(t, e.Stats().STUNRate, "forged ones do not count")
	send(genuine, 50, 0)
	require.EqualValues(t, 50, e.Stats().STUNRate)
	now = now.Add(time.Second)
	send(genuine, 1000, time.Second)
	require.InDelta(t, 50+1000-100-50, e.Stats().STUNRate, 2)
}

// What a peer sends inside DTLS once the handshake is over is bounded too, and its goodbye is heard all the same.
func TestDTLSAfterTheHandshakeIsBounded(t *testing.T) {
	e := startEngine(t, Config{Intake: Intake{Datagrams: bounded.PerSecond(20, time.Second)}})
	p := newRawPeer(t, e)
	p.check(t, attribute(stun.AttrUseCandidate))
	conn := p.shake(t)
	p.connects(t)
	for range 200 {
		_, err := conn.Write([]byte("for nobody"))
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool { return e.Stats().DTLSFull >= 100 }, pollTimeout, tick)
	time.Sleep(200 * time.Millisecond) // two datagrams more
	require.NoError(t, conn.Close())
	p.ends(t, ErrPeerClosed)
}
