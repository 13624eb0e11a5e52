package protocol

import "strconv"

// Op is the opcode of a frame: what it asks, answers or announces.
type Op int

// Opcodes a client sends. Each is answered exactly once: by the reply named in the
// comment, or by OpError.
const (
	OpHeartbeat     Op = 1  // → OpHeartbeatAck
	OpIdentify      Op = 3  // → OpReady
	OpResume        Op = 5  // → OpResumed or OpInvalidSession
	OpChannelCreate Op = 10 // → OpAck
	OpChannelJoin   Op = 11 // → OpAck
	OpChannelLeave  Op = 12 // → OpAck
	OpChannelUpdate Op = 13 // → OpAck
	OpChannelDelete Op = 14 // → OpAck
	OpChannelList   Op = 15 // → OpAck
	OpChannelInfo   Op = 16 // → OpAck
	OpRenegotiate   Op = 17 // → OpAck
	OpICECandidate  Op = 18 // → OpAck
	OpMediaProbe    Op = 19 // → OpAck
	OpMessageCreate Op = 20 // → OpAck
	OpHistory       Op = 21 // → OpAck
	OpMessageUpdate Op = 22 // → OpAck
	OpMessageDelete Op = 23 // → OpAck
	OpSearch        Op = 24 // → OpAck
	OpRead          Op = 25 // → OpAck
	OpFloorRequest  Op = 30 // → OpAck
	OpFloorRelease  Op = 31 // → OpAck
	OpFloorPing     Op = 32 // → OpFloorPong
	OpFloorClear    Op = 33 // → OpAck
	OpVoiceState    Op = 40 // → OpAck
	OpSubscribe     Op = 41 // → OpAck
	OpPresence      Op = 42 // → OpAck
	OpHand          Op = 43 // → OpAck
	OpListen        Op = 44 // → OpAck
	OpWhy           Op = 45 // → OpAck
	OpPlayback      Op = 46 // → OpAck
	OpMemberMute    Op = 50 // → OpAck
	OpMemberMove    Op = 51 // → OpAck
	OpMemberKick    Op = 52 // → OpAck
	OpMemberBan     Op = 53 // → OpAck
	OpBanLift       Op = 54 // → OpAck
	OpInviteCreate  Op = 55 // → OpAck
	OpInviteList    Op = 56 // → OpAck
	OpInviteRevoke  Op = 57 // → OpAck
	OpAudit         Op = 58 // → OpAck
)

// Opcodes the server sends: replies, which carry the request's id, and events.
const (
	OpHello           Op = 0   // first frame of every connection
	OpHeartbeatAck    Op = 2   // reply
	OpReady           Op = 4   // reply
	OpResumed         Op = 6   // reply
	OpReconnect       Op = 7   // event
	OpInvalidSession  Op = 8   // reply
	OpChannelEvent    Op = 100 // event
	OpMessageEvent    Op = 101 // event
	OpVoiceStateEvent Op = 102 // event
	OpSpeakers        Op = 103 // event without a number, may be left out
	OpSlotMap         Op = 104 // event
	OpModerationEvent Op = 105 // event
	OpMediaState      Op = 106 // event
	OpICEServers      Op = 107 // event
	OpPresenceEvent   Op = 108 // event
	OpMessageChange   Op = 109 // event
	OpFloorGranted    Op = 110 // event
	OpFloorDeny       Op = 111 // event
	OpFloorTaken      Op = 112 // event
	OpFloorIdle       Op = 113 // event
	OpFloorRevoke     Op = 114 // event
	OpFloorQueue      Op = 115 // event
	OpFloorPong       Op = 116 // reply
	OpListening       Op = 117 // event
	OpPlaybackWanted  Op = 118 // event
	OpAlive           Op = 119 // event without a number
	OpAck             Op = 200 // reply
	OpError           Op = 201 // reply
)

// String returns the opcode's name as PROTOCOL.md writes it, or "OP(n)".
func (o Op) String() string { //nolint:funlen // a table
	switch o {
	case OpHello:
		return "HELLO"
	case OpHeartbeat:
		return "HEARTBEAT"
	case OpHeartbeatAck:
		return "HEARTBEAT_ACK"
	case OpIdentify:
		return "IDENTIFY"
	case OpReady:
		return "READY"
	case OpResume:
		return "RESUME"
	case OpResumed:
		return "RESUMED"
	case OpReconnect:
		return "RECONNECT"
	case OpInvalidSession:
		return "INVALID_SESSION"
	case OpChannelCreate:
		return "CHANNEL_CREATE"
	case OpChannelJoin:
		return "CHANNEL_JOIN"
	case OpChannelLeave:
		return "CHANNEL_LEAVE"
	case OpChannelUpdate:
		return "CHANNEL_UPDATE"
	case OpChannelDelete:
		return "CHANNEL_DELETE"
	case OpChannelList:
		return "CHANNEL_LIST"
	case OpChannelInfo:
		return "CHANNEL_INFO"
	case OpRenegotiate:
		return "RENEGOTIATE"
	case OpICECandidate:
		return "ICE_CANDIDATE"
	case OpMediaProbe:
		return "MEDIA_PROBE"
	case OpMessageCreate:
		return "MESSAGE_CREATE"
	case OpHistory:
		return "HISTORY"
	case OpMessageUpdate:
		return "MESSAGE_UPDATE"
	case OpMessageDelete:
		return "MESSAGE_DELETE"
	case OpSearch:
		return "SEARCH"
	case OpRead:
		return "READ"
	case OpFloorRequest:
		return "FLOOR_REQUEST"
	case OpFloorRelease:
		return "FLOOR_RELEASE"
	case OpFloorPing:
		return "FLOOR_PING"
	case OpFloorClear:
		return "FLOOR_CLEAR"
	case OpFloorGranted:
		return "FLOOR_GRANTED"
	case OpFloorDeny:
		return "FLOOR_DENY"
	case OpFloorTaken:
		return "FLOOR_TAKEN"
	case OpFloorIdle:
		return "FLOOR_IDLE"
	case OpFloorRevoke:
		return "FLOOR_REVOKE"
	case OpFloorQueue:
		return "FLOOR_QUEUE_POS_INFO"
	case OpFloorPong:
		return "FLOOR_PONG"
	case OpVoiceState:
		return "VOICE_STATE"
	case OpSubscribe:
		return "SUBSCRIBE"
	case OpHand:
		return "HAND"
	case OpListen:
		return "LISTEN"
	case OpListening:
		return "LISTENING"
	case OpWhy:
		return "WHY"
	case OpPlayback:
		return "PLAYBACK"
	case OpPlaybackWanted:
		return "PLAYBACK_WANTED"
	case OpAlive:
		return "ALIVE"
	case OpMemberMute:
		return "MEMBER_MUTE"
	case OpMemberMove:
		return "MEMBER_MOVE"
	case OpMemberKick:
		return "MEMBER_KICK"
	case OpMemberBan:
		return "MEMBER_BAN"
	case OpBanLift:
		return "BAN_LIFT"
	case OpAudit:
		return "AUDIT"
	case OpModerationEvent:
		return "MODERATION_EVENT"
	case OpInviteCreate:
		return "INVITE_CREATE"
	case OpInviteList:
		return "INVITE_LIST"
	case OpInviteRevoke:
		return "INVITE_REVOKE"
	case OpPresence:
		return "PRESENCE"
	case OpChannelEvent:
		return "CHANNEL_EVENT"
	case OpMessageEvent:
		return "MESSAGE_EVENT"
	case OpVoiceStateEvent:
		return "VOICE_STATE_EVENT"
	case OpSpeakers:
		return "SPEAKERS"
	case OpSlotMap:
		return "SLOT_MAP"
	case OpMediaState:
		return "MEDIA_STATE"
	case OpICEServers:
		return "ICE_SERVERS"
	case OpPresenceEvent:
		return "PRESENCE_EVENT"
	case OpMessageChange:
		return "MESSAGE_CHANGE"
	case OpAck:
		return "ACK"
	case OpError:
		return "ERROR"
	default:
		return "OP(" + strconv.Itoa(int(o)) + ")"
	}
}
