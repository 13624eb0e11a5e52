package protocol

// InviteCreate asks for a link by which somebody becomes a person here, or gets more rights.
type InviteCreate struct {
	// Role is what they become; empty: member.
	Role string `json:"role,omitempty"`
	// ChannelID is the channel that the link leads to and lets in; or empty.
	ChannelID string `json:"channel_id,omitempty"`
	// Uses is how many people may use it, 0 any number. Absent: one.
	Uses *int `json:"uses,omitempty"`
	// TTLMS is how long it lasts in milliseconds, 0 for good. Absent: 7 days.
	TTLMS *int64 `json:"ttl_ms,omitempty"`
}

// Invite is an invite as those see it who may revoke it.
type Invite struct {
	InviteID string `json:"invite_id"`
	// Role is what it makes of people; empty: it is for those who are known already.
	Role      string `json:"role,omitempty"`
	ChannelID string `json:"channel_id,omitempty"`
	// UserID is whom it signs in.
	UserID string `json:"user_id,omitempty"`
	// Uses is how many people may use it, 0 any number, and Used how many have.
	Uses int `json:"uses"`
	Used int `json:"used"`
	// ExpiresAt is 0 for one that lasts.
	ExpiresAt int64 `json:"expires_at,omitempty"`
	CreatedAt int64 `json:"created_at"`
	// ByID and ByName are who made it; empty: the operator.
	ByID   string `json:"by_id,omitempty"`
	ByName string `json:"by_name,omitempty"`
}

// InviteCreated is the answer to InviteCreate.
type InviteCreated struct {
	Invite

	// Secret makes the link: the page's address and "#invite=" before it. It is told only here.
	Secret string `json:"secret"`
}

// InviteQuery is the d of INVITE_LIST.
type InviteQuery struct {
	// ChannelID asks who was let into a channel, too; or empty.
	ChannelID string `json:"channel_id,omitempty"`
}

// InviteList is the answer to INVITE_LIST, the newest first.
type InviteList struct {
	Invites []Invite `json:"invites"`
	// Passes are who was let into the channel that was asked for, by their names.
	Passes []Pass `json:"passes,omitzero"`
}

// Pass says that somebody was let into a channel by an invite.
type Pass struct {
	UserID string `json:"user_id"`
	Name   string `json:"name"`
}

// InviteRef names an invite, or the pass of somebody to a channel.
type InviteRef struct {
	InviteID  string `json:"invite_id,omitempty"`
	ChannelID string `json:"channel_id,omitempty"`
	UserID    string `json:"user_id,omitempty"`
}

// InviteRequest is the body of POST /api/invite.
type InviteRequest struct {
	// Secret is what stands in the link.
	Secret string `json:"secret"`
	// Name makes whoever asks a person of this name. Empty: nothing is used, and the answer says what the invite is.
	Name string `json:"name,omitempty"`
	// Device is as in IDENTIFY.
	Device string `json:"device,omitempty"`
	// Token, in the place of Name, says that whoever asks is a person already.
	Token string `json:"token,omitempty"`
}

// InviteAnswer is the answer to POST /api/invite.
type InviteAnswer struct {
	// Role, which is empty where only people who are known may use it, ChannelID, ChannelName, ByName and ExpiresAt are the invite's.
	Role        string `json:"role,omitempty"`
	ChannelID   string `json:"channel_id,omitempty"`
	ChannelName string `json:"channel_name,omitempty"`
	ByName      string `json:"by_name,omitempty"`
	ExpiresAt   int64  `json:"expires_at,omitempty"`
	// ForName is whom the link signs in, whatever name they send; empty: it is an invite.
	ForName string `json:"for_name,omitempty"`
	// Token, UserID and Name are the person's; Token is empty for one who has one.
	Token  string `json:"token,omitempty"`
	UserID string `json:"user_id,omitempty"`
	Name   string `json:"name,omitempty"`
}

// FeatureInvites in HELLO says that there are invites, and people who stay.
const FeatureInvites = "invites"
