package client

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/pion/interceptor"
	"github.com/pion/logging"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu/leaktest"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// testTimeout bounds everything a test waits for.
const testTimeout = time.Minute

func testContext(tb testing.TB) context.Context {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), testTimeout)
	tb.Cleanup(cancel)
	return ctx
}

// fake is a server that says what a test makes it say: it exists to misbehave, and to
// hold still at moments a real server rushes through.
type fake struct {
	t    testing.TB
	http *httptest.Server
	wg   sync.WaitGroup
}

// newFake starts a server that runs serve for every connection.
func newFake(tb testing.TB, serve func(*fakeConn)) *fake {
	tb.Helper()
	f := &fake{t: tb}
	f.http = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.wg.Add(1) // before the hijacking, after which http.Close does not wait any more
		defer f.wg.Done()
		up := websocket.Upgrader{}
		conn, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer conn.Close()
		serve(&fakeConn{t: tb, Conn: conn, heartbeat: 5000})
	}))
	tb.Cleanup(func() {
		f.http.Close()
		f.wg.Wait()
	})
	return f
}

func (f *fake) url() string { return f.http.URL }

// dial connects a client to the fake and closes it at the end of the test.
func (f *fake) dial(opts Options) *Client {
	f.t.Helper()
	c, err := Dial(testContext(f.t), f.url(), opts)
	require.NoError(f.t, err)
	f.t.Cleanup(func() { c.Close() })
	return c
}

// fakeConn is the server's end of one connection.
type fakeConn struct {
	*websocket.Conn

	t         testing.TB
	heartbeat int64
	features  []string // that HELLO names
	mu        sync.Mutex
	s         uint64
	beats     []uint64
}

func (c *fakeConn) send(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.WriteMessage(websocket.TextMessage, []byte(text))
}

func (c *fakeConn) reply(op protocol.Op, id string, d any) {
	body, err := protocol.EncodeBody(op, d)
	require.NoError(c.t, err)
	c.send(string(body.AppendReply(nil, id)))
}

func (c *fakeConn) ack(f protocol.Frame, data any) {
	c.reply(protocol.OpAck, f.ID, protocol.Ack{Op: f.Op, Data: data})
}

func (c *fakeConn) refuse(f protocol.Frame, code protocol.ErrorCode) {
	c.reply(protocol.OpError, f.ID, protocol.Error{Op: f.Op, Code: code, Reason: "because"})
}

// event sends the next event of the session.
func (c *fakeConn) event(op protocol.Op, d any) {
	body, err := protocol.EncodeBody(op, d)
	require.NoError(c.t, err)
	c.s++
	c.send(string(body.AppendEvent(nil, c.s)))
}

func (c *fakeConn) bye(code protocol.CloseCode) {
	msg := websocket.FormatCloseMessage(int(code), code.String())
	_ = c.WriteControl(websocket.CloseMessage, msg, time.Now().Add(time.Second))
}

func (c *fakeConn) hello() {
	c.reply(protocol.OpHello, "", protocol.Hello{HeartbeatInterval: c.heartbeat, V: []int{1}, Server: "fake", Features: c.features})
}

func (c *fakeConn) next() (protocol.Frame, bool) {
	_, data, err := c.ReadMessage()
	if err != nil {
		return protocol.Frame{}, false
	}
	f, err := protocol.Decode(data)
	return f, err == nil
}

// identify does the handshake; the token is taken for the user id.
func (c *fakeConn) identify() bool {
	c.hello()
	f, ok := c.next()
	if !ok || f.Op != protocol.OpIdentify {
		return false
	}
	var d protocol.Identify
	require.NoError(c.t, f.Bind(&d))
	c.reply(protocol.OpReady, f.ID, protocol.Ready{
		V: 1, SessionID: "s1", UserID: d.Token, Name: d.Token, Limits: protocol.Limits{Slots: 8},
	})
	return true
}

// each identifies and then calls handle for every frame but heartbeats, which it acks.
func (c *fakeConn) each(handle func(protocol.Frame)) {
	if !c.identify() {
		return
	}
	for {
		f, ok := c.next()
		if !ok {
			return
		}
		if f.Op == protocol.OpHeartbeat {
			var d protocol.Heartbeat
			require.NoError(c.t, f.Bind(&d))
			c.mu.Lock()
			c.beats = append(c.beats, d.S)
			c.mu.Unlock()
			c.reply(protocol.OpHeartbeatAck, f.ID, struct{}{})
			continue
		}
		handle(f)
	}
}

// fakePeer is the server's end of one call.
type fakePeer struct {
	pc    *webrtc.PeerConnection
	slots []*webrtc.TrackLocalStaticRTP
	heard chan *webrtc.TrackRemote
}

// newFakePeer answers an offer as the server does: ICE-lite and DTLS server.
func newFakePeer(tb testing.TB, offer string, slots int) (*fakePeer, string) {
	tb.Helper()
	var s webrtc.SettingEngine
	s.SetLite(true)
	s.SetIncludeLoopbackCandidate(true)
	s.SetIPFilter(loopbackOnly)
	s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	require.NoError(tb, s.SetAnsweringDTLSRole(webrtc.DTLSRoleServer))
	quiet := logging.NewDefaultLoggerFactory()
	quiet.DefaultLogLevel = logging.LogLevelDisabled
	s.LoggerFactory = quiet
	media := &webrtc.MediaEngine{}
	require.NoError(tb, media.RegisterCodec(webrtc.RTPCodecParameters{
		RTPCodecCapability: opusCodec(), PayloadType: opusPayloadType,
	}, webrtc.RTPCodecTypeAudio))
	require.NoError(tb, media.RegisterHeaderExtension(
		webrtc.RTPHeaderExtensionCapability{URI: midURI}, webrtc.RTPCodecTypeAudio))
	api := webrtc.NewAPI(webrtc.WithSettingEngine(s), webrtc.WithMediaEngine(media),
		webrtc.WithInterceptorRegistry(&interceptor.Registry{}))
	pc, err := api.NewPeerConnection(webrtc.Configuration{})
	require.NoError(tb, err)
	p := &fakePeer{pc: pc, heard: make(chan *webrtc.TrackRemote, 1)}
	pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) { p.heard <- track })
	for i := range slots {
		track, trackErr := webrtc.NewTrackLocalStaticRTP(opusCodec(), fmt.Sprint("slot", i), "server")
		require.NoError(tb, trackErr)
		_, trackErr = pc.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{
			Direction: webrtc.RTPTransceiverDirectionSendonly,
		})
		require.NoError(tb, trackErr)
		p.slots = append(p.slots, track)
	}
	require.NoError(tb, pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}))
	answer, err := pc.CreateAnswer(nil)
	require.NoError(tb, err)
	gathered := webrtc.GatheringCompletePromise(pc)
	require.NoError(tb, pc.SetLocalDescription(answer))
	<-gathered
	return p, pc.LocalDescription().SDP
}

// fakeRoom is a server with one channel in which the client is alone with whoever the
// test invents. Its peer arrives in peers at each join.
type fakeRoom struct {
	*fake

	peers chan *fakePeer
	conns chan *fakeConn
	// withoutSSRC leaves the a=ssrc lines out of the answer.
	withoutSSRC bool
	// onRenegotiate answers RENEGOTIATE.
	onRenegotiate func(*fakeConn, protocol.Frame, *fakePeer)
	// onJoin, if set, runs before the ACK.
	onJoin func(*fakeConn)
	// floor is what those who join are told of it; onFloor answers requests for it.
	floor   *protocol.Floor
	onFloor func(*fakeConn, protocol.Frame)
}

func newFakeRoom(tb testing.TB) *fakeRoom {
	tb.Helper()
	r := &fakeRoom{peers: make(chan *fakePeer, 10), conns: make(chan *fakeConn, 10)}
	r.fake = newFake(tb, func(c *fakeConn) {
		var peer *fakePeer
		hangUp := func() {
			if peer != nil {
				_ = peer.pc.GracefulClose()
				peer = nil
			}
		}
		defer hangUp()
		r.conns <- c
		c.each(func(f protocol.Frame) {
			switch f.Op {
			case protocol.OpChannelJoin:
				var d protocol.ChannelJoin
				require.NoError(tb, f.Bind(&d))
				if !strings.Contains(d.SDPOffer, "m=audio") {
					c.refuse(f, protocol.CodeBadSDP)
					return
				}
				var sdp string
				slots := strings.Count(d.SDPOffer, "a=recvonly")
				peer, sdp = newFakePeer(tb, d.SDPOffer, slots)
				if r.withoutSSRC {
					sdp = withoutLines(sdp, "a=ssrc")
				}
				joined := protocol.Joined{ChannelID: d.ChannelID, ChannelName: d.ChannelID, SDPAnswer: sdp}
				joined.Floor = r.floor
				joined.ActiveMembers = []protocol.Member{{UserID: "bo", Talker: true}, {UserID: "ada"}}
				for i := range slots {
					joined.Slots = append(joined.Slots, protocol.Slot{Slot: i, MID: fmt.Sprint(i)})
				}
				if r.onJoin != nil {
					r.onJoin(c)
				}
				c.ack(f, joined)
				r.peers <- peer
			case protocol.OpChannelLeave:
				hangUp()
				c.ack(f, protocol.ChannelRef{ChannelID: "room"})
			case protocol.OpRenegotiate:
				r.onRenegotiate(c, f, peer)
			case protocol.OpFloorRequest, protocol.OpFloorRelease, protocol.OpFloorPing:
				r.onFloor(c, f)
			default:
				c.ack(f, struct{}{})
			}
		})
	})
	return r
}

func withoutLines(sdp, prefix string) string {
	var kept []string
	for line := range strings.SplitSeq(sdp, "\r\n") {
		if !strings.HasPrefix(line, prefix) {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\r\n")
}
