/**
 * How far one has read each channel, as the server keeps it, and how much is left.
 *
 * Of a channel that one is not in, the server tells nothing by itself: it is asked now and then, and seldom while nobody looks, for
 * the page's title.
 * @module
 */

import { Op } from './protocol.js';
import { Store } from './store.js';

/** How often is asked, in milliseconds, while the page is looked at, and while not; and how soon again at the earliest when it is
 * looked at anew. */
const ASK_MS = 30_000;
const ASK_HIDDEN_MS = 120_000;
const ASK_AGAIN_MS = 5_000;
/** The server counts up to this many. */
export const MAX_UNREAD = 100;
/** How soon after the last mark the next is kept, in milliseconds: who scrolls passes many. */
const MARK_MS = 1_000;

/**
 * @typedef {object} Mark
 * @property {number} unread how many others wrote since
 * @property {string} [lastRead] the id of the message up to which one has read; none when that is nothing that is still there
 */

export class Marks extends Store {
  /** Who one is: one's own messages are not unread. */
  myId = '';

  #client;
  /** By channel id. @type {Map<string, Mark>} */
  #marks = new Map();
  /** What is to be marked as read next, by channel id. @type {Map<string, string>} */
  #due = new Map();
  #marking = false;
  #askedAt = -Infinity;

  /** @param {import('./client.js').Client} client */
  constructor(client) {
    super();
    this.#client = client;
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden && performance.now() - this.#askedAt > ASK_AGAIN_MS) {
        this.#ask();
      }
    });
    // What was read just before is not to be unread after a reload.
    window.addEventListener('pagehide', () => this.#due.forEach((id, channelId) => this.#mark(channelId, id)));
    setInterval(() => {
      // A hidden page's timers are late: by a little it would miss its turn.
      if (!document.hidden || performance.now() - this.#askedAt > ASK_HIDDEN_MS - ASK_MS / 2) {
        this.#ask();
      }
    }, ASK_MS);
  }

  /**
   * A session begins.
   * @param {string} myId
   * @param {import('./protocol.js').ReadMark[]} [unread] all channels with something unread; absent when that has to be asked
   */
  begin(myId, unread) {
    this.myId = myId;
    this.#marks.clear();
    this.#due.clear();
    if (!unread) {
      this.#ask();
      return;
    }
    this.#askedAt = performance.now();
    this.#take(unread);
  }

  /**
   * @param {string | null} channelId
   * @returns {number} up to {@link MAX_UNREAD}
   */
  unread(channelId) {
    return this.#marks.get(channelId ?? '')?.unread ?? 0;
  }

  /**
   * @param {string} channelId
   * @param {string} messageId of the newest message
   * @returns {boolean} whether it is not kept yet that one has read so far
   */
  lags(channelId, messageId) {
    const mark = this.#marks.get(channelId);
    return mark !== undefined && mark.unread > 0 && mark.lastRead !== messageId;
  }

  async #ask() {
    this.#askedAt = performance.now();
    await this.#read({}).catch(() => {}); // next time
  }

  /**
   * @param {string} channelId
   * @returns {Promise<Mark>} as it is just now
   */
  async ask(channelId) {
    await this.#read({ channel_id: channelId }).catch(() => {}); // then as it was
    return this.#marks.get(channelId) ?? { unread: 0 };
  }

  /**
   * Another's message has come by itself, and was not in view yet.
   * @param {string} channelId
   */
  count(channelId) {
    const mark = this.#marks.get(channelId) ?? { unread: 0 };
    this.#marks.set(channelId, { ...mark, unread: Math.min(mark.unread + 1, MAX_UNREAD) });
    this.changed();
  }

  /**
   * Has the server keep that one has read so far.
   * @param {string} channelId
   * @param {string} messageId
   * @param {number} left how many are unread after it
   */
  async keep(channelId, messageId, left) {
    this.#marks.set(channelId, { unread: left, lastRead: messageId });
    this.#due.set(channelId, messageId);
    this.changed();
    if (this.#marking) {
      return;
    }
    this.#marking = true;
    for (const [channel_id, message_id] of this.#due) {
      await this.#mark(channel_id, message_id);
      await new Promise((resolve) => setTimeout(resolve, MARK_MS));
    }
    this.#marking = false;
  }

  /**
   * @param {string} channel_id
   * @param {string} message_id
   */
  async #mark(channel_id, message_id) {
    this.#due.delete(channel_id);
    await this.#read({ channel_id, message_id }).catch(() => {}); // the next mark says this, too
  }

  /** @param {{channel_id?: string, message_id?: string}} d */
  async #read(d) {
    this.#take((await this.#client.request(Op.READ, d)).channels);
  }

  /** @param {import('./protocol.js').ReadMark[]} channels */
  #take(channels) {
    for (const { channel_id, unread, last_read } of channels) {
      if (!this.#due.has(channel_id)) {
        this.#marks.set(channel_id, { unread, lastRead: last_read });
      }
    }
    this.changed();
  }
}
