/**
 * The channel one is in: its members and who of them is speaking.
 * @module
 */

import { isSpeech } from './meter.js';

/** How long someone counts as speaking after the last loud reading, in milliseconds. */
const SPEAKING_HOLD_MS = 500;

export class Room {
  /** False while the channel is shown but one is not in it: the connection was lost. */
  live = true;
  /** @type {Map<string, import('./protocol.js').Member>} by user id, in order of joining */
  members = new Map();
  /** @type {Set<string>} user ids */
  speaking = new Set();

  /** @type {Map<string, number>} when each was last loud, by user id */
  #lastLoud = new Map();

  /**
   * @param {import('./protocol.js').Joined} joined
   * @param {import('./chat.js').Chat} chat
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

  /** @param {import('./protocol.js').Member} member */
  add(member) {
    this.members.set(member.user_id, member);
  }

  /** @param {string} userId */
  remove(userId) {
    this.members.delete(userId);
    this.speaking.delete(userId);
    this.#lastLoud.delete(userId);
  }

  /** @param {import('./protocol.js').VoiceState} state */
  applyVoiceState(state) {
    const member = this.members.get(state.user_id);
    if (member) {
      this.members.set(state.user_id, { ...member, self_mute: state.self_mute, self_deaf: state.self_deaf });
    }
  }

  /**
   * Takes a reading of everybody's level.
   * @param {Map<string, number>} levels by user id
   * @param {number} now milliseconds
   * @returns {boolean} whether anything changed
   */
  applyLevels(levels, now) {
    let changed = false;
    for (const [userId, member] of this.members) {
      if (isSpeech(levels.get(userId) ?? 0) && !member.self_mute) {
        this.#lastLoud.set(userId, now);
      }
      const last = this.#lastLoud.get(userId) ?? -Infinity;
      const speaking = now - last < SPEAKING_HOLD_MS && !member.self_mute;
      if (speaking !== this.speaking.has(userId)) {
        changed = true;
        if (speaking) {
          this.speaking.add(userId);
        } else {
          this.speaking.delete(userId);
        }
      }
    }
    return changed;
  }
}
