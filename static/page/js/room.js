/**
 * The channel one is in: its members and who of them is speaking.
 * @module
 */

import { Op } from './protocol.js';

/**
 * What a note tells of: someone came, left, was lost, could not be connected with, or something was done to them by a moderator;
 * oneself arrived, or is back.
 * @typedef {'join' | 'leave' | 'gone' | 'unreached' | 'deed' | 'here' | 'back'} Note
 */

/**
 * What a moderator did. What a member sees only by somebody's going has no `by`.
 * @typedef {object} Deed
 * @property {'mute' | 'unmute' | 'move' | 'kick' | 'ban' | 'uninvite'} deed
 * @property {string} name of whom it was done to; '' for oneself
 * @property {string} [by] who did it, '' for the operator
 * @property {string} [reason]
 * @property {string} [where] the name of the channel somebody was moved to
 * @property {boolean} [here] it is the channel that one reads of it in
 */

/**
 * Who is told what is said in a channel, and what happens there.
 * @typedef {object} Journal
 * @property {(d: import('./protocol.js').MessageEventData) => void} receive another's message
 * @property {(d: import('./protocol.js').MessageChange) => void} apply a message was edited or deleted
 * @property {(note: Note, name: string, deed?: Deed) => void} note
 * @property {() => void} arrive one is in the channel
 * @property {() => void} load what was said before may be read
 * @property {() => void} leave one has left it
 */

/** How others went, by the cause that the server gives; the rest were lost somehow. */
const LEAVE_NOTES = new Map(
  /** @type {[string, Note][]} */ ([
    ['left', 'leave'],
    ['media_failed', 'unreached'],
  ]),
);

/** How they went by a moderator's doing. */
const LEAVE_DEEDS = new Map(
  /** @type {[string, Deed['deed']][]} */ ([
    ['moved', 'move'],
    ['kicked', 'kick'],
  ]),
);

/** @template {Journal} [J=Journal] */
export class Room {
  /** False while the channel is shown but one is not in it: the connection was lost. */
  live = true;
  /** @type {Map<string, import('./protocol.js').Member>} by user id, in order of joining */
  members = new Map();
  /** @type {Set<string>} user ids of who speaks, as the server hears it */
  speaking = new Set();
  /** User ids of those whose going was told with who did it and why. */
  #told = new Set();

  /**
   * @param {import('./protocol.js').Joined} joined
   * @param {J} chat
   */
  constructor(joined, chat) {
    this.channelId = joined.channel_id;
    this.name = joined.channel_name;
    this.mode = joined.mode;
    this.chat = chat;
    for (const member of joined.active_members) {
      this.members.set(member.user_id, member);
    }
  }

  /**
   * Takes what the server tells of the channel.
   * @param {number} op
   * @param {any} d
   */
  apply(op, d) {
    switch (op) {
      case Op.CHANNEL_EVENT:
        this.#applyChange(d);
        break;
      case Op.MESSAGE_EVENT:
        this.chat.receive(d);
        break;
      case Op.MESSAGE_CHANGE:
        this.chat.apply(d);
        break;
      case Op.VOICE_STATE_EVENT:
        this.applyVoiceState(d);
        break;
      case Op.MEDIA_STATE:
        this.#change(d.user_id, { media: d.state });
        break;
      case Op.SPEAKERS: // everyone who speaks
        this.speaking = new Set(d.speakers.map((/** @type {import('./protocol.js').Speaker} */ s) => s.user_id));
        break;
    }
  }

  /** @param {import('./protocol.js').VoiceState} state */
  applyVoiceState({ user_id, self_mute, self_deaf, muted, suppressed, hand_at, role, mic, sound }) {
    this.#change(user_id, { self_mute, self_deaf, muted, suppressed, hand_at, role, mic, sound });
  }

  /** @param {import('./protocol.js').ChannelEvent} d who may not be heard, and whose hands are up */
  #restage({ suppressed = [], hands = [] }) {
    const silent = new Set(suppressed);
    const raised = new Map(hands.map((hand) => [hand.user_id, hand.hand_at]));
    for (const id of this.members.keys()) {
      this.#change(id, { suppressed: silent.has(id) || undefined, hand_at: raised.get(id) });
    }
  }

  /**
   * Takes what a moderator did to somebody here. What follows from it is told after it.
   * @param {string} userId
   * @param {Deed} deed
   */
  judge(userId, deed) {
    if (deed.deed === 'mute' || deed.deed === 'unmute') {
      this.#change(userId, { muted: deed.deed === 'mute' });
    } else {
      this.#told.add(userId);
    }
    this.chat.note('deed', deed.name, deed);
  }

  /** @param {import('./protocol.js').ChannelEvent} d */
  #applyChange(d) {
    const { event, member, cause, channel } = d;
    if (event === 'join' && member) {
      this.members.set(member.user_id, member);
      this.chat.note('join', member.name);
    } else if (event === 'leave' && member) {
      this.members.delete(member.user_id);
      this.speaking.delete(member.user_id);
      const told = this.#told.delete(member.user_id);
      const deed = LEAVE_DEEDS.get(cause ?? '');
      if (deed && !told) {
        this.chat.note('deed', member.name, { deed, name: member.name });
      } else if (!deed) {
        this.chat.note(LEAVE_NOTES.get(cause ?? '') ?? 'gone', member.name);
      }
    } else if (event === 'connection' && member) {
      this.#change(member.user_id, { connection: member.connection });
    } else if (event === 'stage') {
      this.#restage(d);
    } else if (event === 'update' && channel) {
      this.name = channel.channel_name;
      this.mode = channel.mode;
    }
  }

  /**
   * @param {string} userId
   * @param {Partial<import('./protocol.js').Member>} fields what is new
   */
  #change(userId, fields) {
    const member = this.members.get(userId);
    if (member) {
      this.members.set(userId, { ...member, ...fields });
    }
  }
}
