/**
 * One person's session: signing in, and joining the signalling client, the list of
 * channels and the call together. It knows nothing of the screen.
 *
 * Events: `change` when anything readable here or in {@link Session#directory} or
 * {@link Session#call} changed.
 * @module
 */

import { EntryError, SignedOutError, endLogin, memory, requestGuestToken } from './account.js';
import { Call } from './call.js';
import { Chats } from './chat.js';
import { Directory } from './directory.js';
import { phrases } from './language.js';
import { Marks } from './marks.js';
import { watchNetwork } from './network.js';
import { CloseCode, ErrorCode, FEATURE_INVITES, FEATURE_MODERATION, Op, RequestError, StoppedError } from './protocol.js';
import { Pulse } from './pulse.js';
import { Reading } from './reading.js';
import { Retry } from './retry.js';
import { Seat, bearerOf } from './seat.js';
import { Store } from './store.js';

/** The roles, the least first. */
const RANKS = /** @type {import('./protocol.js').Role[]} */ (['guest', 'member', 'moderator', 'admin']);
const MODERATOR = RANKS.indexOf('moderator');

/** What the user ids of guests begin with. */
const GUEST_PREFIX = 'guest-';

export class Session extends Store {
  /** @type {'out' | 'busy' | 'in'} */
  stage = 'out';
  /** @type {Error | null} why signing in failed */
  signInError = null;
  /** @type {{userId: string, name: string, role: import('./protocol.js').Role} | null} */
  me = null;
  /** @type {import('./protocol.js').Limits | null} */
  limits = null;

  /** How one came: as a guest, by a token of one's own, or as one whom this browser knows by an invite. */
  /** @type {'guest' | 'token' | 'login'} */
  kind = 'guest';

  /** Another tab of this browser is who this one would come as. @type {{name: string, comeAsThat: () => void} | null} */
  elsewhere = null;

  #seat = new Seat();
  /** The server has said that it goes, and is not back. */
  restarting = false;

  /** By what a moderator has put one out, until one is back. @type {import('./protocol.js').ModerationEvent | null} */
  #putOut = null;
  #token = '';
  /** The token has not worked yet, so asking for another could go on for ever. */
  #untried = false;
  /** Asks for a guest token again when the server could not give one just now. */
  #renewal = new Retry(() => this.#renew());

  /**
   * @param {import('./client.js').Client} client
   * @param {import('./media.js').Media} media
   */
  constructor(client, media) {
    super();
    this.client = client;
    this.directory = new Directory(client);
    this.marks = new Marks(client);
    this.chats = new Chats(client, this.marks);
    this.call = new Call(client, media, this.directory, this.chats);
    this.reading = new Reading(this.call, this.chats);
    this.pulse = new Pulse(client, this.call);
    for (const part of [this.directory, this.marks, this.chats, this.call, this.reading, this.pulse]) {
      part.addEventListener('change', () => this.changed());
    }
    client.addEventListener('state', () => this.#onClientState());
    client.addEventListener('ready', () => this.#onReady());
    client.addEventListener('event', (e) => {
      const { op, d } = /** @type {CustomEvent} */ (e).detail;
      this.#onEvent(op, d);
    });
    watchNetwork({
      moved: () => this.call.moved(),
      seen: () => client.look(),
      gone: () => {
        this.call.part();
        client.stop();
        this.#seat.leave();
      },
      back: () => this.#comeBackFromCache(),
    });
  }

  /** How many messages one has not read, in all channels. */
  get unread() {
    return this.stage === 'in' ? this.directory.channels.reduce((sum, { channel_id }) => sum + this.marks.unread(channel_id), 0) : 0;
  }

  /** Whether what was lost is being mended, and nobody has to do anything. */
  get mending() {
    const { state } = this.client;
    const comesBack =
      state.name === 'connecting' ||
      (state.name === 'waiting' && !state.refusal) ||
      (state.name === 'stopped' && state.code === CloseCode.AUTH_FAILED);
    return this.stage === 'in' && (comesBack || this.call.mending || this.pulse.silent);
  }

  /** Whether one talks on, whatever became of the connection for messages. */
  get talksOn() {
    const { call } = this;
    return call.here !== null && call.media.state === 'connected' && !call.mending && !this.pulse.silent;
  }

  /** Why a moderator does not let one be here, or null. @returns {import('./words/deeds.js').Ending | null} */
  get ending() {
    const { name, code, reason, until } = this.client.state;
    const banned = code === CloseCode.BANNED;
    if (name !== 'stopped' || !(banned || code === CloseCode.KICKED)) {
      return null;
    }
    const d = this.#putOut;
    const why = d ? (d.reason ?? '') : (reason ?? '');
    const where = d?.channel_id && this.directory.nameOf(d.channel_id);
    return { banned, by: d ? (d.by_name ?? '') : undefined, reason: why, where, until: d?.until ?? until };
  }

  /** Comes back after a moderator put one out. */
  comeBack() {
    if (this.stage === 'out') {
      this.#begin(null);
    }
    this.client.retryNow();
  }

  /**
   * @param {string} channelId
   * @returns {import('./protocol.js').Present[]} who is there, of one's own channel as it is known best
   */
  peopleIn(channelId) {
    const { room } = this.call;
    return room?.live && room.channelId === channelId ? [...room.members.values()] : this.directory.peopleIn(channelId);
  }

  /**
   * @param {string} channelId
   * @returns {Set<string>} user ids of who speaks there, as far as one may know it; of one's own channel nobody while voice is interrupted
   */
  speakingIn(channelId) {
    const { room } = this.call;
    if (room?.channelId === channelId) {
      return this.talksOn && this.client.state.name === 'ready' ? room.speaking : new Set();
    }
    return new Set(this.directory.peopleIn(channelId).filter((p) => p.speaks).map((p) => p.user_id));
  }

  /**
   * @param {string} name
   * @param {string | null} channelId where to go at once
   */
  async signInAsGuest(name, channelId) {
    this.#begin(channelId);
    try {
      const guest = await requestGuestToken(name);
      memory.name = guest.name;
      this.#untried = true;
      this.#start(guest.token, 'guest');
    } catch (err) {
      this.#failed(/** @type {Error} */ (err));
    }
  }

  /**
   * @param {string} token
   * @param {Session['kind']} kind a guest's may be replaced by another
   * @param {string | null} channelId where to go at once
   */
  signInWithToken(token, kind, channelId) {
    this.#begin(channelId);
    this.#untried = false;
    this.#start(token, kind);
  }

  /**
   * Comes as whom the browser keeps, unless another of its tabs is that already: then the person decides.
   * @param {string} token
   * @param {Session['kind']} kind
   * @param {string | null} channelId where to go at once
   */
  async signInAgain(token, kind, channelId) {
    const { userId, name } = bearerOf(token);
    const comeAsThat = () => this.signInWithToken(token, kind, channelId);
    this.#begin(channelId);
    if (await this.#seat.isFree(userId)) {
      comeAsThat();
    } else {
      this.call.wanted = null;
      this.stage = 'out';
      this.elsewhere = { name, comeAsThat };
      this.changed();
    }
  }

  /** The browser has kept the page for as long as another one was shown; meanwhile another tab may have become who this one was. */
  async #comeBackFromCache() {
    if (this.stage !== 'in' || !this.me) {
      return;
    }
    if (await this.#seat.isFree(this.me.userId)) {
      this.client.start(this.#token);
    } else {
      this.signInAgain(this.#token, this.kind, this.call.wanted);
    }
  }

  /** Does not come as whom another tab is. */
  comeAsOther() {
    this.elsewhere = null;
    memory.credentials = { token: '', guest: false };
    this.changed();
  }

  /** Leaves as who one is: who was known here by a login is so no more. */
  signOut() {
    this.#renewal.cancel();
    this.call.part();
    this.#end();
    if (this.kind === 'login') {
      endLogin(this.#token);
    }
    this.#forget();
    this.stage = 'out';
    this.signInError = null;
    this.client.stop();
    this.#seat.leave();
    this.changed();
  }

  /** @param {import('./protocol.js').ChannelInfo} info what a channel is like by one's own doing */
  onChannelChanged(info) {
    this.directory.upsert(info);
    this.call.told.onEvent(Op.CHANNEL_EVENT, { event: 'update', channel_id: info.channel_id, channel: info });
  }

  /** @param {string} channelId */
  async deleteChannel(channelId) {
    const name = this.directory.nameOf(channelId);
    try {
      await this.directory.delete(channelId);
      this.#onDeleted(channelId);
      this.call.told.onDeleted(channelId);
    } catch (err) {
      this.call.report('delete', name, /** @type {Error} */ (err));
    }
  }

  /** @param {string} channelId */
  #onDeleted(channelId) {
    this.reading.leave(channelId);
    this.chats.delete(channelId);
  }

  /**
   * @param {string | null} channelId
   * @returns {boolean} whether one may change and delete the channel
   */
  mayAdminister(channelId) {
    const { userId, role } = this.me ?? {};
    const owner = this.directory.find(channelId)?.owner_id;
    return role === 'admin' || (owner !== undefined && owner === userId);
  }

  /**
   * @param {string | null} channelId
   * @returns {boolean} whether one may join the channel and read it
   */
  mayEnter(channelId) {
    return this.directory.find(channelId)?.access !== 'members' || this.me?.role !== 'guest' || this.mayAdminister(channelId);
  }

  /** Whether one may ban people, and see who is and what moderators did. */
  get moderates() {
    return (this.me?.role === 'moderator' || this.me?.role === 'admin') && this.client.has(FEATURE_MODERATION);
  }

  /**
   * @param {string} userId
   * @returns {boolean} whether one may mute, move and remove somebody in one's channel: as a moderator, who is more than they are there
   */
  mayAct(userId) {
    const member = this.call.room?.members.get(userId);
    const info = this.directory.find(this.call.here);
    const may = info?.may?.includes('moderate') ?? this.mayModerate(this.call.here);
    if (!member || userId === this.me?.userId || !may || !this.client.has(FEATURE_MODERATION)) {
      return false;
    }
    const [mine, theirs] = [RANKS.indexOf(this.me?.role ?? 'guest'), RANKS.indexOf(member.role ?? 'member')];
    // A channel's owner is a moderator there, but to those who moderate the server.
    const equal = mine < MODERATOR && userId === info?.owner_id;
    return !equal && Math.max(mine, MODERATOR) > theirs;
  }

  /**
   * @param {string | null} channelId null for the server
   * @returns {boolean} whether one may invite people there
   */
  mayInvite(channelId) {
    const { role } = this.me ?? {};
    const owner = this.directory.find(channelId)?.owner_id ?? '';
    const lasts = !owner.startsWith(GUEST_PREFIX); // a guest's channel goes away with them
    const may = channelId === null ? role === 'moderator' || role === 'admin' : lasts && this.mayModerate(channelId);
    return may && this.client.has(FEATURE_INVITES);
  }

  /**
   * @param {string | null} channelId
   * @returns {boolean} whether one may delete what others wrote there
   */
  mayModerate(channelId) {
    return this.me?.role === 'moderator' || this.mayAdminister(channelId);
  }

  /** @param {string | null} channelId */
  #begin(channelId) {
    this.stage = 'busy';
    this.elsewhere = null;
    this.signInError = null;
    this.call.wanted = channelId;
    this.changed();
  }

  /**
   * @param {string} token
   * @param {Session['kind']} kind
   */
  #start(token, kind) {
    this.#token = token;
    this.kind = kind;
    memory.credentials = kind === 'login' ? { token: '', guest: false } : { token, guest: kind === 'guest' };
    this.client.start(token);
  }

  /** The browser keeps the token no longer. */
  #forget() {
    memory.credentials = { token: '', guest: false };
    if (this.kind === 'login') {
      memory.login = { token: '', name: '' };
    }
  }

  /** What is on the screen is nobody's any more. */
  #end() {
    this.reading.leave();
    this.call.end();
    this.chats.clear();
  }

  /** @param {Error} err */
  #failed(err) {
    this.#end();
    this.stage = 'out';
    this.signInError = err;
    this.changed();
  }

  #onReady() {
    const { ready } = this.client;
    if (!ready) {
      return;
    }
    this.me = { userId: ready.user_id, name: ready.name, role: ready.role };
    this.limits = ready.limits;
    if (this.kind === 'login') {
      this.#token = ready.login_token ?? this.#token;
      this.client.use(this.#token);
      memory.login = { token: this.#token, name: ready.name };
    }
    this.stage = 'in';
    this.restarting = false;
    this.#seat.take(ready.user_id);
    this.#putOut = null;
    this.#untried = false;
    this.marks.begin(ready.user_id, ready.unread);
    this.changed();
  }

  #onClientState() {
    const { name, code, reason } = this.client.state;
    if (name === 'stopped') {
      this.#seat.leave();
    }
    if (name === 'stopped' && code === CloseCode.AUTH_FAILED) {
      this.#onRefused(reason ?? '');
    } else if (name === 'stopped' && this.stage === 'busy') {
      this.#failed(new StoppedError(this.client.state));
    } else if (name === 'stopped') {
      if (code === CloseCode.KICKED || code === CloseCode.BANNED) {
        this.call.leave();
      }
      // Nobody listens until a person does something: the recording light goes out.
      this.call.microphone.close();
    }
    this.changed();
  }

  /**
   * The token is not good any more: it expired, or the server has a new secret. A guest
   * gets another one without being asked.
   * @param {string} reason
   */
  async #onRefused(reason) {
    this.#forget();
    if (this.kind === 'guest' && !this.#untried && memory.name) {
      await this.#renew();
    } else {
      this.#failed(this.kind === 'login' ? new SignedOutError() : new RequestError({ op: Op.IDENTIFY, code: ErrorCode.INVALID_TOKEN, reason }));
    }
  }

  async #renew() {
    try {
      const guest = await requestGuestToken(memory.name);
      this.#renewal.succeeded();
      this.#untried = true;
      this.#start(guest.token, 'guest');
    } catch (err) {
      if (err instanceof EntryError && err.passing) {
        this.#renewal.later();
      } else {
        this.#failed(/** @type {Error} */ (err));
      }
    }
  }

  /** @param {import('./protocol.js').ModerationEvent} d what was done to oneself; muting and moving are the call's */
  #onJudged(d) {
    if (d.action === 'kick' || d.action === 'ban') {
      this.#putOut = { ...d, until: d.duration_s ? Date.now() + d.duration_s * 1_000 : undefined };
    } else if (d.action === 'role' && d.role && this.me) {
      this.me = { ...this.me, role: d.role };
      this.call.report('role', d.role, null);
    }
  }

  /**
   * One has done something to somebody as a moderator, of which the server tells the others.
   * @param {import('./protocol.js').ModerationEvent} d
   */
  onDone(d) {
    this.call.told.onEvent(Op.MODERATION_EVENT, { ...d, channel_id: this.call.here, by_name: phrases.common.you });
  }

  /**
   * @param {number} op
   * @param {any} d
   */
  #onEvent(op, d) {
    if (op === Op.RECONNECT) {
      this.restarting = true;
      this.changed();
    } else if (op === Op.CHANNEL_EVENT && d.event === 'delete') {
      this.#onDeleted(d.channel_id);
    } else if (op === Op.MODERATION_EVENT && d.user_id === this.me?.userId) {
      this.#onJudged(d);
    }
  }
}
