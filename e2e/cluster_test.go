package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/cluster"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// nodes are real servers that are one, in one process; how they reach each other is simulated, by the machine's clock.
type nodes struct {
	net   *cluster.Simulated
	names []string
	all   []*server
}

// startNodes starts a server for each name.
func startNodes(t *testing.T, names []string, configure ...func(*app.Config)) *nodes {
	t.Helper()
	n := &nodes{net: cluster.NewSimulated(names...), names: names}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.net.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	for _, name := range names {
		node := n.net.Start(name)
		n.all = append(n.all, startServer(t, append([]func(*app.Config){func(c *app.Config) {
			c.Secret, c.AllowGuests, c.Nodes = testSecret, new(true), node
			c.RequestRate, c.RequestBurst = 10*c.RequestRate, 10*c.RequestBurst // a test asks until it is so
		}}, configure...)...))
		here := n.all[len(n.all)-1]
		node.Say(cluster.Status{URL: here.URL, Media: []netip.AddrPort{here.media}})
		eventually(t, "the node sees those before it", func() bool { return len(node.Nodes()) == len(n.all) })
	}
	for _, one := range n.all {
		eventually(t, "the node lets people in", func() bool {
			status, _ := state(t, one, http.MethodGet, "/readyz")
			return status == http.StatusOK
		})
	}
	return n
}

// until returns the first event of this op that is as wanted. The others stay where they are: what comes of different nodes has no order.
func until[T any](c *raw, op protocol.Op, what string, wanted func(T) bool) T {
	c.t.Helper()
	began := time.Now()
	for i := 0; ; i++ {
		for i >= len(c.events) {
			require.Less(c.t, time.Since(began), 3*patience, "never told: %s", what)
			if frame := c.read(); frame.S != 0 {
				c.events = append(c.events, frame)
			}
		}
		var d T
		if c.events[i].Op != op {
			continue
		}
		require.NoError(c.t, c.events[i].Bind(&d))
		if wanted(d) {
			c.events = slices.Delete(c.events, i, i+1)
			return d
		}
	}
}

func (c *raw) untilJoin(userID string, wanted func(*protocol.Member) bool) {
	c.t.Helper()
	until(c, protocol.OpChannelEvent, userID+" joins", func(e protocol.ChannelEvent) bool {
		return e.Event == protocol.ChannelEventJoin && e.Member.UserID == userID && wanted(e.Member)
	})
}

func (c *raw) untilLeave(userID string, cause protocol.LeaveCause) {
	c.t.Helper()
	until(c, protocol.OpChannelEvent, userID+" leaves: "+string(cause), func(e protocol.ChannelEvent) bool {
		return e.Event == protocol.ChannelEventLeave && e.Member.UserID == userID && e.Cause == cause
	})
}

func anyhow(*protocol.Member) bool { return true }

func (c *raw) untilState(what, userID string, wanted func(protocol.VoiceStateEvent) bool) {
	c.t.Helper()
	until(c, protocol.OpVoiceStateEvent, what, func(e protocol.VoiceStateEvent) bool { return e.UserID == userID && wanted(e) })
}

// untilCount waits until so many are in a channel, as a node knows it.
func (c *raw) untilCount(channelID string, want int) {
	c.t.Helper()
	count := -1
	for began := time.Now(); count != want; time.Sleep(200 * time.Millisecond) { // as often as one may ask
		require.Less(c.t, time.Since(began), 3*patience, "%d in %s, not %d", count, channelID, want)
		for _, info := range listed(c) {
			if info.ChannelID == channelID {
				count = info.MemberCount
			}
		}
	}
}

// People on three nodes are in one channel: they see each other come, mute, raise hands, write, be moderated and go.
func TestClusterIsOneCommunity(t *testing.T) {
	verifyNoLeaks(t)
	n := startNodes(t, []string{"n1", "n2", "n3"}, func(c *app.Config) { c.Channels = []string{"lobby", "den", "radio:ptt"} })
	root, ben, cy := identifyAs(t, n.all[0], "root", true), identifyAs(t, n.all[1], "ben", false), identifyAs(t, n.all[2], "cy", false)
	var known protocol.Presence
	cy.ack(protocol.OpPresence, protocol.PresenceWatch{Watch: new(true)}, &known)

	// Coming.
	require.Len(t, root.joinChannel("lobby").ActiveMembers, 1)
	cy.untilCount("lobby", 1)
	joined := cy.joinChannel("lobby")
	require.Len(t, joined.ActiveMembers, 2)
	require.Equal(t, "root", joined.ActiveMembers[0].UserID)
	require.Equal(t, "cy", joined.ActiveMembers[1].UserID, "who joins is last")
	ben.untilCount("lobby", 2)
	ben.joinChannel("lobby")
	for _, c := range []*raw{root, cy} {
		c.untilJoin("ben", func(m *protocol.Member) bool { return m.Name == "ben" })
	}
	until(cy, protocol.OpPresenceEvent, "ben is there", func(e protocol.Presence) bool {
		for _, channel := range e.Channels {
			for _, one := range channel.Set {
				if one.UserID == "ben" {
					return true
				}
			}
			if len(channel.Members) == 3 {
				return true
			}
		}
		return false
	})

	// Voice state and hands.
	ben.ack(protocol.OpVoiceState, protocol.VoiceState{SelfMute: new(true)}, nil)
	cy.ack(protocol.OpHand, protocol.Hand{Raised: new(true)}, nil)
	root.untilState("ben is mute", "ben", func(e protocol.VoiceStateEvent) bool { return e.SelfMute })
	cy.untilState("ben is mute", "ben", func(e protocol.VoiceStateEvent) bool { return e.SelfMute })
	root.untilState("cy's hand", "cy", func(e protocol.VoiceStateEvent) bool { return e.HandAt != 0 })

	// Why somebody is not heard.
	var found protocol.WhyFound
	cy.ack(protocol.OpWhy, protocol.Why{UserID: "ben"}, &found)
	require.Equal(t, "muted", found.Cause)
	cy.ack(protocol.OpSubscribe, protocol.Subscribe{Exclude: []string{"root"}}, nil)
	cy.ack(protocol.OpWhy, protocol.Why{UserID: "root"}, &found)
	require.Contains(t, []string{"connecting", "no_udp"}, found.Cause, "that is found on root's node")
	cy.ack(protocol.OpWhy, protocol.Why{UserID: "nobody"}, &found)
	require.Equal(t, "not_here", found.Cause)

	// Messages, in one order for each author.
	for i := range 5 {
		ben.ack(protocol.OpMessageCreate, protocol.MessageCreate{ChannelID: "lobby", Content: fmt.Sprint("text ", i)}, nil)
	}
	for _, c := range []*raw{root, cy} {
		for i := range 5 {
			m := until(c, protocol.OpMessageEvent, "a message", func(protocol.MessageEvent) bool { return true })
			require.Equal(t, fmt.Sprint("text ", i), m.Content)
			require.Equal(t, "ben", m.AuthorName)
		}
	}

	// A moderator acts on people of other nodes, and what may not be is refused with the same words.
	root.ack(protocol.OpMemberMute, protocol.MemberMute{UserID: "ben", Mute: new(true)}, nil)
	ben.untilState("ben is muted", "ben", func(e protocol.VoiceStateEvent) bool { return e.Muted })
	cy.untilState("ben is muted", "ben", func(e protocol.VoiceStateEvent) bool { return e.Muted })
	ben.fails(protocol.OpVoiceState, protocol.VoiceState{SelfMute: new(false)}, protocol.CodeMuted)
	ben.fails(protocol.OpMemberMute, protocol.MemberMute{UserID: "cy", Mute: new(true)}, protocol.CodeAccessDenied)
	ben.fails(protocol.OpMemberKick, protocol.MemberKick{UserID: "nobody"}, protocol.CodeUserNotFound)
	root.ack(protocol.OpMemberMute, protocol.MemberMute{UserID: "ben", Mute: new(false)}, nil)
	root.ack(protocol.OpMemberMove, protocol.MemberMove{UserID: "ben", ChannelID: "den"}, nil)
	until(ben, protocol.OpModerationEvent, "ben is moved", func(e protocol.ModerationEvent) bool {
		return e.Action == protocol.ModerationMove && e.Joined != nil && e.Joined.ChannelID == "den"
	})
	until(cy, protocol.OpModerationEvent, "ben is moved", func(e protocol.ModerationEvent) bool {
		return e.Action == protocol.ModerationMove && e.UserID == "ben" && e.ToChannelID == "den" && e.ByID == "root"
	})
	root.untilLeave("ben", protocol.LeaveMoved)
	root.ack(protocol.OpMemberMove, protocol.MemberMove{UserID: "ben", ChannelID: "lobby"}, nil)
	root.untilJoin("ben", anyhow)
	root.ack(protocol.OpMemberKick, protocol.MemberKick{UserID: "ben", Reason: "out"}, nil)
	until(cy, protocol.OpModerationEvent, "ben is put out", func(e protocol.ModerationEvent) bool {
		return e.Action == protocol.ModerationKick && e.Reason == "out"
	})
	require.Equal(t, protocol.CloseKicked, ben.closed())
	cy.untilLeave("ben", protocol.LeaveKicked)
	ben = identifyAs(t, n.all[2], "ben", false)
	ben.fails(protocol.OpChannelJoin, protocol.ChannelJoin{ChannelID: "lobby", SDPOffer: offer(t, 1, 1)}, protocol.CodeAccessDenied)

	// What was done is in the audit, once.
	var audit protocol.Audit
	identifyAs(t, n.all[1], "mod", true).ack(protocol.OpAudit, protocol.AuditRequest{}, &audit)
	actions := make([]protocol.ModerationAction, 0, len(audit.Deeds))
	for _, d := range audit.Deeds {
		actions = append(actions, d.Action)
	}
	require.Equal(t, []protocol.ModerationAction{"kick", "move", "move", "unmute", "mute"}, actions)

	// One session for each user.
	again := identifyAs(t, n.all[0], "ben", false)
	require.Equal(t, protocol.CloseReplaced, ben.closed())
	again.ack(protocol.OpChannelList, struct{}{}, nil)

	// A node dies: its people go after the grace.
	died := time.Now()
	n.net.Kill("n3")
	root.untilLeave("cy", protocol.LeaveGone)
	require.Greater(t, time.Since(died), 2*time.Second, "there was no grace")
}

// On two sides of a partition all go on, and they find together again.
func TestClusterPartition(t *testing.T) {
	verifyNoLeaks(t)
	n := startNodes(t, []string{"n1", "n2"}, func(c *app.Config) { c.Channels = []string{"lobby", "den"} })
	ada, ben := identifyAs(t, n.all[0], "ada", false), identifyAs(t, n.all[1], "ben", false)
	ada.joinChannel("lobby")
	ben.joinChannel("lobby")
	ada.untilCount("lobby", 2)
	ben.untilCount("lobby", 2) // whoever was never there does not leave
	cy := arrive(t, n.all[0], "cy").join("den", slots(1))
	n.net.Part([]string{"n1"}, []string{"n2"})
	told(cy, "too few nodes are seen", func(a *protocol.Alive) bool { return *a.Alone })
	eventually(t, "who comes is told so as well", func() bool { return identifyAs(t, n.all[1], "dee", false).ready.Alone })
	ada.untilLeave("ben", protocol.LeaveGone)
	ben.untilLeave("ada", protocol.LeaveGone)
	ada.ack(protocol.OpVoiceState, protocol.VoiceState{SelfMute: new(true)}, nil)
	n.net.Heal()
	told(cy, "enough nodes are seen again", func(a *protocol.Alive) bool { return !*a.Alone })
	ben.untilJoin("ada", func(m *protocol.Member) bool { return m.SelfMute })
	ada.untilJoin("ben", anyhow)
}

// Voice goes from each node to each other: everybody hears exactly the others, and nobody who mutes.
func TestClusterVoice(t *testing.T) {
	verifyNoLeaks(t)
	n := startNodes(t, []string{"n1", "n2", "n3"})
	all := make([]*person, 0, len(n.all)+1)
	for i, name := range []string{"ada", "bo", "cy", "dee"} {
		all = append(all, arrive(t, n.all[i%len(n.all)], name).join("lobby").talk())
	}
	for i, p := range all {
		others := slices.Delete(slices.Clone(all), i, i+1)
		eventually(t, "everyone knows everyone", func() bool { return len(p.memberIDs()) == len(all) })
		p.hears(others...)
	}
	ada, bo, cy := all[0], all[1], all[2]
	_, err := ada.SetVoiceState(soon(t), protocol.VoiceState{SelfMute: new(true)})
	require.NoError(t, err)
	for _, p := range []*person{bo, cy} {
		p.hearsNot(ada, all[3].talksOn)
	}
	_, err = ada.SetVoiceState(soon(t), protocol.VoiceState{SelfMute: new(false)})
	require.NoError(t, err)
	bo.hears(ada)
	cy.hears(ada)

	// Somebody who comes later hears and is heard, and who goes is not any more.
	eve := arrive(t, n.all[1], "eve").join("lobby").talk()
	eve.hears(all...)
	cy.hears(eve)
	bo.leave()
	cy.hearsNot(bo, eve.talksOn)
	for i, p := range append(all, eve) {
		p.check(slices.Delete(slices.Clone(append(all, eve)), i, i+1)...)
	}
}

// The page of a node may come to another one also when its own is gone: that is when it has to.
func TestClusterTakesPagesOfLostNodes(t *testing.T) {
	verifyNoLeaks(t)
	n := startNodes(t, []string{"n1", "n2"})
	taken := func(origin string) bool {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, n.all[0].URL+"/api/guest", strings.NewReader(`{"name": "Ada"}`))
		require.NoError(t, err)
		request.Header.Set("Origin", origin)
		request.Close = true
		answer, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		return answer.StatusCode != http.StatusForbidden
	}
	eventually(t, "the other node says where it is", func() bool { return taken(n.all[1].URL) })
	require.False(t, taken("http://127.0.0.1:1"))

	n.net.Kill("n2")
	eventually(t, "the other node is gone", func() bool { return len(nodesAt(t, n.all[0])) == 1 })
	require.True(t, taken(n.all[1].URL))
}
