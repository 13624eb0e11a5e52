package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// wireCutter is a TCP proxy that cuts what goes through it: at any moment, or between a request and its reply, when what the
// client has said has reached the server and nothing of what the server says after that reaches the client.
type wireCutter struct {
	listener net.Listener
	server   string
	wg       sync.WaitGroup

	mu    sync.Mutex
	links map[*cuttable]struct{} // guarded by mu
}

// cuttable is one connection through a wireCutter.
type cuttable struct {
	front, back net.Conn
	mute        atomic.Bool // what the server says goes nowhere
}

func (c *cuttable) close() {
	_ = c.front.Close()
	_ = c.back.Close()
}

func newWireCutter(t *testing.T, s *server) *wireCutter {
	t.Helper()
	at, err := url.Parse(s.URL)
	require.NoError(t, err)
	listener, err := net.Listen("tcp4", "127.0.0.1:0") //nolint:noctx // it opens at once
	require.NoError(t, err)
	p := &wireCutter{listener: listener, server: at.Host, links: make(map[*cuttable]struct{})}
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		p.each((*cuttable).close)
		p.wg.Wait()
	})
	return p
}

// plug makes a client go through the proxy.
func (p *wireCutter) plug(o *client.Options) {
	o.NoReconnect = false
	o.Dialer = &websocket.Dialer{NetDialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, p.listener.Addr().String())
	}}
}

func (p *wireCutter) accept() {
	for {
		front, err := p.listener.Accept()
		if err != nil {
			return
		}
		back, err := net.Dial("tcp4", p.server) //nolint:noctx // on this machine
		if err != nil {
			_ = front.Close()
			continue
		}
		c := &cuttable{front: front, back: back}
		p.mu.Lock()
		p.links[c] = struct{}{}
		p.mu.Unlock()
		p.wg.Go(func() {
			defer c.close()
			_, _ = io.Copy(back, front)
		})
		p.wg.Go(func() {
			defer c.close()
			_, _ = io.Copy(&half{c}, back)
			p.mu.Lock()
			delete(p.links, c)
			p.mu.Unlock()
		})
	}
}

// half is the way to the client.
type half struct{ c *cuttable }

func (h *half) Write(b []byte) (int, error) {
	if h.c.mute.Load() {
		return len(b), nil
	}
	return h.c.front.Write(b) //nolint:wrapcheck // io.Copy's
}

func (p *wireCutter) each(f func(*cuttable)) {
	p.mu.Lock()
	links := make([]*cuttable, 0, len(p.links))
	for c := range p.links {
		links = append(links, c)
	}
	p.mu.Unlock()
	for _, c := range links {
		f(c)
	}
}

// cut cuts all there is.
func (p *wireCutter) cut() { p.each((*cuttable).close) }

// cutReplies lets the client go on talking to the server for a while, which answers in vain, and cuts then.
func (p *wireCutter) cutReplies(after time.Duration) {
	p.each(func(c *cuttable) { c.mute.Store(true) })
	time.Sleep(after)
	p.cut()
}

// chatter is one who says numbers in a channel, one after the other, and keeps account of what the others say.
type chatter struct {
	*person

	cutter *wireCutter
	said   int
	heard  map[string][]string // messages by author, in the order in which they came
}

// TestSurviveCuts cuts 1,000 WebSockets in the middle of calls, at random moments, half of them so that requests are carried
// out whose replies are lost. Everybody is then asked what they missed, had twice or did not hear.
func TestSurviveCuts(t *testing.T) {
	survives(t)
	verifyNoLeaks(t)
	const rooms, each, cuts, calm = 5, 4, 1000, 10 * time.Second
	s := startServer(t, func(c *app.Config) { c.TURN, c.MaxChannels, c.PerAddress = false, 1000, 10_000 })
	engine := loopbackEngine(t)
	all := make([]*chatter, 0, rooms*each)
	for room := range rooms {
		for i := range each {
			c := &chatter{cutter: newWireCutter(t, s), heard: make(map[string][]string)}
			c.person = arrive(t, s, fmt.Sprintf("chatter %d-%d", room, i), c.cutter.plug, roomy,
				func(o *client.Options) { o.Engine, o.EventBuffer = engine, 100_000 })
			channel := fmt.Sprint("room-", room)
			if i == 0 {
				_, err := c.CreateChannel(soon(t), protocol.ChannelCreate{ChannelID: channel})
				require.NoError(t, err)
			}
			c.join(channel).talk()
			all = append(all, c)
		}
	}
	sessions := make([]string, len(all))
	for i, c := range all {
		sessions[i] = c.Ready().SessionID
	}
	time.Sleep(time.Second)
	begun := time.Now()
	time.Sleep(calm) // how regularly the machine itself lets voice through
	cutFrom := time.Now()
	stop := make(chan struct{})
	var talking, cutting sync.WaitGroup
	for _, c := range all {
		talking.Go(func() { c.chat(t, stop) })
		cutting.Go(func() {
			for i := range cuts / len(all) {
				time.Sleep(time.Duration(200+rand.N(600)) * time.Millisecond)
				if i%2 == 0 {
					c.cutter.cut()
				} else {
					c.cutter.cutReplies(time.Duration(1+rand.N(100)) * time.Millisecond)
				}
			}
		})
	}
	cutting.Wait()
	close(stop)
	talking.Wait()

	lost, doubled, messages := 0, 0, 0
	var before, during voice
	for i, c := range all {
		require.Equal(t, sessions[i], c.Ready().SessionID, "resumed, not begun anew")
		c.listen(t, all)
		for _, other := range all {
			if other == c || other.call.ChannelID() != c.call.ChannelID() {
				continue
			}
			before.add(c.voiceOf(other.person, begun, cutFrom))
			during.add(c.voiceOf(other.person, cutFrom, time.Now()))
			messages += other.said
			seen := make(map[string]int)
			for _, content := range c.heard[other.UserID()] {
				seen[content]++
			}
			for n := range other.said {
				switch times := seen[fmt.Sprint(n)]; {
				case times == 0:
					lost++
				case times > 1:
					doubled++
				}
			}
			require.True(t, slices.IsSortedFunc(c.heard[other.UserID()], byNumber), "in order")
		}
	}
	t.Logf("%d cuts, half of them between a request and its reply, in %d calls of %d: of %d messages %d lost and %d doubled",
		cuts, rooms, each, messages, lost, doubled)
	t.Logf("voice before the cuts: %v", before)
	t.Logf("voice during the cuts: %v", during)
	require.Greater(t, messages, cuts)
	require.Zero(t, lost)
	require.Zero(t, doubled, "a request was carried out twice, or an event came twice")
	require.Zero(t, during.missing, "voice never knew of it")
}

// voice is what listeners heard of talkers.
type voice struct {
	frames, missing int
	late            int           // came more than lateGap after the one before
	gap             time.Duration // the longest between two
}

// lateGap is between two packets of which one more should have come in between.
const lateGap = 2 * frameLength

func (v *voice) add(w voice) {
	v.frames, v.missing, v.late, v.gap = v.frames+w.frames, v.missing+w.missing, v.late+w.late, max(v.gap, w.gap)
}

func (v voice) String() string {
	return fmt.Sprintf("%d frames, %d more missing; %.2f %% came over %v after the one before, at most %v", v.frames, v.missing,
		100*float64(v.late)/float64(max(v.frames, 1)), lateGap, v.gap.Round(time.Millisecond))
}

// voiceOf says what was heard of a talker in a time.
func (p *person) voiceOf(other *person, from, to time.Time) voice {
	p.mu.Lock()
	defer p.mu.Unlock()
	v := voice{missing: math.MaxInt32} // all
	var first, last uint32
	var before time.Time
	for _, h := range p.ears {
		if h.from != other.UserID() || h.at.Before(from) || h.at.After(to) {
			continue
		}
		if v.frames++; v.frames == 1 {
			before, first, last = h.at, h.n, h.n
		}
		gap := h.at.Sub(before)
		if gap > lateGap {
			v.late++
		}
		before, first, last, v.gap = h.at, min(first, h.n), max(last, h.n), max(v.gap, gap)
		v.missing = int(last-first) + 1 - v.frames
	}
	return v
}

func byNumber(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	if a < b {
		return -1
	}
	return 1
}

// chat says one number after the other until stop, and then what the server has not answered.
func (c *chatter) chat(t *testing.T, stop chan struct{}) {
	t.Helper()
	for {
		_, err := c.SendMessage(soon(t), c.call.ChannelID(), fmt.Sprint(c.said))
		refused, _ := errors.AsType[*protocol.Error](err)
		switch {
		case err == nil:
			c.said++
		case refused != nil && refused.Code == protocol.CodeRateLimited:
			time.Sleep(time.Duration(refused.RetryAfterMS) * time.Millisecond)
		default:
			t.Error(err)
			return
		}
		select {
		case <-stop:
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// listen collects what was said by others, until the last that each of them said.
func (c *chatter) listen(t *testing.T, all []*chatter) {
	t.Helper()
	last := make(map[string]string)
	for _, other := range all {
		if other != c && other.call.ChannelID() == c.call.ChannelID() {
			last[other.UserID()] = fmt.Sprint(other.said - 1)
		}
	}
	var done <-chan time.Time // a moment after the last, since what comes twice may come then
	for timeout := time.After(patience); ; {
		if len(last) == 0 && done == nil {
			done = time.After(200 * time.Millisecond)
		}
		select {
		case <-done:
			return
		case ev := <-c.Events():
			message, ok := ev.Payload.(*protocol.MessageEvent)
			if _, missed := ev.Payload.(*client.Missed); missed {
				t.Fatal("the test read too little")
			}
			if !ok || message.AuthorID == c.UserID() {
				continue
			}
			c.heard[message.AuthorID] = append(c.heard[message.AuthorID], message.Content)
			if last[message.AuthorID] == message.Content {
				delete(last, message.AuthorID)
			}
		case <-timeout:
			t.Errorf("%s waits for the last of %v", c.UserID(), last)
			return
		}
	}
}
