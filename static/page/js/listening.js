/**
 * To which other channels one listens from the one that one is in, as a radio scans, and which of them is heard. What the person
 * wants is told to the server until it knows, and again in each channel.
 *
 * Events: `change`; `refused` when it is not to be had, with the error.
 * @module
 */

import { ConnectionLostError, FEATURE_LISTEN, Op, requestPatiently } from './protocol.js';
import { Store } from './store.js';

/** How many the server takes. */
const MOST = 8;

/** What the server has when it was told nothing. */
const NOTHING = JSON.stringify({ channels: [] });

export class Listening extends Store {
  /** @type {string[]} ids, the most important first */
  channels = [];
  /** @type {string | undefined} the one that interrupts the others */
  priority;
  /** Who is heard of them; null for nobody. @type {{channelId: string, channelName: string, name: string} | null} */
  heard = null;

  #client;
  #live = false;
  /** What the server knows. It forgets with the channel that one is in. */
  #told = NOTHING;
  #telling = false;

  /** @param {import('./client.js').Client} client */
  constructor(client) {
    super();
    this.#client = client;
  }

  /** Whether there is such a thing, for one who is in a channel. */
  get possible() {
    return this.#live && this.#client.has(FEATURE_LISTEN);
  }

  get full() {
    return this.channels.length >= MOST;
  }

  /** @param {string} channelId */
  toggle(channelId) {
    const others = this.channels.filter((id) => id !== channelId);
    this.#want(others.length < this.channels.length ? others : [...others, channelId], this.priority);
  }

  /** @param {string} channelId */
  togglePriority(channelId) {
    this.#want(this.channels, this.priority === channelId ? undefined : channelId);
  }

  /**
   * One is in a channel anew, where nothing is listened to yet.
   * @param {(channelId: string) => boolean} may whether one may listen to a channel from there
   */
  arrive(may) {
    this.#live = true;
    this.#told = NOTHING;
    this.#want(this.channels.filter(may), this.priority);
  }

  /** One is in no channel any more. */
  leave() {
    this.#live = false;
    this.heard = null;
  }

  /** Ends it for good. */
  end() {
    this.leave();
    this.#set([], undefined);
  }

  /** @param {import('./protocol.js').Listen} d what is left, some of it being gone */
  onListening({ channels, priority }) {
    this.#set(channels, priority);
    this.#told = this.#wish;
    this.changed();
  }

  /** @param {import('./protocol.js').Slot[]} slots who is heard on which line */
  assign(slots) {
    const slot = slots.find((s) => s.channel_id);
    this.heard = slot ? { channelId: slot.channel_id ?? '', channelName: slot.channel_name ?? '', name: slot.name ?? '' } : null;
  }

  get #wish() {
    return JSON.stringify({ channels: this.channels, priority: this.priority });
  }

  /**
   * @param {string[]} channels
   * @param {string} [priority]
   */
  #set(channels, priority) {
    this.channels = channels;
    this.priority = channels.find((id) => id === priority);
  }

  /**
   * @param {string[]} channels
   * @param {string} [priority]
   */
  #want(channels, priority) {
    this.#set(channels, priority);
    this.changed();
    this.#tell();
  }

  async #tell() {
    if (this.#telling) {
      return;
    }
    this.#telling = true;
    try {
      for (let wish = this.#wish; this.possible && wish !== this.#told; wish = this.#wish) {
        await requestPatiently(this.#client, Op.LISTEN, JSON.parse(wish));
        this.#told = wish;
      }
    } catch (err) {
      // After a lost connection one arrives anew.
      if (!(err instanceof ConnectionLostError) && this.#live) {
        const { channels, priority } = JSON.parse(this.#told);
        this.#set(channels, priority);
        this.changed();
        this.dispatchEvent(new CustomEvent('refused', { detail: err }));
      }
    } finally {
      this.#telling = false;
    }
  }
}
