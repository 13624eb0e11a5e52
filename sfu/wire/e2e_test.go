package wire

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu/leaktest"
	"github.com/mini-livechat/mini-livechat/sfu/rtp"
)

func profiles() map[string]dtls.SRTPProtectionProfile {
	return map[string]dtls.SRTPProtectionProfile{
		"AES-128-GCM":             dtls.SRTP_AEAD_AES_128_GCM,
		"AES-256-GCM":             dtls.SRTP_AEAD_AES_256_GCM,
		"AES-128-CM-HMAC-SHA1-80": dtls.SRTP_AES128_CM_HMAC_SHA1_80,
	}
}

// forwarder sends what it receives to one slot, rewritten.
type forwarder struct {
	receiverFunc

	to  atomic.Pointer[serverPeer]
	got atomic.Int64
	bad atomic.Int64
	hdr [rtp.FixedLen]byte
}

func (f *forwarder) OnRTP(b *Batch, _ *Endpoint, packet []byte, _ time.Time) {
	f.got.Add(1)
	to := f.to.Load()
	if to == nil {
		return
	}
	n, err := rtp.HeaderLen(packet)
	if err != nil {
		f.bad.Add(1)
		return
	}
	copy(f.hdr[:], packet[:rtp.FixedLen])
	f.hdr[0] = 0x80
	f.hdr[1] = to.pt
	binary.BigEndian.PutUint32(f.hdr[8:], to.sender.SSRC())
	if to.sender.WriteRTP(b, f.hdr[:], packet[n:]) != nil {
		f.bad.Add(1)
	}
}

func TestAudioFromClientToClient(t *testing.T) {
	for name, id := range profiles() {
		t.Run(name, func(t *testing.T) {
			defer leaktest.Verify(t)
			e, err := Listen(Config{Addrs: []netip.AddrPort{loopback()}})
			require.NoError(t, err)
			defer func() { require.NoError(t, e.Close()) }()
			audioThrough(t, e, []webrtc.NetworkType{webrtc.NetworkTypeUDP4}, id)
		})
	}
}

func TestAudioOverEveryKindOfAddress(t *testing.T) {
	v4, v6 := []webrtc.NetworkType{webrtc.NetworkTypeUDP4}, []webrtc.NetworkType{webrtc.NetworkTypeUDP6}
	for name, c := range map[string]struct {
		cfg      Config
		networks []webrtc.NetworkType
	}{
		"IPv6":                     {Config{Addrs: addrs("[::1]:0")}, v6},
		"IPv4 over dual stack":     {Config{Addrs: addrs("[::]:0")}, v4},
		"IPv6 over dual stack":     {Config{Addrs: addrs("[::]:0")}, v6},
		"IPv4 wildcard":            {Config{Addrs: addrs("0.0.0.0:0")}, v4},
		"one beside all":           {Config{Addrs: addrs("[::]:0", "127.0.0.1:0")}, v4},
		"two addresses, over IPv4": {Config{Addrs: addrs("127.0.0.1:0", "[::1]:0")}, v4},
		"two addresses, over IPv6": {Config{Addrs: addrs("127.0.0.1:0", "[::1]:0")}, v6},
	} {
		t.Run(name, func(t *testing.T) {
			audioThrough(t, startEngine(t, c.cfg), c.networks)
		})
	}
}

func addrs(list ...string) []netip.AddrPort {
	out := make([]netip.AddrPort, 0, len(list))
	for _, a := range list {
		out = append(out, netip.MustParseAddrPort(a))
	}
	return out
}

// audioThrough lets one client hear another through an engine.
func audioThrough(t *testing.T, e *Engine, networks []webrtc.NetworkType, id ...dtls.SRTPProtectionProfile) {
	t.Helper()
	talker, listener := newClientPeer(t, networks, id...), newClientPeer(t, networks, id...)
	f := &forwarder{}
	in := newServerPeer(t, e, f)
	out := newServerPeer(t, e, receiverFunc(func(*Batch, *Endpoint, []byte, time.Time) {}))
	defer func() {
		require.NoError(t, talker.pc.Close())
		require.NoError(t, listener.pc.Close())
		in.close(t)
		out.close(t)
	}()
	join(t, talker, in)
	join(t, listener, out)
	f.to.Store(out)

	const n = 50
	talker.talk(t, 100, n)
	for i := range n {
		select {
		case p := <-listener.heard:
			require.Equal(t, uint16(100+i), p.SequenceNumber)
			require.Equal(t, fmt.Sprintf("frame %d", 100+i), string(p.Payload))
		case <-time.After(pollTimeout):
			require.Fail(t, "packet did not arrive", "packet %d, endpoint %+v, engine %+v", i, in.ep.Stats(), e.Stats())
		}
	}
	require.Zero(t, f.bad.Load())
	st := in.ep.Stats()
	require.EqualValues(t, n, st.PacketsIn)
	require.Zero(t, st.AuthFailed+st.Replayed+st.Malformed)
	require.EqualValues(t, n, out.ep.Stats().PacketsOut)
	require.WithinDuration(t, time.Now(), in.ep.LastSeen(), pollTimeout)
}
