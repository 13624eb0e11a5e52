/**
 * What was written in one channel, as far back as one has read, and what happened there while one was in it.
 * @module
 */

import { randomWord } from './account.js';
import { Passage } from './passage.js';
import { Pages, entryOf, said } from './pages.js';
import { ConnectionLostError, Op } from './protocol.js';
import { Store } from './store.js';

/** @typedef {import('./pages.js').Entry} Entry */
/** @typedef {import('./pages.js').Note} Note */

/** Entries kept while one reads the newest; older ones are read again when they are looked for. */
const KEPT = 300;
/** So many may come by themselves, messages and notes, to one who does not read on: the page was left for the night, and not at its end. */
const UNREAD = 500;
/** For how long a message whose fate is unknown is sent again: within this the server knows it by its nonce, in milliseconds. */
const KNOWN_MS = 9 * 60_000;

export class Chat extends Pages {
  /** What one reads of long ago, in place of the newest. @type {Passage | null} */
  passage = null;

  #marks;
  /** @type {Entry | null} the note of one's last arrival: what comes by itself is behind it */
  #arrival = null;

  /**
   * @param {import('./client.js').Client} client
   * @param {import('./marks.js').Marks} marks
   * @param {string} channelId
   */
  constructor(client, marks, channelId) {
    super(client, channelId);
    this.#marks = marks;
  }

  /**
   * @param {Note} note
   * @param {string} name
   * @param {import('./words/deeds.js').Deed} [deed]
   */
  note(note, name, deed) {
    const entry = this.#add({ note, name, deed, at: Date.now() });
    if (note === 'here' || note === 'back' || deed?.here) {
      this.#arrival = entry;
    }
    this.#bound();
  }

  /** @param {import('./protocol.js').MessageEventData} d another's message */
  receive(d) {
    if (!this.find(d.message_id)) {
      this.entries.push({ ...said(d), unseen: true });
      this.#marks.count(this.channelId);
      this.#bound();
      this.changed();
    }
  }

  /** @param {import('./protocol.js').MessageChange} d */
  apply(d) {
    super.apply(d);
    this.passage?.apply(d);
  }

  /** Reads the newest messages: one has come, or come back, or looks in. */
  async load() {
    this.ready = false;
    const arrival = this.#arrival;
    const [{ unread, lastRead }, page] = await Promise.all([this.#marks.ask(this.channelId), this.read({})]);
    if (arrival !== this.#arrival) {
      return; // there is a later one
    }
    if (page) {
      this.#merge(page);
    }
    if (lastRead) {
      await this.#flag(unread);
    }
    this.ready = true;
    this.changed();
  }

  /**
   * Those that are unread are the last ones. (To one who never read here all is new, which says nothing.)
   * @param {number} unread
   */
  async #flag(unread) {
    const findOthers = () => this.entries.filter((entry) => entry.id !== undefined && entry.authorId !== this.#marks.myId);
    let others = findOthers();
    for (let had = -1; others.length < unread && others.length > had; others = findOthers()) {
      had = others.length;
      await this.older();
    }
    others.slice(Math.max(0, others.length - unread)).forEach((entry) => (entry.unseen = true));
  }

  /** Looks what is new, where that is not told. */
  async refresh() {
    if (this.loading) {
      return;
    }
    const page = await this.read({}, true);
    if (page) {
      this.#merge(page);
      this.changed();
    }
  }

  /** @param {{messages: import('./protocol.js').MessageEventData[], more: boolean}} page the newest messages */
  #merge(page) {
    const known = new Set(page.messages.map((m) => m.message_id));
    const meets = this.entries.findIndex((entry) => entry.id !== undefined && known.has(entry.id));
    const arrival = this.#arrival;
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
    const missed = kept.some((entry, index) => entry.id !== undefined && index < border);
    /** @type {Entry[]} */
    const fresh = [];
    for (const message of page.messages) {
      const entry = this.find(message.message_id);
      if (entry) {
        Object.assign(entry, { text: message.content, editedAt: message.edited_at });
      } else {
        fresh.push({ ...said(message), unseen: missed && message.author_id !== this.#marks.myId });
      }
    }
    kept.splice(Math.max(border, 0), 0, ...fresh);
  }

  /**
   * What is up to here was in view.
   * @param {Entry} entry
   */
  see(entry) {
    const end = this.entries.indexOf(entry) + 1;
    const seen = this.entries.slice(0, end).filter((one) => one.unseen);
    seen.forEach((one) => (one.unseen = false));
    const id = this.entries.slice(0, end).findLast((one) => one.id !== undefined)?.id;
    const newest = this.entries.findLast((one) => one.id !== undefined)?.id;
    if (id && (seen.length > 0 || (id === newest && this.#marks.lags(this.channelId, id)))) {
      this.#marks.keep(this.channelId, id, this.entries.filter((one) => one.unseen).length);
    }
  }

  /**
   * Goes to where a message is among those of long ago.
   * @param {string} id
   */
  async open(id) {
    this.passage = new Passage(this.client, this.channelId, id);
    this.passage.addEventListener('change', () => this.changed());
    await this.passage.load();
  }

  /** Reads on from long ago towards the newest, and there goes on with these. */
  async newer() {
    const { passage } = this;
    if (!passage || !(await passage.newer((id) => this.find(id) !== undefined)) || passage !== this.passage) {
      return;
    }
    for (const entry of passage.entries) {
      const here = this.find(entry.id);
      if (here) {
        here.key = entry.key; // what is on the screen stays there
      }
    }
    const meets = passage.entries.findIndex((entry) => this.find(entry.id));
    const before = meets < 0 ? passage.entries : passage.entries.slice(0, meets);
    this.entries.unshift(...before);
    this.more = before.length > 0 ? passage.more : this.more;
    this.newest();
  }

  /** Leaves what was long ago. */
  newest() {
    this.passage = null;
    this.changed();
  }

  /** Drops what is old, while nobody reads it. */
  trim() {
    if (this.entries.length > KEPT) {
      this.more ||= this.entries.slice(0, -KEPT).some((entry) => entry.id !== undefined);
      this.entries.splice(0, this.entries.length - KEPT);
    }
  }

  #bound() {
    if (this.entries.filter((entry) => entry.unseen || entry.note).length > UNREAD) {
      this.trim();
    }
  }

  /**
   * Writes a message. It shows at once; whether it arrived is told by its `delivery`.
   * @param {string} text
   * @param {{userId: string, name: string}} me
   * @param {string} [replyTo] the id of the message that it answers
   */
  async send(text, me, replyTo) {
    const nonce = randomWord();
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
    this.change(entry, { delivery: 'sending', error: undefined });
    const d = { channel_id: this.channelId, content: entry.text, nonce: entry.nonce, reply_to: entry.replyTo };
    try {
      const sent = await this.request(Op.MESSAGE_CREATE, d);
      const before = this.find(sent.message_id);
      if (before && before !== entry) { // it had arrived, and its answer had not
        this.entries.splice(this.entries.indexOf(entry), 1);
      }
      this.change(entry, { delivery: 'sent', at: sent.timestamp, id: sent.message_id });
    } catch (err) {
      const again = err instanceof ConnectionLostError && (!err.sent || Date.now() - entry.at < KNOWN_MS);
      this.change(entry, { delivery: again ? 'waiting' : 'failed', error: /** @type {Error} */ (err) });
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
    this.#arrival = null;
    for (const entry of this.#waiting()) {
      this.change(entry, { delivery: 'failed' });
    }
  }

  #waiting() {
    return this.entries.filter((entry) => entry.delivery === 'waiting');
  }

  /**
   * @param {Omit<Entry, 'key'>} fields
   * @returns {Entry}
   */
  #add(fields) {
    const entry = entryOf(fields);
    this.entries.push(entry);
    this.changed();
    return entry;
  }
}

/** The chats of this visit, kept when one leaves a channel and comes back. */
export class Chats extends Store {
  /** @type {Map<string, Chat>} by channel id */
  #chats = new Map();
  #client;
  #marks;

  /**
   * @param {import('./client.js').Client} client
   * @param {import('./marks.js').Marks} marks
   */
  constructor(client, marks) {
    super();
    this.#client = client;
    this.#marks = marks;
  }

  /**
   * @param {string} channelId
   * @returns {Chat}
   */
  of(channelId) {
    let chat = this.#chats.get(channelId);
    if (!chat) {
      chat = new Chat(this.#client, this.#marks, channelId);
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
