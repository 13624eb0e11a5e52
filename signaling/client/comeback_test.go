package client

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// comings is a server that a client loses and finds again: each connection is handled by the next function.
func comings(t *testing.T, each ...func(*fakeConn)) (*fake, *atomic.Int32) {
	t.Helper()
	var count atomic.Int32
	return newFake(t, func(c *fakeConn) {
		if n := int(count.Add(1)); n <= len(each) {
			each[n-1](c)
		}
	}), &count
}

// cut breaks the connection without a word.
func (c *fakeConn) cut() { _ = c.NetConn().Close() }

// until answers nothing and returns the first frame of this op.
func (c *fakeConn) until(op protocol.Op) protocol.Frame {
	for {
		f, ok := c.next()
		if !ok {
			return protocol.Frame{}
		}
		if f.Op == op {
			return f
		}
	}
}

// A new session gets what the lost one knew of its user, and the requests nobody answered where they may be repeated.
func TestLostSessionIsBegunAnew(t *testing.T) {
	t.Parallel()
	again := make(chan []protocol.Frame, 1)
	srv, _ := comings(t, func(c *fakeConn) {
		c.identify()
		f := c.until(protocol.OpVoiceState)
		c.ack(f, protocol.VoiceStateEvent{UserID: "ada", SelfMute: true})
		c.event(protocol.OpMessageEvent, protocol.MessageEvent{Content: "one"})
		c.until(protocol.OpMessageCreate)
		c.until(protocol.OpChannelList)
		c.cut()
	}, func(c *fakeConn) {
		c.identify()
		c.event(protocol.OpMessageEvent, protocol.MessageEvent{Content: "counted from one again"})
		var frames []protocol.Frame
		for len(frames) < 3 {
			f, ok := c.next()
			if !ok {
				return
			}
			frames = append(frames, f)
			if f.ID != "" {
				c.ack(f, struct{}{})
			}
		}
		again <- frames
		c.until(protocol.OpHello)
	})
	c := srv.dial(Options{Token: "ada"})
	ctx := testContext(t)
	_, err := c.SetVoiceState(ctx, protocol.VoiceState{SelfMute: new(true), Mic: new(protocol.MicHeld), Sound: new(protocol.Sound("odd"))})
	require.NoError(t, err)
	sent, listed := make(chan error, 1), make(chan error, 1)
	go func() {
		_, sendErr := c.SendMessage(ctx, "room", "once at most")
		sent <- sendErr
	}()
	waitFor(t, "the message is on its way", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.pending) == 1
	})
	go func() {
		_, listErr := c.Channels(ctx)
		listed <- listErr
	}()
	require.ErrorIs(t, <-sent, ErrSessionLost)
	require.NoError(t, <-listed)
	// A request made now is sent after what waited.
	_, err = c.Channel(ctx, "room")
	require.NoError(t, err)
	frames := <-again
	for i, op := range []protocol.Op{protocol.OpVoiceState, protocol.OpChannelList, protocol.OpChannelInfo} {
		require.Equal(t, op, frames[i].Op)
	}
	var voice protocol.VoiceState
	require.NoError(t, frames[0].Bind(&voice))
	require.Equal(t, protocol.VoiceState{SelfMute: new(true), Mic: new(protocol.MicHeld)}, voice)
	for _, payload := range []any{&protocol.MessageEvent{}, &Disconnected{}, &Reidentified{}, &protocol.MessageEvent{}} {
		require.IsType(t, payload, (<-c.Events()).Payload)
	}
	require.NoError(t, c.Err())
}

// What is asked for while there is no connection waits for the next.
func TestRequestsWaitForAConnection(t *testing.T) {
	t.Parallel()
	back := make(chan struct{})
	messages := make(chan string, 10)
	srv, _ := comings(t, func(c *fakeConn) {
		c.identify()
		c.cut()
	}, func(c *fakeConn) {
		<-back
		c.each(func(f protocol.Frame) {
			var d protocol.MessageCreate
			require.NoError(t, f.Bind(&d))
			messages <- d.Content
			c.ack(f, protocol.MessageCreated{})
		})
	})
	c := srv.dial(Options{Token: "ada"})
	waitFor(t, "the connection is noticed to be gone", func() bool {
		c.sending.Lock()
		defer c.sending.Unlock()
		return c.link == nil
	})
	sent := make(chan error, 1)
	go func() {
		_, err := c.SendMessage(testContext(t), "room", "hi")
		sent <- err
	}()
	ctx, cancel := context.WithCancel(t.Context())
	given := make(chan error, 1)
	go func() {
		_, err := c.SendMessage(ctx, "room", "never mind")
		given <- err
	}()
	cancel()
	require.ErrorIs(t, <-given, context.Canceled)
	close(back)
	require.NoError(t, <-sent)
	require.Equal(t, "hi", <-messages)
	require.Empty(t, messages, "sent once, and what was given up not at all")
}

func TestComingBackEnds(t *testing.T) {
	t.Parallel()
	refused := func(code protocol.ErrorCode, closing protocol.CloseCode) func(*fakeConn) {
		return func(c *fakeConn) {
			c.hello()
			c.refuse(c.until(protocol.OpIdentify), code)
			c.bye(closing)
		}
	}
	welcome := func(c *fakeConn) {
		c.identify()
		c.cut()
	}
	t.Run("when the token is refused", func(t *testing.T) {
		t.Parallel()
		srv, count := comings(t, welcome, refused(protocol.CodeInvalidToken, protocol.CloseAuthFailed))
		c := srv.dial(Options{Token: "ada"})
		<-c.Done()
		var refusal *protocol.Error
		require.ErrorAs(t, c.Err(), &refusal)
		require.Equal(t, protocol.CodeInvalidToken, refusal.Code)
		require.EqualValues(t, 2, count.Load())
	})
	t.Run("not while there are new tokens", func(t *testing.T) {
		t.Parallel()
		tokens := make(chan string, 1)
		srv, _ := comings(t, welcome, refused(protocol.CodeInvalidToken, protocol.CloseAuthFailed), func(c *fakeConn) {
			c.hello()
			f := c.until(protocol.OpIdentify)
			var d protocol.Identify
			require.NoError(t, f.Bind(&d))
			tokens <- d.Token
			c.reply(protocol.OpReady, f.ID, protocol.Ready{V: 1, UserID: "ada"})
			c.until(protocol.OpHello)
		})
		c := srv.dial(Options{Token: "old", NewToken: func(context.Context) (string, error) { return "new", nil }})
		require.Equal(t, "new", <-tokens)
		require.NoError(t, c.Err())
	})
	t.Run("when somebody else took over", func(t *testing.T) {
		t.Parallel()
		srv, count := comings(t, func(c *fakeConn) {
			c.identify()
			c.bye(protocol.CloseReplaced)
		})
		c := srv.dial(Options{Token: "ada"})
		<-c.Done()
		var closed *CloseError
		require.ErrorAs(t, c.Err(), &closed)
		require.EqualValues(t, 1, count.Load())
	})
	t.Run("when closed meanwhile", func(t *testing.T) {
		t.Parallel()
		srv, count := comings(t, welcome, func(c *fakeConn) { c.until(protocol.OpHello) })
		c := srv.dial(Options{Token: "ada"})
		waitFor(t, "the client is on its way back", func() bool { return count.Load() == 2 })
		require.NoError(t, c.Close())
		require.ErrorIs(t, c.Err(), ErrClosed)
	})
}

func TestPauseGrowsAndKeepsItsLimits(t *testing.T) {
	t.Parallel()
	const window = time.Minute
	longest := func(try int, away time.Duration) (most time.Duration) {
		for range 2000 {
			p := pause(try, away, window)
			require.Positive(t, p)
			most = max(most, p)
		}
		return most
	}
	require.LessOrEqual(t, longest(0, 0), firstPause)
	require.Greater(t, longest(1, 0), firstPause)
	require.LessOrEqual(t, longest(50, 0), resumePause, "while the session waits")
	require.Greater(t, longest(50, window), resumePause)
	require.LessOrEqual(t, longest(50, window), maxPause)
}

// resumable does the handshake of a server that can resume.
func (c *fakeConn) resumable(token string) {
	c.reply(protocol.OpHello, "", protocol.Hello{HeartbeatInterval: c.heartbeat, V: []int{1}, Features: []string{protocol.FeatureResume}})
	f := c.until(protocol.OpIdentify)
	c.reply(protocol.OpReady, f.ID, protocol.Ready{V: 1, SessionID: "s1", UserID: "ada", ResumeToken: token, ResumeWindowMS: 60_000})
}

func TestSessionIsResumed(t *testing.T) {
	t.Parallel()
	resumes := make(chan protocol.Resume, 10)
	resumed := func(c *fakeConn, next string, missed ...string) {
		c.reply(protocol.OpHello, "", protocol.Hello{HeartbeatInterval: c.heartbeat, V: []int{1}, Features: []string{protocol.FeatureResume}})
		f := c.until(protocol.OpResume)
		var d protocol.Resume
		require.NoError(t, f.Bind(&d))
		resumes <- d
		c.s = d.S
		for _, content := range missed {
			c.event(protocol.OpMessageEvent, protocol.MessageEvent{Content: content})
		}
		c.reply(protocol.OpResumed, f.ID, protocol.Resumed{Replayed: len(missed), ResumeToken: next})
	}
	ids := make(chan string, 2)
	srv, _ := comings(t, func(c *fakeConn) {
		c.resumable("first")
		c.event(protocol.OpMessageEvent, protocol.MessageEvent{Content: "one"})
		ids <- c.until(protocol.OpMessageCreate).ID
		c.cut()
	}, func(c *fakeConn) {
		resumed(c, "second", "two", "three")
		c.cut() // before the request is repeated
	}, func(c *fakeConn) {
		resumed(c, "third")
		f := c.until(protocol.OpMessageCreate)
		ids <- f.ID
		c.ack(f, protocol.MessageCreated{MessageID: "m"})
		c.event(protocol.OpMessageEvent, protocol.MessageEvent{Content: "four"})
		c.cut()
	}, func(c *fakeConn) { // the session is gone
		c.reply(protocol.OpHello, "", protocol.Hello{HeartbeatInterval: c.heartbeat, V: []int{1}, Features: []string{protocol.FeatureResume}})
		f := c.until(protocol.OpResume)
		var d protocol.Resume
		require.NoError(t, f.Bind(&d))
		resumes <- d
		c.reply(protocol.OpInvalidSession, f.ID, protocol.InvalidSession{Reason: "unknown"})
		f = c.until(protocol.OpIdentify)
		c.reply(protocol.OpReady, f.ID, protocol.Ready{V: 1, SessionID: "s2", UserID: "ada", ResumeToken: "anew"})
		c.until(protocol.OpHello)
	})
	c := srv.dial(Options{Token: "ada"})
	created, err := c.SendMessage(testContext(t), "room", "once")
	require.NoError(t, err)
	require.Equal(t, "m", created.MessageID)
	require.Equal(t, <-ids, <-ids, "repeated under its id")
	heard, away := []string{}, false
	for begun := false; !begun; {
		ev := <-c.Events()
		switch d := ev.Payload.(type) {
		case *protocol.MessageEvent:
			heard = append(heard, d.Content)
			require.EqualValues(t, len(heard), ev.S)
		case *Disconnected:
			require.False(t, away, "told once")
			require.Error(t, d.Err)
			away = true
		case *Resumed:
			require.True(t, away)
			away = false
		case *Reidentified:
			require.True(t, away)
			begun = true
		default:
			t.Fatalf("%T", d)
		}
	}
	require.Equal(t, []string{"one", "two", "three", "four"}, heard)
	require.Equal(t, "s2", c.Ready().SessionID)
	require.Equal(t, protocol.Resume{V: 1, SessionID: "s1", ResumeToken: "first", S: 1}, <-resumes)
	require.Equal(t, protocol.Resume{V: 1, SessionID: "s1", ResumeToken: "second", S: 3}, <-resumes)
	require.Equal(t, protocol.Resume{V: 1, SessionID: "s1", ResumeToken: "third", S: 4}, <-resumes)
}

// A join that is under way when the session is lost is carried out by the next one, and that is all: no second one comes
// after it, and the call that it made is not taken down.
func TestJoinUnderWayIsNotDoubled(t *testing.T) {
	t.Parallel()
	peers := make(chan *fakePeer, 10)
	asked := make(chan protocol.Op, 100)
	srv, _ := comings(t, func(c *fakeConn) {
		c.identify()
		c.until(protocol.OpChannelJoin)
		c.cut()
	}, joinable(t, peers, asked))
	c := srv.dial(Options{Token: "ada"})
	call, err := c.Join(testContext(t), "room", JoinOptions{Slots: 1})
	require.NoError(t, err)
	carries := call.media.Load()
	for range 3 { // requests are carried out in order
		_, err = c.Channels(testContext(t))
		require.NoError(t, err)
	}
	require.Same(t, carries, call.media.Load())
	select {
	case <-carries.gone:
		t.Fatal("its media was taken down")
	default:
	}
	require.NoError(t, c.Close())
	close(asked)
	joins := 0
	for op := range asked {
		require.NotEqual(t, protocol.OpChannelLeave, op)
		if op == protocol.OpChannelJoin {
			joins++
		}
	}
	require.Equal(t, 1, joins)
	require.NoError(t, (<-peers).pc.GracefulClose())
	require.Empty(t, peers)
}

// joinable is a connection on which one joins.
func joinable(t *testing.T, peers chan<- *fakePeer, asked chan<- protocol.Op) func(*fakeConn) {
	t.Helper()
	return func(c *fakeConn) {
		c.each(func(f protocol.Frame) {
			if asked != nil {
				asked <- f.Op
			}
			if f.Op != protocol.OpChannelJoin {
				c.ack(f, struct{}{})
				return
			}
			var d protocol.ChannelJoin
			require.NoError(t, f.Bind(&d))
			peer, sdp := newFakePeer(t, d.SDPOffer, 1)
			c.ack(f, protocol.Joined{ChannelID: d.ChannelID, SDPAnswer: sdp})
			peers <- peer
		})
	}
}
