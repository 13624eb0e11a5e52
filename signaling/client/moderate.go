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
