/**
 * Messages of one channel in the order of the server, read page by page.
 * @module
 */

import { phrases } from './language.js';
import { Op } from './protocol.js';
import { Store } from './store.js';

/** Messages asked for at once. */
export const PAGE = 50;

/** @typedef {import('./room.js').Note} Note */

/**
 * A line of the chat: a message, or a note of what happened.
 * @typedef {object} Entry
 * @property {number} key unique in the page
 * @property {number} at milliseconds since the epoch
 * @property {string} name of the author, or of whom the note is about
 * @property {Note} [note]
 * @property {import('./words/deeds.js').Deed} [deed] of the note `deed`
 * @property {string} [text] of a message
 * @property {string} [authorId] of a message
 * @property {string} [id] of a message that the server has
 * @property {string} [replyTo] the id of the message that it answers
 * @property {number} [editedAt] milliseconds since the epoch
 * @property {boolean} [gone] it was deleted
 * @property {boolean} [unseen] another's message that was not in view yet
 * @property {string} [nonce] by which the server knows one's own message
 * @property {'sent' | 'sending' | 'waiting' | 'failed'} [delivery] of one's own message; `waiting` for one to be back in
 *   the channel, since the session ended before it was sent
 * @property {Error} [error] why it failed
 */

let lastKey = 0;

/**
 * @param {Omit<Entry, 'key'>} fields
 * @returns {Entry}
 */
export function entryOf(fields) {
  return { ...fields, key: ++lastKey };
}

/**
 * @param {import('./protocol.js').MessageEventData} d
 * @returns {Entry}
 */
export function said(d) {
  return entryOf({
    id: d.message_id,
    text: d.content,
    at: d.timestamp,
    authorId: d.author_id,
    name: d.author_name || phrases.common.gone,
    replyTo: d.reply_to,
    editedAt: d.edited_at,
  });
}

export class Pages extends Store {
  /** @type {Entry[]} in the order of the server */
  entries = [];
  /** Whether there are older messages than those here. */
  more = false;
  /** Whether some are on their way. */
  loading = false;
  /** Whether what is read at first has come, or cannot be read. */
  ready = false;
  /** @type {Error | null} why they could not be read */
  error = null;

  /**
   * @param {import('./client.js').Client} client
   * @param {string} channelId
   */
  constructor(client, channelId) {
    super();
    this.client = client;
    this.channelId = channelId;
  }

  /**
   * @param {string | undefined} id
   * @returns {Entry | undefined}
   */
  find(id) {
    return id === undefined ? undefined : this.entries.find((entry) => entry.id === id);
  }

  /** @param {import('./protocol.js').MessageChange} d */
  apply(d) {
    const entry = this.find(d.message_id);
    if (entry && d.deleted) {
      entry.gone = true;
      this.entries.splice(this.entries.indexOf(entry), 1);
      this.changed();
    } else if (entry) {
      this.change(entry, { text: d.content, editedAt: d.edited_at });
    }
  }

  /** Reads older messages. */
  async older() {
    const before = this.entries.find((entry) => entry.id !== undefined)?.id;
    if (!this.more || this.loading || !before) {
      return;
    }
    const page = await this.read({ before });
    if (!page || this.entries.find((entry) => entry.id !== undefined)?.id !== before) {
      return;
    }
    this.more = page.more;
    this.entries.unshift(...page.messages.map(said));
    this.changed();
  }

  /**
   * @param {Entry} entry one's own message
   * @param {string} text what it says from now on
   */
  async edit(entry, text) {
    this.apply(await this.request(Op.MESSAGE_UPDATE, { message_id: entry.id, content: text }));
  }

  /** @param {Entry} entry a message that one may delete */
  async delete(entry) {
    this.apply(await this.request(Op.MESSAGE_DELETE, { message_id: entry.id }));
  }

  /**
   * @param {number} op
   * @param {object} d
   */
  request(op, d) {
    return this.client.request(op, d);
  }

  /**
   * @param {{before?: string, after?: string, limit?: number}} where
   * @param {boolean} [quietly] nobody waits for it
   * @returns {Promise<{messages: import('./protocol.js').MessageEventData[], more: boolean} | null>} null if it failed
   */
  async read(where, quietly = false) {
    this.loading = !quietly;
    this.changed();
    try {
      const page = await this.request(Op.HISTORY, { channel_id: this.channelId, limit: PAGE, ...where });
      this.error = null;
      return page;
    } catch (err) {
      this.error = /** @type {Error} */ (err);
      return null;
    } finally {
      this.loading = false; // whichever comes last
      this.changed();
    }
  }

  /**
   * @param {Entry} entry
   * @param {Partial<Entry>} fields
   */
  change(entry, fields) {
    Object.assign(entry, fields);
    this.changed();
  }
}
