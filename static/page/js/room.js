/**
 * The channel one is in: its members and who of them is speaking.
 * @module
 */

export class Room {
  /** False while the channel is shown but one is not in it: the connection was lost. */
  live = true;
  /** @type {Map<string, import('./protocol.js').Member>} by user id, in order of joining */
  members = new Map();
  /** @type {Set<string>} user ids of who speaks, as the server hears it */
  speaking = new Set();

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
  }

  /** @param {import('./protocol.js').VoiceState} state */
  applyVoiceState(state) {
    const member = this.members.get(state.user_id);
    if (member) {
      const { self_mute, self_deaf, mic, sound } = state;
      this.members.set(state.user_id, { ...member, self_mute, self_deaf, mic, sound });
    }
  }

  /** @param {import('./protocol.js').Member} member whose connection broke or is back */
  applyConnection({ user_id, connection }) {
    const member = this.members.get(user_id);
    if (member) {
      this.members.set(user_id, { ...member, connection });
    }
  }

  /** @param {{user_id: string, state: 'ok' | 'lost'}} d */
  applyMediaState({ user_id, state }) {
    const member = this.members.get(user_id);
    if (member) {
      this.members.set(user_id, { ...member, media: state });
    }
  }

  /** @param {import('./protocol.js').Speaker[]} speakers everyone who speaks */
  applySpeakers(speakers) {
    this.speaking = new Set(speakers.map((s) => s.user_id));
  }
}
