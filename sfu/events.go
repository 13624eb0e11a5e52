package sfu

import (
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/floor"
)

// Notifier is told what members have to know. It is called while the channel's lock is
// held, so that what is told has the order in which it happened; it must therefore
// neither block nor call back into this package. Queues that drop or disconnect fit.
type Notifier interface {
	// Notify tells these users, without the one named by except ("" for none). userIDs must not be changed.
	Notify(userIDs []string, except string, event Event)
	// NotifyAll tells everybody on the server, without except.
	NotifyAll(except string, event Event)
}

// Event is one of the types below.
type Event interface{ isEvent() }

// MemberJoined says that a member has joined a channel. Told to the other members.
type MemberJoined struct {
	ChannelID string
	Member    MemberInfo
}

// MemberLeft says that a member has left a channel. Told to the other members, and to the member
// too when it did not ask for it: LeaveHungUp, LeaveMediaFailed and LeaveMediaTimeout.
type MemberLeft struct {
	ChannelID string
	Member    MemberInfo
	Cause     LeaveCause
}

// VoiceStateChanged says that a member has muted or deafened itself, raised or lowered its hand, or that its devices do
// otherwise than before. Told to the other members. One that a moderator muted or lets be heard, or whose role is another, is told too.
type VoiceStateChanged struct {
	ChannelID string
	Member    MemberInfo
}

// StageChanged says of all members of a channel whether they may be heard and whose hands are raised, because the channel's Speaking
// is another. Told to all members.
type StageChanged struct {
	ChannelID  string
	Suppressed []string   // in the order in which they joined
	Hands      []HandInfo // likewise
}

// ConnectionChanged says that a member's connection for everything but media is lost, or there
// again. Told to the other members.
type ConnectionChanged struct {
	ChannelID string
	Member    MemberInfo
}

// MediaStateChanged says that nothing comes of a member's media any more, or of all of its node's, or that something does
// again. Told to all members, also to that one.
type MediaStateChanged struct {
	ChannelID string
	Member    MemberInfo
}

// SlotsChanged says that somebody else is heard on a listener's slots, or that one's SSRC
// has become known. Told to that listener.
type SlotsChanged struct {
	ChannelID string
	Slots     []SlotInfo
}

// ListeningChanged says to which other channels a member still listens, because one is gone or not the member's to hear any more. Told to
// that member. ChannelID is where it is.
type ListeningChanged struct {
	ChannelID string
	Listening
}

// SpeakersChanged says who speaks now, the loudest first, at most 32; nobody is in it who
// cannot be heard. Told to all members, at most every 100 ms. Missing one does no harm: the
// next one has everybody again.
type SpeakersChanged struct {
	ChannelID string
	Speakers  []SpeakerInfo
}

// ChannelCreated says that there is a new channel. Told to everybody.
type ChannelCreated struct{ Channel ChannelInfo }

// ChannelUpdated says that a channel has other settings. Told to everybody.
type ChannelUpdated struct{ Channel ChannelInfo }

// ChannelDeleted says that a channel is gone, and nobody in it any more. Told to
// everybody.
type ChannelDeleted struct {
	ChannelID string
	// OwnerID and Access are what they were.
	OwnerID, Access string
}

// FloorGranted says that the floor is one's. Told to the member who has it; its packets are let through by then.
type FloorGranted struct {
	ChannelID string
	FloorGrant
}

// FloorTaken says who has the floor, or that their priority is another one now. Told to all other members.
type FloorTaken struct {
	ChannelID string
	FloorGrant
}

// FloorIdle says that nobody has the floor. Told to all members.
type FloorIdle struct {
	ChannelID string
	Over      bool
}

// FloorRevoked says that the floor was taken from a member, or will be after Grace. Told to that member; none of its packets is let
// through any more if Grace is 0.
type FloorRevoked struct {
	ChannelID string
	FloorGrant
	Cause floor.Cause
	By    string // who did it, a user id, with floor.CauseModerator
	// ByName is how they are called; empty where they are not in the channel.
	ByName string
	Grace  time.Duration
}

// FloorDenied says that a member waits for the floor no more. Told to that member.
type FloorDenied struct {
	ChannelID string
	Over      bool
	Cause     floor.Cause
}

// FloorQueued says at which place a member waits. Told to that member.
type FloorQueued struct {
	ChannelID string
	Over      bool
	FloorPlace
}

func (FloorGranted) isEvent()      {}
func (FloorTaken) isEvent()        {}
func (FloorIdle) isEvent()         {}
func (FloorRevoked) isEvent()      {}
func (FloorDenied) isEvent()       {}
func (FloorQueued) isEvent()       {}
func (MemberJoined) isEvent()      {}
func (MemberLeft) isEvent()        {}
func (VoiceStateChanged) isEvent() {}
func (StageChanged) isEvent()      {}
func (ConnectionChanged) isEvent() {}
func (MediaStateChanged) isEvent() {}
func (SlotsChanged) isEvent()      {}
func (SpeakersChanged) isEvent()   {}
func (ListeningChanged) isEvent()  {}
func (ChannelCreated) isEvent()    {}
func (ChannelUpdated) isEvent()    {}
func (ChannelDeleted) isEvent()    {}

// LeaveCause says why a member is in a channel no more.
type LeaveCause int

// Causes of leaving.
const (
	// LeaveLeft: the member asked to leave.
	LeaveLeft LeaveCause = iota
	// LeaveHungUp: the member's client ended the media connection, which is leaving without
	// a word to signalling.
	LeaveHungUp
	// LeaveGone: the member's session ended.
	LeaveGone
	// LeaveMediaFailed: the media connection failed for good.
	LeaveMediaFailed
	// LeaveMediaTimeout: the media path showed no sign of life.
	LeaveMediaTimeout
	// LeaveMoved: a moderator took the member to another channel.
	LeaveMoved
	// LeaveKicked: a moderator put the member out.
	LeaveKicked
)

// surprises reports whether the member learns of it by the event, for want of another way.
func (c LeaveCause) surprises() bool {
	return c == LeaveHungUp || c == LeaveMediaFailed || c == LeaveMediaTimeout
}

// String is for logs.
func (c LeaveCause) String() string {
	switch c {
	case LeaveLeft:
		return "left"
	case LeaveHungUp:
		return "hung up"
	case LeaveGone:
		return "gone"
	case LeaveMediaFailed:
		return "media failed"
	case LeaveMediaTimeout:
		return "media timed out"
	case LeaveMoved:
		return "moved"
	case LeaveKicked:
		return "kicked"
	default:
		return "unknown"
	}
}
