package e2e

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// TestFailoverFloorMoves empties the node of who has the floor and of who waits for it, at first the one that decides about it, and then whichever they
// are on: they go on at others by the same grant and at the same place, and whoever hears them hears nobody else and is told nothing. With make
// failover.
func TestFailoverFloorMoves(t *testing.T) {
	times, _ := strconv.Atoi(os.Getenv(failovers))
	if times == 0 {
		t.Skip("see make failover")
	}
	nodes := startCluster(t, "radio:ptt", "den")
	at := arbiterOf(nodes)
	ears := make([]*listener, len(nodes))
	for i, node := range nodes {
		ears[i] = listen(arrive(t, node.server, "ear", comesBack).join("radio", slots(2), listenOnly))
	}
	ears[at].listens(protocol.Listen{Channels: []string{"den"}, Slots: 1})
	listener := ears[at].UserID()
	talker := arrive(t, nodes[at].server, "talker", comesBack).join("radio", slots(1)).talk()
	waits := arrive(t, nodes[at].server, "waits", comesBack).join("radio", slots(1))
	grant := talker.presses()
	turn := make(chan *client.Grant, 1)
	go func() {
		next, err := waits.Call().Floor().Acquire(t.Context(), client.FloorRequest{})
		assert.NoError(t, err)
		turn <- next
	}()
	place := func() bool { return waits.Call().Floor().State().Position == 1 }
	eventually(t, "one waits", place)
	where := map[*person]int{talker: at, waits: at}
	moves := min(3*times, 30)
	silent := make([]time.Duration, 0, moves*len(ears))
	for range moves {
		at = where[talker]
		for _, ear := range ears {
			ear.hears(talker)
			ear.begin()
		}
		nodes[at].drain(t, true)
		for p, was := range where {
			if was == at {
				told(p, "moved", func(*client.Rejoined) bool { return true })
				where[p] = slices.IndexFunc(nodes, func(n *nodeProcess) bool { return n != nodes[at] && !slices.Contains(p.Ready().Nodes, n.URL) })
			}
		}
		for _, ear := range ears {
			ear.hears(talker)
			require.Equal(t, []string{talker.UserID()}, ear.turns(0))
			require.Empty(t, ear.leaves())
			silent = append(silent, ear.longestSilence(talker))
		}
		require.NoError(t, grant.Err())
		require.NoError(t, talker.Request(soon(t), protocol.OpFloorPing, protocol.FloorRef{GrantID: grant.ID()}, nil))
		eventually(t, "one waits still", place)
		eventually(t, "who listened in does so still", func() bool {
			var den protocol.ChannelDetail
			err := talker.Request(soon(t), protocol.OpChannelInfo, protocol.ChannelRef{ChannelID: "den"}, &den) // refused when asked too often
			return err == nil && len(den.Listeners) == 1 && den.Listeners[0].UserID == listener
		})
		takesPeople(t, nodes, at)
	}
	require.NoError(t, grant.Release(soon(t)))
	require.NotNil(t, <-turn)
	waits.talk()
	for _, ear := range ears {
		ear.hears(waits)
	}
	below(t, "who has the floor was silent while moved, a packet's 20 ms included", silent, drainSilence)
}

// TestFailoverPageFloor empties the node of somebody in a browser twice: while they hold the button and talk, and while they hold it and wait. With
// make failover.
func TestFailoverPageFloor(t *testing.T) {
	if times, _ := strconv.Atoi(os.Getenv(failovers)); times == 0 {
		t.Skip("see make failover")
	}
	nodes := startCluster(t, "radio:ptt")
	ear := listen(arrive(t, nodes[2].server, "ear", comesBack).join("radio", slots(1)))
	ada := startBrowser(t, "Ada", toneAda)
	ada.signIn(nodes[0].server)
	ada.join("radio")
	ada.see("#hold", "Hold to talk")
	evaluate[chromedp.Void](ada, blurs)
	evaluate[chromedp.Void](ada, "window.cues = []; livechat.session.call.floor.addEventListener('cue', (e) => window.cues.push(e.detail))")
	cues := func(want string) {
		t.Helper()
		ada.poll("hears of the floor only: "+want, func() bool { return evaluate[string](ada, "String(window.cues)") == want })
	}
	at := 0
	moves := func() {
		t.Helper()
		session := ada.session()
		nodes[at].drain(t, true)
		ada.until("another session", "!['', '"+session+"'].includes(livechat.session.client.ready?.session_id ?? '')")
		ada.joined()
		takesPeople(t, nodes, at)
		there := evaluate[string](ada, "String(livechat.session.client.ready.nodes)")
		at = slices.IndexFunc(nodes, func(n *nodeProcess) bool { return n != nodes[at] && !strings.Contains(there, n.URL) })
	}

	ada.down(" ", 0)
	ada.see("#hold", "You are on air")
	eventually(t, "Ada is heard", func() bool { return ear.heardCount() > 5*plenty })
	grant := "livechat.session.call.floor.grant?.grant_id ?? 0"
	id := evaluate[int64](ada, grant)
	ear.begin()
	ear.lastSilence()
	moves()
	before := ear.heardCount()
	eventually(t, "Ada is heard from the other node", func() bool { return ear.heardCount() > before+5*plenty })
	silent := ear.lastSilence()
	require.Empty(t, ear.leaves(), "told of who left")
	require.Equal(t, id, evaluate[int64](ada, grant))
	ada.see("#hold", "You are on air")
	t.Logf("who has the floor in a browser was silent for %v while moved, a packet's 20 ms included; wanted: below %v", silent.Round(time.Millisecond), drainSilence)
	require.Less(t, silent, drainSilence)
	ada.up(" ")
	ada.see("#hold", "Hold to talk")
	cues("granted")

	ben := ear.presses()
	ada.see("#hold", "ear is talking")
	ada.down(" ", 0)
	ada.see("#hold", "You are next")
	moves()
	ada.see("#hold", "You are next")
	require.NoError(t, ben.Release(soon(t)))
	ada.see("#hold", "You are on air")
	cues("granted,taken,queued,granted")
	before = ear.heardCount()
	eventually(t, "Ada is heard in her turn", func() bool { return ear.heardCount() > before+plenty })
}

// takesPeople has a node take people again, and waits until all know.
func takesPeople(t *testing.T, nodes []*nodeProcess, at int) {
	t.Helper()
	nodes[at].drain(t, false)
	for _, node := range nodes {
		eventually(t, "the nodes know of it", func() bool {
			return !slices.ContainsFunc(nodesAt(t, node.server), func(n protocol.AdminNode) bool { return n.Draining })
		})
	}
}
