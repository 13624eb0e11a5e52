/**
 * Which chat is on the screen: that of the channel one is in, or of another one that one only looks at.
 *
 * What is written in a channel is told to those who are in it. Who only looks reads it anew now and then, while the page is
 * looked at.
 *
 * Event: `change`.
 * @module
 */

import { Store } from './store.js';

/** How often a channel that one is not in is read anew, in milliseconds. */
const REFRESH_MS = 5_000;

export class Reading extends Store {
  /** The message that is to be shown. @type {string | null} */
  target = null;

  #call;
  #chats;
  /** The channel one looks at. @type {string | null} */
  #channelId = null;
  /** The channel one was in last. @type {string | null} */
  #roomId = null;

  /**
   * @param {import('./call.js').Call} call
   * @param {import('./chat.js').Chats} chats
   */
  constructor(call, chats) {
    super();
    this.#call = call;
    this.#chats = chats;
    call.addEventListener('change', () => this.#follow());
    const refresh = () => this.looking && !document.hidden && this.chat?.refresh();
    setInterval(refresh, REFRESH_MS);
    document.addEventListener('visibilitychange', refresh);
  }

  /** Whether one looks at a channel without being in it. */
  get looking() {
    return this.#channelId !== null && this.#channelId !== this.#call.room?.channelId;
  }

  /** The channel whose chat is shown. */
  get channelId() {
    return this.looking ? this.#channelId : (this.#call.room?.channelId ?? null);
  }

  /** @returns {import('./chat.js').Chat | null} */
  get chat() {
    return this.channelId === null ? null : this.#chats.of(this.channelId);
  }

  /** What is shown of it. @returns {import('./pages.js').Pages | null} */
  get view() {
    return this.chat?.passage ?? this.chat;
  }

  /** Who comes into a channel reads that one. */
  #follow() {
    const roomId = this.#call.room?.channelId ?? null;
    if (roomId !== this.#roomId) {
      this.#roomId = roomId;
      this.#channelId = roomId === null ? this.#channelId : null;
      this.changed();
    }
  }

  /** @param {string} channelId */
  look(channelId) {
    this.#channelId = channelId;
    this.target = null;
    if (this.looking) {
      this.chat?.load();
    }
    this.changed();
  }

  /**
   * Looks no longer.
   * @param {string} [channelId] at this channel, if one did
   */
  leave(channelId) {
    if (channelId === undefined || channelId === this.#channelId) {
      this.chat?.newest();
      this.#channelId = null;
      this.target = null;
      this.changed();
    }
  }

  /**
   * Goes to a message, in the midst of what was written around it.
   * @param {string} channelId
   * @param {string} messageId
   */
  async show(channelId, messageId) {
    if (channelId !== this.channelId) {
      this.look(channelId);
    }
    const { chat } = this;
    this.target = messageId;
    this.changed();
    if (chat?.find(messageId)) {
      chat.newest();
    } else if (!chat?.passage?.find(messageId)) {
      await chat?.open(messageId);
    }
  }
}
