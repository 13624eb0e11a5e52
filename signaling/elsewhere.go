package signaling

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/signaling/arbiter"
	"github.com/mini-livechat/mini-livechat/signaling/cluster"
	"github.com/mini-livechat/mini-livechat/signaling/mirror"
	"github.com/mini-livechat/mini-livechat/signaling/people"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
	"github.com/mini-livechat/mini-livechat/signaling/store"
)

// Nodes are all nodes of the server, and how they speak to each other.
type Nodes interface {
	cluster.Bus
	cluster.Members
}

// goPatience is how long somebody who talks on another node by now may take to leave one that is about to go.
const goPatience = 3 * time.Second

// others are this gateway's half of what the nodes tell each other. A nil one is of a server that is alone.
type others struct {
	gw     *Gateway
	nodes  Nodes
	mirror *mirror.Exchange
	floors *arbiter.Arbiters
	cancel func() // answers no more
	began  time.Time

	mu    sync.Mutex        // guards the field below
	pages map[string]string // where the page of a node that was there is, by the node's name
	// known: all nodes have said who is with them, since this one began.
	known atomic.Bool
}

// start has the gateway be one of several nodes, once its channels are there.
func (o *others) start() error {
	if o == nil {
		return nil
	}
	undo, err := o.nodes.Answer(cluster.SubjectModerate, o.carryOut)
	if err != nil {
		return err
	}
	mute, err := o.nodes.Answer(cluster.SubjectAdmin, o.inform)
	if err != nil {
		undo()
		return err
	}
	forget := o.nodes.Changed(func(c cluster.Change) { o.remember(c.Node) })
	o.cancel, o.began = func() { undo(); mute(); forget() }, time.Now()
	if err = o.mirror.Start(o.nodes); err != nil {
		o.cancel()
		return err
	}
	return o.floors.Start(o.gw.channels)
}

// getToKnow is how long a node that begins waits for all others to say who is with them.
const getToKnow = 5 * time.Second

// behind says that this node has just begun and does not know yet who is on the others, or nil. One that sees too few of them does not wait.
func (o *others) behind(now time.Time) error {
	if o == nil || o.known.Load() || !o.nodes.Quorum() {
		return nil
	}
	if o.mirror.Knows() || now.Sub(o.began) > getToKnow {
		o.known.Store(true)
		return nil
	}
	return fmt.Errorf("%w: it is not known who is on them", store.ErrBehind)
}

// RunNodes looks after what other nodes say until ctx is done.
func (g *Gateway) RunNodes(ctx context.Context) {
	if g.others == nil {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { g.others.floors.Run(ctx) })
	g.others.mirror.Run(ctx)
	both.Wait()
}

// Feed has a node hear a channel, as sfu.ChannelHub's Feed does.
func (g *Gateway) Feed(channelID string, to sfu.Outlet, slots int, pins []string) bool {
	return g.channels.Feed(channelID, to, slots, pins)
}

// SetApart says that of the voice of another node's people nothing comes here, or that it does again. Who is in a channel with them is told.
func (g *Gateway) SetApart(node cluster.NodeID, is bool) { g.channels.SetApart(mirror.Key(node), is) }

func (o *others) close() {
	if o != nil && o.cancel != nil {
		o.cancel()
		o.mirror.Close()
		o.floors.Close()
	}
}

// begin has a session be the user's one on all nodes; end has it be so no more.
func (o *others) begin(s *Session) {
	if o != nil {
		s.rank = o.mirror.Begin(s.userID, s.name, o.gw.now())
	}
}

func (o *others) end(s *Session) {
	if o != nil {
		o.mirror.End(s.userID, s.rank)
	}
}

// first reports whether this node is the one of those that live that does what only one is to do.
func (o *others) first() bool {
	if o == nil {
		return true
	}
	nodes := o.nodes.Nodes() // this one, and the others by name
	return len(nodes) < 2 || nodes[0].ID.Name < nodes[1].ID.Name
}

// counts reports whether a session is still the user's one, and no newer one, on whatever node, took its place.
func (o *others) counts(s *Session) bool { return o == nil || o.mirror.Counts(s.userID, s.rank) }

// alone reports whether this node sees too few of the others for anything to be decided.
func (o *others) alone() bool { return o != nil && !o.nodes.Quorum() }

// urls are those of the pages of the other nodes that take people, sorted; none of a server that is alone.
func (o *others) urls() (urls []string) {
	if o == nil {
		return nil
	}
	for _, n := range o.nodes.Nodes()[1:] {
		if n.URL != "" && !n.Draining {
			urls = append(urls, n.URL)
		}
	}
	slices.Sort(urls)
	return urls
}

// page is the URL of this node's own page; "" when it does not say, and of a server that is alone.
func (o *others) page() string {
	if o == nil {
		return ""
	}
	return o.nodes.Nodes()[0].URL
}

// sites are the URLs of the pages of all other nodes that are there or have been since this one began, sorted; none of a server that is alone.
func (o *others) sites() []string {
	if o == nil {
		return nil
	}
	for _, n := range o.nodes.Nodes()[1:] {
		o.remember(n)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Sorted(maps.Values(o.pages))
}

func (o *others) remember(n cluster.Node) {
	if n.URL == "" {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.pages == nil {
		o.pages = make(map[string]string)
	}
	o.pages[n.ID.Name] = n.URL
}

// find returns on which other node somebody is; ok is false of one who is here, and of one who is on none.
func (o *others) find(userID string) (node cluster.NodeID, ok bool) {
	if o == nil || o.gw.users.Get(userID) != nil {
		return cluster.NodeID{}, false
	}
	return o.mirror.Find(userID)
}

// lives reports whether another node is there.
func (o *others) lives(node cluster.NodeID) bool {
	return slices.ContainsFunc(o.nodes.Nodes(), func(n cluster.Node) bool { return n.ID == node })
}

// name is this node's; empty where it is alone.
func (o *others) name() string {
	if o == nil {
		return ""
	}
	return o.nodes.Self().Name
}

// where returns where somebody is who is not here, or was until their node went.
func (o *others) where(userID string) (at mirror.Place, ok bool) {
	if o == nil || o.gw.users.Get(userID) != nil {
		return mirror.Place{}, false
	}
	return o.mirror.Where(userID)
}

// listeners returns who listens in to a channel, on whatever node: first those who are here.
func (g *Gateway) listeners(c *sfu.Channel) []protocol.Listener {
	all := c.Listeners()
	if g.others != nil {
		for _, l := range g.others.mirror.Listeners(c.ID()) {
			if !slices.ContainsFunc(all, func(one sfu.ListenerInfo) bool { return one.UserID == l.UserID }) {
				all = append(all, l)
			}
		}
	}
	wire := make([]protocol.Listener, len(all))
	for i, l := range all {
		wire[i] = protocol.Listener(l)
	}
	return wire
}

// named returns the ids of those on other nodes, and not here, who are called so.
func (o *others) named(name string) (userIDs []string) {
	if o == nil {
		return nil
	}
	ids := o.mirror.Named(func(one string) bool { return strings.EqualFold(one, name) })
	return slices.DeleteFunc(ids, func(id string) bool { return o.gw.users.Get(id) != nil })
}

// channelMade has those be in a new channel who are in it on other nodes.
func (o *others) channelMade(id string) {
	if o != nil {
		o.mirror.ChannelMade(id)
	}
}

// tell has the other nodes tell the members of a channel, or everybody where it is empty, but one.
func (o *others) tell(channelID, except string, op protocol.Op, payload any) {
	if o == nil {
		return
	}
	data, err := json.Marshal(payload)
	if err != nil {
		o.gw.log.Error("event lost", zap.Error(err))
		return
	}
	o.mirror.Tell(mirror.Telling{Channel: channelID, Except: except, Op: int(op), Data: data})
}

// Channel implements mirror.Node.
func (o *others) Channel(id string) *sfu.Channel {
	c, err := o.gw.channels.Get(id)
	if err != nil {
		return nil
	}
	return c
}

// Superseded implements mirror.Node. From a node that is about to go people go by themselves, when they talk on another one.
func (o *others) Superseded(userID string, rank uint64) {
	s := o.gw.users.Get(userID)
	switch {
	case s == nil || s.rank != rank:
	case o.gw.Draining():
		s.superseded.Store(true)
		time.AfterFunc(goPatience, func() { s.end(protocol.CloseReplaced) })
	default:
		s.end(protocol.CloseReplaced)
	}
}

// Tell implements mirror.Node.
func (o *others) Tell(t mirror.Telling) {
	o.gw.guard("what another node tells", func() { o.pass(t) })
}

func (o *others) pass(t mirror.Telling) {
	op := protocol.Op(t.Op)
	if op == protocol.OpMemberKick {
		var k kickedElsewhere
		if json.Unmarshal(t.Data, &k) == nil {
			o.gw.kicked.add(k.UserID, k.From, k.ChannelID, time.Now())
		}
		return
	}
	c := o.Channel(t.Channel)
	if c == nil {
		return
	}
	var event protocol.ModerationEvent
	if op == protocol.OpModerationEvent && json.Unmarshal(t.Data, &event) == nil && event.ToChannelID != "" {
		if to := o.Channel(event.ToChannelID); to != nil {
			o.gw.announceMoveHere(c, to.Info(), event)
		}
		return
	}
	body, err := protocol.EncodeBody(op, t.Data)
	if err != nil {
		o.gw.log.Error("event lost", zap.Error(err))
		return
	}
	c.NotifyMembers(func(userIDs []string) { o.gw.users.BroadcastTo(userIDs, body, t.Except) })
}

// kickedElsewhere is somebody who was put out of a channel on another node.
type kickedElsewhere struct {
	UserID    string        `json:"user_id"`
	From      people.Origin `json:"from"`
	ChannelID string        `json:"channel_id"`
}
