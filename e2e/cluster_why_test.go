package e2e

import (
	"bytes"
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/cluster"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// forgetful is a bus on which nothing arrives of what a node wants to hear, while it is deaf, and no operator's question is answered, while it is mute.
type forgetful struct {
	*cluster.SimulatedNode

	deaf, mute *atomic.Bool
}

func (f *forgetful) Request(ctx context.Context, to cluster.NodeID, subject string, data []byte) ([]byte, error) {
	if f.mute.Load() && subject == cluster.SubjectAdmin {
		return nil, context.DeadlineExceeded
	}
	return f.SimulatedNode.Request(ctx, to, subject, data) //nolint:wrapcheck // it is that bus
}

func (f *forgetful) Publish(subject string, data []byte) error {
	if f.deaf.Load() && strings.HasPrefix(subject, cluster.SubjectRelay) && bytes.Contains(data, []byte(`"wants"`)) {
		return nil
	}
	return f.SimulatedNode.Publish(subject, data)
}

// pairOfNodes are two nodes of which each can be told where the other finds it.
type pairOfNodes struct {
	*nodes

	said       []*cluster.SimulatedNode
	deaf, mute atomic.Bool
}

func startPair(t *testing.T) *pairOfNodes {
	t.Helper()
	p := new(pairOfNodes)
	var mu sync.Mutex
	p.nodes = startNodes(t, []string{"n1", "n2"}, func(c *app.Config) {
		mu.Lock()
		defer mu.Unlock()
		node, ok := c.Nodes.(*cluster.SimulatedNode)
		require.True(t, ok)
		p.said = append(p.said, node)
		c.Nodes = &forgetful{node, &p.deaf, &p.mute}
		c.Channels, c.TURN = []string{"lobby", "den"}, false
	})
	return p
}

// at has the second node be reached there, for voice.
func (p *pairOfNodes) at(media netip.AddrPort) {
	p.said[1].Say(cluster.Status{URL: p.all[1].URL, Media: []netip.AddrPort{media}})
}

// Each of these faults between two nodes is made for real, and named, to who does not hear and to the operator.
func TestClusterWhy(t *testing.T) {
	verifyNoLeaks(t)
	p := startPair(t)
	n1 := faulty{t: t, server: p.all[0]}
	lis, tom := arrive(t, p.all[0], "lis").join("lobby"), arrive(t, p.all[1], "tom").join("lobby")
	tom.level.Store(20)
	tom.talk()
	lis.hears(tom)
	operator := func(s *server, listener, talker string) (found protocol.AdminWhy) {
		a := &administered{t: t, server: s, token: mint(t, testSecret, auth.Identity{UserID: "root", Role: auth.RoleAdmin})}
		return does[protocol.AdminWhy](a, http.MethodGet, "/api/admin/why?"+url.Values{"listener": {listener}, "talker": {talker}}.Encode(), nil)
	}
	found := operator(p.all[1], "Lis", tom.UserID()) // which the listener's node finds out
	require.Equal(t, "ok", found.Found.Cause, "%+v", found.Steps)
	require.True(t, found.Asked, "the listener's client is asked")
	require.Equal(t, "tom", found.Talker.Name)
	require.Contains(t, found.Steps[6].Saw, "on n2", "%+v", found.Steps)
	found = operator(p.all[1], tom.UserID(), "lis")
	require.Equal(t, "lis", found.Talker.Name)
	require.Equal(t, "packets_in", found.Found.Link, "they say nothing: %+v", found.Steps)
	nobody := &administered{t: t, server: p.all[1], token: mint(t, testSecret, auth.Identity{UserID: "root", Role: auth.RoleAdmin})}
	require.Contains(t, string(nobody.raw(http.MethodGet, "/api/admin/why?listener=ghost&talker=lis", "", http.StatusNotFound)), "not here")

	// What the listener's node wants does not arrive.
	p.deaf.Store(true)
	lou, ben := arrive(t, p.all[1], "lou").join("den"), arrive(t, p.all[0], "ben").join("den")
	lou.talk()
	n1.finds(ben, lou.UserID(), "node_not_asked", "server")
	p.deaf.Store(false)

	// The media ports do not reach each other, though all else does: people are told, and voice inside each node goes on.
	cy := arrive(t, p.all[1], "cy").join("lobby")
	cy.hears(tom)
	p.at(netip.MustParseAddrPort("127.0.0.1:9"))
	n1.finds(lis, tom.UserID(), "node_link_lost", "server")
	require.Equal(t, "node_link_lost", operator(p.all[1], "lis", "tom").Found.Cause)
	lis.toldMedia(tom, protocol.MediaApart)
	tom.toldMedia(lis, protocol.MediaApart)
	require.Equal(t, protocol.MediaApart, arrive(t, p.all[0], "late").join("lobby").mediaOf(tom), "who comes later is told as well")
	cy.hears(tom)
	require.Equal(t, protocol.MediaOK, cy.mediaOf(tom))
	p.at(p.all[1].media)
	lis.toldMedia(tom, protocol.MediaOK)
	tom.toldMedia(lis, protocol.MediaOK)
	lis.hears(tom)
	n1.finds(ben, lou.UserID(), "ok", "") // a link that is made anew tells again what is wanted

	// The other node is gone without a word. Those who were on it are not gone yet.
	p.net.Kill("n2")
	n1.finds(lis, tom.UserID(), "node_gone", "server")
}

// The page says that the voice of another node does not come, of whom, and when it comes again.
func TestBrowserOtherNodeApart(t *testing.T) {
	verifyNoLeaks(t)
	p := startPair(t)
	tom := arrive(t, p.all[1], "Tom").join("lobby").talk()
	ada := startBrowser(t, "Ada", toneAda)
	ada.signIn(p.all[0])
	ada.join("lobby")
	ada.see(".person", "Tom")
	eventually(t, "Tom hears Ada", func() bool { return tom.heardCount() > plenty })
	p.at(netip.MustParseAddrPort("127.0.0.1:9"))
	ada.see("#banner-text", "you do not hear Tom, nor does that person hear you")
	ada.see(".person", "Not heard just now")
	ada.poll("Tom, who talks on, is not shown to speak, for the page would think that its own voice is interrupted", func() bool {
		return evaluate[bool](ada, "!livechat.session.call.room.speaking.has('"+tom.UserID()+"') && !document.body.innerText.includes('Voice is interrupted')")
	})
	ada.picture("apart")
	p.at(p.all[1].media)
	ada.poll("the banner goes", func() bool { return evaluate[bool](ada, "document.getElementById('banner').hidden") })
	heard := tom.heardCount()
	eventually(t, "Tom hears Ada again", func() bool { return tom.heardCount() > heard+plenty })
}
