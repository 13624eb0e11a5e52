package protocol

import "strings"

// Mode is how people share a channel's air.
type Mode string

const (
	// ModeConference is the open-mic mode: everyone may talk at once.
	ModeConference Mode = "conference"
	// ModePTT is push-to-talk: who has the floor is heard, and nobody else.
	ModePTT Mode = "ptt"
)

// Heartbeat is the d of HEARTBEAT: S is the number of the last event the client has
// seen, 0 before the first.
type Heartbeat struct {
	S uint64 `json:"s"`
}

// Identify is the d of IDENTIFY.
type Identify struct {
	Token string `json:"token"`
	// UserID is optional; when given it must equal the token's subject.
	UserID string `json:"user_id,omitempty"`
	V      int    `json:"v"`
	// Client names the client software for the server's logs, such as "web/1".
	Client string `json:"client,omitempty"`
	// Device is the client's own random word for the device, the same each time; guests who were banned are known by it.
	Device string `json:"device,omitempty"`
	// Features is what the client can do that not all can, such as FeaturePlayback. What the server does not know it passes over.
	Features []string `json:"features,omitempty"`
	// Rejoin is the ticket of a session at another node, which this one takes the place of; empty: none.
	Rejoin string `json:"rejoin,omitempty"`
}

// ChannelCreate is the d of CHANNEL_CREATE.
type ChannelCreate struct {
	ChannelID string `json:"channel_id"`
	// ChannelName defaults to the id.
	ChannelName string `json:"channel_name,omitempty"`
	// Mode defaults to ModeConference.
	Mode Mode `json:"mode,omitempty"`
	// Capacity in members; 0 means the server's limit.
	Capacity int `json:"capacity,omitempty"`
	ChannelSettings
}

// Access says who may enter a channel.
type Access string

const (
	// AccessOpen lets everybody in.
	AccessOpen Access = "open"
	// AccessMembers lets all but guests in.
	AccessMembers Access = "members"
	// AccessInvited lets in whom an invite let in, the owner and admins; nobody else knows of the channel.
	AccessInvited Access = "invited"
)

const (
	// MaxTopicChars bounds a channel's topic, in code points.
	MaxTopicChars = 200
	// MaxPosition bounds a channel's position in both directions.
	MaxPosition = 1_000_000
	// MaxKeepMessages bounds how many messages of a channel are kept.
	MaxKeepMessages = 10_000_000
	// MaxKeepForMS bounds for how long they are: a hundred years.
	MaxKeepForMS = 100 * 365 * 24 * 3600 * 1000
)

// ChannelSettings are what CHANNEL_CREATE and CHANNEL_UPDATE have in common; absent fields stay as they are.
type ChannelSettings struct {
	Topic *string `json:"topic,omitempty"`
	// Floor matters where the mode is ModePTT.
	Floor *FloorSettings `json:"floor,omitempty"`
	// Access defaults to AccessOpen.
	Access *Access `json:"access,omitempty"`
	// Position orders lists of channels, the smaller the further up; it defaults to 0.
	Position *int `json:"position,omitempty"`
	// KeepMessages and KeepForMS say how many messages are kept, and for how many milliseconds; 0: none, -1: as the
	// server does, which is the default.
	KeepMessages *int   `json:"keep_messages,omitempty"`
	KeepForMS    *int64 `json:"keep_for_ms,omitempty"`
	// Speaking defaults to SpeakingAll.
	Speaking *Speaking `json:"speaking,omitempty"`
}

// ChannelJoin is the d of CHANNEL_JOIN.
type ChannelJoin struct {
	ChannelID string `json:"channel_id"`
	SDPOffer  string `json:"sdp_offer"`
	// KeepFloor: one comes from another node, where the connection lasts until one is here, and goes on with the floor or the place that one has.
	KeepFloor bool `json:"keep_floor,omitempty"`
}

// ChannelRef is the d of CHANNEL_LEAVE, CHANNEL_DELETE and CHANNEL_INFO, and the data
// of the ACK to the first two.
type ChannelRef struct {
	ChannelID string `json:"channel_id"`
}

// ChannelUpdate is the d of CHANNEL_UPDATE; absent fields stay as they are.
type ChannelUpdate struct {
	ChannelID   string  `json:"channel_id"`
	ChannelName *string `json:"channel_name,omitempty"`
	Capacity    *int    `json:"capacity,omitempty"`
	Mode        *Mode   `json:"mode,omitempty"`
	ChannelSettings
}

// ICECandidate is the d of ICE_CANDIDATE; a nil Candidate ends gathering.
type ICECandidate struct {
	Candidate *ICECandidateInit `json:"candidate"`
}

// ICECandidateInit is W3C WebRTC's RTCIceCandidateInit.
type ICECandidateInit struct {
	Candidate        string  `json:"candidate"`
	SDPMid           *string `json:"sdpMid,omitempty"`
	SDPMLineIndex    *uint16 `json:"sdpMLineIndex,omitempty"`
	UsernameFragment *string `json:"usernameFragment,omitempty"`
}

// MediaProbe is the d of MEDIA_PROBE.
type MediaProbe struct {
	SDPOffer string `json:"sdp_offer"`
}

// MediaProbed is the data of the ACK to MEDIA_PROBE.
type MediaProbed struct {
	SDPAnswer string `json:"sdp_answer"`
}

// VoiceState is the d of VOICE_STATE; absent fields stay as they are.
type VoiceState struct {
	SelfMute *bool `json:"self_mute,omitempty"`
	SelfDeaf *bool `json:"self_deaf,omitempty"`
	// Mic and Sound say how the client's microphone and its loudspeaker are doing.
	Mic   *Mic   `json:"mic,omitempty"`
	Sound *Sound `json:"sound,omitempty"`
}

// Mic says why nothing is heard of somebody who is not muted, as their own client knows it.
// Empty where the server says it: nothing is known to be wrong.
type Mic string

// The conditions of a microphone.
const (
	MicOK     Mic = "ok"
	MicSilent Mic = "silent" // gives nothing but zeros
	MicHeld   Mic = "held"   // the system keeps it, as for a telephone call
	MicLost   Mic = "lost"   // went away
)

// Known reports whether m is one of the constants.
func (m Mic) Known() bool { return m == MicOK || m == MicSilent || m == MicHeld || m == MicLost }

// Trouble returns m as the server says it: empty for MicOK.
func (m Mic) Trouble() Mic {
	if m == MicOK {
		return ""
	}
	return m
}

// Sound says why somebody who is not deaf hears nothing, as their own client knows it. Empty
// where the server says it: nothing is known to be wrong.
type Sound string

// The conditions of a loudspeaker.
const (
	SoundOK      Sound = "ok"
	SoundBlocked Sound = "blocked" // does not play, for instance before the first click
	SoundLost    Sound = "lost"    // went away
)

// Known reports whether s is one of the constants.
func (s Sound) Known() bool { return s == SoundOK || s == SoundBlocked || s == SoundLost }

// Trouble returns s as the server says it: empty for SoundOK.
func (s Sound) Trouble() Sound {
	if s == SoundOK {
		return ""
	}
	return s
}

// Subscribe is the d of SUBSCRIBE and, with both lists, the data of its ACK: user ids of
// people in the channel or not. Nil lists stay as they are, empty ones are emptied.
type Subscribe struct {
	// Pin lists who is heard in any case, the most important first.
	Pin []string `json:"pin"`
	// Exclude lists who is never heard, pinned or not.
	Exclude []string `json:"exclude"`
}

// Hello is the d of HELLO.
type Hello struct {
	// HeartbeatInterval in milliseconds.
	HeartbeatInterval int64  `json:"heartbeat_interval"`
	V                 []int  `json:"v"`
	Server            string `json:"server"`
	// Features names what the server has beyond the first servers of version 1.
	Features []string `json:"features"`
}

// FeatureResume is what HELLO names when sessions can be resumed.
const FeatureResume = "resume"

// FeatureFloor is what HELLO names when there are channels of ModePTT.
const FeatureFloor = "floor"

// FeatureHistory is what HELLO names when messages can be read again, changed and taken back.
const FeatureHistory = "history"

// Ready is the d of READY.
type Ready struct {
	V         int    `json:"v"`
	SessionID string `json:"session_id"`
	UserID    string `json:"user_id"`
	Name      string `json:"name"`
	// Role is what the user may do: admin, moderator, member or guest.
	Role string `json:"role"`
	// May is what the user may do, where the channel's May does not say otherwise.
	May []Right `json:"may"`
	// LoginToken, unless empty, takes the place of the token that the client came with.
	LoginToken string `json:"login_token,omitempty"`
	// ResumeToken is what RESUME needs; empty when sessions cannot be resumed.
	ResumeToken string `json:"resume_token,omitempty"`
	// ResumeWindowMS is how long a dropped session can be resumed, in milliseconds;
	// 0 means not at all.
	ResumeWindowMS int64       `json:"resume_window_ms"`
	ICEServers     []ICEServer `json:"ice_servers"`
	// Unread are the channels of which something is unread; nil where READ has to be asked.
	Unread []ReadMark `json:"unread,omitzero"`
	Limits Limits     `json:"limits"`
	// Nodes, Rejoin and Rejoined are there where HELLO names FeatureNodes; the last, where IDENTIFY had a ticket.
	Nodes    []string  `json:"nodes,omitzero"`
	Rejoin   *Rejoin   `json:"rejoin,omitempty"`
	Rejoined *Rejoined `json:"rejoined,omitempty"`
	// Alone is as in Alive.
	Alone bool `json:"alone,omitempty"`
}

// ICEServer is W3C WebRTC's RTCIceServer.
type ICEServer struct {
	URLs       []string `json:"urls"`
	Username   string   `json:"username,omitempty"`
	Credential string   `json:"credential,omitempty"`
}

// ICEServers is the d of ICE_SERVERS: what takes the place of READY's ice_servers.
type ICEServers struct {
	ICEServers []ICEServer `json:"ice_servers"`
}

// Limits tells the client what the server accepts.
type Limits struct {
	FrameBytes       int `json:"frame_bytes"`
	SDPBytes         int `json:"sdp_bytes"`
	MessageChars     int `json:"message_chars"`
	ChannelNameChars int `json:"channel_name_chars"`
	ChannelCapacity  int `json:"channel_capacity"`
	// Slots is the most receiving audio lines an offer may carry.
	Slots int `json:"slots"`
}

// Member is one person in a channel.
type Member struct {
	UserID   string `json:"user_id"`
	Name     string `json:"name"`
	SelfMute bool   `json:"self_mute"`
	SelfDeaf bool   `json:"self_deaf"`
	// Muted: a moderator lets nobody hear the member.
	Muted bool `json:"muted,omitempty"`
	// Suppressed: the channel's Speaking lets nobody hear the member.
	Suppressed bool `json:"suppressed,omitempty"`
	// HandAt is since when the member's hand is raised; 0: it is not.
	HandAt int64 `json:"hand_at,omitempty"`
	// Role is admin, moderator or guest; empty: member.
	Role string `json:"role,omitempty"`
	// Talker is false for a member who joined without a microphone.
	Talker bool  `json:"talker"`
	Mic    Mic   `json:"mic,omitempty"`
	Sound  Sound `json:"sound,omitempty"`
	// Connection says whether the member's WebSocket is there. Media does not depend on it.
	Connection Connection `json:"connection"`
	// Media says whether anything comes of the member's media.
	Media Media `json:"media"`
}

// Connection is the condition of a member's signalling connection.
type Connection string

// The conditions of a connection.
const (
	ConnectionOK Connection = "ok"
	// ConnectionUnstable: it is lost, and the member may come back or be gone.
	ConnectionUnstable Connection = "unstable"
)

// Media is the condition of a member's media path, as the server knows it.
type Media string

// The conditions of a media path.
const (
	MediaOK Media = "ok"
	// MediaLost: nothing authentic has come on it for some seconds.
	MediaLost Media = "lost"
	// MediaApart: it is well, but the member is on another node, whose voice does not come to the one that says so.
	MediaApart Media = "apart"
)

// ChannelInfo describes a channel.
type ChannelInfo struct {
	ChannelID   string `json:"channel_id"`
	ChannelName string `json:"channel_name"`
	Mode        Mode   `json:"mode"`
	Capacity    int    `json:"capacity"`
	MemberCount int    `json:"member_count"`
	// CreatedAt in milliseconds since the Unix epoch.
	CreatedAt int64 `json:"created_at"`
	// OwnerID is who created the channel; empty for one from the configuration.
	OwnerID  string `json:"owner_id,omitempty"`
	Topic    string `json:"topic,omitempty"`
	Access   Access `json:"access"`
	Position int    `json:"position,omitempty"`
	// Speaking is who is heard.
	Speaking Speaking `json:"speaking"`
	// KeepMessages and KeepForMS are nil where the server's default holds.
	KeepMessages *int   `json:"keep_messages,omitempty"`
	KeepForMS    *int64 `json:"keep_for_ms,omitempty"`
	// Floor is nil where the floor is given as the server does by default, as are its fields.
	Floor *FloorSettings `json:"floor,omitempty"`
	// May is what the one who is told of the channel may do there; empty: not even enter.
	May []Right `json:"may"`
}

// Right is something that somebody may do, or not.
type Right string

// The rights.
const (
	// RightEnter is to join the channel and see what was said there.
	RightEnter Right = "enter"
	// RightCreate is to make channels.
	RightCreate Right = "create"
	// RightPublish is to offer a microphone.
	RightPublish Right = "publish"
	// RightChat is to write messages.
	RightChat Right = "chat"
	// RightModerate is to delete what others wrote.
	RightModerate Right = "moderate"
	// RightChange is to change and delete the channel.
	RightChange Right = "change"
	// RightRecord is to record.
	RightRecord Right = "record"
)

// ChannelList is the data of the ACK to CHANNEL_LIST, sorted by position, then the oldest first.
type ChannelList struct {
	Channels []ChannelInfo `json:"channels"`
}

// ChannelDetail is the data of the ACK to CHANNEL_INFO.
type ChannelDetail struct {
	ChannelInfo

	ActiveMembers []Member `json:"active_members"`
	// Listeners are who listens without being in it.
	Listeners []Listener `json:"listeners,omitempty"`
}

// Joined is the data of the ACK to CHANNEL_JOIN.
type Joined struct {
	ChannelID   string `json:"channel_id"`
	ChannelName string `json:"channel_name"`
	Mode        Mode   `json:"mode"`
	SDPAnswer   string `json:"sdp_answer"`
	// ActiveMembers are all members in the order they joined, the joiner last.
	ActiveMembers []Member `json:"active_members"`
	Slots         []Slot   `json:"slots"`
	// Floor is there in a channel of ModePTT.
	Floor *Floor `json:"floor,omitempty"`
}

// Slot is one receiving audio line of a listener and who is heard on it.
type Slot struct {
	// Slot counts from 0 in the order of the offer's recvonly lines.
	Slot int `json:"slot"`
	// MID is the line's a=mid (RFC 9143).
	MID string `json:"mid"`
	// UserID is nil while nobody is assigned.
	UserID *string `json:"user_id"`
	// SSRC is the user's own, as in the CSRC list of the slot's packets; 0 until the
	// server knows it.
	SSRC uint32 `json:"ssrc,omitempty"`
	// Name is the user's, and the channel where the user is, where that is another one, to which one listens; else empty.
	Name        string `json:"name,omitempty"`
	ChannelID   string `json:"channel_id,omitempty"`
	ChannelName string `json:"channel_name,omitempty"`
}

// SlotMap is the d of SLOT_MAP: all slots of the listener, not only the changed ones.
type SlotMap struct {
	ChannelID string `json:"channel_id"`
	Slots     []Slot `json:"slots"`
}

// Speakers is the d of SPEAKERS: everyone who speaks now, the loudest first.
type Speakers struct {
	ChannelID string    `json:"channel_id"`
	Speakers  []Speaker `json:"speakers"`
}

// Speaker is one who speaks.
type Speaker struct {
	UserID string `json:"user_id"`
	// Level is smoothed, in -dBov (RFC 6464): 0 is the loudest, 127 silence.
	Level uint8 `json:"level"`
}

// VoiceStateEvent is the d of VOICE_STATE_EVENT and the data of the ACK to VOICE_STATE and HAND.
type VoiceStateEvent struct {
	// ChannelID is empty in the ACK of a client that is in no channel.
	ChannelID string `json:"channel_id,omitempty"`
	UserID    string `json:"user_id"`
	SelfMute  bool   `json:"self_mute"`
	SelfDeaf  bool   `json:"self_deaf"`
	Muted     bool   `json:"muted,omitempty"`
	// Suppressed, HandAt and Role are as in Member.
	Suppressed bool   `json:"suppressed,omitempty"`
	HandAt     int64  `json:"hand_at,omitempty"`
	Role       string `json:"role,omitempty"`
	Mic        Mic    `json:"mic,omitempty"`
	Sound      Sound  `json:"sound,omitempty"`
}

// MediaState is the d of MEDIA_STATE.
type MediaState struct {
	ChannelID string `json:"channel_id,omitempty"`
	UserID    string `json:"user_id"`
	State     Media  `json:"state"`
}

// ChannelEventKind is the "event" of CHANNEL_EVENT.
type ChannelEventKind string

// What can happen to a channel. Join, leave, connection and stage go to its members; create, update and
// delete to everyone who is identified.
const (
	ChannelEventJoin   ChannelEventKind = "join"
	ChannelEventLeave  ChannelEventKind = "leave"
	ChannelEventCreate ChannelEventKind = "create"
	ChannelEventUpdate ChannelEventKind = "update"
	ChannelEventDelete ChannelEventKind = "delete"
	// ChannelEventConnection: a member's connection is another than before.
	ChannelEventConnection ChannelEventKind = "connection"
	// ChannelEventStage: the channel's Speaking is another than before.
	ChannelEventStage ChannelEventKind = "stage"
)

// ChannelEvent is the d of CHANNEL_EVENT.
type ChannelEvent struct {
	Event     ChannelEventKind `json:"event"`
	ChannelID string           `json:"channel_id"`
	// Member is set for join, leave and connection.
	Member *Member `json:"member,omitempty"`
	// Cause is set for leave.
	Cause LeaveCause `json:"cause,omitempty"`
	// Channel is set for create and update.
	Channel *ChannelInfo `json:"channel,omitempty"`
	// Suppressed and Hands are for stage: the user ids of those who may not be heard, and whose hands are raised. Of all others
	// neither is so.
	Suppressed []string     `json:"suppressed,omitempty"`
	Hands      []RaisedHand `json:"hands,omitempty"`
}

// LeaveCause says why a member left.
type LeaveCause string

// Why a member left a channel.
const (
	// LeaveLeft: by CHANNEL_LEAVE, or by ending the media connection.
	LeaveLeft LeaveCause = "left"
	// LeaveGone: the connection ended or another session took its place.
	LeaveGone LeaveCause = "gone"
	// LeaveMediaFailed: the media connection failed for good, as when its DTLS handshake did.
	LeaveMediaFailed LeaveCause = "media_failed"
	// LeaveMediaTimeout: no sign of life on the media path for the zombie timeout.
	LeaveMediaTimeout LeaveCause = "media_timeout"
	// LeaveMoved: a moderator took the member to another channel.
	LeaveMoved LeaveCause = "moved"
	// LeaveKicked: a moderator put the member out.
	LeaveKicked LeaveCause = "kicked"
)

// Error is the d of ERROR.
type Error struct {
	// Op is the opcode of the request that failed.
	Op     Op        `json:"op"`
	Code   ErrorCode `json:"code"`
	Reason string    `json:"reason"`
	// RetryAfterMS, when set, is how long to wait before trying again, in milliseconds.
	RetryAfterMS int64 `json:"retry_after_ms,omitempty"`
}

// Error makes the payload usable as a Go error on the client's side.
func (e *Error) Error() string {
	if strings.HasPrefix(e.Reason, e.Code.String()) { // as the server's own reasons do
		return e.Op.String() + ": " + e.Reason
	}
	return e.Op.String() + ": " + e.Code.String() + ": " + e.Reason
}
