/**
 * What was written in one channel, and what happened there, while one was in it.
 * @module
 */

import { ConnectionLostError, Op } from './protocol.js';
import { Store } from './store.js';

/** Entries kept; older ones go. */
const KEPT = 500;

/**
 * What a note tells of: someone came, left, was lost, or could not be connected with; oneself
 * arrived, or is back.
 * @typedef {'join' | 'leave' | 'gone' | 'unreached' | 'here' | 'back'} Note
 */

/**
 * A line of the chat: a message, or a note of what happened.
 * @typedef {object} Entry
 * @property {number} key unique in the page
 * @property {number} at milliseconds since the epoch
 * @property {string} name of the author, or of whom the note is about
 * @property {Note} [note]
 * @property {string} [text] of a message
 * @property {string} [authorId] of a message
 * @property {'sent' | 'sending' | 'waiting' | 'failed'} [delivery] of one's own message; `waiting` for one to be back in
 *   the channel, since the session ended before it was sent
 * @property {Error} [error] why it failed
 */

let lastKey = 0;

export class Chat extends Store {
  /** @type {Entry[]} */
  entries = [];

  #client;
  #channelId;

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
    this.#add({ note, name, at: Date.now() });
  }

  /** @param {import('./protocol.js').MessageEventData} d */
  receive(d) {
    this.#add({ text: d.content, at: d.timestamp, authorId: d.author_id, name: d.author_name });
  }

  /**
   * Writes a message. It shows at once; whether it arrived is told by its `delivery`.
   * @param {string} text
   * @param {{userId: string, name: string}} me
   */
  async send(text, me) {
    const entry = this.#add({ text, at: Date.now(), authorId: me.userId, name: me.name, delivery: 'sending' });
    await this.sendAgain(entry);
  }

  /** @param {Entry} entry one's own message */
  async sendAgain(entry) {
    this.#change(entry, { delivery: 'sending', error: undefined });
    try {
      const sent = await this.#client.request(Op.MESSAGE_CREATE, { channel_id: this.#channelId, content: entry.text });
      this.#change(entry, { delivery: 'sent', at: sent.timestamp });
    } catch (err) {
      const unsent = err instanceof ConnectionLostError && !err.sent;
      this.#change(entry, { delivery: unsent ? 'waiting' : 'failed', error: /** @type {Error} */ (err) });
    }
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
    this.entries.splice(0, this.entries.length - KEPT);
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
