package e2e

import (
	"fmt"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

const (
	// longFrame is between two packets of each of the many who talk while a node is emptied, as with Opus in frames of 60 ms.
	longFrame = 3 * frameLength
	// drainSilence is what 95 of 100 people who are moved may be silent for at most.
	drainSilence = 300 * time.Millisecond
)

// TestFailoverHundred empties a node of three with a hundred people, all of whom talk: by SIGTERM and as livechat admin drain does. Somebody at
// another node listens to each, hears how long they are silent, and is told of nobody that they left. With make failover.
func TestFailoverHundred(t *testing.T) {
	if times, _ := strconv.Atoi(os.Getenv(failovers)); times == 0 {
		t.Skip("see make failover")
	}
	for name, empty := range emptyings() {
		t.Run(name, func(t *testing.T) {
			const rooms, each = 25, 4
			channels := make([]string, rooms)
			for i := range channels {
				channels[i] = fmt.Sprint("room-", i)
			}
			nodes := startCluster(t, channels...)
			engine := loopbackEngine(t)
			comes := func(o *client.Options) { comesBack(o); o.Engine = engine }
			listeners := make([]*listener, rooms)
			moved := make([][]*person, rooms)
			for i, channel := range channels {
				listeners[i] = listen(arrive(t, nodes[1+i%2].server, fmt.Sprint("listener ", i), comes).join(channel, slots(each), listenOnly))
				for j := range each {
					moved[i] = append(moved[i], arrive(t, nodes[0].server, fmt.Sprint("person ", i, " ", j), comes).join(channel, slots(each)))
				}
			}
			for i := range listeners {
				for _, p := range moved[i] {
					time.Sleep(longFrame / (rooms * each)) // not all at the same moment
					p.talkEvery(longFrame)
				}
			}
			for i, l := range listeners {
				l.hearsAll(moved[i])
			}
			sessions := make(map[*person]string)
			for i, l := range listeners {
				l.begin()
				for _, p := range moved[i] {
					sessions[p] = p.Ready().SessionID
				}
			}
			began := time.Now()
			empty(t, nodes[0])
			for p, before := range sessions {
				eventually(t, "everybody is in their channel at another node", func() bool {
					return p.Ready().SessionID != before && p.Call() != nil && p.Call().Present()
				})
			}
			took := time.Since(began)
			var silent []time.Duration
			for i, l := range listeners {
				l.hearsAll(moved[i])
				require.Empty(t, l.leaves(), "told of who left")
				for _, p := range moved[i] {
					silent = append(silent, l.longestSilence(p))
				}
			}
			t.Logf("emptied within %v", took.Round(time.Millisecond))
			below(t, "silent while moved to another node, a packet's 60 ms included", silent, drainSilence)
		})
	}
}

// emptyings are the ways to empty a node.
func emptyings() map[string]func(*testing.T, *nodeProcess) {
	return map[string]func(*testing.T, *nodeProcess){
		"SIGTERM":              func(t *testing.T, n *nodeProcess) { t.Helper(); n.terminate(t) },
		"livechat admin drain": func(t *testing.T, n *nodeProcess) { t.Helper(); n.drain(t, true) },
	}
}

// TestFailoverPage empties the node of somebody in a browser: the page has its voice go over another node before it lets go of this one. With make
// failover.
func TestFailoverPage(t *testing.T) {
	if times, _ := strconv.Atoi(os.Getenv(failovers)); times == 0 {
		t.Skip("see make failover")
	}
	for name, empty := range emptyings() {
		t.Run(name, func(t *testing.T) {
			nodes := startCluster(t, "lobby")
			ear := listen(arrive(t, nodes[2].server, "ear").join("lobby", slots(2), listenOnly))
			ada := startBrowser(t, "Ada", toneAda)
			ada.signIn(nodes[0].server)
			ada.join("lobby")
			eventually(t, "Ada is heard", func() bool { return ear.heardCount() > 5*plenty })
			session := ada.session()
			ear.begin()
			ear.lastSilence()
			empty(t, nodes[0])
			ada.until("another session", "!['', '"+session+"'].includes(livechat.session.client.ready?.session_id ?? '')")
			ada.joined()
			before := ear.heardCount()
			eventually(t, "Ada is heard from the other node", func() bool { return ear.heardCount() > before+5*plenty })
			silent := ear.lastSilence()
			require.Empty(t, ear.leaves(), "told of who left")
			t.Logf("somebody in a browser was silent for %v while moved to another node, a packet's 20 ms included; wanted: below %v", silent.Round(time.Millisecond), drainSilence)
			require.Less(t, silent, drainSilence)
		})
	}
}

// listener is somebody who notes who left, and what was written and changed.
type listener struct {
	*person

	noting sync.Mutex
	left   []protocol.Member // guarded by noting
	read   []string          // what was written; guarded by noting
	muted  map[string][]bool // what people said of their microphones; guarded by noting
	missed bool              // guarded by noting
	alone  bool              // the node said so; guarded by noting
}

func listen(p *person) *listener {
	l := &listener{person: p, muted: make(map[string][]bool)}
	go func() { // until the person is gone
		for event := range p.Events() {
			l.note(event)
		}
	}()
	return l
}

func (l *listener) note(event client.Event) {
	l.noting.Lock()
	defer l.noting.Unlock()
	switch d := event.Payload.(type) {
	case *protocol.ChannelEvent:
		if d.Event == protocol.ChannelEventLeave && d.Member != nil {
			l.left = append(l.left, *d.Member)
		}
	case *protocol.MessageEvent:
		l.read = append(l.read, d.Content)
	case *protocol.VoiceStateEvent:
		l.muted[d.UserID] = append(l.muted[d.UserID], d.SelfMute)
	case *client.Missed:
		l.missed = true
	case *protocol.Alive:
		l.alone = d.Alone != nil && *d.Alone
	}
}

// hearsAll waits until each of the others is heard, from now on, all at the same time.
func (l *listener) hearsAll(others []*person) {
	l.t.Helper()
	before := make([]int, len(others))
	for i, p := range others {
		before[i] = l.heardFrom(p)
	}
	for i, p := range others {
		eventually(l.t, l.UserID()+" hears "+p.UserID(), func() bool { return l.heardFrom(p) >= before[i]+plenty })
	}
}

// leaves are who was said to have left.
func (l *listener) leaves() []protocol.Member {
	l.noting.Lock()
	defer l.noting.Unlock()
	require.False(l.t, l.missed, "some events were not read in time")
	return l.left
}

func (l *listener) isAlone() bool {
	l.noting.Lock()
	defer l.noting.Unlock()
	return l.alone
}

// begin has what is heard, and who leaves, be counted from now on.
func (l *listener) begin() {
	l.mu.Lock()
	l.ears = nil
	l.mu.Unlock()
	l.noting.Lock()
	l.left = nil
	l.noting.Unlock()
}
