package protocol

// MaxReasonChars bounds what a moderator gives as the reason, in code points; what a close frame cannot hold is cut there.
const MaxReasonChars = 200

// MaxDeviceBytes bounds what a client says of its device.
const MaxDeviceBytes = 128

// MemberMute has nobody hear somebody, or again.
type MemberMute struct {
	UserID string `json:"user_id"`
	Mute   *bool  `json:"mute"`
}

// MemberMove takes somebody who is in a channel to another one.
type MemberMove struct {
	UserID    string `json:"user_id"`
	ChannelID string `json:"channel_id"`
}

// MemberKick ends somebody's session.
type MemberKick struct {
	UserID string `json:"user_id"`
	Reason string `json:"reason,omitempty"`
}

// MemberBan keeps somebody out.
type MemberBan struct {
	UserID string `json:"user_id"`
	// DurationS is how long, in seconds; 0: for good.
	DurationS *int64 `json:"duration_s"`
	Reason    string `json:"reason,omitempty"`
}

// BanLift ends a ban, or all bans of somebody.
type BanLift struct {
	BanID  string `json:"ban_id,omitempty"`
	UserID string `json:"user_id,omitempty"`
}

// AuditRequest asks what moderators did, or for the bans that hold.
type AuditRequest struct {
	// Before is the seq of a deed; those before it come. 0: the newest.
	Before uint64 `json:"before,omitempty"`
	Limit  int    `json:"limit,omitempty"`
	// Bans asks for the bans that hold, in the place of deeds.
	Bans bool `json:"bans,omitempty"`
}

// ModerationAction says what a moderator did.
type ModerationAction string

// The actions.
const (
	ModerationMute   ModerationAction = "mute"
	ModerationUnmute ModerationAction = "unmute"
	ModerationMove   ModerationAction = "move"
	ModerationKick   ModerationAction = "kick"
	ModerationBan    ModerationAction = "ban"
	ModerationUnban  ModerationAction = "unban"
	// ModerationUninvite says that somebody is let into the channel no more, and is out of it.
	ModerationUninvite ModerationAction = "uninvite"
	// ModerationRole says that somebody's role is another one. Only they are told.
	ModerationRole ModerationAction = "role"

	// These are in the audit only: somebody was let speak, or no more; got a link that signs them in, or was signed out everywhere; lost an
	// invite or a token; was forgotten.
	ModerationAllow  ModerationAction = "allow"
	ModerationDeny   ModerationAction = "deny"
	ModerationLogin  ModerationAction = "login"
	ModerationLogout ModerationAction = "logout"
	ModerationRevoke ModerationAction = "revoke"
	ModerationDelete ModerationAction = "delete"
	// And these about the server: nobody is let in any more, or people are again; it logs otherwise.
	ModerationDrain    ModerationAction = "drain"
	ModerationUndrain  ModerationAction = "undrain"
	ModerationLogLevel ModerationAction = "log_level"
)

// ModerationEvent says that a moderator did something to somebody.
type ModerationEvent struct {
	Action    ModerationAction `json:"action"`
	ChannelID string           `json:"channel_id,omitempty"`
	UserID    string           `json:"user_id"`
	Name      string           `json:"name,omitempty"`
	// ByID and ByName are who did it; empty: the operator.
	ByID   string `json:"by_id,omitempty"`
	ByName string `json:"by_name,omitempty"`
	Reason string `json:"reason,omitempty"`
	// DurationS is how long a ban lasts, in seconds; 0: for good.
	DurationS int64 `json:"duration_s,omitempty"`
	// Role is what the user may do now, and May what READY says by that name.
	Role string  `json:"role,omitempty"`
	May  []Right `json:"may,omitempty"`
	// ToChannelID is where somebody was moved. Joined is what it is like there, for them only: as the answer to CHANNEL_JOIN, without
	// an sdp_answer.
	ToChannelID string  `json:"to_channel_id,omitempty"`
	Joined      *Joined `json:"joined,omitempty"`
}

// Deed is an entry of the audit.
type Deed struct {
	Seq       uint64           `json:"seq"`
	At        int64            `json:"at"`
	Action    ModerationAction `json:"action"`
	UserID    string           `json:"user_id"`
	Name      string           `json:"name,omitempty"`
	ChannelID string           `json:"channel_id,omitempty"`
	ByID      string           `json:"by_id,omitempty"`
	ByName    string           `json:"by_name,omitempty"`
	Reason    string           `json:"reason,omitempty"`
	// Role is what was given.
	Role string `json:"role,omitempty"`
	// Until is when a ban ends; 0: never.
	Until int64 `json:"until,omitempty"`
}

// BanInfo is a ban that holds.
type BanInfo struct {
	BanID  string `json:"ban_id"`
	UserID string `json:"user_id"`
	Name   string `json:"name,omitempty"`
	// Until is when it ends; 0: never.
	Until     int64  `json:"until,omitempty"`
	Reason    string `json:"reason,omitempty"`
	ByID      string `json:"by_id,omitempty"`
	ByName    string `json:"by_name,omitempty"`
	CreatedAt int64  `json:"created_at"`
}

// Audit is the answer to AuditRequest, the newest first.
type Audit struct {
	Deeds []Deed    `json:"deeds,omitzero"`
	Bans  []BanInfo `json:"bans,omitzero"`
	More  bool      `json:"more"`
}

// FeatureModeration in HELLO says that there are the requests above.
const FeatureModeration = "moderation"
