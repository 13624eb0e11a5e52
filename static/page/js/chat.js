/**
 * What was written in one channel, as far back as one has read, and what happened there while one was in it.
 * @module
 */

import { ConnectionLostError, Op } from './protocol.js';
import { Store } from './store.js';

/** Entries kept while one reads the newest; older ones are read again when they are looked for. */
const KEPT = 300;
/** Messages asked for at once. */
const PAGE = 50;
/** For how long a message whose fate is unknown is sent again: within this the server knows it by its nonce, in milliseconds. */
const KNOWN_MS = 9 * 60_000;

/**
 * What a note tells of: someone came, left, was lost, or could not be connected with; oneself
 * arrived, or is back.
 * @typedef {'join' | 'leave' | 'gone' | 'unreached' | 'here' | 'back'} Note
 */

/**
 * A line of the chat: a message, or a note of what happened.
 * @typedef {object} Entry
 * @property {number} key unique in the page; what is newer than the page has more, what is older has less than 0
 * @property {number} at milliseconds since the epoch
 * @property {string} name of the author, or of whom the note is about
 * @property {Note} [note]
 * @property {string} [text] of a message
 * @property {string} [authorId] of a message
 * @property {string} [id] of a message that the server has
 * @property {string} [replyTo] the id of the message that it answers
 * @property {number} [editedAt] milliseconds since the epoch
 * @property {string} [nonce] by which the server knows one's own message
 * @property {'sent' | 'sending' | 'waiting' | 'failed'} [delivery] of one's own message; `waiting` for one to be back in
 *   the channel, since the session ended before it was sent
 * @property {Error} [error] why it failed
 */

let lastKey = 0;
let firstKey = 0;

/**
 * @param {import('./protocol.js').MessageEventData} d
 * @returns {Omit<Entry, 'key'>}
 */
function said(d) {
  return {
    id: d.message_id,
    text: d.content,
    at: d.timestamp,
    authorId: d.author_id,
    name: d.author_name,
    replyTo: d.reply_to,
    editedAt: d.edited_at,
  };
}

export class Chat extends Store {
  /** @type {Entry[]} in the order of the server */
  entries = [];
  /** Whether there are older messages than those here. */
  more = false;
  /** Whether older ones are on their way. */
  loading = false;
  /** Whether they could not be read. */
  failed = false;

  #client;
  #channelId;
  /** @type {Entry | null} the note of one's last arrival: what comes by itself is behind it */
  #arrival = null;

  /**
   * @param {import('./client.js').Client} client
   * @param {string} channelId
   */
  constructor(client, channelId) {
    super();
    this.#client = client;
    this.#channelId = channelId;
  }

  /**
   * @param {Note} note
   * @param {string} name
   */
  note(note, name) {
    const entry = this.#add({ note, name, at: Date.now() });
    if (note === 'here' || note === 'back') {
      this.#arrival = entry;
    }
  }

  /** @param {import('./protocol.js').MessageEventData} d */
  receive(d) {
    if (!this.find(d.message_id)) {
      this.#add(said(d));
    }
  }

  /** @param {import('./protocol.js').MessageChange} d */
  apply(d) {
    const entry = this.find(d.message_id);
    if (entry && d.deleted) {
      this.entries.splice(this.entries.indexOf(entry), 1);
      this.changed();
    } else if (entry) {
      this.#change(entry, { text: d.content, editedAt: d.edited_at });
    }
  }

  /**
   * @param {string | undefined} id
   * @returns {Entry | undefined}
   */
  find(id) {
    return id === undefined ? undefined : this.entries.find((entry) => entry.id === id);
  }

  /** Reads the newest messages: one has come, or come back, or looks in. */
  async load() {
    const arrival = this.#arrival;
    const page = await this.#read({});
    if (!page || arrival !== this.#arrival) {
      return;
    }
    const known = new Set(page.messages.map((m) => m.message_id));
    const meets = this.entries.findIndex((entry) => entry.id !== undefined && known.has(entry.id));
    let border = arrival ? this.entries.indexOf(arrival) : this.entries.length;
    // What one had before is as it was only up to the first message of the page; and where the two do not meet, none of it is next
    // to the page. What the page does not have any more was deleted.
    const gone = (/** @type {Entry} */ entry, /** @type {number} */ index) =>
      index < border && entry.id !== undefined && (meets < 0 || index >= meets) && !known.has(entry.id);
    if (meets <= 0) {
      this.more = page.more;
    }
    const kept = this.entries.filter((entry, index) => !gone(entry, index));
    this.entries = kept;
    border = arrival ? kept.indexOf(arrival) : kept.length;
    // Who was here before has missed them, else they are what was said before.
    const missed = kept.some((entry) => entry.id !== undefined);
    /** @type {Entry[]} */
    const fresh = [];
    for (const message of page.messages) {
      const entry = this.find(message.message_id);
      if (entry) {
        Object.assign(entry, { text: message.content, editedAt: message.edited_at });
      } else {
        fresh.push({ ...said(message), key: missed ? ++lastKey : --firstKey });
      }
    }
    kept.splice(Math.max(border, 0), 0, ...fresh);
    this.changed();
  }

  /** Reads older messages. */
  async older() {
    const before = this.entries.find((entry) => entry.id !== undefined)?.id;
    if (!this.more || this.loading || !before) {
      return;
    }
    const page = await this.#read({ before });
    if (!page || this.entries.find((entry) => entry.id !== undefined)?.id !== before) {
      return;
    }
    this.more = page.more;
    this.entries.unshift(...page.messages.map((message) => ({ ...said(message), key: --firstKey })));
    this.changed();
  }

  /**
   * @param {{before?: string}} where
   * @returns {Promise<{messages: import('./protocol.js').MessageEventData[], more: boolean} | null>} null if it failed
   */
  async #read(where) {
    this.loading = true;
    this.failed = false;
    this.changed();
    try {
      return await this.#client.request(Op.HISTORY, { channel_id: this.#channelId, limit: PAGE, ...where });
    } catch {
      this.failed = true;
      return null;
    } finally {
      this.loading = false;
      this.changed();
    }
  }

  /** Drops what is old, while nobody reads it. */
  trim() {
    if (this.entries.length > KEPT) {
      this.more ||= this.entries.slice(0, -KEPT).some((entry) => entry.id !== undefined);
      this.entries.splice(0, this.entries.length - KEPT);
    }
  }

  /**
   * Writes a message. It shows at once; whether it arrived is told by its `delivery`.
   * @param {string} text
   * @param {{userId: string, name: string}} me
   * @param {string} [replyTo] the id of the message that it answers
   */
  async send(text, me, replyTo) {
    const nonce = [...crypto.getRandomValues(new Uint32Array(4))].map((n) => n.toString(36)).join('-');
    const entry = this.#add({ text, at: Date.now(), authorId: me.userId, name: me.name, replyTo, nonce, delivery: 'sending' });
    await this.sendAgain(entry);
  }

  /** @param {Entry} entry one's own message */
  async sendAgain(entry) {
    if (entry !== this.entries.at(-1)) {
      // It is said now, after what was said meanwhile.
      this.entries.splice(this.entries.indexOf(entry), 1);
      this.entries.push(entry);
    }
    this.#change(entry, { delivery: 'sending', error: undefined });
    const d = { channel_id: this.#channelId, content: entry.text, nonce: entry.nonce, reply_to: entry.replyTo };
    try {
      const sent = await this.#client.request(Op.MESSAGE_CREATE, d);
      const before = this.find(sent.message_id);
      if (before && before !== entry) { // it had arrived, and its answer had not
        this.entries.splice(this.entries.indexOf(entry), 1);
      }
      this.#change(entry, { delivery: 'sent', at: sent.timestamp, id: sent.message_id });
    } catch (err) {
      const again = err instanceof ConnectionLostError && (!err.sent || Date.now() - entry.at < KNOWN_MS);
      this.#change(entry, { delivery: again ? 'waiting' : 'failed', error: /** @type {Error} */ (err) });
    }
  }

  /**
   * @param {Entry} entry one's own message
   * @param {string} text what it says from now on
   */
  async edit(entry, text) {
    this.apply(await this.#client.request(Op.MESSAGE_UPDATE, { message_id: entry.id, content: text }));
  }

  /** @param {Entry} entry a message that one may delete */
  async delete(entry) {
    this.apply(await this.#client.request(Op.MESSAGE_DELETE, { message_id: entry.id }));
  }

  /** One is in the channel again: what waits for that is sent. */
  arrive() {
    for (const entry of this.#waiting()) {
      this.sendAgain(entry);
    }
  }

  /** One has left the channel, and what is written there now would come as a surprise later. */
  leave() {
    for (const entry of this.#waiting()) {
      this.#change(entry, { delivery: 'failed' });
    }
  }

  #waiting() {
    return this.entries.filter((entry) => entry.delivery === 'waiting');
  }

  /**
   * @param {Omit<Entry, 'key'>} entry
   * @returns {Entry}
   */
  #add(entry) {
    const kept = { ...entry, key: ++lastKey };
    this.entries.push(kept);
    this.changed();
    return kept;
  }

  /**
   * @param {Entry} entry
   * @param {Partial<Entry>} fields
   */
  #change(entry, fields) {
    Object.assign(entry, fields);
    this.changed();
  }
}

/** The chats of this visit, kept when one leaves a channel and comes back. */
export class Chats extends Store {
  /** @type {Map<string, Chat>} by channel id */
  #chats = new Map();
  #client;

  /** @param {import('./client.js').Client} client */
  constructor(client) {
    super();
    this.#client = client;
  }

  /**
   * @param {string} channelId
   * @returns {Chat}
   */
  of(channelId) {
    let chat = this.#chats.get(channelId);
    if (!chat) {
      chat = new Chat(this.#client, channelId);
      chat.addEventListener('change', () => this.changed());
      this.#chats.set(channelId, chat);
    }
    return chat;
  }

  /** @param {string} channelId */
  delete(channelId) {
    this.#chats.delete(channelId);
  }

  clear() {
    this.#chats.clear();
  }
}
