/**
 * Being in the channel one wants to be in.
 *
 * What the person wants (`wanted`) is kept apart from what is (`room`), and one loop
 * brings the second to the first. So clicks may come in any order and at any time, and
 * coming back after a lost session is nothing special. A session that only lost its connection is
 * still there: requests wait, and nobody here notices. What the server tells is taken by {@link Stay#told}.
 *
 * Events: `change`; `speaking` when only {@link Room#speaking} changed; `settled` when one is where one wants to be, or
 * waits for something; `problem`, a {@link Problem}.
 * @module
 */

import { Audience } from './audience.js';
import { Floor } from './floor.js';
import { Hearing } from './hearing.js';
import { Listening } from './listening.js';
import { Path } from './path.js';
import { ConnectionLostError, ErrorCode, Op, RequestError } from './protocol.js';
import { Retry } from './retry.js';
import { Room } from './room.js';
import { Store } from './store.js';
import { Talk } from './talk.js';
import { Told } from './told.js';
import { Voice } from './voice.js';
import { Why } from './why.js';

/**
 * What went wrong, or is to be known, for others to put into words.
 * @typedef {object} Problem
 * @property {'join' | 'delete' | 'voice' | 'deleted' | 'moved' | 'uninvited' | 'held' | 'role' | 'deed' | 'microphone-changed' | 'hand' | 'audience'
 *   | 'let-speak' | 'let-speak-muted' | 'listen' | 'undenoised'} doing
 * @property {string} name the channel's, the microphone's, the role, or of whom one would have done something to
 * @property {string} [by] who did it, as far as it is known
 * @property {Error | null} error
 */

/** @template {import('./room.js').Journal} [J=import('./room.js').Journal] */
export class Stay extends Store {
  /** @type {string | null} the channel the person wants to be in */
  wanted = null;
  /** @type {Room<J> | null} */
  room = null;
  /** One's user id, once the server has said it. */
  myId = '';
  /** Sets voice up anew when it was lost. */
  retry = new Retry(() => this.retryNow());
  /** Voice has not come through since one joined, although it was tried. */
  pathBlocked = false;
  /** Why the browser did not even try, where that is so. @type {import('./untried.js').Untried | null} */
  untried = null;

  #client;
  #chats;
  #settling = false;
  /** Voice goes on as it was until it goes over another node. */
  #handsOver = false;
  /** Leave and come back, although one is where one wants to be. */
  #again = false;

  /**
   * @param {import('./client.js').Client} client
   * @param {import('./media.js').Media} media
   * @param {import('./directory.js').Directory} directory
   * @param {{of: (channelId: string) => J}} chats who keeps account of what happens in each channel
   */
  constructor(client, media, directory, chats) {
    super();
    this.#client = client;
    this.media = media;
    this.microphone = media.microphone;
    this.voice = new Voice(client, media);
    this.talk = new Talk(media, this.voice);
    this.hearing = new Hearing(client);
    this.floor = new Floor(client);
    this.listening = new Listening(client);
    this.path = new Path(client, media);
    this.why = new Why(client, media);
    this.audience = new Audience(client, this);
    this.told = new Told(client, this, directory);
    this.directory = directory;
    this.#chats = chats;
    this.talk.addEventListener('change', () => this.changed());
    this.voice.addEventListener('change', () => this.changed());
    this.hearing.addEventListener('change', () => this.changed());
    this.floor.addEventListener('change', () => this.changed());
    this.listening.addEventListener('change', () => this.changed());
    this.listening.addEventListener('refused', (e) => this.report('listen', '', /** @type {CustomEvent} */ (e).detail));
    this.hearing.addEventListener('refused', (e) => this.report('voice', '', /** @type {CustomEvent} */ (e).detail));
    this.voice.addEventListener('refused', (e) => this.report('voice', '', /** @type {CustomEvent} */ (e).detail));
    this.voice.addEventListener('told', (e) => this.told.onVoiceState(/** @type {CustomEvent} */ (e).detail));
    this.voice.addEventListener('change', () => this.listen());
    this.path.addEventListener('change', () => this.changed());
    this.path.addEventListener('lost', () => this.retryNow());
    media.addEventListener('state', () => this.#onMediaState());
    media.playback.addEventListener('change', () => this.changed());
    this.microphone.addEventListener('lost', () => this.#recover());
    this.microphone.addEventListener('devices', () => this.#recover());
  }

  /** The channel one is in as far as the server knows. */
  get here() {
    return this.room?.live ? this.room.channelId : null;
  }

  /** Whether voice was lost and is being set up again, or another path is looked for. */
  get mending() {
    const returns = this.room !== null && this.room.channelId === this.wanted && !this.room.live;
    const gone = this.media.state === 'failed' && this.media.everConnected;
    return (returns && !this.microphone.asking) || gone || this.path.broken;
  }

  /** Whether one goes to another node, and is heard meanwhile. */
  get moves() {
    return this.#handsOver || (this.#client.moves && this.room !== null);
  }

  /** Oneself as one of the channel's members, or null. */
  get mine() {
    return this.room?.members.get(this.myId) ?? null;
  }

  // What the person does.

  /** @param {string} channelId */
  join(channelId) {
    this.clear();
    if (this.wanted !== channelId) {
      this.microphone.cancel();
    }
    this.wanted = channelId;
    this.settle();
  }

  /** @param {string} channelId */
  joinAsListener(channelId) {
    this.talk.listenOnly = true;
    this.microphone.cancel();
    this.join(channelId);
  }

  leave() {
    this.wanted = null;
    this.clear();
    this.microphone.close();
    this.settle();
  }

  /**
   * Turns the microphone on for one who listens, or another one for one whose own went away,
   * is held by the system or gives nothing.
   */
  async useMicrophone() {
    const channelId = this.here;
    if (!channelId || !(await this.talk.open(channelId, true))) {
      return;
    }
    this.talk.listenOnly = false;
    this.clear();
    if (!(await this.media.replaceMicrophone())) {
      this.#again = true;
      this.settle();
    }
  }

  /** The network is another one: what went over the old one may be dead. */
  moved() {
    this.#client.look();
    this.path.restart();
  }

  /** Has the others know that one leaves, where the session is about to end: else one would have lost the connection to them. */
  part() {
    if (this.here !== null) {
      this.#client.request(Op.CHANNEL_LEAVE, { channel_id: this.here }).catch(() => {}); // nobody waits for the answer
    }
  }

  /** Sets voice up anew without waiting. */
  retryNow() {
    this.retry.cancel();
    this.#again = true;
    this.settle();
  }

  /**
   * @param {Problem['doing']} doing
   * @param {string} name
   * @param {Error | null} error
   * @param {string} [by]
   */
  report(doing, name, error, by) {
    this.dispatchEvent(new CustomEvent('problem', { detail: { doing, name, error, by } }));
  }

  /** What went wrong before is over: the person does something else. */
  clear() {
    this.talk.trouble = null;
  }

  /** Ends everything: the person signed out. */
  end() {
    this.wanted = null;
    this.clear();
    this.microphone.cancel();
    this.hangUp();
    this.microphone.close();
    this.quit();
    this.talk.listenOnly = false;
    this.listening.end();
    this.dispatchEvent(new CustomEvent('settled'));
    this.changed();
  }

  // The loop between what is wanted and what is.

  /** Begins the loop, unless it runs. */
  async settle() {
    this.changed();
    if (this.#settling) {
      return;
    }
    this.#settling = true;
    while (this.#client.ready) {
      const { here } = this;
      if (here !== null && (here !== this.wanted || this.#again)) {
        await this.#exit(here);
      } else if (here === null && this.wanted !== null) {
        await this.#enter(this.wanted);
      } else {
        break;
      }
    }
    this.#settling = false;
    if (this.wanted === null) {
      this.quit();
      this.microphone.close();
    }
    this.dispatchEvent(new CustomEvent('settled'));
    this.changed();
  }

  /** Takes the channel off the screen. */
  quit() {
    this.#handsOver = false;
    this.room?.chat.leave();
    this.room = null;
    this.floor.begin(undefined);
    this.hold();
  }

  /** @param {string} channelId */
  async #exit(channelId) {
    this.#again = false;
    this.hangUp();
    if (this.wanted !== channelId) {
      this.quit();
    }
    this.changed();
    try {
      await this.#client.request(Op.CHANNEL_LEAVE, { channel_id: channelId });
    } catch {
      // Not there any more, for whatever reason: that was the aim.
    }
  }

  /** @param {string} channelId */
  async #enter(channelId) {
    this.#again = false;
    this.retry.cancel();
    const may = this.directory.find(channelId)?.may ?? this.#client.ready?.may;
    if (may?.includes('publish') === false) {
      this.talk.listenOnly = true; // the server takes no microphone of ours there
    }
    if (!this.talk.listenOnly && !(await this.talk.open(channelId, false)) && !this.#returnsWithout(channelId)) {
      return;
    }
    const { ready } = this.#client;
    if (this.wanted !== channelId || !ready) {
      return;
    }
    try {
      const offer = await this.media.offer(ready.limits.slots, ready.ice_servers, !this.talk.listenOnly);
      await Promise.all([this.voice.tell(), this.hearing.tell()]);
      const joined = await this.#client.request(Op.CHANNEL_JOIN, {
        channel_id: channelId, sdp_offer: offer, keep_floor: (this.#handsOver && this.floor.wanted) || undefined,
      });
      // Before anything else is awaited: the next event is about this room already.
      this.arrive(joined);
      await this.media.accept(joined.sdp_answer);
    } catch (err) {
      this.#enterFailed(channelId, /** @type {Error} */ (err));
    }
  }

  /**
   * @param {import('./protocol.js').Joined} joined
   * @param {import('./room.js').Deed} [deed] by which one came
   */
  arrive(joined, deed) {
    const channelId = joined.channel_id;
    const chat = this.#chats.of(channelId);
    chat.note(deed ? 'deed' : this.room?.channelId === channelId ? 'back' : 'here', joined.channel_name, deed);
    this.room = new Room(joined, chat);
    if (this.#handsOver) {
      this.floor.goOn(joined.floor, this.myId);
    } else {
      this.floor.begin(joined.floor);
    }
    this.hold();
    chat.arrive();
    chat.load();
    this.assign(joined.slots);
    if (!deed) { // one who was moved still listens
      this.listening.arrive((id) => id !== channelId && (this.directory.find(id)?.may ?? []).includes('enter'));
    }
    this.changed();
  }

  /** @param {import('./protocol.js').Slot[]} slots who is heard on which line */
  assign(slots) {
    this.media.assign(slots);
    this.listening.assign(slots);
  }

  /**
   * @param {string} channelId
   * @param {Error} err
   */
  #enterFailed(channelId, err) {
    this.media.close();
    this.#handsOver = false;
    if (err instanceof ConnectionLostError) {
      return;
    }
    if (err instanceof RequestError && this.#maySucceedLater(channelId, err)) {
      this.retry.later();
      return;
    }
    if (this.wanted === channelId) {
      this.wanted = null;
      // One that is gone has its name only here.
      const name = this.room?.channelId === channelId ? this.room.name : this.directory.nameOf(channelId);
      this.report('join', name, err);
    }
  }

  /**
   * Whether to try again by itself: to enter a server that is about to go, whose successor takes everybody in, or to come
   * back where one was, from where nobody is to be thrown out for what passes.
   * @param {string} channelId
   * @param {RequestError} err
   */
  #maySucceedLater(channelId, { code }) {
    const passes = [ErrorCode.RATE_LIMITED, ErrorCode.CHANNEL_FULL, ErrorCode.INTERNAL].includes(/** @type {any} */ (code));
    return code === ErrorCode.DRAINING || (passes && this.room?.channelId === channelId);
  }

  /**
   * Whether one enters although there is no microphone: one who was in the channel before is
   * not to be thrown out for that.
   * @param {string} channelId
   */
  #returnsWithout(channelId) {
    if (!this.talk.trouble) {
      return false; // nobody waits any more
    }
    if (this.room?.channelId !== channelId) {
      this.wanted = null;
      return false;
    }
    this.microphone.miss();
    return true;
  }

  /** A lost microphone may have been replaced. */
  async #recover() {
    const name = this.here ? await this.talk.recover() : null;
    if (name !== null) {
      this.clear();
      this.report('microphone-changed', name, null);
    }
  }

  // Voice.

  /** Has the voice be as a moderator and the channel let it. */
  hold() {
    this.voice.hold(this.mine?.muted ?? false);
    this.audience.follow();
  }

  #onMediaState() {
    this.#handsOver &&= this.media.state === 'idle' || this.media.state === 'connecting';
    if (this.media.state === 'connected') {
      this.retry.succeeded();
      this.pathBlocked = false;
      this.untried = null;
    } else if (this.media.state === 'failed') {
      this.#blocked();
      this.retry.later();
    }
    this.changed();
  }

  async #blocked() {
    if (!this.media.everConnected) {
      this.pathBlocked = true;
      this.untried = await this.media.untried().catch(() => this.untried);
      this.changed();
    }
  }

  /** Whoever has a line and speaks must be heard. */
  listen() {
    const speaking = this.room?.live ? this.room.speaking : null;
    this.path.expect(!this.voice.deaf && this.media.slots.some((slot) => speaking?.has(slot.userId ?? '') ?? false));
  }

  /**
   * Closes the voice connection; the room stays on the screen until it is known why.
   * @param {boolean} [handsOver] voice goes on until the next connection carries it
   */
  hangUp(handsOver = false) {
    this.retry.cancel();
    this.#handsOver = handsOver;
    if (handsOver) {
      this.media.handOver();
    } else {
      this.media.close();
    }
    this.listening.leave();
    if (this.room) {
      this.room.live = false;
      this.room.speaking.clear();
    }
    this.listen();
  }
}
