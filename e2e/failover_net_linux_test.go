package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// The nodes of these tests, and everybody's clients, are in network namespaces of their own, joined by a router:
//
//	clients 10.9.20.2 ── router ── 10.9.21.2 n1
//	                        ├───── 10.9.22.2 n2
//	                        └───── 10.9.23.2 n3
//
// What the router loses it loses without a word. A role among the clients does all of it, and says what it measured.

const (
	clientsNet = 20 // in 10.9.0.0/16; those of the nodes follow
	// unreachableAgain is within which somebody whose node cannot be reached any more has to be heard again.
	unreachableAgain = 4 * time.Second
	// apart is how long a partition lasts. When it is over all are to know and hear each other within agreeAgain.
	apart      = 10 * time.Second
	agreeAgain = 2 * time.Second
)

// towns is a network with three nodes, as the role among the clients knows it.
type towns struct {
	Router string // its namespace
	URLs   []string
	Rounds int
}

// newTowns makes a network and starts three nodes in it, or skips the test where that is not allowed.
func newTowns(t *testing.T, rounds int) (n *network, there towns) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("SKIPPED: network namespaces need root")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("SKIPPED: network namespaces need the program ip (Debian: iproute2)")
	}
	prefix := fmt.Sprintf("lt%d-", os.Getpid())
	n = &network{t: t, client: prefix + "c", router: prefix + "r", dir: t.TempDir()}
	spaces := []string{n.client, prefix + "1", prefix + "2", prefix + "3"}
	for _, ns := range append([]string{n.router}, spaces...) {
		if out, err := exec.CommandContext(t.Context(), "ip", "netns", "add", ns).CombinedOutput(); err != nil {
			t.Skipf("SKIPPED: network namespaces cannot be made here: %s", bytes.TrimSpace(out))
		}
		t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", ns).Run() }) //nolint:noctx // when the test is over
		n.ip(ns, "link set lo up")
	}
	secret := filepath.Join(n.dir, "secret")
	require.NoError(t, os.WriteFile(secret, []byte(strings.Repeat("c", 40)+"\n"), 0o600))
	there = towns{Router: n.router, Rounds: rounds}
	var nodes []clusterNode
	var peers []string
	for i, ns := range spaces {
		at := fmt.Sprintf("10.9.%d.", clientsNet+i)
		dev := fmt.Sprint("to-", i)
		n.ip("", "link add to-router netns "+ns+" type veth peer name "+dev+" netns "+n.router)
		n.ip(ns, "link set to-router up", "addr add "+at+"2/24 dev to-router")
		n.ip(n.router, "link set "+dev+" up", "addr add "+at+"1/24 dev "+dev)
		n.ip(ns, "route add default via "+at+"1")
		if i > 0 {
			name := fmt.Sprint("n", i)
			peers = append(peers, name+"="+at+"2:6222")
			nodes = append(nodes, clusterNode{
				Name: name, Secret: secret, Data: filepath.Join(n.dir, name), HTTP: at + "2:80", UDP: at + "2:10000", Channels: []string{"lobby", "radio:ptt"},
				By: []string{"ip", "netns", "exec", ns},
			})
			there.URLs = append(there.URLs, "http://"+at+"2")
		}
	}
	n.sh(n.router, "echo 1 > /proc/sys/net/ipv4/ip_forward")
	var starting errgroup.Group
	for _, node := range nodes {
		node.Peers = peers
		starting.Go(func() error {
			node.start(t)
			return nil
		})
	}
	require.NoError(t, starting.Wait())
	return n, there
}

// hearOut logs what a role says until it has done.
func (a *actor) hearOut() {
	a.t.Helper()
	for {
		said := a.says()
		if said == "done" {
			return
		}
		a.t.Log(said)
	}
}

// between has the router lose what goes between two networks, or carry it again.
func (w *towns) between(t *testing.T, lose bool, a, b int) {
	t.Helper()
	do := "del"
	if lose {
		do = "add"
	}
	n := &network{t: t}
	for _, way := range [][2]int{{a, b}, {b, a}} {
		n.ip(w.Router, fmt.Sprintf("rule %s pref %d from 10.9.%d.0/24 to 10.9.%d.0/24 blackhole", do, 100+10*way[0]+way[1], clientsNet+way[0], clientsNet+way[1]))
	}
}

// inTowns has a role played by the people of three nodes and their network, as often as make failover says and so often at most.
func inTowns(t *testing.T, most int, role string) {
	t.Helper()
	times, _ := strconv.Atoi(os.Getenv(failovers))
	if times == 0 {
		t.Skip("see make failover")
	}
	n, there := newTowns(t, min(times, most))
	n.play(n.client, role, there).hearOut()
}

// come waits until the nodes know each other, and returns how people come to them.
func (w towns) come(t *testing.T) func(*client.Options) {
	t.Helper()
	together(t, w.URLs)
	engine := anyEngine(t)
	return func(o *client.Options) { comesBack(o); o.Engine, o.EventBuffer = engine, 1<<16 }
}

// TestFailoverUnreachable has the router lose all that goes to and from a node, on which five people talk: they are heard again from another one
// within four seconds. With make failover.
func TestFailoverUnreachable(t *testing.T) {
	inTowns(t, 5, "TestRoleUnreachable")
}

// TestRoleUnreachable is no test of its own: it plays the people of TestFailoverUnreachable.
func TestRoleUnreachable(t *testing.T) {
	var there towns
	task(t, &there)
	const each = 5
	comes := there.come(t)
	lost := &server{URL: there.URLs[0]}
	ear := listen(arrive(t, &server{URL: there.URLs[1]}, "ear", comes).join("lobby", slots(each), listenOnly))
	gaps := make([]time.Duration, 0, each*there.Rounds)
	left := 0
	for round := range there.Rounds {
		people := make([]*person, 0, each)
		for i := range each {
			people = append(people, arrive(t, lost, fmt.Sprint("person ", round, i), comes).join("lobby", slots(each)).talkEvery(longFrame))
		}
		ear.hearsAll(people)
		ear.begin()
		time.Sleep(time.Duration(round) * 200 * time.Millisecond) // at another moment between two signs of life each time
		for other := range 4 {
			if other != 1 {
				there.between(t, true, 1, other)
			}
		}
		cut := time.Now()
		for _, p := range people {
			eventually(t, p.UserID()+" is heard again", func() bool { return ear.heardAfter(p, cut.Add(2*longFrame)) != 0 })
			gaps = append(gaps, ear.heardAfter(p, cut.Add(2*longFrame)))
		}
		left += len(ear.leaves())
		for other := range 4 {
			if other != 1 {
				there.between(t, false, 1, other)
			}
		}
		eventually(t, "the node takes people again, and has none", func() bool {
			status, _ := state(t, lost, http.MethodGet, "/readyz")
			return status == http.StatusOK && nodesAt(t, lost)[0].People == 0
		})
		for _, p := range people {
			p.gone()
		}
		eventually(t, "nobody is left", func() bool { return len(ear.call.Members()) == 1 })
	}
	slices.Sort(gaps)
	say("%d times was said that somebody left, who had not", left)
	say("heard again from another node, after one could not be reached any more: median %v, p95 %v, longest %v of %d; wanted: all within %v",
		gaps[len(gaps)/2].Round(time.Millisecond), gaps[len(gaps)*95/100].Round(time.Millisecond), gaps[len(gaps)-1].Round(time.Millisecond), len(gaps), unreachableAgain)
	require.Less(t, gaps[len(gaps)-1], unreachableAgain)
	say("done")
}

// heardAfter is how long after a moment somebody was heard; 0: not yet.
func (p *person) heardAfter(other *person, at time.Time) time.Duration {
	for _, heard := range p.heardAt(other) {
		if heard.After(at) {
			return heard.Sub(at)
		}
	}
	return 0
}

// anyEngine is an engine for clients that are not on loopback.
func anyEngine(t *testing.T) *client.Engine {
	t.Helper()
	engine, err := client.NewEngine(client.EngineConfig{})
	require.NoError(t, err)
	return engine
}

// TestFailoverPartition has the router lose for ten seconds what goes between one node and the two others, while two people on each talk: those on
// one node hear each other all the while, the lone node writes nothing down and tells its people, and when it is over all know and hear each other, and nobody is told that anybody left. With make failover.
func TestFailoverPartition(t *testing.T) {
	inTowns(t, 3, "TestRolePartition")
}

// TestRolePartition is no test of its own: it plays the people of TestFailoverPartition.
func TestRolePartition(t *testing.T) {
	var there towns
	task(t, &there)
	const lone = 3 // n3
	comes := there.come(t)
	all := make([]*listener, 0, 2*len(there.URLs))
	for i := range cap(all) {
		p := arrive(t, &server{URL: there.URLs[i/2]}, fmt.Sprint("person ", i), comes).join("lobby", slots(5)).talkEvery(longFrame)
		all = append(all, listen(p))
	}
	sessions := make([]string, len(all))
	for i, p := range all {
		p.hearsAll(othersOf(all, i))
		sessions[i] = p.Ready().SessionID
	}
	var within, wrote []time.Duration
	agreed, written := make([]time.Duration, 0, there.Rounds), make([]time.Duration, 0, there.Rounds)
	for range there.Rounds {
		for _, p := range all {
			p.begin()
		}
		cut := time.Now()
		there.between(t, true, lone, 1)
		there.between(t, true, lone, 2)
		var most sync.WaitGroup
		most.Go(func() { // the log may have to find somebody to lead it
			w := writer{person: all[0].person}
			if w.post(protocol.MessageCreate{ChannelID: "lobby", Content: "from the majority", Nonce: fmt.Sprint(cut)}) == nil {
				wrote = append(wrote, time.Since(cut))
			}
		})
		_, err := all[4].SendMessage(soon(t), "lobby", "from the minority")
		refused, _ := errors.AsType[*protocol.Error](err)
		require.NotNil(t, refused, "%v", err)
		require.Equal(t, protocol.CodeUnsettled, refused.Code)
		time.Sleep(time.Until(cut.Add(apart)))
		for i := 0; i < len(all); i += 2 {
			within = append(within, all[i].longestSilence(all[i+1].person), all[i+1].longestSilence(all[i].person))
			require.Len(t, all[i].call.Members(), map[bool]int{true: 2, false: 4}[i == 4], "on this side")
			require.Equal(t, i == 4, all[i].isAlone(), "the lone node tells its people")
		}
		most.Wait()
		for _, p := range all {
			p.begin()
		}
		there.between(t, false, lone, 1)
		there.between(t, false, lone, 2)
		healed := time.Now()
		for i, p := range all {
			eventually(t, "all know and hear each other", func() bool {
				return len(p.call.Members()) == len(all) && !slices.ContainsFunc(othersOf(all, i), func(other *person) bool {
					return p.heardAfter(other, healed) == 0
				})
			})
		}
		agreed = append(agreed, time.Since(healed))
		w := writer{person: all[4].person}
		require.NoError(t, w.post(protocol.MessageCreate{ChannelID: "lobby", Content: "together", Nonce: fmt.Sprint(healed)}))
		written = append(written, time.Since(healed))
		time.Sleep(time.Until(healed.Add(2 * agreeAgain)))
		for i, p := range all {
			require.Empty(t, p.leaves(), "told of who left, when it was over")
			require.Equal(t, sessions[i], p.Ready().SessionID, "nobody has gone anywhere")
			eventually(t, "no node is alone any more", func() bool { return !p.isAlone() })
		}
	}
	slices.Sort(agreed)
	slices.Sort(within)
	say("after a partition of %v all know and hear each other: median %v, longest %v of %d; wanted: within %v", apart,
		agreed[len(agreed)/2].Round(time.Millisecond), agreed[len(agreed)-1].Round(time.Millisecond), len(agreed), agreeAgain)
	require.Len(t, wrote, there.Rounds)
	say("the others wrote %v after the beginning at the latest", slices.Max(wrote).Round(time.Millisecond))
	say("the lone node wrote again %v after the end at the latest", slices.Max(written).Round(time.Millisecond))
	say("the longest silence between two people on one node meanwhile: %v, a packet's 60 ms included", within[len(within)-1].Round(time.Millisecond))
	require.Less(t, agreed[len(agreed)-1], agreeAgain)
	require.Less(t, within[len(within)-1], time.Second)
	say("done")
}
