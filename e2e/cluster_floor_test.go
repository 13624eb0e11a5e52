package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/cluster"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// startRadio starts nodes with a lobby and a radio, where one talks at a time, and need not hurry.
func startRadio(t *testing.T, names ...string) *nodes {
	t.Helper()
	return startNodes(t, names, func(c *app.Config) {
		c.Channels = []string{app.DefaultChannel, app.DefaultRadio}
		c.Floor.Talk, c.Floor.PingTimeout = 5*time.Minute, time.Minute
	})
}

// arbiter returns which of the nodes decides about the radio's floor, and which does not.
func (n *nodes) arbiter() (arbiter, other int) {
	all := make([]cluster.NodeID, len(n.all))
	for i := range all {
		all[i].Name = n.names[i]
	}
	home, _ := cluster.Home("radio", all)
	for i := range all {
		if all[i].Name == home.Name {
			arbiter = i
		} else {
			other = i
		}
	}
	return arbiter, other
}

func (c *raw) untilTaken(userID string) protocol.FloorTaken {
	c.t.Helper()
	return until(c, protocol.OpFloorTaken, userID+" has the floor", func(e protocol.FloorTaken) bool { return e.UserID == userID })
}

func (c *raw) untilIdle() {
	c.t.Helper()
	until(c, protocol.OpFloorIdle, "the floor is idle", func(protocol.FloorIdle) bool { return true })
}

// On whatever node they are, people talk by turns: one floor, one queue, priorities, and moderators.
func TestClusterFloor(t *testing.T) {
	verifyNoLeaks(t)
	n := startRadio(t, "n1", "n2", "n3")
	root, ben, cy := identifyAs(t, n.all[0], "root", true), identifyAs(t, n.all[1], "ben", false), identifyAs(t, n.all[2], "cy", false)
	for i, c := range []*raw{root, ben, cy} {
		c.joinChannel("radio")
		c.untilCount("radio", i+1)
	}
	got := ben.press(protocol.FloorRequest{})
	require.Equal(t, protocol.FloorRequestGranted, got.State)
	granted := until(ben, protocol.OpFloorGranted, "ben's grant", func(protocol.FloorGranted) bool { return true })
	require.Equal(t, got.GrantID, granted.GrantID)
	require.InDelta(t, 300_000, *granted.LeftMS, 60_000)
	for _, c := range []*raw{root, cy} {
		taken := c.untilTaken("ben")
		require.Equal(t, "ben", taken.Name)
		require.InDelta(t, granted.Since, taken.Since, 5_000)
	}

	// Why somebody is not heard is found wherever they are.
	var found protocol.WhyFound
	cy.ack(protocol.OpWhy, protocol.Why{UserID: "root"}, &found)
	require.Equal(t, "floor_other", found.Cause)

	// One queue, in their order; who comes late finds it so.
	require.Equal(t, 1, cy.press(protocol.FloorRequest{}).Position)
	dan := identifyAs(t, n.all[0], "dan", false)
	joined := dan.joinChannel("radio")
	for began := time.Now(); joined.Floor.Waiting == 0 && time.Since(began) < patience; { // this node may hear of it a moment later
		dan.ack(protocol.OpChannelLeave, protocol.ChannelRef{ChannelID: "radio"}, nil)
		time.Sleep(250 * time.Millisecond)
		joined = dan.joinChannel("radio")
	}
	require.Equal(t, "ben", joined.Floor.Holder.UserID)
	require.Equal(t, 1, joined.Floor.Waiting)
	require.Equal(t, 2, dan.press(protocol.FloorRequest{}).Position)
	dan.fails(protocol.OpFloorRelease, protocol.FloorRef{GrantID: got.GrantID}, protocol.CodeNotHolder)
	var pong protocol.FloorPong
	ben.reply(protocol.OpFloorPing, protocol.FloorRef{GrantID: got.GrantID}, protocol.OpFloorPong, &pong)
	require.InDelta(t, 300_000, *pong.LeftMS, 60_000)
	ben.released()
	next := until(cy, protocol.OpFloorGranted, "cy's turn", func(protocol.FloorGranted) bool { return true })
	ben.untilTaken("cy")
	ben.fails(protocol.OpFloorPing, protocol.FloorRef{GrantID: got.GrantID}, protocol.CodeNotHolder)
	require.Equal(t, 1, until(dan, protocol.OpFloorQueue, "dan moves up", func(protocol.FloorQueuePosInfo) bool { return true }).Position)

	// Priority is for who may, and takes it away.
	require.Equal(t, 2, ben.press(protocol.FloorRequest{Priority: 99}).Position, "ben may ask with none")
	require.Equal(t, protocol.FloorRequestGranted, root.press(protocol.FloorRequest{Priority: 7}).State)
	revoked := until(cy, protocol.OpFloorRevoke, "cy is cut", func(protocol.FloorRevoke) bool { return true })
	require.Equal(t, protocol.FloorRevoke{ChannelID: "radio", GrantID: next.GrantID, Cause: protocol.FloorPreempted}, revoked)
	cy.untilTaken("root")
	root.released()
	until(dan, protocol.OpFloorGranted, "dan's turn", func(protocol.FloorGranted) bool { return true })
	root.untilTaken("dan")

	// Muting gives the floor away, and ben is next, whom a moderator on another node cuts.
	dan.ack(protocol.OpVoiceState, protocol.VoiceState{SelfMute: new(true)}, nil)
	until(dan, protocol.OpFloorRevoke, "dan is cut", func(e protocol.FloorRevoke) bool { return e.Cause == protocol.FloorForbidden })
	root.untilTaken("ben")
	cy.fails(protocol.OpFloorClear, protocol.FloorClear{ChannelID: "radio"}, protocol.CodeAccessDenied)
	root.ack(protocol.OpFloorClear, protocol.FloorClear{ChannelID: "radio"}, nil)
	cut := until(ben, protocol.OpFloorRevoke, "ben is cut", func(protocol.FloorRevoke) bool { return true })
	require.Equal(t, protocol.FloorModerator, cut.Cause)
	require.Equal(t, "root", cut.ByName)
	for _, c := range []*raw{root, ben, cy} {
		c.untilIdle()
	}
	root.fails(protocol.OpFloorClear, protocol.FloorClear{ChannelID: "radio"}, protocol.CodeNotHolder)
}

// A network comes apart while somebody on the side of one node has the floor: there nobody has it any more, and on the other side others get it.
// When it is healed all agree.
func TestClusterFloorPartition(t *testing.T) {
	verifyNoLeaks(t)
	n := startRadio(t, "n1", "n2", "n3")
	arbiter, alone := n.arbiter()
	third := 3 - arbiter - alone
	people := make([]*raw, 3)
	for i := range people {
		people[i] = identifyAs(t, n.all[i], n.names[i], false)
		people[i].joinChannel("radio")
		people[i].untilCount("radio", i+1)
	}
	got := people[alone].press(protocol.FloorRequest{})
	require.Equal(t, protocol.FloorRequestGranted, got.State)
	until(people[alone], protocol.OpFloorGranted, "who is to be alone has the floor", func(e protocol.FloorGranted) bool { return e.GrantID == got.GrantID })
	people[arbiter].untilTaken(n.names[alone])
	people[third].untilTaken(n.names[alone])

	// A session that goes on finds the floor as it was.
	people[alone].cut()
	next, resumed, _ := people[alone].resume(n.all[alone])
	people[alone] = next
	require.Equal(t, got.GrantID, resumed.Floor.Grant.GrantID)
	require.Equal(t, n.names[alone], resumed.Floor.Holder.UserID)

	n.net.Part([]string{n.names[alone]}, []string{n.names[arbiter], n.names[third]})
	cut := until(people[alone], protocol.OpFloorRevoke, "who is alone is cut", func(protocol.FloorRevoke) bool { return true })
	require.Equal(t, protocol.FloorRevoke{ChannelID: "radio", GrantID: got.GrantID, Cause: protocol.FloorLost}, cut)
	people[alone].untilIdle()
	why := people[alone].fails(protocol.OpFloorRequest, protocol.FloorRequest{}, protocol.CodeUnsettled)
	require.Contains(t, why, "too few of the servers")
	people[third].untilIdle()
	asked := people[third].press(protocol.FloorRequest{}) // waits for the pause to end, or has its end told
	if asked.State == protocol.FloorRequestQueued {
		until(people[third], protocol.OpFloorGranted, "the third has the floor", func(protocol.FloorGranted) bool { return true })
	}
	people[arbiter].untilTaken(n.names[third])

	n.net.Heal()
	people[alone].untilTaken(n.names[third])
	require.Equal(t, 1, people[alone].press(protocol.FloorRequest{}).Position)
	people[third].released()
	until(people[alone], protocol.OpFloorGranted, "who was alone has the floor", func(protocol.FloorGranted) bool { return true })
	people[arbiter].untilTaken(n.names[alone])
	people[third].untilTaken(n.names[alone])

	// The arbiter dies: the floor is nobody's, and all can talk again.
	n.net.Kill(n.names[arbiter])
	died := time.Now()
	until(people[alone], protocol.OpFloorRevoke, "the holder is told", func(e protocol.FloorRevoke) bool { return e.Cause == protocol.FloorLost })
	people[third].untilIdle()
	require.Equal(t, protocol.FloorRequestGranted, people[third].press(protocol.FloorRequest{}).State)
	t.Log("talking again after", time.Since(died))
	people[alone].untilTaken(n.names[third])
}

// A node is emptied: who has the floor, and who waits for it, go to another one by the same grant and at the same place, and nobody is told anything. One
// who does not say that it is theirs has it no more.
func TestClusterFloorGoesAlong(t *testing.T) {
	verifyNoLeaks(t)
	n := startRadio(t, "n1", "n2", "n3")
	left, to := n.arbiter()
	ear := identifyAs(t, n.all[3-left-to], "ear", false)
	ben, cy := identifyAs(t, n.all[left], "ben", false), identifyAs(t, n.all[left], "cy", false)
	for i, c := range []*raw{ear, ben, cy} {
		c.joinChannel("radio")
		c.untilCount("radio", i+1)
	}
	got := ben.press(protocol.FloorRequest{})
	ear.untilTaken("ben")
	require.Equal(t, 1, cy.press(protocol.FloorRequest{}).Position)
	drain, err := http.NewRequestWithContext(t.Context(), http.MethodPost, n.all[left].URL+"/api/admin/drain", strings.NewReader(`{"draining":true}`))
	require.NoError(t, err)
	drain.Header.Set("Authorization", "Bearer "+mint(t, testSecret, auth.Identity{UserID: "root", Role: auth.RoleAdmin}))
	drain.Header.Set("Content-Type", "application/json")
	drain.Close = true
	emptied := make(chan struct{})
	go func() {
		defer close(emptied)
		answer, err := http.DefaultClient.Do(drain)
		if assert.NoError(t, err) {
			assert.Equal(t, http.StatusOK, answer.StatusCode)
			assert.NoError(t, answer.Body.Close())
		}
	}()
	goes := func(before *raw, userID string, keep bool) (*raw, *protocol.Floor) {
		until(before, protocol.OpReconnect, "where to go", func(r protocol.Reconnect) bool { return r.URL != "" })
		c := identifyAs(t, n.all[to], userID, false)
		var joined protocol.Joined
		c.ack(protocol.OpChannelJoin, protocol.ChannelJoin{ChannelID: "radio", SDPOffer: offer(t, 1, 2), KeepFloor: keep}, &joined)
		before.farewell()
		return c, joined.Floor
	}
	cy, found := goes(cy, "cy", true)
	require.Equal(t, []int{1, 1}, []int{found.Position, found.Size})
	ben, found = goes(ben, "ben", true)
	require.NotNil(t, found.Grant)
	require.Equal(t, got.GrantID, found.Grant.GrantID)
	<-emptied
	ben.reply(protocol.OpFloorPing, protocol.FloorRef{GrantID: got.GrantID}, protocol.OpFloorPong, &protocol.FloorPong{})
	ear.fails(protocol.OpFloorRelease, protocol.FloorRef{}, protocol.CodeNotHolder) // and so has read what was told
	for _, f := range ear.events {
		require.NotContains(t, []protocol.Op{protocol.OpFloorIdle, protocol.OpFloorTaken}, f.Op)
	}
	ben.released()
	until(cy, protocol.OpFloorGranted, "cy's turn", func(protocol.FloorGranted) bool { return true })
	ear.untilTaken("cy")

	again := identifyAs(t, n.all[3-left-to], "cy", false) // another session
	require.Nil(t, again.joinChannel("radio").Floor.Grant)
	ear.untilIdle()
}
