package sfu

// Notifier is told what members have to know. It is called while the channel's lock is
// held, so that what is told has the order in which it happened; it must therefore
// neither block nor call back into this package. Queues that drop or disconnect fit.
type Notifier interface {
	// Notify tells these users, without the one named by except ("" for none).
	Notify(userIDs []string, except string, event Event)
	// NotifyAll tells everybody on the server, without except.
	NotifyAll(except string, event Event)
}

// Event is one of the types below.
type Event interface{ isEvent() }

// MemberJoined: a member has joined a channel. Told to the other members.
type MemberJoined struct {
	ChannelID string
	Member    MemberInfo
}

// MemberLeft: a member has left a channel. Told to the other members, and to the member
// too when the cause is LeaveMediaTimeout.
type MemberLeft struct {
	ChannelID string
	Member    MemberInfo
	Cause     LeaveCause
}

// VoiceStateChanged: a member has muted or deafened itself. Told to the other members.
type VoiceStateChanged struct {
	ChannelID string
	Member    MemberInfo
}

// SlotsChanged: somebody else is heard on a listener's slots. Told to that listener.
type SlotsChanged struct {
	ChannelID string
	Slots     []SlotInfo
}

// ChannelCreated, ChannelUpdated and ChannelDeleted are told to everybody.
type (
	ChannelCreated struct{ Channel ChannelInfo }
	ChannelUpdated struct{ Channel ChannelInfo }
	ChannelDeleted struct{ ChannelID string }
)

func (MemberJoined) isEvent()      {}
func (MemberLeft) isEvent()        {}
func (VoiceStateChanged) isEvent() {}
func (SlotsChanged) isEvent()      {}
func (ChannelCreated) isEvent()    {}
func (ChannelUpdated) isEvent()    {}
func (ChannelDeleted) isEvent()    {}

// LeaveCause says why a member is in a channel no more.
type LeaveCause int

// Causes of leaving.
const (
	// LeaveLeft: the member asked to leave.
	LeaveLeft LeaveCause = iota
	// LeaveGone: the member's session ended.
	LeaveGone
	// LeaveMediaTimeout: the media path showed no sign of life.
	LeaveMediaTimeout
)
