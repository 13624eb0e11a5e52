package signaling

import (
	"context"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/sfu/forward"
	"github.com/mini-livechat/mini-livechat/sfu/peer"
	"github.com/mini-livechat/mini-livechat/sfu/speaker"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// brittle is a Relay that panics where it is told to.
type brittle struct {
	noRelay

	in      atomic.Value // string
	revoked atomic.Int64
}

func (b *brittle) at(method string) {
	if b.in.Load() == method {
		panic(method)
	}
}

func (b *brittle) ICEServers(string, Arrival, time.Time) []protocol.ICEServer {
	b.at("ICEServers")
	return []protocol.ICEServer{{URLs: []string{"turn:here"}}}
}

func (b *brittle) Revoke(string) {
	b.at("Revoke")
	b.revoked.Add(1)
}

// startBrittle runs a gateway with such a Relay, whose sessions can be resumed.
func startBrittle(t *testing.T, answer sfu.Answer) (g *Gateway, url string, relay *brittle) {
	t.Helper()
	relay = &brittle{}
	g, url = startGateway(t, answer, func(cfg *Config) { cfg.Relay, cfg.ResumeWindow = relay, time.Minute })
	return g, url, relay
}

// lost returns a session that has lost its connection, and what resumes it.
func lost(t *testing.T, g *Gateway, url, name string) (*Session, protocol.Resume) {
	t.Helper()
	ws, ready := introduced(t, g, url, name)
	s := g.users.Get(name)
	c := s.attached()
	require.NoError(t, ws.NetConn().Close())
	require.Eventually(t, func() bool { return g.over(c) }, time.Minute, time.Millisecond)
	require.Nil(t, s.attached())
	return s, protocol.Resume{V: protocol.Version, SessionID: ready.SessionID, ResumeToken: ready.ResumeToken}
}

// over reports whether nothing of a connection is left.
func (g *Gateway) over(c *Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, runs := g.conns[c]
	return !runs
}

// requireFaulted reads until the close frame, which says internal error.
func requireFaulted(t *testing.T, ws *websocket.Conn) {
	t.Helper()
	require.NoError(t, ws.SetReadDeadline(time.Now().Add(time.Minute)))
	for {
		if _, _, err := ws.ReadMessage(); err != nil {
			require.True(t, websocket.IsCloseError(err, int(protocol.CloseUnknown)), "%v", err)
			return
		}
	}
}

func requireUnlocked(t *testing.T, s *Session) {
	t.Helper()
	require.Eventually(t, func() bool {
		if !s.turn.TryLock() {
			return false
		}
		s.turn.Unlock()
		if !s.mu.TryLock() {
			return false
		}
		s.mu.Unlock()
		return true
	}, time.Minute, time.Millisecond, "a lock of the session's is kept")
}

// A panic before the session has changed hands ends the connection that asked; the session waits on.
func TestPanicBeforeRESUME(t *testing.T) {
	g, url, relay := startBrittle(t, nil)
	s, resume := lost(t, g, url, "ada")

	relay.in.Store("ICEServers")
	ws := greeted(t, url)
	ask(t, ws, protocol.OpResume, resume)
	requireFaulted(t, ws)
	requireUnlocked(t, s)
	relay.in.Store("")

	s.mu.Lock()
	out := s.out
	s.out = nil // a panic while both are locked
	s.mu.Unlock()
	ws = greeted(t, url)
	ask(t, ws, protocol.OpResume, resume)
	requireFaulted(t, ws)
	requireUnlocked(t, s)
	s.mu.Lock()
	s.out = out
	s.mu.Unlock()

	ws = greeted(t, url)
	ask(t, ws, protocol.OpResume, resume)
	require.Equal(t, protocol.OpResumed, next(t, ws).Op)
	require.EqualValues(t, 2, g.cfg.Tally.Counts()["panic"])
}

// A panic after it has ends the session, as one in any other request does. Nothing of it is left, and its user may come anew.
func TestPanicAfterRESUME(t *testing.T) {
	g, url, _ := startBrittle(t, nil)
	s, resume := lost(t, g, url, "ada")
	s.turn.Lock()
	s.member.Store(new(sfu.Member)) // of no channel: whatever is done with it panics
	s.turn.Unlock()
	ws := greeted(t, url)
	ask(t, ws, protocol.OpResume, resume)
	requireFaulted(t, ws)
	select {
	case <-s.gone:
	case <-time.After(time.Minute):
		t.Fatal("the session does not end")
	}
	requireUnlocked(t, s)
	require.EqualValues(t, 3, g.cfg.Tally.Counts()["panic"], "where the floor is asked for, in RESUME, and where the member leaves")
	identified(t, g, url, "ada")
}

// Who panics while identifying leaves nothing in the relay, and may try again.
func TestPanicInIDENTIFY(t *testing.T) {
	g, url, relay := startBrittle(t, nil)
	relay.in.Store("ICEServers")
	ws := greeted(t, url)
	ask(t, ws, protocol.OpIdentify, identifyAs(t, g, "ada"))
	requireFaulted(t, ws)
	require.EqualValues(t, 1, relay.revoked.Load())
	require.Zero(t, g.users.Len())
	relay.in.Store("")
	identified(t, g, url, "ada")
}

// A session whose end panics, also on a goroutine of its own, has ended.
func TestPanicAtTheEndOfASession(t *testing.T) {
	g, url, relay := startBrittle(t, nil)
	s, _ := lost(t, g, url, "ada")
	relay.in.Store("Revoke")
	s.end(protocol.CloseTimedOut)
	<-s.gone
	relay.in.Store("")
	require.EqualValues(t, 1, g.cfg.Tally.Counts()["panic"])
	require.Zero(t, g.users.Len())
	identified(t, g, url, "ada")
}

// stubborn is a connection of a listener without slots that panics when it shall go another way.
type stubborn struct {
	closable

	source *forward.Source
	meter  *speaker.Meter
}

func (*stubborn) ID() uint64 { return 1 }

func (*stubborn) Answer() string { return "v=0" }

func (*stubborn) Talker() bool { return false }

func (c *stubborn) Source() *forward.Source { return c.source }

func (*stubborn) Slots() []peer.Slot { return nil }

func (c *stubborn) Meter() *speaker.Meter { return c.meter }

func (*stubborn) SSRC() (uint32, bool) { return 0, false }

func (*stubborn) Renegotiate(string, time.Time, ...netip.AddrPort) (string, error) { panic("no") }

// A panic in RENEGOTIATE ends the session, which is out of its channel then, and no other.
func TestPanicInRENEGOTIATE(t *testing.T) {
	conn := &stubborn{source: forward.NewSource(), meter: speaker.NewMeter(time.Now())}
	g, url, _ := startBrittle(t, func(context.Context, string, []netip.AddrPort) (sfu.Conn, error) { return conn, nil })
	ada, bob := identified(t, g, url, "ada"), identified(t, g, url, "bob")
	ask(t, ada, protocol.OpChannelJoin, protocol.ChannelJoin{ChannelID: "lobby", SDPOffer: "v=0"})
	reply := next(t, ada)
	require.Equal(t, protocol.OpAck, reply.Op, "%s", reply.D)
	s := g.users.Get("ada")
	ask(t, ada, protocol.OpRenegotiate, protocol.Renegotiate{SDPOffer: "v=0"})
	requireFaulted(t, ada)
	<-s.gone
	requireUnlocked(t, s)
	require.Equal(t, 1, conn.closed)
	require.Zero(t, g.peers.Len())
	ask(t, bob, protocol.OpChannelInfo, protocol.ChannelRef{ChannelID: "lobby"})
	var info struct {
		Data protocol.ChannelDetail `json:"data"`
	}
	reply = next(t, bob)
	require.Equal(t, protocol.OpAck, reply.Op)
	require.NoError(t, reply.Bind(&info))
	require.Empty(t, info.Data.ActiveMembers)
}

// One whose probe cannot be asked what it is does not keep it.
func TestPanicInPROBE(t *testing.T) {
	conn := &unaskable{}
	g, url, _ := startBrittle(t, func(context.Context, string, []netip.AddrPort) (sfu.Conn, error) { return conn, nil })
	ada := identified(t, g, url, "ada")
	ask(t, ada, protocol.OpMediaProbe, protocol.MediaProbe{SDPOffer: "v=0"})
	requireFaulted(t, ada)
	require.Eventually(t, func() bool { return g.users.Len() == 0 }, time.Minute, time.Millisecond)
	require.Equal(t, 1, conn.closed)
}

// unaskable is a connection that panics when it is asked who it is.
type unaskable struct{ closable }

func (*unaskable) Talker() bool { panic("no") }

// The others get new credentials when one session's cannot be made.
func TestPanicInRefresh(t *testing.T) {
	g, url, relay := startBrittle(t, nil)
	ada := identified(t, g, url, "ada")
	identified(t, g, url, "bob")
	s := g.users.Get("bob")
	s.mu.Lock()
	out := s.out
	s.out = nil
	s.mu.Unlock()
	for range 3 { // in whatever order they are asked
		g.refreshICEServers(time.Now())
		require.Equal(t, protocol.OpICEServers, next(t, ada).Op)
	}
	s.mu.Lock()
	s.out = out
	s.mu.Unlock()
	require.EqualValues(t, 3, g.cfg.Tally.Counts()["panic"])
	require.Zero(t, relay.revoked.Load())
}
