package signaling

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/sfu/floor"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/people"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
	"github.com/mini-livechat/mini-livechat/signaling/store"
)

// What a role may ask for where a token says nothing; an emergency, protocol.MaxPriority, needs a token that says so.
const (
	adminPriority     = 200
	moderatorPriority = 100
)

// priorityMost is the highest priority with which the user may ask for a channel's floor.
func (s *Session) priorityMost(c *sfu.ChannelInfo) int {
	most := s.identity.Grants.PriorityMax
	switch may := s.rightsIn(c); {
	case s.Role() >= auth.RoleAdmin:
		return max(most, adminPriority)
	case may&mayModerate != 0:
		return max(most, moderatorPriority)
	}
	return most
}

// floorRequest asks for the floor of the channel that the user is in.
func floorRequest(ctx context.Context, s *Session, r *request) error {
	var d protocol.FloorRequest
	if err := r.frame.Bind(&d); err != nil {
		return err
	}
	if d.Priority < 0 || d.Priority > protocol.MaxPriority {
		return payloadError("d.priority is %d; allowed are 0 to %d", d.Priority, protocol.MaxPriority)
	}
	m, info, err := s.inChannel()
	if err != nil {
		return err
	}
	if d.Over && s.rightsIn(&info)&mayModerate == 0 {
		return fmt.Errorf("%w: only moderators speak over the floor of %s", errAccessDenied, info.ID)
	}
	req := sfu.FloorRequest{
		Priority: uint8(min(d.Priority, s.priorityMost(&info))), //nolint:gosec // at most 255
		Queue:    d.Queue == nil || *d.Queue, Over: d.Over,
	}
	return m.RequestFloor(ctx, req, func(got sfu.FloorAnswer) {
		if got.Grant != nil {
			r.ack(protocol.FloorRequested{
				State: protocol.FloorRequestGranted, Priority: int(got.Grant.Priority), GrantID: got.Grant.ID,
			})
			return
		}
		r.ack(protocol.FloorRequested{
			State: protocol.FloorRequestQueued, Priority: int(got.Place.Priority), Position: got.Place.Position, Size: got.Place.Size,
		})
	})
}

// inChannel returns the member that the user is, and what there is to know of the channel.
func (s *Session) inChannel() (*sfu.Member, sfu.ChannelInfo, error) {
	m := s.member.Load()
	if m == nil {
		return nil, sfu.ChannelInfo{}, sfu.ErrNotInChannel
	}
	return m, m.Channel().Info(), nil
}

// floorRelease gives the floor back, or a place among those who wait.
func floorRelease(ctx context.Context, s *Session, r *request) error {
	var d protocol.FloorRef
	if err := r.frame.Bind(&d); err != nil {
		return err
	}
	m, _, err := s.inChannel()
	if err != nil {
		return err
	}
	return m.ReleaseFloor(ctx, d.GrantID, func() { r.ack(d) })
}

// floorPing says that the user still talks.
func floorPing(ctx context.Context, s *Session, r *request) error {
	var d protocol.FloorRef
	if err := r.frame.Bind(&d); err != nil {
		return err
	}
	if d.GrantID == 0 {
		return payloadError("d.grant_id is missing")
	}
	m, _, err := s.inChannel()
	if err != nil {
		return err
	}
	return m.PingFloor(ctx, d.GrantID, func(left time.Duration) {
		pong := protocol.FloorPong{GrantID: d.GrantID}
		if left > 0 {
			pong.LeftMS = new(left.Milliseconds())
		}
		r.reply(protocol.OpFloorPong, pong)
	})
}

// floorClear takes the floor of a channel from whoever has it.
func floorClear(ctx context.Context, s *Session, r *request) error {
	var d protocol.FloorClear
	if err := r.frame.Bind(&d); err != nil {
		return err
	}
	channel, err := s.visibleChannel(d.ChannelID)
	if err != nil {
		return err
	}
	if err = s.may(mayModerate, channel); err != nil {
		return err
	}
	return s.gw.clearFloor(ctx, s.who(), channel, d.Reason, func(reason string) { r.ack(protocol.FloorClear{ChannelID: d.ChannelID, Reason: reason}) })
}

// ClearFloor takes the floor of a channel from whoever has it, and who speaks over it. by must be more than they are, or the operator.
func (g *Gateway) ClearFloor(ctx context.Context, by auth.Identity, channelID, reason string) error {
	channel, err := g.channels.Get(channelID)
	if err != nil {
		return err
	}
	return g.clearFloor(ctx, by, channel, reason, func(string) {})
}

// clearFloor is ClearFloor, which calls done before anybody here is told, with the reason as it is kept.
func (g *Gateway) clearFloor(ctx context.Context, by auth.Identity, channel *sfu.Channel, reason string, done func(reason string)) error {
	reason, err := cleanReason(reason)
	if err != nil {
		return err
	}
	cleared := false
	once := func() {
		if !cleared {
			cleared = true
			done(reason)
		}
	}
	for _, grant := range channel.Holders() {
		if failed := g.clearGrant(ctx, by, channel, grant, reason, once); failed != nil && !errors.Is(failed, sfu.ErrNobodyHolds) {
			err = failed
		}
	}
	switch {
	case cleared:
		return nil
	case err != nil:
		return err
	case channel.Info().Mode != sfu.ModePTT:
		return fmt.Errorf("%w of %s: there all talk at once", sfu.ErrNobodyHolds, channel.ID())
	}
	return noHolder(channel)
}

func noHolder(channel *sfu.Channel) error {
	return fmt.Errorf("%w of %s, or just another one", sfu.ErrNobodyHolds, channel.ID())
}

// clearGrant takes a grant back, for a reason that is clean. done is called when it is.
func (g *Gateway) clearGrant(
	ctx context.Context, by auth.Identity, channel *sfu.Channel, grant sfu.FloorGrant, reason string, done func(),
) error {
	node, elsewhere := g.others.find(grant.UserID)
	if !elsewhere {
		return g.clearGrantHere(ctx, by, channel, grant, reason, done)
	}
	_, err := g.others.ask(ctx, node, deed{
		Op: protocol.OpFloorClear, By: by, UserID: grant.UserID, ChannelID: channel.ID(), Grant: grant.ID, Reason: reason,
	})
	if err == nil {
		done()
	}
	return err
}

// clearGrantHere is clearGrant of somebody on this node.
func (g *Gateway) clearGrantHere(
	ctx context.Context, by auth.Identity, channel *sfu.Channel, grant sfu.FloorGrant, reason string, done func(),
) error {
	holder := g.users.Get(grant.UserID)
	if holder == nil {
		return noHolder(channel) // just gone, and with it the floor
	}
	if err := mayAct(by, holder.who(), channel); err != nil {
		return err
	}
	revoked, err := channel.RevokeFloor(ctx, by.UserID, []sfu.FloorGrant{grant}, done)
	if len(revoked) == 0 {
		return cmp.Or(err, noHolder(channel))
	}
	g.note(ctx, by, target{who: holder.who(), session: holder}, store.Deed{
		Action: people.ActionFloor, ChannelID: channel.ID(), Reason: reason,
	})
	return nil
}

// clearGrantOf takes back what somebody of this node's has, as another node asks.
func (g *Gateway) clearGrantOf(ctx context.Context, d deed) error {
	channel, err := g.channels.Get(d.ChannelID)
	if err != nil {
		return err
	}
	for _, grant := range channel.Holders() {
		if grant.ID == d.Grant && grant.UserID == d.UserID {
			return g.clearGrantHere(ctx, d.By, channel, grant, d.Reason, func() {})
		}
	}
	return noHolder(channel)
}

// wireFloor is a channel's floor as the user is told of it, who is a member; nil where people do not talk by turns. It takes no lock.
func (s *Session) wireFloor(c *sfu.ChannelInfo, state *sfu.FloorState, mine sfu.FloorAnswer) *protocol.Floor {
	if state == nil {
		return nil
	}
	wire := &protocol.Floor{Waiting: state.Waiting, PriorityMax: s.priorityMost(c)}
	if state.Holder != nil {
		wire.Holder = new(wireHolder(*state.Holder))
	}
	if state.Over != nil {
		wire.Over = new(wireHolder(*state.Over))
	}
	if mine.Grant != nil {
		wire.Grant = new(wireGranted(c.ID, *mine.Grant))
	}
	if mine.Place != nil {
		wire.Position, wire.Size = mine.Place.Position, mine.Place.Size
	}
	return wire
}

func wireHolder(g sfu.FloorGrant) protocol.FloorHolder {
	return protocol.FloorHolder{UserID: g.UserID, Name: g.Name, Priority: int(g.Priority), Since: g.Since.UnixMilli()}
}

func wireGranted(channelID string, g sfu.FloorGrant) protocol.FloorGranted {
	granted := protocol.FloorGranted{
		ChannelID: channelID, GrantID: g.ID, Priority: int(g.Priority), Since: g.Since.UnixMilli(), PingTimeoutMS: g.Ping.Milliseconds(),
		Over: g.Over,
	}
	if !g.Until.IsZero() {
		granted.LeftMS, granted.WarnMS = new(max(time.Until(g.Until), 0).Milliseconds()), new(g.Warn.Milliseconds())
	}
	return granted
}

func (n *notifier) wireFloorEvent(event sfu.Event) (protocol.Op, any) {
	switch e := event.(type) {
	case sfu.FloorGranted:
		return protocol.OpFloorGranted, wireGranted(e.ChannelID, e.FloorGrant)
	case sfu.FloorTaken:
		return protocol.OpFloorTaken, protocol.FloorTaken{ChannelID: e.ChannelID, FloorHolder: wireHolder(e.FloorGrant), Over: e.Over}
	case sfu.FloorIdle:
		return protocol.OpFloorIdle, protocol.FloorIdle{ChannelID: e.ChannelID, Over: e.Over}
	case sfu.FloorRevoked:
		told := protocol.FloorRevoke{ChannelID: e.ChannelID, GrantID: e.ID, Cause: revokedCause(e.Cause), ByID: e.By, Over: e.Over}
		told.GraceMS = int64((e.Grace + time.Millisecond - 1) / time.Millisecond) // 0 would say that it is over
		told.ByName = e.ByName
		if by := n.gw.users.Get(e.By); by != nil {
			told.ByName = by.name
		}
		return protocol.OpFloorRevoke, told
	case sfu.FloorDenied:
		return protocol.OpFloorDeny, protocol.FloorDeny{ChannelID: e.ChannelID, Cause: deniedCause(e.Cause), Over: e.Over}
	case sfu.FloorQueued:
		return protocol.OpFloorQueue, protocol.FloorQueuePosInfo{
			ChannelID: e.ChannelID, Position: e.Position, Size: e.Size, Priority: int(e.Priority), Over: e.Over,
		}
	default:
		return wireEvent(event)
	}
}

func revokedCause(cause floor.Cause) protocol.FloorCause {
	switch cause {
	case floor.CauseTooLong:
		return protocol.FloorTooLong
	case floor.CausePreempted:
		return protocol.FloorPreempted
	case floor.CauseModerator:
		return protocol.FloorModerator
	case floor.CauseSilent:
		return protocol.FloorSilent
	case floor.CauseLost:
		return protocol.FloorLost
	default:
		return protocol.FloorForbidden
	}
}

func deniedCause(cause floor.Cause) protocol.FloorCause {
	switch cause {
	case floor.CauseBusy:
		return protocol.FloorBusy
	case floor.CauseQueueFull:
		return protocol.FloorQueueFull
	default:
		return protocol.FloorEnded
	}
}

// withFloor calls do with the floor of the channel that the user is in, nil where people do not talk by turns, or there is something
// wrong with it. Nothing is told of that floor meanwhile.
func (s *Session) withFloor(do func(*protocol.Floor)) {
	done := false
	if m := s.member.Load(); m != nil {
		s.gw.guard("floor", func() {
			m.WithFloor(func(c sfu.ChannelInfo, mine sfu.FloorAnswer, state *sfu.FloorState) {
				wire := s.wireFloor(&c, state, mine)
				done = true
				do(wire)
			})
		})
	}
	if !done {
		do(nil)
	}
}

// applyFloor carries out what was checked.
func applyFloor(d protocol.FloorSettings, to *sfu.FloorSettings) {
	if d.TalkMS != nil {
		to.Talk = max(-1, time.Duration(*d.TalkMS)*time.Millisecond)
	}
	if d.PauseMS != nil {
		to.Pause = max(-1, time.Duration(*d.PauseMS)*time.Millisecond)
	}
	set(&to.Queue, d.Queue)
	set(&to.CutIn, d.CutIn)
	set(&to.Over, d.Over)
}

// wireFloorSettings leaves out what is as the server does it.
func wireFloorSettings(f sfu.FloorSettings) protocol.FloorSettings {
	var wire protocol.FloorSettings
	if f.Talk >= 0 {
		wire.TalkMS = new(f.Talk.Milliseconds())
	}
	if f.Pause >= 0 {
		wire.PauseMS = new(f.Pause.Milliseconds())
	}
	if f.Queue >= 0 {
		wire.Queue = &f.Queue
	}
	if f.CutIn {
		wire.CutIn = &f.CutIn
	}
	if f.Over {
		wire.Over = &f.Over
	}
	return wire
}
