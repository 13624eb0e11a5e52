package wire

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/crypto/selfsign"
	"github.com/pion/rtcp"
	"github.com/pion/stun/v4"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"
)

func TestFingerprints(t *testing.T) {
	e := startEngine(t, Config{})
	own, err := ParseFingerprint(e.Fingerprint())
	require.NoError(t, err)
	lower, err := ParseFingerprint(strings.ToLower(e.Fingerprint()))
	require.NoError(t, err)
	require.Equal(t, own, lower)
	ours := e.cfg.Certificate.Certificate
	theirs := startEngine(t, Config{}).cfg.Certificate.Certificate
	wrong, err := ParseFingerprint("sha-512 " + strings.Repeat("00:", 63) + "00")
	require.NoError(t, err)
	for _, known := range [][]Fingerprint{{own}, {wrong, own}, {own, wrong}, {Fingerprint{}, own}} {
		require.NoError(t, verifyAny(known)(ours, nil))
		require.ErrorIs(t, verifyAny(known)(theirs, nil), ErrFingerprint)
		require.ErrorIs(t, verifyAny(known)(nil, nil), ErrFingerprint)
		require.ErrorIs(t, verifyAny(known)([][]byte{[]byte("x")}, nil), ErrFingerprint)
	}
	for _, known := range [][]Fingerprint{nil, {Fingerprint{}}, {wrong}} {
		require.ErrorIs(t, verifyAny(known)(ours, nil), ErrFingerprint)
	}
	hash := e.Fingerprint()[len("sha-256 "):]
	for _, unknown := range []string{"sha-1 " + hash, "md5 00", "sha-3 00"} {
		_, err := ParseFingerprint(unknown)
		require.ErrorIs(t, err, ErrHash, unknown)
	}
	for _, bad := range []string{
		"", " ", "sha-256", "sha-256 ", e.Fingerprint() + ":00", e.Fingerprint() + "0", "sha-512 " + hash,
		"sha-256 0000:" + hash[6:] + ":00", "sha-256 0:0" + hash[3:], "sha-256 zz" + hash[2:],
	} {
		_, err := ParseFingerprint(bad)
		require.ErrorIs(t, err, ErrBadFingerprint, bad)
	}
}

// A peer with another certificate than its offer said gets no keys.
func TestAnotherCertificateIsRefused(t *testing.T) {
	e := startEngine(t, Config{})
	c := newClientPeer(t, []webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	defer func() { require.NoError(t, c.pc.Close()) }()
	s := newServerPeer(t, e, receiverFunc(nil))
	defer s.close(t)
	offer, err := c.pc.CreateOffer(nil)
	require.NoError(t, err)
	require.NoError(t, c.pc.SetLocalDescription(offer))
	offer.SDP = strings.Replace(offer.SDP, "a=fingerprint:sha-256 ", "a=fingerprint:sha-256 00:", 1)
	at := strings.Index(offer.SDP, "a=fingerprint:")
	end := at + strings.Index(offer.SDP[at:], "\r\n")
	offer.SDP = offer.SDP[:end-3] + offer.SDP[end:]
	require.NoError(t, c.pc.SetRemoteDescription(s.answer(t, offer)))
	select {
	case err := <-s.over:
		require.ErrorIs(t, err, ErrFingerprint)
	case <-time.After(pollTimeout):
		require.Fail(t, "let in")
	}
	require.Nil(t, s.ep.srtp.incoming.Load())
	require.Empty(t, ufrags(e))
}

// watchedConn tells of the server's last flight, when it comes.
type watchedConn struct {
	net.PacketConn

	last func()
}

func (c watchedConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := c.PacketConn.ReadFrom(b)
	if n > 0 && b[0] == changeCipherSpec {
		c.last()
	}
	return n, from, err
}

// A peer may send media as soon as it has our Finished, and none of it is lost.
func TestKeysAreThereBeforeThePeerIs(t *testing.T) {
	e := startEngine(t, Config{})
	cert, err := selfsign.GenerateSelfSigned()
	require.NoError(t, err)
	value, err := fingerprintOf(&cert)
	require.NoError(t, err)
	fingerprint, err := ParseFingerprint(value)
	require.NoError(t, err)
	for range 20 {
		conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(loopback()))
		require.NoError(t, err)
		ep := e.NewEndpoint(receiverFunc(nil))
		c, err := ep.Accept(Credentials{}, fingerprint)
		require.NoError(t, err)
		server := net.UDPAddrFromAddrPort(e.LocalAddrs()[0])
		_, err = conn.WriteTo(check(t, c, attribute(stun.AttrUseCandidate)).Raw, server)
		require.NoError(t, err)
		_, err = conn.Read(make([]byte, packetBuffer))
		require.NoError(t, err)

		var ready atomic.Bool
		peer, err := dtls.ClientWithOptions(watchedConn{conn, func() { ready.Store(ep.srtp.incoming.Load() != nil) }}, server,
			dtls.WithCertificates(cert), dtls.WithInsecureSkipVerify(true),
			dtls.WithSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM))
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), pollTimeout)
		require.NoError(t, peer.HandshakeContext(ctx))
		cancel()
		require.True(t, ready.Load(), "Finished came before there were keys")
		ep.Close()
		require.NoError(t, peer.Close())
	}
}

func TestPeerThatClosesIsNoticed(t *testing.T) {
	e := startEngine(t, Config{})
	c := newClientPeer(t, []webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	s := newServerPeer(t, e, receiverFunc(nil))
	defer s.close(t)
	join(t, c, s)
	require.NoError(t, c.pc.Close())
	select {
	case err := <-s.over:
		require.ErrorIs(t, err, ErrPeerClosed)
	case <-time.After(pollTimeout):
		require.Fail(t, "not noticed")
	}
}

func TestSRTCPBothWays(t *testing.T) {
	for name, id := range profiles() {
		t.Run(name, func(t *testing.T) {
			e := startEngine(t, Config{})
			c := newClientPeer(t, []webrtc.NetworkType{webrtc.NetworkTypeUDP4}, id)
			defer func() { require.NoError(t, c.pc.Close()) }()
			s := newServerPeer(t, e, receiverFunc(nil))
			defer s.close(t)
			join(t, c, s)
			require.NoError(t, c.pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{SenderSSRC: 7, MediaSSRC: 4242}}))
			for { // pion has reports of its own to send
				var raw []byte
				select {
				case raw = <-s.rtcp:
				case <-time.After(pollTimeout):
					require.Fail(t, "nothing came", "%+v", s.ep.Stats())
				}
				packets, err := rtcp.Unmarshal(raw)
				require.NoError(t, err)
				if p, ok := packets[0].(*rtcp.PictureLossIndication); ok {
					require.Equal(t, uint32(7), p.SenderSSRC)
					break
				}
			}
			raw, err := (&rtcp.SenderReport{SSRC: 4242, PacketCount: 3}).Marshal()
			require.NoError(t, err)
			b := e.NewBatch()
			require.NoError(t, s.ep.WriteRTCP(b, raw))
			b.Flush()
			got, _, err := c.pc.GetReceivers()[0].ReadRTCP()
			require.NoError(t, err)
			report, ok := got[0].(*rtcp.SenderReport)
			require.True(t, ok)
			require.EqualValues(t, 3, report.PacketCount)
			require.ErrorIs(t, s.ep.WriteRTCP(b, raw[:4]), ErrBadPacket)
			require.ErrorIs(t, s.ep.WriteRTCP(b, make([]byte, packetBuffer)), ErrTooLong)
			s.ep.Close()
			require.ErrorIs(t, s.ep.WriteRTCP(b, raw), ErrNotReady)
		})
	}
}

func TestSRTCPIsRefused(t *testing.T) {
	e := startEngine(t, Config{})
	conn := remote(t, e)
	r := newServerPeer(t, e, receiverFunc(nil))
	ep, o := boundEndpoint(t, e, r, local(conn), dtls.SRTP_AEAD_AES_128_GCM)
	seal := func(ssrc uint32) []byte {
		raw, err := (&rtcp.ReceiverReport{SSRC: ssrc}).Marshal()
		require.NoError(t, err)
		sealed, err := o.write.EncryptRTCP(nil, raw, nil)
		require.NoError(t, err)
		return sealed
	}
	send := func(packet []byte) { _, err := conn.Write(packet); require.NoError(t, err) }
	good := seal(1)
	send(good)
	<-r.rtcp
	send(good) // replayed
	forged := seal(1)
	forged[len(forged)-6] ^= 1
	send(forged)
	require.Eventually(t, func() bool { return ep.Stats().AuthFailed == 2 }, pollTimeout, tick)
	send([]byte{0x80, 200, 0, 0})
	require.Eventually(t, func() bool { return ep.Stats().Malformed == 1 }, pollTimeout, tick)
	for ssrc := range uint32(maxSSRCs + 5) {
		send(seal(1 + ssrc))
		time.Sleep(100 * time.Microsecond) // the socket's buffer is not what is tested
	}
	require.Eventually(t, func() bool { return ep.Stats().Refused == 5 }, pollTimeout, tick, "%+v", ep.Stats())
}
