package e2e

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/crypto/selfsign"
	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
	"github.com/pion/stun/v4"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// intruder is a guest with a media connection made by hand, which sends under its keys whatever it likes.
type intruder struct {
	*raw

	userID      string
	conn        *net.UDPConn
	ufrag, pwd  string // the server's
	keys        *srtp.Context
	stop        context.CancelFunc
	checking    sync.WaitGroup
	association *dtls.Conn
}

const (
	// intruderType is the payload type of Opus in an intruder's offer.
	intruderType = 111
	// intruderUfrag and intruderPwd are its ICE credentials, which nobody uses.
	intruderUfrag, intruderPwd = "intruder", "an-intruder-has-no-secrets"
)

// intrude joins the lobby with a microphone and no slots.
func intrude(t *testing.T, s *server) *intruder {
	t.Helper()
	c, userID := identify(t, s, "Mallory")
	i := &intruder{raw: c, userID: userID}
	certificate, err := selfsign.GenerateSelfSigned()
	require.NoError(t, err)
	var joined protocol.Joined
	c.ack(protocol.OpChannelJoin, protocol.ChannelJoin{
		ChannelID: "lobby", SDPOffer: handmadeOffer(certificate.Certificate[0]),
	}, &joined)
	i.ufrag, i.pwd = attribute(joined.SDPAnswer, "ice-ufrag"), attribute(joined.SDPAnswer, "ice-pwd")
	i.conn, err = net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(s.media))
	require.NoError(t, err)
	i.check(i.pwd, true)
	answer := make([]byte, 1500)
	require.NoError(t, i.conn.SetReadDeadline(time.Now().Add(patience)))
	_, err = i.conn.Read(answer)
	require.NoError(t, err, "no answer to a check")
	require.NoError(t, i.conn.SetReadDeadline(time.Time{}))

	i.association, err = dtls.ClientWithOptions(dtlsOnly{i.conn}, i.conn.RemoteAddr(), dtls.WithCertificates(certificate),
		dtls.WithInsecureSkipVerify(true), dtls.WithSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM))
	require.NoError(t, err)
	require.NoError(t, i.association.HandshakeContext(soon(t)))
	i.keys = exportedKeys(t, i.association)
	ctx, stop := context.WithCancel(context.Background())
	i.stop = stop
	i.checking.Go(func() { i.keepChecking(ctx) })
	i.checking.Go(i.listen)
	t.Cleanup(i.gone)
	return i
}

func handmadeOffer(certificate []byte) string {
	digest := fmt.Sprintf("% X", sha256.Sum256(certificate))
	return strings.Join([]string{
		"v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "t=0 0",
		fmt.Sprintf("m=audio 9 UDP/TLS/RTP/SAVPF %d", intruderType), "c=IN IP4 0.0.0.0", "a=sendonly", "a=rtcp-mux",
		fmt.Sprintf("a=rtpmap:%d opus/48000/2", intruderType), "a=setup:active",
		"a=ice-ufrag:" + intruderUfrag, "a=ice-pwd:" + intruderPwd,
		"a=fingerprint:sha-256 " + strings.ReplaceAll(digest, " ", ":"), "",
	}, "\r\n")
}

// attribute is the value of the first attribute of this name in a description.
func attribute(sdp, name string) string {
	found := regexp.MustCompile(`(?m)^a=` + name + `:(\S+)`).FindStringSubmatch(sdp)
	if found == nil {
		return ""
	}
	return found[1]
}

// exportedKeys are those of a DTLS client.
func exportedKeys(t *testing.T, conn *dtls.Conn) *srtp.Context {
	t.Helper()
	state, ok := conn.ConnectionState()
	require.True(t, ok)
	const key, salt = 16, 12 // AEAD_AES_128_GCM (RFC 7714 §12)
	material, err := state.ExportKeyingMaterial("EXTRACTOR-dtls_srtp", nil, 2*(key+salt))
	require.NoError(t, err)
	keys, err := srtp.CreateContext(material[:key], material[2*key:2*key+salt], srtp.ProtectionProfileAeadAes128Gcm)
	require.NoError(t, err)
	return keys
}

// checkFor is a check of a connection's, that nominates or not.
func checkFor(ufrag, pwd string, nominate bool) []byte {
	setters := []stun.Setter{
		stun.TransactionID, stun.BindingRequest, stun.NewUsername(ufrag + ":" + intruderUfrag),
		stun.RawAttribute{Type: stun.AttrPriority, Value: []byte{110, 0, 0, 255}},
		stun.RawAttribute{Type: stun.AttrICEControlling, Value: make([]byte, 8)},
	}
	if nominate {
		setters = append(setters, stun.RawAttribute{Type: stun.AttrUseCandidate})
	}
	return stun.MustBuild(append(setters, stun.NewShortTermIntegrity(pwd), stun.Fingerprint)...).Raw
}

// check sends a check.
func (i *intruder) check(pwd string, nominate bool) {
	_, _ = i.conn.Write(checkFor(i.ufrag, pwd, nominate)) // one that is lost is followed by others
}

// keepChecking keeps the connection alive (RFC 7675).
func (i *intruder) keepChecking(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			i.check(i.pwd, true)
		case <-ctx.Done():
			return
		}
	}
}

// packet is an RTP packet under the intruder's keys, appended to dst.
func (i *intruder) packet(dst []byte, ssrc uint32, seq uint16, payload []byte) []byte {
	plain := make([]byte, 12, 12+len(payload))
	plain[0], plain[1] = 2<<6, intruderType
	binary.BigEndian.PutUint16(plain[2:], seq)
	binary.BigEndian.PutUint32(plain[4:], uint32(seq)*frameTicks)
	binary.BigEndian.PutUint32(plain[8:], ssrc)
	var header rtp.Header
	sealed, err := i.keys.EncryptRTP(dst, append(plain, payload...), &header)
	if err != nil {
		panic(err)
	}
	return sealed
}

// listen answers pings, as whoever reads does, and tells that what was said has come.
func (i *intruder) listen() {
	_ = i.raw.conn.SetReadDeadline(time.Time{})
	for {
		_, data, err := i.raw.conn.ReadMessage()
		if err != nil {
			return
		}
		if frame, err := protocol.Decode(data); err == nil && frame.S > 0 && frame.S%8 == 0 {
			_ = i.raw.conn.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, `{"op":%d,"d":{"s":%d}}`, protocol.OpHeartbeat, frame.S))
		}
	}
}

func (i *intruder) gone() {
	i.stop()
	_ = i.raw.conn.Close()
	i.checking.Wait()
	_ = i.association.Close()
	_ = i.conn.Close()
}

// dtlsOnly is a connection without what is not DTLS.
type dtlsOnly struct{ *net.UDPConn }

func (c dtlsOnly) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, addr, err := c.UDPConn.ReadFrom(b)
		if err != nil || n > 0 && b[0] >= 20 && b[0] <= 63 { // RFC 7983 §7
			return n, addr, err
		}
	}
}

// WriteTo implements net.PacketConn on a socket that is connected.
func (c dtlsOnly) WriteTo(b []byte, _ net.Addr) (int, error) { return c.Write(b) }

// paced calls send n times, so many times a second and in small bursts.
func paced(n, perSecond int, send func(k int)) {
	const burst = 5 * time.Millisecond
	began := time.Now()
	for k := 0; k < n; {
		due := min(n, int(time.Since(began).Seconds()*float64(perSecond))+1)
		for ; k < due; k++ {
			send(k)
		}
		time.Sleep(burst)
	}
}

// junk makes what has no business at a media port: random bytes, checks of nobody's and without the password of somebody's,
// the beginning of DTLS from an unchecked address, and RTP and RTCP under no keys.
func junk(ufrag string, ssrc uint32) [][]byte {
	random := func(first byte, n int) []byte {
		b := make([]byte, n)
		_, _ = rand.Read(b)
		b[0] = first
		return b
	}
	media := func(second byte, n int) []byte {
		b := random(2<<6, n)
		b[1] = second
		binary.BigEndian.PutUint32(b[8:], ssrc)
		return b
	}
	return [][]byte{
		random(0xff, 200), random(1, 300), random(100, 1400),
		checkFor("nobody00", "a password of nobody's", true), checkFor(ufrag, "not its password, this", true),
		random(22, 250), random(20, 60), media(intruderType, 160), media(intruderType, 1900), media(200, 80),
	}
}
