/**
 * A channel that is a stage: whether one is in its audience, whose hands are up, and who is let speak.
 * @module
 */

import { Op } from './protocol.js';

/** @typedef {import('./protocol.js').Member} Member */

export class Audience {
  #client;
  #stay;
  /** As one was when it was looked at last, and where; null while one was in no channel. @type {Member | null} */
  #was = null;
  #where = '';

  /**
   * @param {import('./client.js').Client} client
   * @param {import('./stay.js').Stay<any>} stay
   */
  constructor(client, stay) {
    this.#client = client;
    this.#stay = stay;
  }

  /** Whether one may not be heard in the channel. */
  get suppressed() {
    return this.#stay.mine?.suppressed === true;
  }

  /** Whether one's hand is up. */
  get raised() {
    return this.#stay.mine?.hand_at !== undefined;
  }

  /** Whose hands are up, the first of them first. @returns {Member[]} */
  get line() {
    const members = [...(this.#stay.room?.members.values() ?? [])];
    return members.filter((m) => m.hand_at !== undefined).sort((a, b) => (a.hand_at ?? 0) - (b.hand_at ?? 0));
  }

  /**
   * @param {string} userId
   * @returns {number} the place in the line, from 1 on; 0 for none
   */
  placeOf(userId) {
    return this.line.findIndex((m) => m.user_id === userId) + 1;
  }

  /** @returns {Member[]} who is in the channel: those who may be heard, then the line, then the rest, each as they came */
  get inOrder() {
    const members = [...(this.#stay.room?.members.values() ?? [])];
    const rest = members.filter((m) => m.hand_at === undefined);
    return [...rest.filter((m) => !m.suppressed), ...this.line, ...rest.filter((m) => m.suppressed)];
  }

  /**
   * @param {boolean} raised
   * @throws {import('./protocol.js').RequestError | import('./protocol.js').ConnectionLostError}
   */
  async raise(raised) {
    this.#stay.told.onVoiceState(await this.#client.request(Op.HAND, { raised }));
  }

  /**
   * Lets somebody speak, or sends them back, which lowers a hand, too.
   * @param {string} userId
   * @param {boolean} allow
   * @throws {import('./protocol.js').RequestError | import('./protocol.js').ConnectionLostError}
   */
  async allow(userId, allow) {
    this.#stay.told.onVoiceState(await this.#client.request(Op.HAND, { user_id: userId, allow }));
  }

  /** Has one's voice be as the channel lets it, and tells when that is another matter than before. */
  follow() {
    const { mine, room, voice, talk } = this.#stay;
    const was = this.#was;
    const asked = was?.hand_at !== undefined && this.#where === room?.channelId;
    this.#was = mine;
    this.#where = room?.channelId ?? '';
    const suppressed = mine?.suppressed === true;
    if (suppressed === voice.suppressed) {
      return;
    }
    if (mine && !suppressed && !asked) {
      voice.setMuted(true); // nobody is heard who does not know it
    }
    voice.suppress(suppressed);
    if (mine && was) {
      const heard = voice.silent || talk.listenOnly ? 'let-speak-muted' : 'let-speak';
      this.#stay.report(suppressed ? 'audience' : heard, '', null);
    }
  }
}
