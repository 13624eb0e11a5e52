/**
 * A part of what was written long ago, around one message, from which one reads on in both directions.
 * @module
 */

import { PAGE, Pages, said } from './pages.js';

/** Messages read before the one that is looked for. */
const BEFORE = 25;

export class Passage extends Pages {
  /**
   * @param {import('./client.js').Client} client
   * @param {string} channelId
   * @param {string} target the id of the message that is looked for
   */
  constructor(client, channelId, target) {
    super(client, channelId);
    this.target = target;
  }

  /** Reads the message and what is around it. */
  async load() {
    const before = await this.read({ before: this.target, limit: BEFORE });
    const last = before?.messages.at(-1)?.message_id;
    const from = before && (last ? await this.read({ after: last }) : await this.#first());
    if (before && from) {
      this.more = before.more;
      this.entries = [...before.messages, ...from.messages].map(said);
    }
    this.ready = true;
    this.changed();
  }

  /** The messages of a channel from its very first on, which is the one that is looked for: none is named as before it. */
  async #first() {
    const after = await this.read({ after: this.target });
    const next = after?.messages.at(0)?.message_id;
    const first = after && (await this.read(next ? { before: next, limit: 1 } : { limit: 1 }));
    return first && after ? { messages: [...first.messages, ...after.messages], more: after.more } : null;
  }

  /**
   * Reads newer messages.
   * @param {(id: string | undefined) => boolean} known whether a message is among the newest, which are read already
   * @returns {Promise<boolean>} whether what is here now reaches those
   */
  async newer(known) {
    const after = this.entries.at(-1)?.id;
    if (this.loading || !after) {
      return false;
    }
    const page = await this.read({ after, limit: PAGE });
    if (!page || this.entries.at(-1)?.id !== after) {
      return false;
    }
    this.entries.push(...page.messages.map(said));
    this.changed();
    return !page.more || this.entries.some((entry) => known(entry.id));
  }
}
