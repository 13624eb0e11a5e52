package protocol

import "fmt"

// MaxPriority is the highest priority with which the floor can be asked for: an emergency. 0 is the lowest.
const MaxPriority = 255

// Bounds of FloorSettings.
const (
	// MinFloorTalkMS is the shortest time that one may be given at a time, in milliseconds, MaxFloorTalkMS the longest.
	MinFloorTalkMS = 1_000
	MaxFloorTalkMS = 3_600_000
	// MaxFloorPauseMS is the longest pause between two, in milliseconds.
	MaxFloorPauseMS = 60_000
	// MaxFloorQueue is how many may wait at most.
	MaxFloorQueue = 100
)

// FloorSettings are how the floor of a channel of ModePTT is given. Absent fields stay as they are.
type FloorSettings struct {
	// TalkMS is the longest time of one grant, 0 for no end; PauseMS is how long nobody has the floor after it; Queue is how many may
	// wait. -1: as the server does, which is the default.
	TalkMS  *int64 `json:"talk_ms,omitempty"`
	PauseMS *int64 `json:"pause_ms,omitempty"`
	Queue   *int   `json:"queue,omitempty"`
	// CutIn: everybody interrupts everybody. Over: moderators may speak over who has the floor.
	CutIn *bool `json:"cut_in,omitempty"`
	Over  *bool `json:"over,omitempty"`
}

// Check reports which field is out of its bounds; it does not wrap ErrPayload.
func (f FloorSettings) Check() error {
	switch {
	case f.TalkMS != nil && *f.TalkMS > 0 && *f.TalkMS < MinFloorTalkMS, f.TalkMS != nil && (*f.TalkMS < -1 || *f.TalkMS > MaxFloorTalkMS):
		return fmt.Errorf("talk_ms is %d; allowed are %d to %d, 0 for no end, or -1 for the server's", *f.TalkMS, MinFloorTalkMS, MaxFloorTalkMS)
	case f.PauseMS != nil && (*f.PauseMS < -1 || *f.PauseMS > MaxFloorPauseMS):
		return fmt.Errorf("pause_ms is %d; allowed are 0 to %d, or -1 for the server's", *f.PauseMS, MaxFloorPauseMS)
	case f.Queue != nil && (*f.Queue < -1 || *f.Queue > MaxFloorQueue):
		return fmt.Errorf("queue is %d; allowed are 0 to %d, or -1 for the server's", *f.Queue, MaxFloorQueue)
	}
	return nil
}

// FloorRequest is the d of FLOOR_REQUEST.
type FloorRequest struct {
	// Priority is 0 when absent; more than one may have is taken for the most that one may.
	Priority int `json:"priority,omitempty"`
	// Queue says whether to wait where the floor is another's; true when absent.
	Queue *bool `json:"queue,omitempty"`
	// Over asks to speak beside who has the floor.
	Over bool `json:"over,omitempty"`
}

// FloorRequestState is what became of a FLOOR_REQUEST.
type FloorRequestState string

// What a FLOOR_REQUEST comes to that is not refused.
const (
	FloorRequestGranted FloorRequestState = "granted"
	FloorRequestQueued  FloorRequestState = "queued"
)

// FloorRequested is the data of the ACK to FLOOR_REQUEST.
type FloorRequested struct {
	State FloorRequestState `json:"state"`
	// Priority is the one that counts.
	Priority int `json:"priority"`
	// GrantID is there when granted, Position, from 1, and Size when queued.
	GrantID  uint64 `json:"grant_id,omitempty"`
	Position int    `json:"position,omitempty"`
	Size     int    `json:"size,omitempty"`
}

// FloorRef is the d of FLOOR_RELEASE and FLOOR_PING. In FLOOR_RELEASE an absent GrantID means whatever one has, also a place in the queue.
type FloorRef struct {
	GrantID uint64 `json:"grant_id,omitempty"`
}

// FloorPong is the d of FLOOR_PONG.
type FloorPong struct {
	GrantID uint64 `json:"grant_id"`
	// LeftMS is how long one may still talk; absent for as long as one likes.
	LeftMS *int64 `json:"left_ms,omitempty"`
}

// FloorClear is the d of FLOOR_CLEAR, and the data of its ACK.
type FloorClear struct {
	ChannelID string `json:"channel_id"`
	Reason    string `json:"reason,omitempty"`
}

// FloorGranted is the d of FLOOR_GRANTED: the floor is one's.
type FloorGranted struct {
	ChannelID string `json:"channel_id"`
	GrantID   uint64 `json:"grant_id"`
	Priority  int    `json:"priority"`
	// Since is when that was, in milliseconds since the epoch.
	Since int64 `json:"since"`
	// LeftMS is how long one may talk from now on, and WarnMS how long before that ends a FLOOR_REVOKE warns; absent for no end.
	LeftMS *int64 `json:"left_ms,omitempty"`
	WarnMS *int64 `json:"warn_ms,omitempty"`
	// PingTimeoutMS is how long without FLOOR_PING the floor is kept; absent for ever.
	PingTimeoutMS int64 `json:"ping_timeout_ms,omitempty"`
	Over          bool  `json:"over,omitempty"`
}

// FloorTaken is the d of FLOOR_TAKEN: somebody else has the floor.
type FloorTaken struct {
	ChannelID string `json:"channel_id"`
	FloorHolder
	Over bool `json:"over,omitempty"`
}

// FloorHolder is who has the floor.
type FloorHolder struct {
	UserID   string `json:"user_id"`
	Name     string `json:"name"`
	Priority int    `json:"priority"`
	// Since is in milliseconds since the epoch.
	Since int64 `json:"since"`
}

// FloorIdle is the d of FLOOR_IDLE: nobody has the floor.
type FloorIdle struct {
	ChannelID string `json:"channel_id"`
	Over      bool   `json:"over,omitempty"`
}

// FloorCause says why one has not the floor, or no more.
type FloorCause string

// Causes of FLOOR_REVOKE.
const (
	FloorTooLong   FloorCause = "too_long"
	FloorPreempted FloorCause = "preempted"
	FloorModerator FloorCause = "moderator"
	FloorSilent    FloorCause = "no_ping"
	FloorLost      FloorCause = "unreachable" // who decides is another node, or cannot be reached
	FloorForbidden FloorCause = "forbidden"   // muted, or the channel gives no floor any more
)

// Causes of FLOOR_DENY.
const (
	FloorBusy      FloorCause = "busy"
	FloorQueueFull FloorCause = "queue_full"
	FloorEnded     FloorCause = "ended" // muted, or the channel gives no floor any more
)

// FloorRevoke is the d of FLOOR_REVOKE: the floor is one's no more, or will not be when GraceMS have passed.
type FloorRevoke struct {
	ChannelID string     `json:"channel_id"`
	GrantID   uint64     `json:"grant_id"`
	Cause     FloorCause `json:"cause"`
	GraceMS   int64      `json:"grace_ms,omitempty"`
	ByID      string     `json:"by_id,omitempty"`
	ByName    string     `json:"by_name,omitempty"`
	Over      bool       `json:"over,omitempty"`
}

// FloorDeny is the d of FLOOR_DENY: one waits for the floor no more.
type FloorDeny struct {
	ChannelID string     `json:"channel_id"`
	Cause     FloorCause `json:"cause"`
	Over      bool       `json:"over,omitempty"`
}

// FloorQueuePosInfo is the d of FLOOR_QUEUE_POS_INFO: at which place, from 1, one waits.
type FloorQueuePosInfo struct {
	ChannelID string `json:"channel_id"`
	Position  int    `json:"position"`
	Size      int    `json:"size"`
	Priority  int    `json:"priority"`
	Over      bool   `json:"over,omitempty"`
}

// Floor is a channel's floor, in what tells of the channel as a whole; all of it absent where nobody has it.
type Floor struct {
	Holder *FloorHolder `json:"holder,omitempty"`
	Over   *FloorHolder `json:"over,omitempty"`
	// Waiting is how many wait.
	Waiting int `json:"waiting"`
	// Grant is one's own, when one is the holder, or speaks over it; Position and Size are there while one waits.
	Grant    *FloorGranted `json:"grant,omitempty"`
	Position int           `json:"position,omitempty"`
	Size     int           `json:"size,omitempty"`
	// PriorityMax is the highest priority with which one may ask.
	PriorityMax int `json:"priority_max"`
}
