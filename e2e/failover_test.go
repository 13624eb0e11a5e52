package e2e

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/sfu/porttest"
	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

const (
	// nodeRole has TestRoleNode run: its port, and the ports of the others.
	nodeRole = "LIVECHAT_NODE"
	// failovers is how often the node is killed in TestFailoverKilled; without it once.
	failovers = "LIVECHAT_FAILOVERS"
)

// TestRoleNode is no test of its own: it plays a server in a process that is killed, while people go on at others.
func TestRoleNode(t *testing.T) {
	ports := strings.Fields(os.Getenv(nodeRole))
	if len(ports) == 0 {
		t.Skip("plays a server for those that kill one")
	}
	fmt.Println("in", startServer(t, asNode(ports[0], ports[1:]...)).URL) //nolint:forbidigo // to the test that kills it
	select {}
}

// asNode makes a server on a port one of several.
func asNode(port string, others ...string) func(*app.Config) {
	return func(c *app.Config) {
		c.Secret, c.AllowGuests, c.HTTP = testSecret, new(true), "127.0.0.1:"+port
		for _, other := range others {
			c.NodeURLs = append(c.NodeURLs, "http://127.0.0.1:"+other)
		}
	}
}

func startNode(t *testing.T, port string, others ...string) *child {
	t.Helper()
	return startChild(t, "TestRoleNode", nodeRole+"="+strings.Join(append([]string{port}, others...), " "))
}

// The node of everybody is killed: they go on at the other one, whoever talks is heard again there, and those who were mute still are.
func TestFailoverKilled(t *testing.T) {
	verifyNoLeaks(t)
	times, _ := strconv.Atoi(os.Getenv(failovers))
	const people = 6
	gaps := make([]time.Duration, 0, (people-1)*max(times, 1))
	for range max(times, 1) {
		doomedPort, safePort := porttest.Free(t), porttest.Free(t)
		doomed := startNode(t, doomedPort, safePort)
		safe := startServer(t, asNode(safePort, doomedPort))
		at := &server{URL: doomed.said}
		all := make([]*person, people)
		for i := range all {
			all[i] = arrive(t, at, fmt.Sprint("person ", i), comesBack).join("lobby", slots(people))
		}
		talker, mute := all[0].talk(), all[1]
		_, err := mute.SetVoiceState(soon(t), protocol.VoiceState{SelfMute: new(true)})
		require.NoError(t, err)
		mute.talk()
		for _, p := range all[1:] {
			p.hears(talker)
		}
		killed := time.Now()
		require.NoError(t, doomed.signal(syscall.SIGKILL))
		for _, p := range all[1:] {
			p.hears(talker)
			gaps = append(gaps, p.heardSince(killed.Add(2*frameLength)))
			require.Zero(t, p.heardFrom(mute))
		}
		for _, p := range all {
			told(p, "another session", func(*client.Reidentified) bool { return true })
			require.Equal(t, "lobby", p.Call().ChannelID())
		}
		watcher, _ := identify(t, safe, "watcher")
		watcher.untilCount("lobby", people)
		for _, m := range watcher.joinChannel("lobby").ActiveMembers {
			require.Equal(t, m.UserID == mute.UserID(), m.SelfMute, m.Name)
		}
		for _, p := range all {
			p.gone()
		}
		watcher.farewell()
		safe.stop()
	}
	t.Logf("heard again after a kill -9: %v", inMilliseconds(gaps))
	if times > 0 {
		below(t, "heard again after a kill -9", gaps, 1500*time.Millisecond)
		require.Less(t, gaps[len(gaps)-1], 3*time.Second, "everybody")
	}
}

// inMilliseconds are the durations, rounded, for people to read.
func inMilliseconds(took []time.Duration) (rounded []time.Duration) {
	for _, d := range took {
		rounded = append(rounded, d.Round(time.Millisecond))
	}
	return rounded
}

// A node is emptied: its people go to the other one and talk on, with a second connection of media before the first is given up. Somebody at
// each node hears when the talker stops to be heard at the one, and begins at the other.
func TestFailoverDrained(t *testing.T) {
	verifyNoLeaks(t)
	leftPort, safePort := porttest.Free(t), porttest.Free(t)
	left := startServer(t, asNode(leftPort, safePort), func(c *app.Config) { c.Drain = 3 * time.Second })
	safe := startServer(t, asNode(safePort, leftPort))
	talker := arrive(t, left, "talker", comesBack).join("lobby", slots(1)).talk()
	stays := arrive(t, left, "stays").join("lobby", slots(1)) // has no way of its own to go on
	there := arrive(t, safe, "there").join("lobby", slots(2))
	goes := arrive(t, left, "goes", comesBack).join("lobby", slots(1))
	stays.hears(talker)
	goes.hears(talker)
	session := talker.Ready().SessionID
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		left.stop()
	}()
	there.hears(talker)
	told(talker, "moved", func(*client.Rejoined) bool { return true })
	told(goes, "moved", func(*client.Rejoined) bool { return true })
	require.NotEqual(t, session, talker.Ready().SessionID)
	goes.hears(talker)
	require.Equal(t, "lobby", talker.Call().ChannelID())
	_, err := talker.SetVoiceState(soon(t), protocol.VoiceState{SelfMute: new(false)}) // asked of the new node
	require.NoError(t, err)
	last, first := stays.lastFrom(talker), there.firstFrom(talker)
	t.Logf("silent for %v at whoever hears both nodes, and for %v at one who moved too", first.Sub(last), goes.longestSilence(talker))
	require.Less(t, first.Sub(last), 3*time.Second+slowMachine)
	talker.silence()
	<-stopped
	eventually(t, "those who went are there", func() bool { return len(there.call.Members()) == 3 })
}

// firstFrom and lastFrom are when the first and the last packet of somebody were heard.
func (p *person) firstFrom(other *person) time.Time { return p.heardAt(other)[0] }

func (p *person) lastFrom(other *person) time.Time {
	all := p.heardAt(other)
	return all[len(all)-1]
}

func (p *person) heardAt(other *person) (all []time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range p.ears {
		if h.from == other.UserID() {
			all = append(all, h.at)
		}
	}
	return all
}
