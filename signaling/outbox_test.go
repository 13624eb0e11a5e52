package signaling

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// body makes one of so many bytes.
func body(tb testing.TB, op protocol.Op, size int) *protocol.Body {
	tb.Helper()
	empty := text(tb, op, "").Len()
	return text(tb, op, strings.Repeat("x", size-empty))
}

// quietConn is a Conn without a socket.
func quietConn() *Conn {
	g := &Gateway{cfg: Config{Admission: generous()}, log: zap.NewNop()}
	return newConn(g, Arrival{})
}

// openOutbox returns an outbox and the connection attached to it.
func openOutbox(frames, size int, resumable bool) (*outbox, *Conn) {
	o, c := newOutbox(frames, size, resumable), quietConn()
	o.attach(c)
	return o, c
}

// take pops everything and returns it as it is written.
func take(o *outbox, c *Conn) (frames []string) {
	for {
		e, ok := o.pop(c)
		if !ok {
			return frames
		}
		frames = append(frames, string(e.append(nil)))
	}
}

func text(tb testing.TB, op protocol.Op, word string) *protocol.Body {
	tb.Helper()
	b, err := protocol.EncodeBody(op, word)
	require.NoError(tb, err)
	return b
}

func TestOutboxKeepsOrderAndItsBoundOfFrames(t *testing.T) {
	t.Parallel()
	for _, resumable := range []bool{false, true} {
		o, c := openOutbox(100, 1<<20, resumable)
		require.Empty(t, take(o, c))
		next, want := 0, 0
		push := func(n int) {
			for range n {
				next++
				o.event(text(t, protocol.OpMessageEvent, fmt.Sprint(next)))
			}
		}
		pop := func(n int) {
			for range n {
				want++
				e, ok := o.pop(c)
				require.True(t, ok)
				require.Equal(t, fmt.Sprintf(`{"op":101,"s":%d,"d":"%d"}`, want, want), string(e.append(nil)))
			}
		}
		for round := range 20 { // half popped before more comes, so that the memory is used again
			push(40 + round)
			require.Len(t, c.queued, 1)
			pop(20 + round)
			push(10)
			pop(30)
			require.Zero(t, o.waiting())
			require.NoError(t, o.acknowledge(uint64(want)))
			require.Nil(t, o.log, "a burst's memory is not kept")
			require.Zero(t, o.bytes)
		}
		push(100)
		require.Less(t, cap(o.log), 300)
		require.False(t, c.closed())
		push(1)
		code, _ := c.ended()
		require.Equal(t, protocol.CloseSlowConsumer, code)
		require.Nil(t, o.log, "what nobody reads is not kept")
		push(1)
		require.Empty(t, take(o, c), "after a gap nothing follows")
	}
}

func TestOutboxIsBoundedInBytes(t *testing.T) {
	t.Parallel()
	o, c := openOutbox(1000, 1000, true)
	o.event(body(t, protocol.OpMessageEvent, 5000))
	require.False(t, c.closed(), "a single frame may be larger")
	require.Len(t, take(o, c), 1)
	for range 10 {
		o.event(body(t, protocol.OpMessageEvent, 100))
	}
	require.False(t, c.closed(), "what is kept makes way")
	require.Equal(t, 1000, o.bytes)
	o.event(body(t, protocol.OpMessageEvent, 100))
	require.True(t, c.closed())
}

// What was written is kept until it is acknowledged, within the bounds.
func TestOutboxKeepsWhatIsNotAcknowledged(t *testing.T) {
	t.Parallel()
	o, c := openOutbox(8, 1<<20, true)
	for range 6 {
		o.event(text(t, protocol.OpMessageEvent, "e"))
		require.Len(t, take(o, c), 1)
	}
	require.Equal(t, 6, o.live)
	require.ErrorIs(t, o.acknowledge(7), errFuture)
	require.NoError(t, o.acknowledge(4))
	require.Equal(t, 2, o.live)
	require.NoError(t, o.acknowledge(2), "again, and of less")
	require.Equal(t, 2, o.live)
	for range 20 {
		o.event(text(t, protocol.OpMessageEvent, "e"))
		require.Len(t, take(o, c), 1)
	}
	require.Equal(t, 8, o.live)
	require.EqualValues(t, 18, o.dropped)
	for range 100 { // replies without an id, such as HEARTBEAT_ACK
		o.reply(c, text(t, protocol.OpHeartbeatAck, "r"), "", protocol.OpHeartbeat, keepNot)
		require.Len(t, take(o, c), 1)
	}
	require.LessOrEqual(t, len(o.log)-o.head, 8, "replies do not pile up behind what is kept")
	require.NoError(t, o.acknowledge(26))
	require.Zero(t, o.live)
}

func TestOutboxKeepsTheLastReplies(t *testing.T) {
	t.Parallel()
	o, c := openOutbox(1000, 1<<20, true)
	for i := range 2 * rememberedReplies {
		o.reply(c, text(t, protocol.OpAck, "r"), fmt.Sprint(i), protocol.OpVoiceState, keepReply)
		require.Len(t, take(o, c), 1)
	}
	require.Equal(t, rememberedReplies, o.live)
	require.Equal(t, "64", o.log[o.head].to.id)
	o.event(text(t, protocol.OpMessageEvent, "e"))
	require.Len(t, take(o, c), 1)
	o.reply(c, text(t, protocol.OpAck, "r"), "later", protocol.OpVoiceState, keepReply)
	require.Len(t, take(o, c), 1)
	require.NoError(t, o.acknowledge(1))
	require.Equal(t, 1, o.live, "who has seen the event has seen the replies before it, and perhaps not the one after it")
	require.Equal(t, "later", o.log[o.head].to.id)
	o.forgetReplies(time.Now(), time.Minute)
	require.Equal(t, 1, o.live)
	o.forgetReplies(time.Now().Add(2*time.Minute), time.Minute)
	require.Zero(t, o.live)
	require.Nil(t, o.log, "who is quiet holds no buffer")
}

// Of events that say everything again, the newest waits, in its place in the order.
func TestOutboxHasTheNewestOfWhatIsSaidAgain(t *testing.T) {
	t.Parallel()
	o, c := openOutbox(4, 1<<20, true)
	for i := range 100 {
		o.event(text(t, protocol.OpSpeakers, fmt.Sprint(i)))
	}
	o.event(text(t, protocol.OpMessageEvent, "hi"))
	o.event(text(t, protocol.OpSpeakers, "last"))
	require.LessOrEqual(t, len(o.log), 3)
	require.Equal(t, []string{`{"op":101,"s":1,"d":"hi"}`, `{"op":103,"d":"last"}`}, take(o, c))
	require.Equal(t, 2, o.live, "it is kept for who comes back")
	for range 100 {
		o.event(text(t, protocol.OpSpeakers, "again"))
		require.Len(t, take(o, c), 1)
	}
	require.Equal(t, 2, o.live)
	for range 4 {
		o.event(text(t, protocol.OpMessageEvent, "hi"))
	}
	o.event(text(t, protocol.OpSpeakers, "no room"))
	require.False(t, c.closed(), "it is never what fills the queue")
	require.Len(t, take(o, c), 4)
}

// Only the connection that is attached takes anything.
func TestOutboxServesOneConnection(t *testing.T) {
	t.Parallel()
	o, c := openOutbox(4, 1<<20, true)
	other := quietConn()
	o.event(text(t, protocol.OpMessageEvent, "hi"))
	require.Empty(t, take(o, other))
	o.reply(other, text(t, protocol.OpHeartbeatAck, ""), "", protocol.OpHeartbeat, keepNot)
	o.detach(other)
	require.Len(t, take(o, c), 1, "and only its own replies")
	o.detach(c)
	o.event(text(t, protocol.OpMessageEvent, "hi"))
	require.Empty(t, take(o, c))
}

// A client that comes back gets what it has not seen, in order, on whichever connection.
func TestOutboxResumes(t *testing.T) {
	t.Parallel()
	resumed := func(replayed int) (*protocol.Body, error) {
		return text(t, protocol.OpResumed, fmt.Sprint(replayed)), nil
	}
	o, c := openOutbox(100, 1<<20, true)
	for i := range 3 {
		o.event(text(t, protocol.OpMessageEvent, fmt.Sprint("e", i+1)))
		o.reply(c, text(t, protocol.OpAck, "r"), fmt.Sprint("r", i+1), protocol.OpVoiceState, keepReply)
	}
	require.Len(t, take(o, c), 6)
	o.event(text(t, protocol.OpSpeakers, "s"))
	require.Len(t, take(o, c), 1)
	require.Nil(t, o.remembered("r1", protocol.OpVoiceState), "the same connection")
	o.reply(c, text(t, protocol.OpHeartbeatAck, "for the old one"), "h", protocol.OpHeartbeat, keepNot)
	o.detach(c)
	o.event(text(t, protocol.OpMessageEvent, "e4"))

	c = quietConn()
	require.ErrorIs(t, o.resume(c, 4, "", resumed), errFuture, "it was never written")
	for range 2 { // the second time because RESUMED was lost
		c = quietConn()
		require.NoError(t, o.resume(c, 2, "x", resumed))
		require.Equal(t, []string{
			`{"op":200,"id":"r2","d":"r"}`, // perhaps seen
			`{"op":101,"s":3,"d":"e3"}`, `{"op":200,"id":"r3","d":"r"}`, `{"op":103,"d":"s"}`, `{"op":101,"s":4,"d":"e4"}`,
			`{"op":6,"id":"x","d":"2"}`,
		}, take(o, c))
	}
	require.NotNil(t, o.remembered("r1", protocol.OpVoiceState))
	require.Nil(t, o.remembered("r1", protocol.OpSubscribe))
	o.event(text(t, protocol.OpMessageEvent, "e5"))
	require.Equal(t, []string{`{"op":101,"s":5,"d":"e5"}`}, take(o, c))
	require.NoError(t, o.acknowledge(3))
	require.Nil(t, o.remembered("r1", protocol.OpVoiceState), "it has arrived")
	require.ErrorIs(t, o.resume(quietConn(), 2, "", resumed), errBehind)
	require.NoError(t, o.resume(c, 5, "", resumed))
	require.Equal(t, []string{`{"op":6,"d":"0"}`}, take(o, c))

	// While nobody takes, as much is kept as may wait; then nothing.
	o.detach(c)
	for range 200 {
		o.event(text(t, protocol.OpMessageEvent, "e"))
	}
	require.Nil(t, o.log)
	require.ErrorIs(t, o.resume(quietConn(), 5, "", resumed), errBehind)
}
