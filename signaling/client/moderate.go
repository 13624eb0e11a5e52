package client

import (
	"context"
	"time"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// Mute has nobody hear somebody, or again.
func (c *Client) Mute(ctx context.Context, userID string, mute bool) error {
	return c.Request(ctx, protocol.OpMemberMute, protocol.MemberMute{UserID: userID, Mute: &mute}, nil)
}

// RaiseHand raises or lowers the client's hand in the channel it is in.
func (c *Client) RaiseHand(ctx context.Context, raised bool) error {
	return c.hand(ctx, protocol.Hand{Raised: &raised})
}

// LetSpeak lets somebody speak in a channel where that has to be allowed, or no more. Their hand is lowered by either.
func (c *Client) LetSpeak(ctx context.Context, userID string, allow bool) error {
	return c.hand(ctx, protocol.Hand{UserID: userID, Allow: &allow})
}

func (c *Client) hand(ctx context.Context, d protocol.Hand) error {
	return c.request(ctx, protocol.OpHand, d, func(f protocol.Frame) error {
		var state protocol.VoiceStateEvent
		err := bindReply(f, &state)
		if call := c.Call(); err == nil && call != nil {
			call.apply(&state) // the ACK stands for the event, which goes to the others only
		}
		return err
	})
}

// ClearFloor takes the floor of a channel, and leave to speak over it, from whoever has them. reason may be empty.
func (c *Client) ClearFloor(ctx context.Context, channelID, reason string) error {
	return c.Request(ctx, protocol.OpFloorClear, protocol.FloorClear{ChannelID: channelID, Reason: reason}, nil)
}

// MoveMember takes somebody who is in a channel into another one, with their media.
func (c *Client) MoveMember(ctx context.Context, userID, channelID string) error {
	return c.Request(ctx, protocol.OpMemberMove, protocol.MemberMove{UserID: userID, ChannelID: channelID}, nil)
}

// Kick ends somebody's session and keeps them out of the channel for a minute. reason may be empty.
func (c *Client) Kick(ctx context.Context, userID, reason string) error {
	return c.Request(ctx, protocol.OpMemberKick, protocol.MemberKick{UserID: userID, Reason: reason}, nil)
}

// Ban keeps somebody out for a time, in whole seconds; 0: for good. reason may be empty.
func (c *Client) Ban(ctx context.Context, userID string, lasts time.Duration, reason string) error {
	seconds := int64(lasts / time.Second)
	return c.Request(ctx, protocol.OpMemberBan, protocol.MemberBan{UserID: userID, DurationS: &seconds, Reason: reason}, nil)
}

// LiftBan ends all bans of somebody.
func (c *Client) LiftBan(ctx context.Context, userID string) error {
	return c.Request(ctx, protocol.OpBanLift, protocol.BanLift{UserID: userID}, nil)
}

// Audit returns what moderators did, the newest first, or the bans that hold.
func (c *Client) Audit(ctx context.Context, d protocol.AuditRequest) (protocol.Audit, error) {
	var list protocol.Audit
	err := c.Request(ctx, protocol.OpAudit, d, &list)
	return list, err
}
