package app

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/mini-livechat/mini-livechat/signaling/cluster"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// adminNodes are the nodes as an operator sees them; of a server that is alone it is the only one.
func (a *App) adminNodes(ctx context.Context) protocol.AdminNodes {
	if a.nodes == nil {
		return protocol.AdminNodes{Quorum: true, TimeKnown: true, Nodes: []protocol.AdminNode{{
			Name: cluster.HostName(), Self: true, State: cluster.StateHere, URL: a.URL(), People: a.gateway.People(), Load: a.load.now(),
			Draining: a.gateway.Draining(), Since: new(a.started.UTC()),
		}}}
	}
	linksOf := a.gateway.LinksOf(ctx)
	reports := a.nodes.Reports()
	last := a.lastOfLog(ctx, reports)
	all := protocol.AdminNodes{Quorum: a.nodes.Quorum(), TimeKnown: a.nodes.Agreed(), Nodes: make([]protocol.AdminNode, len(reports))}
	for i := range reports {
		r := &reports[i]
		node := adminNode(r)
		switch said, ok := linksOf[r.ID]; {
		case i == 0:
			node.Self, node.Since, node.Links = true, new(a.started.UTC()), a.links.admin()
		case ok:
			node.Links = said
		default:
			node.Silent = r.State == cluster.StateHere
		}
		if r.State == cluster.StateHere {
			node.Behind = last - min(last, r.Position)
		}
		all.Nodes[i] = node
	}
	slices.SortStableFunc(all.Nodes[1:], func(x, y protocol.AdminNode) int { return strings.Compare(x.Name, y.Name) })
	return all
}

// adminNode is a node as it is known here.
func adminNode(r *cluster.Report) protocol.AdminNode {
	node := protocol.AdminNode{
		Name: r.ID.Name, Boot: r.ID.Boot, State: r.State, Why: r.Why, URL: r.URL, People: r.People, Load: r.Load,
		Position: r.Position, Draining: r.Draining, RTTMS: milliseconds(r.RoundTrip), ClockMS: r.Clock.Milliseconds(),
	}
	for _, addr := range r.Media {
		node.Media = append(node.Media, addr.String())
	}
	if !r.Since.IsZero() {
		node.Since = new(r.Since.UTC())
	}
	return node
}

// logPatience is how long an operator who looks at the nodes waits for the log.
const logPatience = time.Second

// lastOfLog is the position that all nodes should come to: what the log says, or, while it cannot be asked, the furthest of the nodes.
func (a *App) lastOfLog(ctx context.Context, reports []cluster.Report) (last uint64) {
	for i := range reports {
		last = max(last, reports[i].Position)
	}
	ctx, cancel := context.WithTimeout(ctx, logPatience)
	defer cancel()
	if end, err := a.nodeLog.Last(ctx); err == nil {
		last = max(last, end)
	}
	return last
}

// apart says of which other nodes no voice comes, though they are there; nil: of none.
func (a *App) apart() error {
	if a.links == nil {
		return nil
	}
	var names []string
	for _, l := range a.links.admin() {
		if !l.Up && time.Since(l.Since) >= firstLink {
			names = append(names, l.Node)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return errors.New("no voice comes from " + strings.Join(names, ", ") + ", though all else does: let the media port (UDP) pass between the nodes")
}

// keepsNoLog says that this node does not keep its part of what all remember; nil: it does.
func (a *App) keepsNoLog() error {
	if a.nodes == nil {
		return nil
	}
	return a.nodes.Trouble() //nolint:wrapcheck // says it all
}
