package signaling

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/cluster"
	"github.com/mini-livechat/mini-livechat/signaling/people"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// What is done to somebody on another node is asked of that node, which alone knows who they are and where.

// askPatience is how long another node may take to carry something out.
const askPatience = 5 * time.Second

// readPatience is how long who asked waits until this node knows too what another one wrote. It is done all the same.
const readPatience = time.Second

// deed is what somebody who may wants done to somebody on another node.
type deed struct {
	Op     protocol.Op   `json:"op"`
	By     auth.Identity `json:"by"`
	UserID string        `json:"user_id"`
	// On is whether to mute, or to let speak.
	On        bool           `json:"on,omitempty"`
	ChannelID string         `json:"channel_id,omitempty"`
	Grant     uint64         `json:"grant,omitempty"`
	Reason    string         `json:"reason,omitempty"`
	Lasts     time.Duration  `json:"lasts,omitempty"`
	from      cluster.NodeID // who asks
}

// outcome is what became of a deed.
type outcome struct {
	// Refusal is why it was not done; nil: it was.
	Refusal *protocol.Error `json:"refusal,omitempty"`
	// Unkept: it was done, and Refusal says that it is not kept.
	Unkept bool `json:"unkept,omitempty"`
	// State is of who may speak by now, or no more.
	State *protocol.VoiceStateEvent `json:"state,omitempty"`
	// Said is what is known of what somebody says.
	Said *spoken `json:"said,omitempty"`
	// Position is up to where that node had carried out the log when it was done.
	Position uint64 `json:"position,omitempty"`
}

// refusedError is what another node refuses.
type refusedError struct{ refusal protocol.Error }

func (e *refusedError) Error() string { return e.refusal.Reason }

// Refusal is what who asked is told.
func (e *refusedError) Refusal() protocol.Error { return e.refusal }

// silentError is said of a node that does not answer, though it should be there.
func silentError(node cluster.NodeID) error {
	return &refusedError{protocol.Error{Code: protocol.CodeUnsettled, Reason: "node " + node.Name + " does not answer; see what has become of it, and try again"}}
}

// Is has what is done and not kept be told from what is not done.
type unkeptError struct{ refusedError }

func (e *unkeptError) Is(target error) bool { return target == people.ErrUnkept }

// ask has the node of somebody carry out what is to be done to them, and returns when this node knows of it what that one wrote into the log.
// An error that wraps people.ErrUnkept says that it is done.
func (o *others) ask(ctx context.Context, node cluster.NodeID, d deed) (outcome, error) {
	data, err := json.Marshal(d)
	if err != nil {
		return outcome{}, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askPatience)
	defer cancel()
	answer, err := o.nodes.Request(ctx, node, cluster.SubjectModerate, data)
	var found outcome
	switch {
	case errors.Is(err, cluster.ErrGone):
		return found, fmt.Errorf("%w: %q is not here", people.ErrUnknown, d.UserID)
	case err != nil:
		o.gw.log.Warn("another node does not answer", zap.String("node", node.Name), zap.Stringer("op", d.Op), zap.Error(err))
		return found, silentError(node)
	}
	if err = json.Unmarshal(answer, &found); err != nil {
		return found, fmt.Errorf("node %s: %w", node.Name, err)
	}
	known, done := context.WithTimeout(ctx, readPatience)
	defer done()
	_ = o.gw.cfg.Store.Reach(known, found.Position)
	switch {
	case found.Refusal != nil && found.Unkept:
		return found, &unkeptError{refusedError{*found.Refusal}}
	case found.Refusal != nil:
		return found, &refusedError{*found.Refusal}
	}
	return found, nil
}

// carryOut does to somebody on this node what another node asks for. Whether it may be is decided here, where is known who they are.
func (o *others) carryOut(ctx context.Context, from cluster.NodeID, data []byte) ([]byte, error) {
	var d deed
	if err := json.Unmarshal(data, &d); err != nil {
		return nil, err
	}
	d.from = from
	var found outcome
	o.gw.guard("what another node asks", func() {
		err := o.gw.do(ctx, d, &found)
		if found.Unkept = errors.Is(err, people.ErrUnkept); err != nil {
			refusal := errorPayload(d.Op, err)
			if found.Refusal = &refusal; refusal.Code == protocol.CodeInternal {
				o.gw.log.Error("what another node asked for failed", zap.String("node", from.Name), zap.Stringer("op", d.Op), zap.Error(err))
			}
		}
	})
	if d.Op != protocol.OpWhy {
		found.Position = o.gw.cfg.Store.Position()
	}
	return json.Marshal(found)
}

// do carries a deed out on somebody who is here.
func (g *Gateway) do(ctx context.Context, d deed, found *outcome) error {
	switch d.Op {
	case protocol.OpMemberMute:
		return g.muteHere(ctx, d.By, d.UserID, d.On, func(error) {})
	case protocol.OpMemberMove:
		return g.moveHere(ctx, d.By, d.UserID, func() (*sfu.Channel, error) { return g.channels.Get(d.ChannelID) }, func() {})
	case protocol.OpMemberKick:
		return g.kickHere(ctx, d.By, d.UserID, d.Reason, func(string) {})
	case protocol.OpMemberBan:
		_, err := g.banHere(ctx, d.By, d.UserID, d.Lasts, d.Reason, func(error) {})
		return err
	case protocol.OpWhy:
		s := g.users.Get(d.UserID)
		if s == nil {
			return fmt.Errorf("%w: %q is not here", people.ErrUnknown, d.UserID)
		}
		now := time.Now()
		found.Said = new(s.spoken(now))
		if channelID := found.Said.Party.Channel; channelID != "" && g.cfg.Ways != nil {
			found.Said.End = g.cfg.Ways(d.from, channelID, s.userID, now)
		}
		return nil
	case protocol.OpFloorClear:
		return g.clearGrantOf(ctx, d)
	case protocol.OpHand:
		return g.letSpeakHere(ctx, d.By, d.UserID, d.On, func(now protocol.VoiceStateEvent) { found.State = &now })
	default:
		return fmt.Errorf("%w: %d", errInvalidOpcode, int(d.Op))
	}
}
