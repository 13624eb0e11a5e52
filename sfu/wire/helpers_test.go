package wire

import (
	"crypto/rand"
	"encoding/binary"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	pion "github.com/pion/rtp"
	"github.com/pion/srtp/v3"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu/rtp"
)

// oracle is the far end of a test's endpoint, by pion's own SRTP.
type oracle struct {
	write *srtp.Context // as the client, to the server
	read  *srtp.Context // what the server sends
}

// testKeys makes random keys and both ends' view of them.
func testKeys(tb testing.TB, id dtls.SRTPProtectionProfile) (Keys, oracle) {
	tb.Helper()
	p, err := profileOf(id)
	require.NoError(tb, err)
	m := &material{profile: p}
	for _, k := range []*masterKey{&m.inbound, &m.outbound} {
		_, _ = rand.Read(k.key[:p.keyLen])
		_, _ = rand.Read(k.salt[:p.saltLen])
	}
	context := func(k *masterKey, opts ...srtp.ContextOption) *srtp.Context {
		c, err := srtp.CreateContext(append([]byte(nil), k.key[:p.keyLen]...), append([]byte(nil), k.salt[:p.saltLen]...),
			srtp.ProtectionProfile(id), opts...)
		require.NoError(tb, err)
		return c
	}
	return Keys{m}, oracle{context(&m.inbound), context(&m.outbound, srtp.SRTPReplayProtection(replayWindow))}
}

// rtpPacket builds a packet, plain.
func rtpPacket(tb testing.TB, h pion.Header, payload []byte) []byte {
	tb.Helper()
	h.Version = 2
	raw, err := (&pion.Packet{Header: h, Payload: payload}).Marshal()
	require.NoError(tb, err)
	return raw
}

// boundEndpoint is an endpoint with keys at an address, without any PeerConnection.
func boundEndpoint(tb testing.TB, e *Engine, r Receiver, at netip.AddrPort, id dtls.SRTPProtectionProfile) (*Endpoint, oracle) {
	tb.Helper()
	keys, o := testKeys(tb, id)
	if r == nil {
		r = receiverFunc(nil)
	}
	ep := e.NewEndpoint(r)
	require.NoError(tb, ep.setKeys(keys))
	require.NoError(tb, bind(ep, at))
	return ep, o
}

// binds counts the calls of bind.
//
//nolint:gochecknoglobals // its clock
var binds atomic.Int64

// bind does what a nominating check from an address does that comes after a long silence of everybody.
func bind(ep *Endpoint, remote netip.AddrPort) error {
	remote = canonical(remote)
	now := time.Now().Add(time.Duration(binds.Add(1)) * addressHold)
	for _, g := range ep.engine.groups {
		if !g.reaches(remote.Addr()) {
			continue
		}
		at := netip.Addr{}
		if g.addr.Addr().IsUnspecified() && remote.Addr().IsLoopback() {
			at = remote.Addr()
		}
		d, err := newDest(ep, g, remote, at)
		if err != nil {
			return err
		}
		if ep.checked("", d, true, now) != checkTaken {
			return ErrClosed
		}
		return nil
	}
	return ErrBadAddress
}

// fan sends what it receives to a list of senders, as sfu/forward will.
type fan struct {
	receiverFunc

	to  atomic.Pointer[[]*Sender]
	hdr [rtp.FixedLen]byte
	err atomic.Int64
}

func (f *fan) OnRTP(b *Batch, _ *Endpoint, packet []byte, _ time.Time) {
	copy(f.hdr[:], packet)
	for _, s := range *f.to.Load() {
		binary.BigEndian.PutUint32(f.hdr[8:], s.ssrc)
		if s.WriteRTP(b, f.hdr[:], packet[rtp.FixedLen:]) != nil {
			f.err.Add(1)
		}
	}
}

// benchPayload is a usual Opus frame, bytes.
const benchPayload = 100

// packets returns a generator of encrypted packets of one stream.
func packets(tb testing.TB, o oracle) func() []byte {
	tb.Helper()
	raw := rtpPacket(tb, pion.Header{SSRC: 1, PayloadType: 111}, make([]byte, benchPayload))
	var seq uint16
	out := make([]byte, 0, packetBuffer)
	var h pion.Header
	return func() []byte {
		seq++
		binary.BigEndian.PutUint16(raw[2:], seq)
		sealed, err := o.write.EncryptRTP(out[:0], raw, &h)
		if err != nil {
			tb.Fatal(err)
		}
		return sealed
	}
}
