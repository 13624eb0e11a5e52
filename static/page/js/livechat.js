/**
 * Mini LiveChat for any web page: sign in to a server, join a channel, hear and be heard, write. The server's own page is made of
 * the same modules. It touches neither the page's elements nor its storage, and needs no other module.
 *
 *     import { Livechat } from 'https://chat.example.org/js/livechat.js';
 *
 *     const chat = new Livechat();
 *     chat.on('speakers', (userIds) => console.log(userIds));
 *     await chat.signInAsGuest('Ada');
 *     await chat.join('general');
 *
 * Who has signed in stays so: a lost connection is taken up again, and so are the channel one was in and the voice there, on
 * whatever network, until {@link Livechat#signOut}. What is named by the wire (members, channels, messages, slots) has the
 * fields that PROTOCOL.md states. Times are in milliseconds, points in time count from the Unix epoch.
 *
 * What can be refused rejects with a {@link RequestError}, whose `code` is one of {@link ErrorCode}, `reason` says why in English,
 * and `retryAfterMs` says after how long to try again, 0 where that is not known; with a {@link ConnectionLostError} where the
 * session ended before the answer came.
 * @module
 */

import { Client } from './client.js';
import { Directory } from './directory.js';
import { EntryError, askGuest, gatewayOf } from './entry.js';
import { Media } from './media.js';
import { Microphone, MicrophoneError } from './microphone.js';
import { watchNetwork } from './network.js';
import { ConnectionLostError, ErrorCode, Op, RequestError, StoppedError } from './protocol.js';
import { Stay } from './stay.js';

export { CloseCode, ErrorCode, Op } from './protocol.js';
export { ConnectionLostError, EntryError, MicrophoneError, RequestError, StoppedError };

/** @typedef {import('./client.js').ClientState} ClientState */
/** @typedef {import('./media.js').MediaState} MediaState */
/** @typedef {import('./microphone.js').Wishes} MicrophoneWishes */
/** @typedef {import('./protocol.js').ChannelInfo} ChannelInfo */
/** @typedef {import('./protocol.js').Member} Member */
/** @typedef {import('./protocol.js').MessageEventData} Message */
/** @typedef {import('./protocol.js').MessageChange} MessageChange */
/** @typedef {import('./protocol.js').Present} Present */
/** @typedef {import('./protocol.js').Role} Role */
/** @typedef {import('./stay.js').Problem} Problem */

/**
 * @typedef {object} Options
 * @property {string | URL} [server] where the server's page is; where this module came from when absent
 * @property {boolean} [music] leave the microphone's sound as it is: no echo cancellation, noise suppression or automatic gain
 * @property {string} [device] a word at random that you keep, by which the server knows this device again, for bans
 */

/**
 * Oneself, while signed in.
 * @typedef {object} Me
 * @property {string} userId
 * @property {string} name
 * @property {Role} role
 */

/**
 * The channel that one is in.
 * @typedef {object} Channel
 * @property {string} channelId
 * @property {string} name
 * @property {string} mode `conference`, where all may talk at once, or `ptt`, where one asks for the floor
 * @property {boolean} live false while it was lost and is being come back to
 * @property {Member[]} members in the order in which they joined, oneself among them
 */

/**
 * Somebody who is heard, as they come from the server: for a meter, a recording, or another output.
 * @typedef {object} Heard
 * @property {string} userId
 * @property {MediaStream} stream is played already; it stays the same while somebody else takes the line
 */

/**
 * The floor of a channel of mode `ptt`.
 * @typedef {object} FloorState
 * @property {import('./floor.js').Standing} standing one's own: '', `asking`, `granted`, `queued`, `denied` or `cut`
 * @property {string} cause why one was denied it, or cut
 * @property {import('./protocol.js').FloorHolder | null} holder who else has it
 * @property {number} position the place at which one waits, from 1 on; 0 when one does not
 * @property {number | null} leftS how long one may still talk, in seconds; null for as long as one likes
 */

/**
 * What {@link Livechat#on} tells of.
 * @typedef {object} Events
 * @property {ClientState} state how the connection is: `ready`; `connecting` and `waiting`, which pass by themselves; `stopped` for
 *   good, by a close `code` of the server (4004: the token is good no more; 4014, 4018: kicked, banned; 4019: signed in elsewhere);
 *   `idle` before signing in and after signing out
 * @property {MediaState} voice how voice is: `connected`; `connecting`; `unstable` while another path is looked for; `failed`,
 *   after which it is set up anew by itself; `idle` outside of channels
 * @property {ChannelInfo[]} channels what channels there are, or who is in them, is otherwise than before
 * @property {Channel | null} channel one is in another channel, or in none; or its members or their state changed
 * @property {ReadonlySet<string>} speakers user ids of all who speak in one's channel; at most every 100 ms
 * @property {Message} message somebody else wrote in one's channel
 * @property {MessageChange} messageChanged a message was edited, or deleted
 * @property {FloorState | null} floor who talks where one does at a time; null where all may
 * @property {Problem} problem what happened without one's asking, or went wrong without a call to reject: `doing` says what
 * @property {string} login a new token that takes the place of the one by which one signed in: keep it instead of that
 * @property {{op: number, d: any}} event any event of the server, as PROTOCOL.md has it
 */

export class Livechat {
  #server;
  #client;
  #media;
  #stay;
  #directory;
  #target = new EventTarget();
  #token = '';
  #role = /** @type {Role} */ ('guest');
  /** How loud people are, where it is not 1, by user id. @type {Map<string, number>} */
  #volumes = new Map();
  #unwatch;

  /** @param {Options} [options] */
  constructor({ server = new URL('..', import.meta.url), music = false, device } = {}) {
    this.#server = server;
    this.#client = new Client(gatewayOf(server), device);
    // Elements that play need not be on the page.
    this.#media = new Media(document.createElement('div'), new Microphone(!music));
    this.#media.volumeOf = (userId) => this.#volumes.get(userId) ?? 1;
    this.#directory = new Directory(this.#client);
    this.#stay = new Stay(this.#client, this.#media, this.#directory, { of: () => this.#journal() });
    this.#unwatch = watchNetwork({
      moved: () => this.#stay.moved(),
      seen: () => this.#client.look(),
      gone: () => {
        this.#stay.part();
        this.#client.stop();
      },
      back: () => this.#token && this.#client.start(this.#token),
    });
    this.#follow();
  }

  // Who one is.

  /**
   * Signs in as a guest, where the server lets guests in.
   * @param {string} name 1 to 64 characters
   * @returns {Promise<Me>}
   * @throws {EntryError} of the name, or of a server that takes no guests; or that was not reached, `status` being 0, which is all
   *   that browsers tell where its `--allow-origin` does not list the page's origin; else as {@link signIn}
   */
  async signInAsGuest(name) {
    const { token } = await askGuest(this.#server, name);
    return this.signIn(token);
  }

  /**
   * Signs in by a token, and stays so until {@link signOut} or `stopped`. A server that is not reached is tried again without end.
   * @param {string} token by `livechat token`, an invite, or a login that was kept
   * @returns {Promise<Me>}
   * @throws {StoppedError} `state.code` is 4004 for a token that is not good
   * @throws {EntryError} the server does not take this page for its own, and its `reason` says how it would
   */
  signIn(token) {
    this.#token = token;
    this.#client.start(token); // which ends what was before
    return new Promise((resolve, reject) => {
      const end = new AbortController();
      const finish = (/** @type {() => void} */ then) => {
        end.abort();
        then();
      };
      this.#client.addEventListener('ready', () => finish(() => resolve(/** @type {Me} */ (this.me))), { signal: end.signal });
      this.#client.addEventListener('state', () => {
        const { state } = this.#client;
        if (state.name === 'waiting' && state.refusal) {
          const { refusal } = state;
          finish(() => reject(new EntryError(403, refusal, 0, ErrorCode.SITE_REFUSED)));
          this.signOut();
        } else if (state.name === 'stopped' || state.name === 'idle') {
          finish(() => reject(new StoppedError(state)));
        }
      }, { signal: end.signal });
    });
  }

  /** Leaves the channel and the server, and lets the microphone go. */
  signOut() {
    this.#token = '';
    this.#stay.part();
    this.#stay.end();
    this.#client.stop();
  }

  /** Signs out for good: nothing here may be used any more. */
  close() {
    this.signOut();
    this.#unwatch();
  }

  /** @returns {Me | null} oneself, while there is a session, with or without a connection */
  get me() {
    const { ready } = this.#client;
    return ready && { userId: ready.user_id, name: ready.name, role: this.#role };
  }

  /** @returns {ClientState} see {@link Events} */
  get state() {
    return this.#client.state;
  }

  // Where one is.

  /** @returns {ChannelInfo[]} all channels that one may know of, in the server's order; empty before they are known */
  get channels() {
    return this.#directory.channels;
  }

  /**
   * @param {string} channelId
   * @returns {Present[]} who is there, while somebody looks at the page; in the order in which they came
   */
  peopleIn(channelId) {
    return this.#directory.peopleIn(channelId);
  }

  /**
   * @param {string} name
   * @param {{mode?: 'conference' | 'ptt', capacity?: number}} [settings] capacity in people, 0 for the server's limit
   * @returns {Promise<ChannelInfo>}
   * @throws {RequestError | ConnectionLostError}
   */
  createChannel(name, { mode = 'conference', capacity = 0 } = {}) {
    return this.#directory.create(name, mode, capacity);
  }

  /**
   * Joins a channel, and leaves the one that one is in. The browser may ask the person for the microphone. Once in, one stays: after
   * whatever cut, one comes back by oneself.
   * @param {string} channelId
   * @param {{listen?: boolean}} [how] `listen` without a microphone
   * @returns {Promise<Channel>} as soon as one is there; voice follows, see `voice`
   * @throws {MicrophoneError} `problem` says why there is none
   * @throws {RequestError} the server does not let one in
   * @throws {DOMException} named `AbortError`: another channel was asked for meanwhile, or none
   */
  join(channelId, { listen = false } = {}) {
    const stay = this.#stay;
    return new Promise((resolve, reject) => {
      const end = new AbortController();
      /** @type {Error | null} */
      let refused = null;
      stay.addEventListener('problem', (e) => {
        const { doing, error } = /** @type {CustomEvent<Problem>} */ (e).detail;
        refused = doing === 'join' ? error : refused;
      }, { signal: end.signal });
      stay.addEventListener('settled', () => {
        if (stay.here === channelId) {
          end.abort();
          resolve(/** @type {Channel} */ (this.channel));
        } else if (stay.wanted !== channelId) {
          end.abort();
          const { trouble } = stay.talk;
          const silent = trouble?.channelId === channelId ? new MicrophoneError(trouble.problem) : null;
          reject(refused ?? silent ?? new DOMException('another channel was asked for, or none', 'AbortError'));
        }
      }, { signal: end.signal });
      stay.talk.listenOnly = listen;
      if (listen) {
        stay.joinAsListener(channelId);
      } else {
        stay.join(channelId);
      }
    });
  }

  /** Leaves the channel, and lets the microphone go. */
  leave() {
    this.#stay.leave();
  }

  /** @returns {Channel | null} the channel that one is in */
  get channel() {
    const { room } = this.#stay;
    return room && { channelId: room.channelId, name: room.name, mode: room.mode, live: room.live, members: [...room.members.values()] };
  }

  // Hearing and being heard.

  /** @returns {MediaState} see {@link Events} */
  get voice() {
    return this.#media.state;
  }

  /** @returns {ReadonlySet<string>} user ids of who speaks in the channel, as the server hears it */
  get speakers() {
    return this.#stay.room?.speaking ?? new Set();
  }

  /** @returns {Heard[]} whom one hears: at most as many at once as the server gives slots */
  get heard() {
    return this.#media.slots.flatMap(({ userId, stream }) => (userId === null ? [] : [{ userId, stream }]));
  }

  /** Whether one is muted by oneself. */
  get muted() {
    return this.#stay.voice.silent;
  }

  /** @param {boolean} muted true: nobody hears one, in any channel; nothing leaves the machine */
  set muted(muted) {
    this.#stay.voice.setMuted(muted);
  }

  /** Whether one hears nobody, and nobody hears one. */
  get deaf() {
    return this.#stay.voice.deaf;
  }

  set deaf(deaf) {
    this.#stay.voice.setDeaf(deaf);
  }

  /**
   * @param {string} userId
   * @param {number} factor 1 is as they are, 0 nothing, 2 twice as loud
   */
  setVolume(userId, factor) {
    this.#volumes.set(userId, factor);
    this.#media.applyVolumes();
  }

  /**
   * Where more people talk than can be heard at once: whom to hear in any case, and whom never. It holds in all channels.
   * @param {string} userId
   * @param {'always' | 'never' | 'as it comes'} when
   */
  hear(userId, when) {
    const { hearing } = this.#stay;
    if (hearing.pinned.has(userId) !== (when === 'always')) {
      hearing.togglePin(userId);
    }
    if (hearing.excluded.has(userId) !== (when === 'never')) {
      hearing.toggleExclusion(userId);
    }
  }

  /**
   * Which microphone, and what the browser makes of its sound; in a channel at once.
   * @param {MicrophoneWishes} wishes
   */
  async chooseMicrophone(wishes) {
    if (this.#media.microphone.choose(wishes) && this.#media.microphone.track) {
      await this.#stay.useMicrophone();
    }
  }

  /** Turns the microphone on for one who joined to listen, or takes another one in place of one that gives nothing. */
  async useMicrophone() {
    await this.#stay.useMicrophone();
  }

  /** @param {string} deviceId the loudspeaker, '' for the system's choice */
  chooseSpeaker(deviceId) {
    this.#media.playback.setSpeaker(deviceId);
  }

  /**
   * Asks to talk where one talks at a time; what comes of it is told by `floor`. One who is muted is so no more.
   * @param {import('./floor.js').Wish} [wish] `priority` 0 to 255
   */
  requestFloor(wish = {}) {
    this.muted = false;
    this.#stay.floor.request(wish, this.#stay.voice.tell());
  }

  /** Gives the floor back, or one's place in the queue. */
  releaseFloor() {
    this.#stay.floor.release();
  }

  /** @returns {FloorState | null} null where all may talk at once */
  get floor() {
    const { there, standing, cause, holder, position, leftS } = this.#stay.floor;
    return there ? { standing, cause, holder, position, leftS } : null;
  }

  /**
   * Asks why somebody is not heard, who should talk meanwhile: for the first link that is broken on the way of their voice.
   * @param {string} userId
   * @returns {Promise<import('./protocol.js').WhyFound>} `cause` is one of PROTOCOL.md's, `ok` where nothing is broken; `what` and `mend`
   *   say it in English
   * @throws {RequestError | ConnectionLostError}
   */
  whyNotHeard(userId) {
    return this.#stay.why.ask(userId);
  }

  // Writing.

  /**
   * Writes to the channel that one is in. One's own messages are no `message` events.
   * @param {string} content
   * @param {{replyTo?: string}} [how] the id of the message that it answers
   * @returns {Promise<{message_id: string, timestamp: number}>}
   * @throws {RequestError | ConnectionLostError}
   */
  say(content, { replyTo } = {}) {
    const nonce = crypto.randomUUID?.() ?? String(Math.random());
    return this.request(Op.MESSAGE_CREATE, { channel_id: this.#stay.here, content, nonce, reply_to: replyTo });
  }

  /**
   * What was said before, the oldest first.
   * @param {{channelId?: string, before?: string, after?: string, limit?: number}} [where] in the channel that one is in when absent;
   *   `before` and `after` are ids of messages
   * @returns {Promise<{messages: Message[], more: boolean}>}
   * @throws {RequestError | ConnectionLostError}
   */
  history({ channelId = this.#stay.wanted ?? '', before, after, limit } = {}) {
    return this.request(Op.HISTORY, { channel_id: channelId, before, after, limit });
  }

  // All the rest.

  /**
   * Makes any request of the protocol. It outlives its connection: the server carries it out once.
   * @param {number} op one of {@link Op}
   * @param {object} [d]
   * @returns {Promise<any>} ACK's `data`, or the payload of the op's own reply
   * @throws {RequestError | ConnectionLostError}
   */
  request(op, d) {
    return this.#client.request(op, d);
  }

  /**
   * Calls a listener whenever something happens, from the next time on.
   * @template {keyof Events} K
   * @param {K} name
   * @param {(detail: Events[K]) => void} listener
   * @returns {() => void} ends it
   */
  on(name, listener) {
    const listen = (/** @type {Event} */ e) => listener(/** @type {CustomEvent} */ (e).detail);
    this.#target.addEventListener(name, listen);
    return () => this.#target.removeEventListener(name, listen);
  }

  /**
   * @template {keyof Events} K
   * @param {K} name
   * @param {Events[K]} detail
   */
  #tell(name, detail) {
    this.#target.dispatchEvent(new CustomEvent(name, { detail }));
  }

  #follow() {
    const [client, stay] = [this.#client, this.#stay];
    client.addEventListener('ready', (e) => {
      const { role, login_token } = /** @type {CustomEvent<import('./protocol.js').Ready>} */ (e).detail;
      this.#role = role;
      if (login_token) {
        this.#token = login_token;
        client.use(login_token);
        this.#tell('login', login_token);
      }
    });
    client.addEventListener('state', () => {
      if (client.state.name === 'stopped') {
        stay.leave(); // nobody comes back by themselves: the recording light goes out
      }
      this.#tell('state', client.state);
    });
    client.addEventListener('event', (e) => {
      const { op, d } = /** @type {CustomEvent} */ (e).detail;
      if (op === Op.MODERATION_EVENT && d.action === 'role' && d.user_id === this.me?.userId) {
        this.#role = d.role;
      }
      this.#tell('event', { op, d });
    });
    this.#media.addEventListener('state', () => this.#tell('voice', this.#media.state));
    this.#directory.addEventListener('change', () => this.#tell('channels', this.channels));
    stay.addEventListener('change', () => this.#tell('channel', this.channel));
    stay.addEventListener('speaking', () => this.#tell('speakers', this.speakers));
    stay.addEventListener('problem', (e) => this.#tell('problem', /** @type {CustomEvent<Problem>} */ (e).detail));
    stay.floor.addEventListener('change', () => {
      // Who has not the floor sends nothing: nobody would hear it.
      stay.voice.setQuiet(stay.floor.there && !['asking', 'granted'].includes(stay.floor.standing));
      this.#tell('floor', this.floor);
    });
  }

  /** @returns {import('./room.js').Journal} */
  #journal() {
    return {
      receive: (message) => this.#tell('message', message),
      apply: (change) => this.#tell('messageChanged', change),
      note: () => {},
      arrive: () => {},
      load: () => {},
      leave: () => {},
    };
  }
}
