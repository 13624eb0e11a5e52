package wire

import (
	"encoding/binary"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/stretchr/testify/require"
)

const linkSecret = "a secret of the cluster's own"

// heard keeps what a link receives.
type heard struct {
	receiverFunc

	mu   sync.Mutex
	rtp  []string // payloads
	rtcp int
}

func (h *heard) OnRTP(_ *Batch, _ *Endpoint, packet []byte, _ time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.rtp = append(h.rtp, string(packet[12:]))
}

func (h *heard) OnRTCP(*Batch, *Endpoint, []byte, time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.rtcp++
}

func (h *heard) payloads() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]string(nil), h.rtp...)
}

// linkEnds are the two ends of a test's link.
func linkEnds() (a, b LinkEnd) {
	return LinkEnd{"alpha", "boot 1", "nonce 1"}, LinkEnd{"beta", "boot 2", "nonce 2"}
}

func newLink(tb testing.TB, e *Engine, r Receiver, us, them LinkEnd, at ...netip.AddrPort) *Endpoint {
	tb.Helper()
	keys, err := LinkKeys([]byte(linkSecret), us, them)
	require.NoError(tb, err)
	ep, err := e.NewLink(r, at, keys)
	require.NoError(tb, err)
	tb.Cleanup(ep.Close)
	return ep
}

// linked is a link between two engines.
type linked struct {
	near, far           *Endpoint
	heard               heard // by far
	nearEngine, farHost *Engine
}

func newLinked(t *testing.T) *linked {
	t.Helper()
	x := &linked{nearEngine: startEngine(t, Config{}), farHost: startEngine(t, Config{})}
	a, b := linkEnds()
	x.near = newLink(t, x.nearEngine, receiverFunc(nil), a, b, x.farHost.LocalAddrs()...)
	x.far = newLink(t, x.farHost, &x.heard, b, a, x.nearEngine.LocalAddrs()...)
	return x
}

// send sends a packet from near to far.
func (x *linked) send(t *testing.T, seq uint16, payload string) {
	t.Helper()
	b := x.nearEngine.NewBatch()
	require.NoError(t, x.near.Sender(1).WriteRTP(b, rtpPacket(t, rtp.Header{SSRC: 1, SequenceNumber: seq, PayloadType: 111}, nil), []byte(payload)))
	b.Flush()
}

func TestLinkCarriesBothKinds(t *testing.T) {
	x := newLinked(t)
	x.send(t, 1, "voice")
	b := x.nearEngine.NewBatch()
	require.NoError(t, x.near.WriteRTCP(b, []byte{0x80, 201, 0, 1, 0, 0, 0, 1}))
	b.Flush()
	require.Eventually(t, func() bool {
		x.heard.mu.Lock()
		defer x.heard.mu.Unlock()
		return len(x.heard.rtp) == 1 && x.heard.rtcp == 1
	}, pollTimeout, time.Millisecond, "voice and report to arrive")
	require.Equal(t, "voice", x.heard.payloads()[0])
	require.False(t, x.far.LastSeen().IsZero())
}

// TestLinkDropsWhatIsNotItsPeers: what a stranger who can write the other server's address sends is counted and changes nothing.
func TestLinkDropsWhatIsNotItsPeers(t *testing.T) {
	a, b := linkEnds()
	other := LinkEnd{"alpha", "another boot", "nonce 1"}
	for name, test := range map[string]struct {
		us, them LinkEnd
		secret   string
	}{
		"another secret":     {a, b, "a secret of somebody else"},
		"the boot before":    {other, b, linkSecret},
		"another nonce":      {LinkEnd{a.Node, a.Boot, "nonce 0"}, b, linkSecret},
		"the other way":      {b, a, linkSecret},
		"meant for a third":  {a, LinkEnd{"gamma", "boot 3", "nonce 3"}, linkSecret},
		"parts put together": {LinkEnd{"alphaboot 1", "", "nonce 1"}, b, linkSecret},
	} {
		t.Run(name, func(t *testing.T) {
			e := startEngine(t, Config{})
			stranger := startEngine(t, Config{})
			var h heard
			far := newLink(t, e, &h, b, a, stranger.LocalAddrs()...)
			keys, err := LinkKeys([]byte(test.secret), test.us, test.them)
			require.NoError(t, err)
			near, err := stranger.NewLink(receiverFunc(nil), e.LocalAddrs(), keys)
			require.NoError(t, err)
			defer near.Close()
			out := stranger.NewBatch()
			header := rtpPacket(t, rtp.Header{SSRC: 1, SequenceNumber: 1, PayloadType: 111}, nil)
			require.NoError(t, near.Sender(1).WriteRTP(out, header, []byte("forged")))
			require.NoError(t, near.WriteRTCP(out, []byte{0x80, 201, 0, 1, 0, 0, 0, 1}))
			out.Flush()
			require.Eventually(t, func() bool { return far.Drops().AuthFailed == 2 }, pollTimeout, time.Millisecond, "both to be counted")
			require.Empty(t, h.payloads())
			require.True(t, far.LastSeen().IsZero(), "no sign of life")
			require.Empty(t, far.srtp.in.streams, "no memory of it")
		})
	}
}

// TestLinkIsNotMoved: neither its own packets from another address, nor a client's checks from its address, nor DTLS.
func TestLinkIsNotMoved(t *testing.T) {
	x := newLinked(t)
	at := x.far.Remote()
	x.send(t, 1, "first")
	require.Eventually(t, func() bool { return len(x.heard.payloads()) == 1 }, pollTimeout, time.Millisecond, "the first packet")

	// A packet of the link's that somebody held back and sends from elsewhere.
	keys, err := LinkKeys([]byte(linkSecret), LinkEnd{"alpha", "boot 1", "nonce 1"}, LinkEnd{"beta", "boot 2", "nonce 2"})
	require.NoError(t, err)
	elsewhere := startEngine(t, Config{})
	twin, err := elsewhere.NewLink(receiverFunc(nil), x.farHost.LocalAddrs(), keys)
	require.NoError(t, err)
	defer twin.Close()
	b := elsewhere.NewBatch()
	require.NoError(t, twin.Sender(1).WriteRTP(b, rtpPacket(t, rtp.Header{SSRC: 1, SequenceNumber: 2, PayloadType: 111}, nil), []byte("held back")))
	b.Flush()
	require.Eventually(t, func() bool { return x.farHost.Stats().Unbound == 1 }, pollTimeout, time.Millisecond, "it to be counted")

	// A client that checks from the link's address.
	client := x.farHost.NewEndpoint(receiverFunc(nil))
	c, err := client.Accept(Credentials{}, Fingerprint{})
	require.NoError(t, err)
	defer client.Close()
	d, err := newDest(client, x.farHost.groups[0], at, netip.Addr{})
	require.NoError(t, err)
	require.Equal(t, checkRefused, client.checked(c.Ufrag, d, true, time.Now().Add(time.Hour)), "the address is the link's")

	// DTLS from it.
	lp := &loop{engine: x.farHost, group: x.farHost.groups[0], sock: x.farHost.groups[0].socks[0], out: x.farHost.NewBatch()}
	lp.handle([]byte{22, 254, 253, 0}, at, 0, time.Now())
	require.Nil(t, x.far.dtls.Load(), "no handshake begins")

	require.Equal(t, at, x.far.Remote())
	x.send(t, 3, "second")
	require.Eventually(t, func() bool { return len(x.heard.payloads()) == 2 }, pollTimeout, time.Millisecond, "the link to go on")
	require.Equal(t, []string{"first", "second"}, x.heard.payloads())
}

// TestLinkRefusesReplays: what was recorded on the way arrives once.
func TestLinkRefusesReplays(t *testing.T) {
	e := startEngine(t, Config{})
	tap, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(loopback()))
	require.NoError(t, err)
	defer tap.Close()
	at := tap.LocalAddr().(*net.UDPAddr).AddrPort()
	a, b := linkEnds()
	var h heard
	far := newLink(t, e, &h, b, a, at)

	near := startEngine(t, Config{})
	link := newLink(t, near, receiverFunc(nil), a, b, at)
	out := near.NewBatch()
	for seq := range uint16(3) {
		require.NoError(t, link.Sender(1).WriteRTP(out, rtpPacket(t, rtp.Header{SSRC: 1, SequenceNumber: seq, PayloadType: 111}, nil), []byte{byte('a' + seq)}))
	}
	out.Flush()
	require.NoError(t, tap.SetReadDeadline(time.Now().Add(pollTimeout)))
	for range 3 {
		packet := make([]byte, packetBuffer)
		n, _, err := tap.ReadFromUDPAddrPort(packet)
		require.NoError(t, err)
		for range 2 {
			_, err = tap.WriteToUDPAddrPort(packet[:n], e.LocalAddrs()[0])
			require.NoError(t, err)
		}
	}
	require.Eventually(t, func() bool { return far.Drops().Replayed == 3 }, pollTimeout, time.Millisecond, "the second ones to be counted")
	require.Equal(t, []string{"a", "b", "c"}, h.payloads())
}

// TestLinkCarriesThousandsOfStreams: more than any client may send, and not without end.
func TestLinkCarriesThousandsOfStreams(t *testing.T) {
	a, b := linkEnds()
	near, far := startEngine(t, Config{}), startEngine(t, Config{})
	from, to := newLink(t, near, receiverFunc(nil), a, b, loopbackNine()), newLink(t, far, receiverFunc(func(*Batch, *Endpoint, []byte, time.Time) {}), b, a, loopbackNine())
	out := near.newBatch(0)
	header := rtpPacket(t, rtp.Header{SequenceNumber: 1, PayloadType: 111}, nil)
	for ssrc := range uint32(linkSSRCs + 3) {
		binary.BigEndian.PutUint32(header[8:], ssrc)
		require.NoError(t, from.Sender(ssrc).WriteRTP(out, header, []byte("voice")))
		to.onRTP(out, append([]byte(nil), out.arena[:out.used]...), time.Now())
		out.vecs[0].n, out.used, out.queued = 0, 0, 0
	}
	require.EqualValues(t, linkSSRCs, to.Stats().PacketsIn)
	require.EqualValues(t, 3, to.Refused())
}

func loopbackNine() netip.AddrPort { return netip.MustParseAddrPort("127.0.0.1:9") }

func TestLinkWantsAnAddressAndASecret(t *testing.T) {
	e := startEngine(t, Config{})
	a, b := linkEnds()
	keys, err := LinkKeys([]byte(linkSecret), a, b)
	require.NoError(t, err)
	_, err = e.NewLink(receiverFunc(nil), []netip.AddrPort{netip.MustParseAddrPort("[2001:db8::1]:7001")}, keys)
	require.ErrorIs(t, err, ErrBadAddress)
	require.Equal(t, material{profile: keys.m.profile}, *keys.m, "wiped all the same")
	_, err = e.NewLink(receiverFunc(nil), e.LocalAddrs(), Keys{})
	require.ErrorIs(t, err, ErrNoKeys)
	_, err = LinkKeys([]byte("short"), a, b)
	require.ErrorIs(t, err, ErrLinkKeys)
	_, err = LinkKeys([]byte(linkSecret), a, a)
	require.ErrorIs(t, err, ErrLinkKeys)
}

// TestLinkMadeAnewTakesTheAddress: the one before sends and receives nothing more once it is closed, and its closing takes nothing away.
func TestLinkMadeAnewTakesTheAddress(t *testing.T) {
	x := newLinked(t)
	a, b := linkEnds()
	a.Nonce, b.Nonce = "nonce 3", "nonce 4"
	var h heard
	far := newLink(t, x.farHost, &h, b, a, x.nearEngine.LocalAddrs()...)
	x.far.Close()
	require.False(t, x.far.Sending())
	x.send(t, 1, "under the old keys")
	require.Eventually(t, func() bool { return far.Drops().AuthFailed == 1 }, pollTimeout, time.Millisecond, "it to be counted")
	near := newLink(t, x.nearEngine, receiverFunc(nil), a, b, x.farHost.LocalAddrs()...)
	x.near.Close()
	x.near = near
	x.send(t, 1, "under the new ones")
	require.Eventually(t, func() bool { return len(h.payloads()) == 1 }, pollTimeout, time.Millisecond, "the new link to carry")
	require.Empty(t, x.heard.payloads())
}

func TestAllocsLink(t *testing.T) {
	skipUnderRace(t)
	a, b := linkEnds()
	near, far := startEngine(t, Config{}), startEngine(t, Config{})
	from, to := newLink(t, near, receiverFunc(nil), a, b, loopbackNine()), newLink(t, far, receiverFunc(func(*Batch, *Endpoint, []byte, time.Time) {}), b, a, loopbackNine())
	out, packet := near.newBatch(0), make([]byte, packetBuffer)
	header, seq := rtpPacket(t, rtp.Header{SSRC: 1, PayloadType: 111}, nil), uint16(0)
	lp := &loop{engine: far, group: far.groups[0], sock: far.groups[0].socks[0], out: far.newBatch(0)}
	sender := from.Sender(1)
	require.Zero(t, testing.AllocsPerRun(500, func() {
		seq++
		binary.BigEndian.PutUint16(header[2:], seq)
		_ = sender.WriteRTP(out, header, packet[:100])
		n := copy(packet, out.arena[:out.used])
		out.vecs[0].n, out.used, out.queued = 0, 0, 0
		lp.handle(packet[:n], loopbackNine(), 0, time.Now())
	}))
	require.EqualValues(t, 501, to.Stats().PacketsIn)
}
