/**
 * What the server tells, taken: that a session begins, goes on or is over, what channels there are and who is in them, and what
 * happens in the one that one is in.
 * @module
 */

import { MODE_PTT, Op } from './protocol.js';

/** @typedef {import('./room.js').Room<any>} Room */

export class Told {
  /** By whom others were muted, and oneself, as far as one was told: user ids to names, '' for the operator. @type {Map<string, string>} */
  mutedBy = new Map();

  #client;
  #stay;
  #directory;
  /** The channel into which one is let in no more, and hears so. */
  #uninvited = '';

  /**
   * @param {import('./client.js').Client} client
   * @param {import('./stay.js').Stay<any>} stay
   * @param {import('./directory.js').Directory} directory
   */
  constructor(client, stay, directory) {
    this.#client = client;
    this.#stay = stay;
    this.#directory = directory;
    client.addEventListener('state', () => !client.ready && this.#onLost());
    client.addEventListener('ready', (e) => this.#onReady(/** @type {CustomEvent} */ (e).detail));
    client.addEventListener('resumed', (e) => this.#onResumed(/** @type {CustomEvent} */ (e).detail.floor));
    client.addEventListener('event', (e) => {
      const { op, d } = /** @type {CustomEvent} */ (e).detail;
      this.#onEvent(op, d);
    });
  }

  /** @param {import('./protocol.js').Ready} ready */
  #onReady({ user_id }) {
    this.#stay.myId = user_id;
    this.#directory.begin();
    this.#stay.voice.forget();
    this.#stay.hearing.forget();
    this.#stay.settle();
  }

  /**
   * It is known again who speaks.
   * @param {import('./protocol.js').Floor} [floor]
   */
  #onResumed(floor) {
    this.#setIceServers(this.#client.ready?.ice_servers ?? []);
    this.#stay.floor.resume(floor, this.#stay.myId);
    this.#stay.listen();
  }

  /** @param {RTCIceServer[]} iceServers for the next connection, and for this one should it look for a path again */
  #setIceServers(iceServers) {
    if (this.#client.ready) {
      this.#client.ready.ice_servers = iceServers;
    }
    this.#stay.media.setIceServers(iceServers);
  }

  /** The session is over. */
  #onLost() {
    this.#stay.hangUp(this.#client.moves);
    this.#stay.changed();
  }

  /**
   * @param {string} channelId
   * @param {string} [name] given when somebody else deleted it
   */
  onDeleted(channelId, name) {
    if (this.#stay.wanted === channelId) {
      this.#stay.wanted = null;
    }
    if (this.#stay.room?.channelId === channelId) {
      this.#stay.hangUp();
      this.#stay.room = null;
      if (name) {
        this.#stay.report('deleted', name, null);
      }
    }
    this.#stay.settle();
  }

  /**
   * @param {number} op
   * @param {any} d
   */
  #onEvent(op, d) {
    if (op === Op.ICE_SERVERS) {
      this.#setIceServers(d.ice_servers);
    } else if (op === Op.CHANNEL_EVENT && d.channel) {
      this.#directory.upsert(d.channel);
    } else if (op === Op.CHANNEL_EVENT && d.event === 'delete') {
      // Who is not let in any more knows already why it is gone.
      this.onDeleted(d.channel_id, d.channel_id === this.#uninvited ? undefined : this.#directory.nameOf(d.channel_id));
      this.#directory.remove(d.channel_id);
    } else if (op === Op.PRESENCE_EVENT) {
      this.#directory.applyPresence(d);
    } else if (op === Op.MODERATION_EVENT && d.user_id === this.#stay.myId) {
      this.#onJudgedSelf(d);
    }
    this.onEvent(op, d);
  }

  /** @param {import('./protocol.js').ModerationEvent} d what was done to oneself, wherever one is */
  #onJudgedSelf({ action, channel_id, may }) {
    if (action === 'uninvite') {
      this.#uninvited = channel_id ?? '';
    } else if (action === 'role' && this.#client.ready) {
      this.#client.ready.may = may ?? [];
      this.#directory.begin(); // what one may do in each channel is another matter now
    }
  }

  /**
   * Something happened in the channel one is in, if it is that.
   * @param {number} op
   * @param {any} d
   */
  onEvent(op, d) {
    const { room } = this.#stay;
    if (op === Op.LISTENING) {
      this.#stay.listening.onListening(d);
      return;
    }
    if (!room?.live || d.channel_id !== room.channelId) {
      return;
    }
    if (op === Op.CHANNEL_EVENT && d.event === 'leave' && d.member?.user_id === this.#stay.myId) {
      this.#onExpelled(d);
      return;
    }
    if (op === Op.MODERATION_EVENT) {
      this.#onJudged(room, d);
      return;
    }
    if (this.#stay.floor.apply(op, d)) {
      return;
    }
    room.apply(op, d);
    this.#followMode(room);
    this.#stay.hold();
    switch (op) {
      case Op.SPEAKERS:
        // Ten times a second in a lively channel: nothing else on the screen depends on it.
        this.#stay.media.expect(room.speaking);
        this.#stay.listen();
        this.#stay.dispatchEvent(new CustomEvent('speaking'));
        return;
      case Op.MEDIA_STATE:
        if (d.user_id === this.#stay.myId && d.state !== 'ok') {
          this.#stay.path.restart();
        }
        break;
      case Op.SLOT_MAP:
        this.#stay.assign(d.slots);
        this.#stay.listen();
        break;
    }
    this.#stay.changed();
  }

  /** @param {import('./protocol.js').VoiceState} state somebody's, by one's own doing */
  onVoiceState(state) {
    if (state.channel_id === this.#stay.here) {
      this.#stay.room?.applyVoiceState(state);
      this.#stay.hold();
    }
    this.#stay.changed();
  }

  /** @param {import('./protocol.js').ChannelEvent} d the server lost sight of our voice and ended the membership */
  #onExpelled({ cause }) {
    this.#stay.pathBlocked ||= cause === 'media_failed' && !this.#stay.media.everConnected;
    this.#stay.hangUp();
    this.#stay.retry.later();
    this.#stay.changed();
  }

  /**
   * @param {Room} room
   * @param {import('./protocol.js').ModerationEvent} d what a moderator did to somebody in it
   */
  #onJudged(room, { action, user_id, name = '', by_name: by = '', reason, to_channel_id, joined }) {
    const mine = user_id === this.#stay.myId;
    if (action === 'role' || (mine && action === 'move' && !joined)) {
      return;
    }
    if (mine && action === 'uninvite') { // that one is out follows
      this.#stay.report('uninvited', room.name, null, by);
      return;
    }
    const where = joined?.channel_name ?? this.#directory.find(to_channel_id ?? null)?.channel_name;
    const deed = { deed: action, name: mine ? '' : name, by, reason, where };
    room.judge(user_id, deed);
    if (action === 'mute') {
      this.mutedBy.set(user_id, by);
    }
    if (joined) {
      this.#onMoved(joined, deed);
    }
    this.#stay.hold();
    this.#stay.changed();
  }

  /**
   * @param {import('./protocol.js').Joined} joined where a moderator has put us, with the voice we have
   * @param {import('./room.js').Deed} deed
   */
  #onMoved(joined, deed) {
    this.#stay.wanted = this.#stay.wanted === this.#stay.here ? joined.channel_id : this.#stay.wanted;
    this.#stay.room?.chat.leave();
    this.#stay.arrive(joined, { ...deed, here: true });
    this.#stay.report('moved', joined.channel_name, null, deed.by);
    this.#stay.settle();
  }

  /** @param {Room} room which may be one where one talks at a time now, or no more */
  #followMode(room) {
    const turns = room.mode === MODE_PTT;
    if (turns !== this.#stay.floor.there) {
      this.#stay.floor.begin(turns ? { waiting: 0, priority_max: 0 } : undefined);
    }
  }
}
