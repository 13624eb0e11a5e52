package e2e

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// cut breaks the connection as a network does: without a word.
func (c *raw) cut() {
	if tcp, ok := c.conn.NetConn().(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.conn.Close()
}

// resumption is how c would resume its session.
func (c *raw) resumption() protocol.Resume {
	return protocol.Resume{V: protocol.Version, SessionID: c.ready.SessionID, ResumeToken: c.ready.ResumeToken, S: c.seen}
}

// resume resumes c's session on a new connection. The replies that are replayed are in
// replies, by id.
func (c *raw) resume(s *server) (next *raw, resumed protocol.Resumed, replies map[string]protocol.Frame) {
	c.t.Helper()
	next = dial(c.t, s)
	next.ready, next.seen, next.lastID = c.ready, c.seen, c.lastID
	frame, err := protocol.EncodeRequest(protocol.OpResume, "resume", c.resumption())
	require.NoError(c.t, err)
	next.send(string(frame))
	replies = map[string]protocol.Frame{}
	for {
		frame := next.read()
		switch {
		case frame.Op == protocol.OpResumed:
			require.Equal(c.t, "resume", frame.ID)
			require.NoError(c.t, frame.Bind(&resumed))
			require.EqualValues(c.t, next.seen-c.seen, resumed.Replayed)
			require.NotEqual(c.t, c.ready.ResumeToken, resumed.ResumeToken)
			next.ready.ResumeToken = resumed.ResumeToken
			return next, resumed, replies
		case frame.S != 0:
			next.events = append(next.events, frame)
		case frame.Op == protocol.OpSpeakers:
		default:
			require.NotEqual(c.t, protocol.OpInvalidSession, frame.Op, "%s", frame.D)
			replies[frame.ID] = frame
		}
	}
}

// invalid sends a RESUME that must be refused for this reason.
func (c *raw) invalid(d protocol.Resume, reason string) {
	c.t.Helper()
	var invalid protocol.InvalidSession
	c.reply(protocol.OpResume, d, protocol.OpInvalidSession, &invalid)
	require.Equal(c.t, reason, invalid.Reason)
}

func write(c *raw, content string) {
	c.t.Helper()
	c.ack(protocol.OpMessageCreate, protocol.MessageCreate{ChannelID: "lobby", Content: content}, nil)
}

func wrote(c *raw) string {
	c.t.Helper()
	var message protocol.MessageEvent
	c.event(protocol.OpMessageEvent, &message)
	return message.Content
}

func TestResumeGoesOnWithWhatWasMissed(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	ada, adaID := identify(t, s, "Ada")
	bob, _ := identify(t, s, "Bob")
	require.EqualValues(t, 60_000, ada.ready.ResumeWindowMS)
	require.NotEmpty(t, ada.ready.ResumeToken)
	ada.joinChannel("lobby")
	bob.joinChannel("lobby")
	ada.ack(protocol.OpVoiceState, protocol.VoiceState{SelfMute: new(true)}, nil)
	write(bob, "one")
	require.Equal(t, "one", wrote(ada))
	ada.reply(protocol.OpHeartbeat, protocol.Heartbeat{S: ada.seen}, protocol.OpHeartbeatAck, nil)
	bob.events = nil

	before := ada.seen
	ada.cut()
	write(bob, "two")
	write(bob, "three")
	bob.quiet() // the others see nothing
	ada, resumed, replies := ada.resume(s)
	require.Equal(t, 2, resumed.Replayed)
	require.Equal(t, before+2, ada.seen)
	require.Empty(t, replies)
	require.NotEmpty(t, resumed.ICEServers)
	require.Equal(t, "two", wrote(ada))
	require.Equal(t, "three", wrote(ada))
	write(bob, "four")
	require.Equal(t, "four", wrote(ada))
	write(ada, "here")
	require.Equal(t, "here", wrote(bob))
	var detail protocol.ChannelDetail
	bob.ack(protocol.OpChannelInfo, protocol.ChannelRef{ChannelID: "lobby"}, &detail)
	require.Len(t, detail.ActiveMembers, 2)
	require.Equal(t, adaID, detail.ActiveMembers[0].UserID)
	require.True(t, detail.ActiveMembers[0].SelfMute)
	bob.quiet()

	// And again, with nothing missed.
	ada.cut()
	ada, resumed, _ = ada.resume(s)
	require.Zero(t, resumed.Replayed)
	ada.fails(protocol.OpResume, ada.resumption(), protocol.CodeAlreadyIdentified)
	ada.fails(protocol.OpIdentify, protocol.Identify{V: 1}, protocol.CodeAlreadyIdentified)
	ada.fails(protocol.OpHeartbeat, protocol.Heartbeat{S: ada.seen + 1}, protocol.CodeInvalidPayload)
	require.Equal(t, protocol.CloseBadSequence, ada.closed())
	bob.toldGone(adaID) // who breaks the rules does not come back
}

// toldGone waits until c is told that a member is gone.
func (c *raw) toldGone(userID string) {
	c.t.Helper()
	for {
		var event protocol.ChannelEvent
		c.event(protocol.OpChannelEvent, &event)
		if event.Event == protocol.ChannelEventLeave && event.Member.UserID == userID {
			require.Equal(c.t, protocol.LeaveGone, event.Cause)
			return
		}
	}
}

// A request whose reply was lost is answered again, in the order in which things happened,
// and not carried out again.
func TestResumeRepliesAreRemembered(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	ada, _ := identify(t, s, "Ada")
	bob, bobID := identify(t, s, "Bob")
	bob.joinChannel("lobby")

	// What follows from a request comes after its reply, also when both are replayed.
	join := protocol.ChannelJoin{ChannelID: "lobby", SDPOffer: offer(t, 1, 2)}
	id := ada.request(protocol.OpChannelJoin, join)
	var event protocol.ChannelEvent
	bob.event(protocol.OpChannelEvent, &event)
	write(bob, "after")
	ada.cut()
	ada = func() *raw {
		next := dial(t, s)
		next.ready, next.lastID = ada.ready, ada.lastID
		next.request(protocol.OpResume, ada.resumption())
		first := next.read()
		require.Equal(t, id, first.ID, "the reply before the event")
		require.Equal(t, protocol.OpAck, first.Op)
		require.Equal(t, "after", wrote(next))
		frame := next.read()
		require.Equal(t, protocol.OpResumed, frame.Op)
		var resumed protocol.Resumed
		require.NoError(t, frame.Bind(&resumed))
		require.Equal(t, 1, resumed.Replayed)
		next.ready.ResumeToken = resumed.ResumeToken
		return next
	}()
	// Who repeats it all the same gets the same answer.
	repeated := func(c *raw, op protocol.Op, id string, d any) protocol.Frame {
		frame, err := protocol.EncodeRequest(op, id, d)
		require.NoError(t, err)
		c.send(string(frame))
		reply := c.read()
		require.Equal(t, id, reply.ID)
		return reply
	}
	reply := repeated(ada, protocol.OpChannelJoin, id, join)
	require.Equal(t, protocol.OpAck, reply.Op)
	var ack struct{ Data protocol.Joined }
	require.NoError(t, reply.Bind(&ack))
	require.Equal(t, bobID, ack.Data.ActiveMembers[0].UserID)

	// An error is an answer, too.
	id = ada.request(protocol.OpChannelJoin, join)
	require.Equal(t, protocol.OpError, ada.read().Op)
	ada.ack(protocol.OpChannelLeave, protocol.ChannelRef{ChannelID: "lobby"}, nil)
	ada.cut()
	ada, _, _ = ada.resume(s)
	require.Equal(t, protocol.OpError, repeated(ada, protocol.OpChannelJoin, id, join).Op)
	require.Equal(t, protocol.OpAck, repeated(ada, protocol.OpChannelJoin, "new", join).Op)
	require.Equal(t, protocol.OpError, repeated(ada, protocol.OpChannelJoin, "new", join).Op,
		"on the same connection an id means nothing but the reply")
	require.Equal(t, protocol.OpAck, repeated(ada, protocol.OpVoiceState, id, protocol.VoiceState{}).Op, "another request")
}

// A client that is cut off again and again, at any moment, and repeats what it saw no
// reply to, loses nothing and says nothing twice.
func TestResumeAtRandomMoments(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) { c.RequestRate, c.RequestBurst = 10_000, 10_000 })
	ada, _ := identify(t, s, "Ada")
	bob, _ := identify(t, s, "Bob")
	ada.joinChannel("lobby")
	bob.joinChannel("lobby")
	const rounds, each = 100, 4
	random := rand.New(rand.NewPCG(5, 6))
	pending := map[string]string{} // content by id
	order := make([]string, 0, each)
	fromBob, said, repeats := 0, 0, 0
	for round := range rounds {
		for range each {
			said++
			content := fmt.Sprint("a", said)
			d := protocol.MessageCreate{ChannelID: "lobby", Content: content}
			frame, err := protocol.EncodeRequest(protocol.OpMessageCreate, content, d)
			require.NoError(t, err)
			order = append(order, content)
			pending[content] = string(frame)
			_ = ada.conn.WriteMessage(websocket.TextMessage, frame)
		}
		bob.request(protocol.OpMessageCreate, protocol.MessageCreate{ChannelID: "lobby", Content: fmt.Sprint("b", round)})
		// Some of the answers are read, perhaps, and perhaps one comes while the line breaks.
		if n := random.IntN(each + 1); n > 0 {
			for range n {
				frame := ada.read()
				delete(pending, frame.ID)
				if frame.Op == protocol.OpMessageEvent {
					fromBob++
				}
			}
		}
		if random.IntN(2) == 0 {
			time.Sleep(time.Duration(random.IntN(2000)) * time.Microsecond)
		}
		ada.cut()
		ada.events = nil
		var replies map[string]protocol.Frame
		ada, _, replies = ada.resume(s)
		for id := range replies {
			delete(pending, id)
		}
		for _, frame := range ada.events {
			if frame.Op == protocol.OpMessageEvent {
				fromBob++
			}
		}
		ada.events = nil
		for _, id := range order {
			if frame, ok := pending[id]; ok {
				repeats++
				ada.send(frame)
			}
		}
		for len(pending) > 0 {
			frame := ada.read()
			require.NotEqual(t, protocol.OpError, frame.Op, "%s", frame.D)
			delete(pending, frame.ID)
			if frame.Op == protocol.OpMessageEvent {
				fromBob++
			}
		}
		order = order[:0]
	}
	for fromBob < rounds {
		if ada.read().Op == protocol.OpMessageEvent {
			fromBob++
		}
	}
	for i := 1; i <= said; i++ {
		require.Equal(t, fmt.Sprint("a", i), wrote(bob), "each once, in order")
	}
	ada.quiet()
	t.Logf("%d cuts, %d requests, %d of them sent again", rounds, said, repeats)
}

func TestResumeRefusals(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) { c.EgressQueue = 4 })
	ada, _ := identify(t, s, "Ada")
	eve, _ := identify(t, s, "Eve")
	bob, _ := identify(t, s, "Bob")
	ada.joinChannel("lobby")
	bob.joinChannel("lobby")
	ada.event(protocol.OpSlotMap, &protocol.SlotMap{})
	ada.cut()
	good := ada.resumption()

	// A stranger that asks before it has read HELLO, too.
	stranger := dial(t, s)
	for name, d := range map[string]protocol.Resume{
		"forged":          {V: 1, SessionID: good.SessionID, ResumeToken: strings.Repeat("A", 43), S: good.S},
		"short":           {V: 1, SessionID: good.SessionID, ResumeToken: "x", S: good.S},
		"cut short":       {V: 1, SessionID: good.SessionID, ResumeToken: good.ResumeToken[:42], S: good.S},
		"somebody else's": {V: 1, SessionID: good.SessionID, ResumeToken: eve.ready.ResumeToken, S: good.S},
		"their session":   {V: 1, SessionID: eve.ready.SessionID, ResumeToken: good.ResumeToken},
		"none":            {V: 1, SessionID: "01ARZ3NDEKTSV4RRFFQ69G5FAV", ResumeToken: good.ResumeToken},
	} {
		t.Run(name, func(*testing.T) { stranger.invalid(d, "unknown") })
	}
	stranger.invalid(protocol.Resume{V: 1, SessionID: good.SessionID, ResumeToken: good.ResumeToken, S: good.S + 1}, "future")
	stranger.fails(protocol.OpResume, protocol.Resume{V: 1}, protocol.CodeInvalidPayload)
	stranger.fails(protocol.OpResume, map[string]any{"v": 1, "s": -1}, protocol.CodeInvalidPayload)
	stranger.fails(protocol.OpChannelList, struct{}{}, protocol.CodeNotAuthenticated)
	eve.quiet() // nobody's session was touched

	other := dial(t, s)
	other.fails(protocol.OpResume, protocol.Resume{V: 2, SessionID: good.SessionID, ResumeToken: good.ResumeToken}, protocol.CodeUnsupportedVersion)
	require.Equal(t, protocol.CloseVersion, other.closed())

	// More was missed than is kept.
	for range 5 {
		write(bob, "much")
	}
	late := dial(t, s)
	late.invalid(good, "behind")
	// The client may identify instead, on the same connection.
	token, _ := guest(t, s, "Ada again")
	late.reply(protocol.OpIdentify, protocol.Identify{Token: token, V: 1}, protocol.OpReady, &late.ready)
	late.quiet()
}

func TestResumeOfWhatHasEnded(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) { c.ResumeWindow = 2 * time.Second })
	observer, _ := identify(t, s, "Bob")
	observer.joinChannel("lobby")
	for name, end := range map[string]func(*raw, string){
		"said farewell": func(c *raw, _ string) {
			bye := websocket.FormatCloseMessage(websocket.CloseGoingAway, "")
			require.NoError(t, c.conn.WriteControl(websocket.CloseMessage, bye, time.Now().Add(time.Second)))
		},
		"was taken over": func(c *raw, token string) {
			newer := dial(t, s)
			newer.reply(protocol.OpIdentify, protocol.Identify{Token: token, V: 1}, protocol.OpReady, nil)
			require.Equal(t, protocol.CloseReplaced, c.closed())
		},
		"was taken over while away": func(c *raw, token string) {
			c.cut()
			newer := dial(t, s)
			newer.reply(protocol.OpIdentify, protocol.Identify{Token: token, V: 1}, protocol.OpReady, nil)
		},
		"sent nonsense": func(c *raw, _ string) {
			c.send("nonsense")
			require.Equal(t, protocol.CloseDecode, c.closed())
		},
		"expired": func(c *raw, _ string) { c.cut() },
	} {
		t.Run(name, func(t *testing.T) {
			token, userID := guest(t, s, "Ada")
			c := dial(t, s)
			c.reply(protocol.OpIdentify, protocol.Identify{Token: token, V: 1}, protocol.OpReady, &c.ready)
			c.joinChannel("lobby")
			end(c, token)
			observer.toldGone(userID)
			dial(t, s).invalid(c.resumption(), "unknown")
		})
	}
}

// Who cannot know whether the server took its RESUME may try again with the same token,
// until it has got the new one. After that the old one is good for nobody.
func TestResumeTokens(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	ada, _ := identify(t, s, "Ada")
	ada.joinChannel("lobby")
	ada.cut()
	for range 3 { // each RESUMED is lost
		c := dial(t, s)
		frame, err := protocol.EncodeRequest(protocol.OpResume, "", ada.resumption())
		require.NoError(t, err)
		c.send(string(frame))
		answered := false // then the server is done with it; that the answer came nobody says
		for !answered {
			answered = c.read().Op == protocol.OpResumed
		}
		c.cut()
	}
	old := ada.resumption()
	ada, _, _ = ada.resume(s)
	ada.quiet() // it goes on, so it has the new one
	dial(t, s).invalid(old, "unknown")
	ada.quiet()
	ada.cut()
	ada, _, _ = ada.resume(s)
	ada.ack(protocol.OpChannelLeave, protocol.ChannelRef{ChannelID: "lobby"}, nil)
}
