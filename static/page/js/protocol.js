/**
 * The words of the wire: opcodes, error codes, close codes and the shapes of payloads,
 * as PROTOCOL.md describes them. No state, no browser API: this module also loads in
 * a plain JavaScript engine.
 * @module
 */

/** The protocol version this page speaks. */
export const VERSION = 1;

/** What HELLO's `features` has when a session outlives its connection. */
export const FEATURE_RESUME = 'resume';

/** What it has when moderators may mute, move, put out and ban. */
export const FEATURE_MODERATION = 'moderation';

/** What it has when people may invite others, who then are known. */
export const FEATURE_INVITES = 'invites';

/** What it has when channels say who is heard, and hands may be raised. */
export const FEATURE_STAGE = 'stage';

/** The mode of channels where one talks at a time. */
export const MODE_PTT = 'ptt';

/** What it has when one may listen to other channels than one's own. */
export const FEATURE_LISTEN = 'listen';

/** What it has when one may ask why somebody is not heard. */
export const FEATURE_WHY = 'why';

/** What it has when it is several nodes, at each of which one may go on. */
export const FEATURE_NODES = 'nodes';

/** What IDENTIFY's `features` has of one who says how it plays somebody, when it is asked. */
export const FEATURE_PLAYBACK = 'playback';

/** Opcodes, requests first. */
export const Op = Object.freeze({
  HEARTBEAT: 1,
  IDENTIFY: 3,
  RESUME: 5,
  CHANNEL_CREATE: 10,
  CHANNEL_JOIN: 11,
  CHANNEL_LEAVE: 12,
  CHANNEL_UPDATE: 13,
  CHANNEL_DELETE: 14,
  CHANNEL_LIST: 15,
  CHANNEL_INFO: 16,
  RENEGOTIATE: 17,
  ICE_CANDIDATE: 18,
  MEDIA_PROBE: 19,
  MESSAGE_CREATE: 20,
  HISTORY: 21,
  MESSAGE_UPDATE: 22,
  MESSAGE_DELETE: 23,
  SEARCH: 24,
  READ: 25,
  FLOOR_REQUEST: 30,
  FLOOR_RELEASE: 31,
  FLOOR_PING: 32,
  FLOOR_CLEAR: 33,
  VOICE_STATE: 40,
  SUBSCRIBE: 41,
  PRESENCE: 42,
  HAND: 43,
  LISTEN: 44,
  WHY: 45,
  PLAYBACK: 46,
  MEMBER_MUTE: 50,
  MEMBER_MOVE: 51,
  MEMBER_KICK: 52,
  MEMBER_BAN: 53,
  BAN_LIFT: 54,
  INVITE_CREATE: 55,
  INVITE_LIST: 56,
  INVITE_REVOKE: 57,
  AUDIT: 58,

  HELLO: 0,
  HEARTBEAT_ACK: 2,
  READY: 4,
  RESUMED: 6,
  RECONNECT: 7,
  INVALID_SESSION: 8,
  CHANNEL_EVENT: 100,
  MESSAGE_EVENT: 101,
  VOICE_STATE_EVENT: 102,
  SPEAKERS: 103,
  SLOT_MAP: 104,
  MODERATION_EVENT: 105,
  MEDIA_STATE: 106,
  ICE_SERVERS: 107,
  PRESENCE_EVENT: 108,
  MESSAGE_CHANGE: 109,
  LISTENING: 117,
  PLAYBACK_WANTED: 118,
  ALIVE: 119,
  FLOOR_GRANTED: 110,
  FLOOR_DENY: 111,
  FLOOR_TAKEN: 112,
  FLOOR_IDLE: 113,
  FLOOR_REVOKE: 114,
  FLOOR_QUEUE_POS_INFO: 115,
  FLOOR_PONG: 116,
  ACK: 200,
  ERROR: 201,
});

/** The `code` of an ERROR reply. */
export const ErrorCode = Object.freeze({
  NOT_AUTHENTICATED: 1000,
  INVALID_TOKEN: 1001,
  ALREADY_IDENTIFIED: 1002,
  INVALID_OPCODE: 1003,
  INVALID_PAYLOAD: 1004,
  RATE_LIMITED: 1008,
  UNSUPPORTED_VERSION: 1009,
  BANNED: 1010,
  SITE_REFUSED: 1011,
  DRAINING: 1012,
  NAME_TAKEN: 1013,
  INVITE: 1014,
  USER_NOT_FOUND: 1015,
  REJOIN: 1016,
  CHANNEL_NOT_FOUND: 2000,
  CHANNEL_FULL: 2001,
  ACCESS_DENIED: 2002,
  ALREADY_IN_CHANNEL: 2003,
  NOT_IN_CHANNEL: 2004,
  CHANNEL_EXISTS: 2005,
  MUTED: 2006,
  CHANNEL_NAME_TAKEN: 2008,
  OWNS_TOO_MANY: 2007,
  NEGOTIATING: 2010,
  EMPTY_MESSAGE: 3000,
  MESSAGE_TOO_LONG: 3001,
  MESSAGE_ELSEWHERE: 3002,
  MESSAGE_NOT_FOUND: 3003,
  BAD_SDP: 4001,
  UNSUPPORTED_MEDIA: 4002,
  FLOOR_DENIED: 5001,
  NOT_HOLDER: 5002,
  FLOOR_QUEUE_FULL: 5003,
  INTERNAL: 9000,
  STORAGE: 9001,
  UNSETTLED: 9002,
});

/** WebSocket close codes this page treats in a way of their own. */
export const CloseCode = Object.freeze({
  NORMAL: 1000,
  FRAME_TOO_LARGE: 1009,
  UNKNOWN: 4000,
  OPCODE: 4001,
  DECODE: 4002,
  AUTH_FAILED: 4004,
  BAD_SEQUENCE: 4007,
  TIMED_OUT: 4009,
  VERSION: 4012,
  KICKED: 4014,
  RESTARTING: 4015,
  BANNED: 4018,
  REPLACED: 4019,
  DRAINING: 4024,
  /** Ours: the connection is dead, the session is not. */
  GIVEN_UP: 4900,
});

/** After these, coming back by ourselves would only fail the same way again. */
const STOP_CODES = new Set(/** @type {number[]} */ ([
  CloseCode.FRAME_TOO_LARGE,
  CloseCode.OPCODE,
  CloseCode.DECODE,
  CloseCode.AUTH_FAILED,
  CloseCode.BAD_SEQUENCE,
  CloseCode.VERSION,
  CloseCode.REPLACED,
  CloseCode.KICKED,
  CloseCode.BANNED,
]));

/**
 * Says whether a closed connection may be opened again without a person's doing.
 * Codes this version does not know mean yes.
 * @param {number} code the close code; 1006 when there was none
 * @returns {boolean}
 */
export function mayReconnect(code) {
  return !STOP_CODES.has(code);
}

/**
 * Says whether the session ended with its connection. Of codes that the network or a proxy made up nobody knows: the answer
 * to RESUME tells.
 * @param {number} code the close code
 * @returns {boolean}
 */
export function endsSession(code) {
  const kept = /** @type {number[]} */ ([CloseCode.TIMED_OUT, CloseCode.DRAINING, CloseCode.GIVEN_UP]);
  return code >= CloseCode.UNKNOWN && !kept.includes(code);
}

/**
 * Says whether a request that was not answered in one session may be made in the next one: it means the same there, and
 * was not carried out before, unless that makes no difference.
 * @param {number} op
 * @param {boolean} sent
 * @returns {boolean}
 */
export function outlivesSession(op, sent) {
  switch (op) {
    case Op.CHANNEL_LIST:
    case Op.CHANNEL_INFO:
      return true;
    case Op.CHANNEL_CREATE:
    case Op.CHANNEL_UPDATE:
    case Op.CHANNEL_DELETE:
      return !sent;
    default:
      return false;
  }
}

/** A request the server answered with ERROR. */
export class RequestError extends Error {
  /** @param {{op: number, code: number, reason: string, retry_after_ms?: number}} d */
  constructor(d) {
    super(d.reason);
    this.name = 'RequestError';
    this.op = d.op;
    this.code = d.code;
    this.reason = d.reason;
    this.retryAfterMs = d.retry_after_ms ?? 0;
  }
}

/** The server ended the connection for good before anything was done. */
export class StoppedError extends Error {
  /** @param {import('./client.js').ClientState} state */
  constructor(state) {
    super(state.reason);
    this.name = 'StoppedError';
    this.state = state;
  }
}

/** A request that was not answered because the session ended, or was never there. */
export class ConnectionLostError extends Error {
  /** @param {boolean} sent whether the server may have carried it out */
  constructor(sent) {
    super('the connection to the server was lost');
    this.name = 'ConnectionLostError';
    this.sent = sent;
  }
}

/** After these the same request, a little later, may succeed. */
const PASSING = new Set(/** @type {number[]} */ ([ErrorCode.RATE_LIMITED, ErrorCode.NEGOTIATING]));

/** The wait when the server asks for one without saying how long, in milliseconds. */
const RATE_LIMIT_WAIT_MS = 1_000;

/**
 * Sends a request, again and again while the server says that it is one too many, or too soon.
 * @param {{request: (op: number, d: object) => Promise<any>}} client
 * @param {number} op
 * @param {object} d
 * @returns {Promise<any>} the data of the answer
 * @throws {RequestError | ConnectionLostError}
 */
export async function requestPatiently(client, op, d) {
  for (;;) {
    try {
      return await client.request(op, d);
    } catch (err) {
      if (!(err instanceof RequestError) || !PASSING.has(err.code)) {
        throw err;
      }
      await new Promise((resolve) => setTimeout(resolve, err.retryAfterMs || RATE_LIMIT_WAIT_MS));
    }
  }
}

/**
 * Makes a channel_id out of the name a person chose. Letters that ASCII lacks are
 * replaced by a hash of the whole name, so that two names in Korean or Arabic get two
 * ids.
 * @param {string} name
 * @param {string} [salt] tells ids of the same name apart
 * @returns {string} 1 to 64 of a–z 0–9 _ -
 */
export function channelIdFor(name, salt = '') {
  const plain = name.normalize('NFKD').replace(/\p{M}+/gu, '').toLowerCase();
  const lossy = /[^\x00-\x7f]/.test(plain);
  const slug = plain
    .replace(/[^a-z0-9_]+/g, '-')
    .slice(0, 40)
    .replace(/^-+|-+$/g, '');
  const tail = lossy || salt || !slug ? hash(name + salt) : '';
  return [slug || 'channel', tail].filter(Boolean).join('-');
}

/**
 * FNV-1a, 32 bits: short and good enough to tell names apart.
 * @param {string} text
 * @returns {string} at most seven characters
 */
export function hash(text) {
  let h = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) {
    h = Math.imul(h ^ byte, 0x01000193) >>> 0;
  }
  return h.toString(36);
}

/**
 * Counts what the server counts as characters: Unicode code points, not UTF-16 units.
 * @param {string} text
 * @returns {number}
 */
export function charCount(text) {
  return [...text].length;
}

/**
 * @typedef {object} Limits
 * @property {number} frame_bytes
 * @property {number} sdp_bytes
 * @property {number} message_chars
 * @property {number} channel_name_chars
 * @property {number} channel_capacity
 * @property {number} slots
 */

/** @typedef {'admin' | 'moderator' | 'member' | 'guest'} Role */

/**
 * @typedef {object} Ready
 * @property {number} v
 * @property {string} session_id
 * @property {string} user_id
 * @property {string} name
 * @property {Role} role what one may do here
 * @property {string} [login_token] takes the place of the login that one has
 * @property {string[]} [may] what one may do on the server: create, publish, chat, moderate, record
 * @property {string} [resume_token]
 * @property {number} resume_window_ms
 * @property {RTCIceServer[]} ice_servers
 * @property {ReadMark[]} [unread] all channels of which something is unread; absent where READ has to be asked
 * @property {Limits} limits
 * @property {string[]} [nodes] the pages of the other nodes
 * @property {boolean} [alone] the node sees too few of the others, so that nothing is kept
 * @property {{ticket: string}} [rejoin] by which one goes on there
 */

/**
 * What one has not read of a channel.
 * @typedef {object} ReadMark
 * @property {string} channel_id
 * @property {number} unread
 * @property {string} [last_read]
 */

/**
 * @typedef {object} Invite
 * @property {string} invite_id
 * @property {Role} role
 * @property {string} [channel_id]
 * @property {string} [user_id] whom it signs in
 * @property {number} uses 0 for any number
 * @property {number} used
 * @property {number} [expires_at]
 * @property {number} created_at
 * @property {string} [by_name]
 */

/**
 * @typedef {object} ChannelInfo
 * @property {string} channel_id
 * @property {string} channel_name
 * @property {string} mode
 * @property {number} capacity
 * @property {number} member_count
 * @property {number} created_at
 * @property {string} [owner_id]
 * @property {string} [topic]
 * @property {'open' | 'members' | 'invited'} access
 * @property {'all' | 'moderators' | 'allowed'} [speaking] who is heard
 * @property {number} [position]
 * @property {number} [keep_messages] absent: as many as the server keeps by default
 * @property {number} [keep_for_ms]
 * @property {FloorSettings} [floor]
 * @property {string[]} [may] what one may do there: enter, publish, chat, moderate, change, record
 */

/**
 * Somebody in a channel, as a list of channels shows them.
 * @typedef {object} Present
 * @property {string} user_id
 * @property {string} name
 * @property {boolean} [self_mute]
 * @property {boolean} [self_deaf]
 * @property {boolean} [muted] a moderator lets nobody hear them
 * @property {boolean} [speaks] they are to be heard there just now
 */

/**
 * Who is where: `members` are all that are there, or else `gone` have gone and then `set` come or changed.
 * @typedef {object} Presence
 * @property {{channel_id: string, members?: Present[], gone?: string[], set?: Present[]}[]} channels
 */

/**
 * @typedef {object} Member
 * @property {string} user_id
 * @property {string} name
 * @property {boolean} self_mute
 * @property {boolean} self_deaf
 * @property {boolean} [muted] a moderator lets nobody hear them
 * @property {boolean} [suppressed] the channel's `speaking` lets nobody hear them
 * @property {number} [hand_at] since when their hand is raised
 * @property {Role} [role] absent of a member
 * @property {boolean} talker
 * @property {'ok' | 'unstable'} connection
 * @property {'ok' | 'lost' | 'apart'} media
 * @property {import('./microphone.js').Condition} [mic]
 * @property {import('./playback.js').Sound} [sound]
 */

/**
 * @typedef {object} Slot
 * @property {number} slot
 * @property {string} mid
 * @property {string | null} user_id
 * @property {number} [ssrc] the user's own, as in the CSRC list of what comes on the line
 * @property {string} [channel_id] where the user is, if that is another channel, to which one listens
 * @property {string} [channel_name]
 * @property {string} [name] the user's, then
 */

/**
 * @typedef {object} Listen to which other channels one listens
 * @property {string[]} channels
 * @property {string} [priority]
 * @property {number} [slots]
 */

/**
 * @typedef {object} Speaker
 * @property {string} user_id
 * @property {number} level in -dBov, 0 the loudest
 */

/**
 * @typedef {object} Joined
 * @property {string} channel_id
 * @property {string} channel_name
 * @property {string} mode
 * @property {string} sdp_answer
 * @property {Member[]} active_members
 * @property {Slot[]} slots
 * @property {Floor} [floor] where one talks at a time
 */

/**
 * Who has the floor.
 * @typedef {object} FloorHolder
 * @property {string} user_id
 * @property {string} name
 * @property {number} priority
 * @property {number} since
 */

/**
 * The floor as it is one's own.
 * @typedef {object} FloorGranted
 * @property {number} grant_id
 * @property {number} priority
 * @property {number} since
 * @property {number} [left_ms] how long one may talk, absent for as long as one likes
 * @property {number} [warn_ms] how long before that one is warned
 * @property {number} [ping_timeout_ms]
 * @property {boolean} [over]
 */

/**
 * A channel's floor as a whole.
 * @typedef {object} Floor
 * @property {FloorHolder} [holder]
 * @property {FloorHolder} [over]
 * @property {number} waiting
 * @property {number} priority_max
 * @property {FloorGranted} [grant]
 * @property {number} [position]
 * @property {number} [size]
 */

/**
 * How the floor of a channel is given; what is absent is as the server has it.
 * @typedef {object} FloorSettings
 * @property {number} [talk_ms]
 * @property {number} [pause_ms]
 * @property {number} [queue]
 * @property {boolean} [cut_in]
 * @property {boolean} [over]
 */

/**
 * @typedef {object} ChannelEvent
 * @property {'join' | 'leave' | 'connection' | 'stage' | 'create' | 'update' | 'delete'} event
 * @property {string} channel_id
 * @property {Member} [member]
 * @property {'left' | 'gone' | 'media_failed' | 'media_timeout' | 'moved' | 'kicked'} [cause]
 * @property {ChannelInfo} [channel]
 * @property {string[]} [suppressed] user ids of those who may not be heard, of `stage`
 * @property {{user_id: string, hand_at: number}[]} [hands] likewise those that are raised
 */

/**
 * @typedef {object} MessageEventData a message
 * @property {string} message_id
 * @property {string} channel_id
 * @property {string} author_id
 * @property {string} author_name
 * @property {string} content
 * @property {number} timestamp
 * @property {string} [reply_to]
 * @property {number} [edited_at]
 */

/**
 * @typedef {MessageEventData & {marks: [number, number][]}} FoundMessage a message with the places of what was looked for, each
 *   the first code point and how many
 */

/**
 * @typedef {object} MessageChange
 * @property {string} channel_id
 * @property {string} message_id
 * @property {string} [content]
 * @property {number} [edited_at]
 * @property {boolean} [deleted]
 */

/**
 * @typedef {object} ModerationEvent
 * @property {'mute' | 'unmute' | 'move' | 'kick' | 'ban' | 'role' | 'uninvite'} action
 * @property {string} [channel_id]
 * @property {string} user_id
 * @property {string} [name]
 * @property {string} [by_name]
 * @property {string} [reason]
 * @property {number} [duration_s] of a ban; absent for good
 * @property {number} [until] when that is over, as Date.now() counts here
 * @property {Role} [role]
 * @property {string[]} [may] with `role`: what one may do on the server
 * @property {string} [to_channel_id]
 * @property {Joined} [joined] to the one who was moved
 */

/**
 * @typedef {object} Ban
 * @property {string} ban_id
 * @property {string} user_id
 * @property {string} [name]
 * @property {number} [until]
 * @property {string} [reason]
 * @property {string} [by_name]
 * @property {number} created_at
 */

/**
 * @typedef {object} Deed what a moderator did
 * @property {number} seq
 * @property {number} at
 * @property {ModerationEvent['action'] | 'unban' | 'allow' | 'deny' | 'login' | 'logout' | 'revoke' | 'delete'} action
 * @property {string} user_id
 * @property {string} [name]
 * @property {string} [channel_id]
 * @property {string} [by_name]
 * @property {string} [reason]
 * @property {Role} [role] that was given
 * @property {number} [until]
 */

/**
 * @typedef {object} VoiceState
 * @property {string} [channel_id]
 * @property {string} user_id
 * @property {boolean} self_mute
 * @property {boolean} self_deaf
 * @property {boolean} [muted]
 * @property {boolean} [suppressed]
 * @property {number} [hand_at]
 * @property {Role} [role]
 * @property {import('./microphone.js').Condition} [mic]
 * @property {import('./playback.js').Sound} [sound]
 */

/**
 * @typedef {object} PlaybackState how somebody is played; what is not known is absent
 * @property {import('./playback.js').Sound} [sound]
 * @property {number} [volume] of everything, 0 for silence
 * @property {number} [person_volume] of this person
 * @property {boolean} [playing] false when nothing is played though `sound` is `ok`
 * @property {number} [over_ms] in which time the following was counted
 * @property {number} [packets] that came of them
 * @property {number} [lost] that did not
 * @property {number} [concealed] share of what was played that was made up, 0 to 1
 * @property {number} [level] how loud it was, 0 to 1
 */

/**
 * @typedef {object} WhyFound why somebody is not heard
 * @property {string} user_id
 * @property {string} cause one of PROTOCOL.md's, `ok` when nothing is broken
 * @property {string} link where on the way of their voice
 * @property {'' | 'them' | 'you' | 'channel'} side whose it is
 * @property {string} what is wrong, in English
 * @property {string} mend what mends it, in English
 */
