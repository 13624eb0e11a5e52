package signaling

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/signaling/cluster"
	"github.com/mini-livechat/mini-livechat/signaling/people"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// What an operator wants to see of people on another node is asked of that node.

const (
	// inquiryPatience is how long another node may take to answer, which may ask somebody's client.
	inquiryPatience = playbackPatience + askPatience
	// lookPatience is how long all others may take who only have to look.
	lookPatience = 2 * time.Second
)

// question is what an operator wants to see. Of and And are user ids or names.
type question struct {
	About string `json:"about"`
	Of    string `json:"of,omitempty"`
	And   string `json:"and,omitempty"`
	Look  *look  `json:"look,omitempty"`
}

// What may be asked about.
const (
	aboutWhy      = "why"      // why And is not heard by Of, as a WhyReport
	aboutSessions = "sessions" // protocol.AdminSessions
	aboutSession  = "session"  // of the user Of, protocol.AdminSession
	aboutPeers    = "peers"    // in the channel Of, or all, protocol.AdminPeers
	aboutLinks    = "links"    // []protocol.AdminLink
	aboutTrace    = "trace"    // what came for Look, as looked
)

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
	asking, cancel := context.WithTimeout(ctx, inquiryPatience)
	defer cancel()
	raw, err := o.nodes.Request(asking, node, cluster.SubjectAdmin, data)
	if err == nil {
		raw, err = unpacked(raw)
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err() // nobody wants to know any more
	}
	if err != nil {
		o.gw.log.Warn("another node does not answer", zap.String("node", node.Name), zap.String("about", q.About), zap.Error(err))
		return silentError(node)
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
	text, err := json.Marshal(said)
	if err != nil {
		return nil, err
	}
	return packed(text), nil
}

// packed makes an answer small: ten thousand people are said in a message.
func packed(text []byte) []byte {
	var small bytes.Buffer
	w := gzip.NewWriter(&small)
	_, _ = w.Write(text) // to memory
	_ = w.Close()
	return small.Bytes()
}

func unpacked(small []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(small))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// inquireAll asks all other nodes, and says which did not answer.
func inquireAll[T any](ctx context.Context, o *others, q question) (answers map[cluster.NodeID]T, missing []string) {
	answers = make(map[cluster.NodeID]T)
	if o == nil {
		return answers, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookPatience)
	defer cancel()
	var mu sync.Mutex
	var asking sync.WaitGroup
	for _, n := range o.nodes.Nodes()[1:] {
		asking.Go(func() {
			var answer T
			err := o.inquire(ctx, n.ID, q, &answer)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				missing = append(missing, n.ID.Name)
				return
			}
			answers[n.ID] = answer
		})
	}
	asking.Wait()
	slices.Sort(missing)
	return answers, missing
}

// LinksOf are the links of the other nodes, as those say; of one that does not answer there are none.
func (g *Gateway) LinksOf(ctx context.Context) map[cluster.NodeID][]protocol.AdminLink {
	links, _ := inquireAll[[]protocol.AdminLink](ctx, g.others, question{About: aboutLinks})
	return links
}

// look finds what a question is about.
func (g *Gateway) look(ctx context.Context, q question) (any, error) {
	switch q.About {
	case aboutWhy:
		if g.users.Get(q.Of) == nil { // who has gone meanwhile is not asked for round and round
			return nil, fmt.Errorf("%w: %q is not here", people.ErrUnknown, q.Of)
		}
		return g.Why(ctx, q.Of, q.And)
	case aboutSessions:
		return g.sessionsHere(), nil
	case aboutSession:
		s := g.users.Get(q.Of)
		if s == nil {
			return nil, fmt.Errorf("%w: %q is not here", people.ErrUnknown, q.Of)
		}
		return s.adminWithPeer(), nil
	case aboutPeers:
		return g.peersHere(q.Of), nil
	case aboutLinks:
		if g.cfg.Links == nil {
			return []protocol.AdminLink{}, nil
		}
		return g.cfg.Links(), nil
	case aboutTrace:
		if q.Look == nil {
			return nil, fmt.Errorf("%w: a trace of what?", people.ErrBadRequest)
		}
		return g.lookHere(ctx, q.Look)
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
