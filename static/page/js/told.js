/**
 * What the server tells of the channel one is in, taken: a session's beginning and end, and events.
 * @module
 */

import { MODE_PTT, Op } from './protocol.js';

/** @typedef {import('./room.js').Room} Room */

export class Told {
  /** By whom others were muted, and oneself, as far as one was told: user ids to names, '' for the operator. @type {Map<string, string>} */
  mutedBy = new Map();

  #stay;

  /** @param {import('./stay.js').Stay} stay */
  constructor(stay) {
    this.#stay = stay;
  }

  /** @param {string} myId */
  onReady(myId) {
    this.#stay.myId = myId;
    this.#stay.voice.forget();
    this.#stay.hearing.forget();
    this.#stay.settle();
  }

  /**
   * It is known again who speaks.
   * @param {import('./protocol.js').Floor} [floor]
   */
  onResumed(floor) {
    this.#stay.floor.resume(floor, this.#stay.myId);
    this.#stay.listen();
  }

  /** The session is over. */
  onLost() {
    this.#stay.hangUp();
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
    const where = joined?.channel_name ?? this.#stay.directory.find(to_channel_id ?? null)?.channel_name;
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
   * @param {import('./words/deeds.js').Deed} deed
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
