package signaling

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/sfu/leaktest"
	"github.com/mini-livechat/mini-livechat/signaling/admission"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/people"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
	"github.com/mini-livechat/mini-livechat/signaling/store"
	"github.com/mini-livechat/mini-livechat/signaling/tally"
)

// generous is a Book of which these tests reach no end.
func generous() *admission.Book {
	return admission.NewBook(admission.Config{
		PerAddress: 1000, RequestRate: 100, RequestBurst: 100, GuestChannels: 10, MemberChannels: 10, FrameBytes: protocol.MaxFrameBytes,
	}, time.Now())
}

// startGateway runs a gateway with a channel named lobby until the end of the test.
func startGateway(tb testing.TB, answer sfu.Answer, configure ...func(*Config)) (g *Gateway, url string) {
	tb.Helper()
	leaktest.Check(tb, http.DefaultClient.CloseIdleConnections)
	authority, err := auth.New([]byte(strings.Repeat("s", auth.MinSecretBytes)))
	require.NoError(tb, err)
	memory, err := store.Open("")
	require.NoError(tb, err)
	cfg := Config{
		Store:             memory,
		People:            people.New(memory, authority, 0),
		HeartbeatInterval: time.Second, ZombieTimeout: time.Minute, ReaperInterval: time.Second, IdentifyTimeout: time.Minute,
		WriteTimeout: time.Minute, EgressQueue: 100, EgressBytes: 1 << 20, MaxSessions: 10, Admission: generous(),
		ChannelCapacity: 10, MaxChannels: 10, Presets: []sfu.ChannelSpec{{ID: "lobby", Settings: sfu.Settings{Name: "lobby"}}},
		MediaAddrs: func(Arrival) []netip.AddrPort { return nil }, Tally: new(tally.Tally),
	}
	for _, change := range configure {
		change(&cfg)
	}
	g, err = NewGateway(cfg, authority, answer, zap.NewNop())
	require.NoError(tb, err)
	server := httptest.NewServer(g)
	tb.Cleanup(func() {
		require.NoError(tb, g.Shutdown(context.Background()))
		server.Close()
		require.NoError(tb, memory.Close())
	})
	return g, "ws" + strings.TrimPrefix(server.URL, "http")
}

// identified opens a WebSocket and identifies.
func identified(tb testing.TB, g *Gateway, url, name string) *websocket.Conn {
	tb.Helper()
	ws, _ := introduced(tb, g, url, name)
	return ws
}

// introduced is identified with what READY said.
func introduced(tb testing.TB, g *Gateway, url, name string) (ws *websocket.Conn, ready protocol.Ready) {
	tb.Helper()
	ws = greeted(tb, url)
	ask(tb, ws, protocol.OpIdentify, identifyAs(tb, g, name))
	reply := next(tb, ws)
	require.Equal(tb, protocol.OpReady, reply.Op, "%s", reply.D)
	require.NoError(tb, reply.Bind(&ready))
	return ws, ready
}

func identifyAs(tb testing.TB, g *Gateway, name string) protocol.Identify {
	tb.Helper()
	token, err := g.auth.Mint(auth.Identity{UserID: name, Name: name}, time.Now(), time.Hour)
	require.NoError(tb, err)
	return protocol.Identify{Token: token, V: protocol.Version}
}

// greeted opens a WebSocket and reads HELLO.
func greeted(tb testing.TB, url string) *websocket.Conn {
	tb.Helper()
	ws, resp, err := websocket.DefaultDialer.Dial(url, nil)
	require.NoError(tb, err)
	require.NoError(tb, resp.Body.Close())
	tb.Cleanup(func() { _ = ws.Close() })
	require.Equal(tb, protocol.OpHello, next(tb, ws).Op)
	return ws
}

func ask(tb testing.TB, ws *websocket.Conn, op protocol.Op, d any) {
	tb.Helper()
	frame, err := protocol.EncodeRequest(op, "x", d)
	require.NoError(tb, err)
	require.NoError(tb, ws.WriteMessage(websocket.TextMessage, frame))
}

func next(tb testing.TB, ws *websocket.Conn) protocol.Frame {
	tb.Helper()
	require.NoError(tb, ws.SetReadDeadline(time.Now().Add(time.Minute)))
	_, data, err := ws.ReadMessage()
	require.NoError(tb, err)
	frame, err := protocol.Decode(data)
	require.NoError(tb, err)
	return frame
}

// A panic in a request ends that session and no other, and leaves no lock held.
func TestPanicEndsOneSession(t *testing.T) {
	g, url := startGateway(t, func(context.Context, string, []netip.AddrPort) (sfu.Conn, error) { panic("in a join") })
	ada, bob := identified(t, g, url, "ada"), identified(t, g, url, "bob")
	ask(t, ada, protocol.OpChannelJoin, protocol.ChannelJoin{ChannelID: "lobby", SDPOffer: "v=0"})
	require.Equal(t, protocol.OpError, next(t, ada).Op)
	_, _, err := ada.ReadMessage()
	require.True(t, websocket.IsCloseError(err, int(protocol.CloseUnknown)), "%v", err)
	ask(t, bob, protocol.OpChannelInfo, protocol.ChannelRef{ChannelID: "lobby"})
	require.Equal(t, protocol.OpAck, next(t, bob).Op)
	require.EqualValues(t, 1, g.cfg.Tally.Counts()["panic"])
	identified(t, g, url, "ada")
}

// A panic in a connection's own goroutines ends it, and its session, and no other.
func TestPanicInAConnectionEndsIt(t *testing.T) {
	g, url := startGateway(t, nil)
	ada, bob := identified(t, g, url, "ada"), identified(t, g, url, "bob")
	s := g.users.Get("ada")
	s.conn.guard("writer", func() { panic("here") })
	_, _, err := ada.ReadMessage()
	require.True(t, websocket.IsCloseError(err, int(protocol.CloseUnknown)), "%v", err)
	<-s.gone
	ask(t, bob, protocol.OpHeartbeat, protocol.Heartbeat{})
	require.Equal(t, protocol.OpHeartbeatAck, next(t, bob).Op)
}

type strangeEvent struct{ sfu.Event }

// The media plane calls the notifier with a channel locked: a panic there must not get
// out, nor one in a part of the reaper keep it from its other parts.
func TestPanicsOfTheGatewaysOwn(t *testing.T) {
	g, url := startGateway(t, nil)
	ada := identified(t, g, url, "ada")
	(&notifier{gw: g}).NotifyAll("", strangeEvent{})
	(&notifier{gw: g}).Notify([]string{"ada"}, "", strangeEvent{})
	require.EqualValues(t, 2, g.cfg.Tally.Counts()["panic"])
	identified(t, g, url, "bob")
	for _, name := range []string{"ada", "bob"} {
		before, after := &closable{}, &closable{}
		for _, probe := range []sfu.Conn{before, &bursting{}, after} {
			g.users.Get(name).probes.add(probe, time.Now())
		}
		defer func() { require.Equal(t, []int{1, 1}, []int{before.closed, after.closed}, name) }()
	}
	g.Sweep(time.Now().Add(probeLife))
	require.EqualValues(t, 4, g.cfg.Tally.Counts()["panic"], "one session's is not another's")
	ask(t, ada, protocol.OpHeartbeat, protocol.Heartbeat{})
	require.Equal(t, protocol.OpHeartbeatAck, next(t, ada).Op)
}

// bursting is a connection that panics when it is closed.
type bursting struct{ closable }

func (*bursting) Close() error { panic("no") }
