package signaling

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/mini-livechat/mini-livechat/signaling/cluster"
	"github.com/mini-livechat/mini-livechat/signaling/people"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// What an operator wants to see of people on another node is asked of that node.

// inquiryPatience is how long another node may take to answer, which may ask somebody's client.
const inquiryPatience = playbackPatience + askPatience

// question is what an operator wants to see. Of and And are user ids or names.
type question struct {
	About string `json:"about"`
	Of    string `json:"of,omitempty"`
	And   string `json:"and,omitempty"`
}

// aboutWhy is why And is not heard by Of, as a WhyReport.
const aboutWhy = "why"

// answered is what a node says to a question.
type answered struct {
	// Refusal is why there is no answer; nil: there is.
	Refusal *protocol.Error `json:"refusal,omitempty"`
	Of      json.RawMessage `json:"of,omitempty"`
}

// inquire asks a node, and has the answer be into.
func (o *others) inquire(ctx context.Context, node cluster.NodeID, q question, into any) error {
	data, err := json.Marshal(q)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, inquiryPatience)
	defer cancel()
	raw, err := o.nodes.Request(ctx, node, cluster.SubjectAdmin, data)
	if err != nil {
		return fmt.Errorf("node %s does not answer: %w", node.Name, err)
	}
	var said answered
	if err = json.Unmarshal(raw, &said); err != nil {
		return fmt.Errorf("node %s: %w", node.Name, err)
	}
	if said.Refusal != nil {
		return &refusedError{*said.Refusal}
	}
	return json.Unmarshal(said.Of, into)
}

// inform answers another node.
func (o *others) inform(ctx context.Context, _ cluster.NodeID, data []byte) ([]byte, error) {
	var q question
	if err := json.Unmarshal(data, &q); err != nil {
		return nil, err
	}
	var said answered
	o.gw.guard("what another node's operator asks", func() {
		found, err := o.gw.look(ctx, q)
		if err == nil {
			said.Of, err = json.Marshal(found)
		}
		if err != nil {
			refusal := errorPayload(protocol.OpWhy, err)
			said.Refusal = &refusal
		}
	})
	return json.Marshal(said)
}

// look finds what a question is about.
func (g *Gateway) look(ctx context.Context, q question) (any, error) {
	switch q.About {
	case aboutWhy:
		if g.users.Get(q.Of) == nil { // who has gone meanwhile is not asked for round and round
			return nil, fmt.Errorf("%w: %q is not here", people.ErrUnknown, q.Of)
		}
		return g.Why(ctx, q.Of, q.And)
	default:
		return nil, fmt.Errorf("%w: nothing is known about %q", people.ErrBadRequest, q.About)
	}
}

// place is where somebody on another node is.
type place struct {
	UserID, Name string
	Node         cluster.NodeID
}

// somebody returns the session of one who is here, by id or by a name that only they have on all nodes, or else where on another node they are.
// The error wraps people.ErrUnknown, or people.ErrBadRequest when several have the name.
func (g *Gateway) somebody(idOrName string) (*Session, place, error) {
	if s := g.users.Get(idOrName); s != nil {
		return s, place{}, nil
	}
	if at, ok := g.others.where(idOrName); ok && !at.Gone {
		return nil, place{idOrName, at.Name, at.Node}, nil
	}
	here := g.users.those(func(s *Session) bool { return strings.EqualFold(s.name, idOrName) })
	elsewhere := g.others.named(idOrName)
	switch {
	case len(here) == 1 && len(elsewhere) == 0:
		return here[0], place{}, nil
	case len(here)+len(elsewhere) == 0:
		return nil, place{}, fmt.Errorf("%w: %q is not here", people.ErrUnknown, idOrName)
	case len(here) == 0 && len(elsewhere) == 1:
		if at, ok := g.others.where(elsewhere[0]); ok && !at.Gone {
			return nil, place{elsewhere[0], at.Name, at.Node}, nil
		}
		return nil, place{}, fmt.Errorf("%w: %q is not here", people.ErrUnknown, idOrName)
	}
	return nil, place{}, fmt.Errorf("%w: %d people here are called %q; say whom you mean by their id", people.ErrBadRequest, len(here)+len(elsewhere), idOrName)
}
