package e2e

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// largest is as much as one message may say, of characters as long as they get.
//
//nolint:gochecknoglobals // a constant in all but the language
var largest = strings.Repeat("\U0001f600", 2000)

// chatters are people in a channel, each from an address of their own, who write and read.
type chatters struct {
	f      *fortress
	people []*stranger
	mu     sync.Mutex
	took   []time.Duration      // from being sent until somebody had it; guarded by mu
	left   map[string]time.Time // when somebody was told that these had left; guarded by mu
}

// chatters come into the lobby.
func (f *fortress) chatters(n int) *chatters {
	f.t.Helper()
	all := &chatters{f: f, left: make(map[string]time.Time)}
	offer := offer(f.t, 0, 1)
	for i := range n {
		c := must[*stranger](f.t)(f.guest(address(i), fmt.Sprint("Chatter ", i)))
		require.NoError(f.t, c.join(offer))
		all.people = append(all.people, c)
		go all.read(c)
	}
	return all
}

// read notes how long messages took, which say when they were sent, until the connection ends.
func (c *chatters) read(s *stranger) {
	for acknowledged := time.Now(); ; {
		_ = s.conn.SetReadDeadline(time.Time{})
		_, data, err := s.conn.ReadMessage()
		if err != nil {
			return
		}
		now := time.Now()
		frame, err := protocol.Decode(data)
		var event protocol.ChannelEvent
		if err == nil && frame.Op == protocol.OpChannelEvent && frame.Bind(&event) == nil && event.Event == protocol.ChannelEventLeave {
			c.mu.Lock()
			c.left[event.Member.UserID] = now
			c.mu.Unlock()
		}
		if err != nil || frame.Op != protocol.OpMessageEvent {
			continue
		}
		if now.Sub(acknowledged) > time.Second { // what was said is kept until then
			acknowledged = now
			_, _ = s.send(protocol.OpHeartbeat, protocol.Heartbeat{S: frame.S})
		}
		var message protocol.MessageEvent
		var sent int64
		if frame.Bind(&message) != nil {
			continue
		}
		if _, err := fmt.Sscan(message.Content, &sent); err == nil {
			c.mu.Lock()
			c.took = append(c.took, now.Sub(time.Unix(0, sent)))
			c.mu.Unlock()
		}
	}
}

// leftAfter returns how long after a time somebody left; 0: not yet.
func (c *chatters) leftAfter(who *stranger, began time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at, gone := c.left[who.userID]; gone {
		return at.Sub(began)
	}
	return 0
}

// chat has each say so many large things, eight a second, and returns how long they took to be heard.
func (c *chatters) chat(each int) []time.Duration {
	c.f.t.Helper()
	c.mu.Lock()
	c.took = nil
	c.mu.Unlock()
	tick := time.NewTicker(time.Second / time.Duration(8*len(c.people)))
	defer tick.Stop()
	for i := range each * len(c.people) {
		<-tick.C
		text := fmt.Sprintf("%d %s", time.Now().UnixNano(), largest[:4*1900])
		_, err := c.people[i%len(c.people)].send(protocol.OpMessageCreate, protocol.MessageCreate{ChannelID: "lobby", Content: text})
		require.NoError(c.f.t, err)
	}
	expect := each * len(c.people) * (len(c.people) - 1)
	require.Eventually(c.f.t, func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.took) >= expect*99/100
	}, patience, 10*time.Millisecond, "everybody hears everything")
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.took
}

// TestHostileReader: one stops reading while twenty chat. The others do not notice, and it is out soon, having held little.
func TestHostileReader(t *testing.T) {
	f := fortify(t, fortressPlan{})
	all := f.chatters(20)
	arrive := func() *stranger {
		c := must[*stranger](t)(f.guest(address(1000), "Deaf"))
		require.NoError(t, c.join(offer(t, 0, 1)))
		return c
	}
	rest := func() { time.Sleep(12 * time.Second) } // until they may say as much again
	var out []time.Duration
	pair := func() (normal, attacked []time.Duration) {
		normal = all.chat(10)
		rest()
		deaf := arrive()
		began := time.Now()
		attacked = all.chat(10)
		eventually(t, "one who does not read to be out", func() bool { return all.leftAfter(deaf, began) > 0 })
		out = append(out, all.leftAfter(deaf, began))
		rest()
		return normal, attacked
	}
	if f.full { // else nothing fills what the kernel holds
		rises(t, 3, "an event", 5*time.Millisecond, pair)
		for len(out) < 9 && middle(out) >= 2*time.Second { // the machine may not say enough for that in this time
			pair()
		}
		f.within("out after", middle(out).Seconds(), 2, "s")
	}
	before := f.vitals()
	arrive()
	all.chat(f.scaled(5, 1)) // as much as is kept of it, nearly
	held := f.vitals().Heap - before.Heap
	t.Logf("held for one who does not read: %d KiB", held>>10)
	require.Less(t, held, int64(2e6))
}

// TestHostileLists: one asks for the longest list there can be, and reads nothing.
func TestHostileLists(t *testing.T) {
	f := fortify(t, fortressPlan{})
	admin := f.member("root", auth.RoleAdmin)
	for i := range f.scaled(499, 60) {
		name := fmt.Sprintf("%s%d", strings.Repeat("\U0001f600", protocol.MaxChannelNameChars-3), 100+i)
		d := protocol.ChannelCreate{ChannelID: fmt.Sprint("c", i), ChannelName: name}
		d.Topic = new(largest[:4*protocol.MaxTopicChars])
		admin.insist(protocol.OpChannelCreate, d)
	}
	list := admin.insist(protocol.OpChannelList, struct{}{})
	t.Logf("a list has %d KiB", len(list.D)>>10)
	before := f.vitals()
	deaf := must[*stranger](t)(f.guest(address(0), "Deaf"))
	most := int64(0)
	for range f.scaled(15, 3) {
		for range 20 {
			_, _ = deaf.send(protocol.OpChannelList, struct{}{}) // until it is closed
			time.Sleep(50 * time.Millisecond)
		}
		most = max(most, f.vitals().Heap-before.Heap)
	}
	t.Logf("held at most: %d KiB", most>>10)
	require.Less(t, most, int64(4e6))
	if f.full { // less does not fill what the kernel holds
		require.False(t, isTimeout(deaf.ends(5*time.Second)), "it is closed")
	}
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}

// TestHostileChannels: one guest makes channels, changes and deletes them as fast as it can, and comes again when it is closed.
func TestHostileChannels(t *testing.T) {
	f := fortify(t, fortressPlan{})
	watcher := must[*stranger](t)(f.guest(address(1), "Watcher"))
	events, bytes := atomic.Int64{}, atomic.Int64{}
	go func() {
		for {
			_ = watcher.conn.SetReadDeadline(time.Time{})
			_, data, err := watcher.conn.ReadMessage()
			if err != nil {
				return
			}
			events.Add(1)
			bytes.Add(int64(len(data)))
		}
	}()
	long := time.Duration(f.scaled(30, 3)) * time.Second
	began := time.Now()
	var attack sync.WaitGroup
	attack.Go(func() { f.meddles(address(0), began.Add(long)) })
	others := f.scaled(20, 5)
	for i := range others {
		time.Sleep(long / time.Duration(others+1))
		c := must[*stranger](t)(f.guest(address(10+i), fmt.Sprint("Guest ", i)))
		_, err := c.ask(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: fmt.Sprint("mine", i)})
		require.NoError(t, err)
		_, err = c.ask(protocol.OpChannelUpdate, protocol.ChannelUpdate{ChannelID: fmt.Sprint("mine", i), ChannelName: new(fmt.Sprint("Ours ", i))})
		require.NoError(t, err)
	}
	attack.Wait()
	ofOthers := int64(2 * others)
	mine := events.Load() - ofOthers
	t.Logf("in %v others were told %d things of one guest's, %d KiB of all", long, mine, bytes.Load()>>10)
	require.LessOrEqual(t, mine, int64(8+long.Seconds()/5+2), "a guest has eight things told at once, and then one in five seconds")
}

// meddles does with channels whatever can be done to them until a time, with one token.
func (f *fortress) meddles(ip net.IP, until time.Time) {
	token, _, err := f.guestToken(ip, "Mallory")
	if err != nil {
		f.t.Error(err)
		return
	}
	for n := 0; time.Now().Before(until); {
		c, err := f.stranger(ip)
		if err == nil {
			err = c.identify(token)
		}
		if err != nil {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		c.drain()
		for err == nil && time.Now().Before(until) {
			n++
			id := fmt.Sprint("x", n%4)
			name, topic := fmt.Sprint(largest[:4*90], n), largest[:4*protocol.MaxTopicChars]
			_, err = c.send(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: id})
			if err == nil {
				change := protocol.ChannelUpdate{ChannelID: id, ChannelName: &name}
				change.Topic = &topic
				_, err = c.send(protocol.OpChannelUpdate, change)
			}
			if err == nil && n%7 == 0 {
				_, err = c.send(protocol.OpChannelDelete, protocol.ChannelRef{ChannelID: id})
			}
			time.Sleep(5 * time.Millisecond)
		}
		_ = c.conn.Close()
	}
}

// TestHostileFloods: as many messages or pings as can be, on one socket. What can be refused is refused before the socket is closed.
func TestHostileFloods(t *testing.T) {
	f := fortify(t, fortressPlan{})
	says := func(content string) func(*stranger) error {
		create, err := protocol.EncodeRequest(protocol.OpMessageCreate, "m", protocol.MessageCreate{ChannelID: "lobby", Content: content})
		require.NoError(t, err)
		return func(c *stranger) error { return c.conn.WriteMessage(websocket.TextMessage, create) }
	}
	ping := func(c *stranger) error { return c.conn.WriteControl(websocket.PingMessage, nil, time.Time{}) }
	for name, test := range map[string]struct {
		perSecond int
		flood     func(c *stranger) error
		refused   bool
	}{
		"messages":      {10_000, says("hello"), true},
		"long messages": {10_000, says(strings.Repeat("x", 60<<10)), true},
		"pings":         {100_000, ping, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := must[*stranger](t)(f.guest(address(0), "Mallory"))
			require.NoError(t, c.join(offer(t, 0, 1)))
			long := time.Duration(f.scaled(10, 1)) * time.Second
			most := long
			if !f.full {
				most = patience // a slow machine takes its time to be flooded
			}
			before, began := f.processorTime(), time.Now()
			closed := make(chan error, 1)
			refused := 0
			go func() {
				closed <- c.ends(most, func(frame protocol.Frame) {
					var refusal protocol.Error
					if frame.Op == protocol.OpError && frame.Bind(&refusal) == nil && refusal.RetryAfterMS > 0 {
						refused++
					}
				})
			}()
			sent := 0
			for time.Since(began) < most && test.flood(c) == nil {
				if sent++; sent%100 == 0 {
					time.Sleep(time.Until(began.Add(time.Duration(sent) * time.Second / time.Duration(test.perSecond))))
				}
			}
			why := <-closed
			t.Logf("closed after %d in %v, %d of them refused: %v", sent, time.Since(began).Round(time.Millisecond), refused, why)
			require.False(t, isTimeout(why), "it goes on")
			require.Equal(t, test.refused, refused > 0, "refused before it is closed")
			time.Sleep(time.Until(began.Add(long)))
			share := float64(f.processorTime()-before) / float64(long)
			f.within("of a core", 100*share, 2, "%")
		})
	}
}

// TestHostileReturns: one who floods comes again as soon as it was closed, as often as its address may. A neighbour behind that
// address comes in all the same, though not always at once.
func TestHostileReturns(t *testing.T) {
	f := fortify(t, fortressPlan{})
	token, _, err := f.guestToken(address(0), "Mallory")
	require.NoError(t, err)
	frame, err := protocol.EncodeRequest(protocol.OpChannelList, "m", struct{}{})
	require.NoError(t, err)
	long := time.Duration(f.scaled(30, 2)) * time.Second
	before, began := f.processorTime(), time.Now()
	tries, in := 0, 0
	var neighbour sync.WaitGroup
	neighbour.Go(func() {
		for time.Sleep(time.Second); time.Since(began) < long; time.Sleep(time.Second) {
			tries++
			if c, none := f.guest(address(0), fmt.Sprint("Neighbour ", tries)); none == nil {
				in++
				_ = c.conn.Close()
			}
		}
	})
	came, refused := 0, 0
	for time.Since(began) < long {
		c, none := f.stranger(address(0))
		if none != nil {
			refused++
			time.Sleep(time.Millisecond)
			continue
		}
		came++
		_ = c.identify(token)
		for range 1000 {
			if c.conn.WriteMessage(websocket.TextMessage, frame) != nil {
				break
			}
		}
		_ = c.conn.Close()
	}
	spent := f.processorTime() - before
	neighbour.Wait()
	t.Logf("in %v it came %d times, and was kept out %d times; a neighbour came in at %d of %d tries", long, came, refused, in, tries)
	require.LessOrEqual(t, float64(came), 400+25*long.Seconds()+10)
	f.within("of a neighbour's tries in vain", 100*float64(tries-in)/float64(max(tries, 1)), 75, "%")
	f.within("of a core", 100*float64(spent)/float64(long), 15, "%")
	_, err = f.guest(address(1), "Ada")
	require.NoError(t, err)
}

// TestHostileChat: one guest writes and changes channels as much as it can. A member behind a thin line stays, and what all are told
// is bounded.
func TestHostileChat(t *testing.T) {
	f := fortify(t, fortressPlan{})
	offer := offer(t, 0, 1)
	const line = 1_000_000 / 8 // bytes a second
	thin := must[*stranger](t)(f.guest(address(1), "Thin"))
	require.NoError(t, thin.join(offer))
	require.NoError(t, thin.conn.NetConn().(*net.TCPConn).SetReadBuffer(16<<10))
	long := time.Duration(f.scaled(40, 4)) * time.Second
	came, frames := 0, 0
	began := time.Now()
	stays := make(chan error, 1)
	go func() {
		for {
			// A line carries so much and no more; what is left over waits in the server.
			_ = thin.conn.SetReadDeadline(began.Add(long))
			_, data, err := thin.conn.ReadMessage()
			if err != nil {
				stays <- err
				return
			}
			came += len(data)
			frames++
			time.Sleep(time.Duration(len(data)) * time.Second / line)
		}
	}()
	var attack sync.WaitGroup
	attack.Go(func() { f.meddles(address(2), began.Add(long)) })
	attack.Go(func() { f.shouts(address(0), offer, began.Add(long)) })
	attack.Wait()
	err := <-stays
	require.True(t, isTimeout(err), "who has a thin line stays: %v", err)
	t.Logf("in %v a member got %d frames of %d KiB, %.0f kbit/s", long, frames, came>>10, float64(came)*8/1000/long.Seconds())
	require.Less(t, float64(came), 300_000+20_000*long.Seconds(), "bytes")
	require.Less(t, float64(frames), 100+10*long.Seconds(), "frames")
}

// shouts says as much as it can in the lobby until a time, with one token.
func (f *fortress) shouts(ip net.IP, offer string, until time.Time) {
	token, _, err := f.guestToken(ip, "Mallory")
	if err != nil {
		f.t.Error(err)
		return
	}
	for time.Now().Before(until) {
		c, err := f.stranger(ip)
		if err == nil {
			if err = c.identify(token); err == nil {
				err = c.join(offer)
			}
		}
		if err != nil {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		c.drain()
		for err == nil && time.Now().Before(until) {
			_, err = c.send(protocol.OpMessageCreate, protocol.MessageCreate{ChannelID: "lobby", Content: largest})
			time.Sleep(20 * time.Millisecond)
		}
		_ = c.conn.Close()
	}
}
