/**
 * Whom the person wants to hear in any case, and whom not at all, and telling the server
 * until it knows.
 *
 * Events: `change`; `refused` when the server did not take note, with the error.
 * @module
 */

import { ConnectionLostError, Op, requestPatiently } from './protocol.js';
import { Store } from './store.js';

/** How many the server takes of each; the oldest go first. */
const MAX_PINS = 32;
const MAX_EXCLUSIONS = 256;

/** Two empty lists, as they are told. */
const NOTHING = JSON.stringify({ pin: [], exclude: [] });

export class Hearing extends Store {
  /** @type {Set<string>} user ids, the oldest first */
  pinned = new Set();
  /** @type {Set<string>} user ids, the oldest first */
  excluded = new Set();

  #client;
  /** What the server knows. It forgets with the session. */
  #told = NOTHING;
  /** @type {Promise<void> | null} */
  #telling = null;

  /** @param {import('./client.js').Client} client */
  constructor(client) {
    super();
    this.#client = client;
  }

  /** @param {string[]} excluded user ids of whom the person did not want to hear the last time; the newest are the last */
  restore(excluded) {
    this.excluded = new Set(excluded.slice(-MAX_EXCLUSIONS));
  }

  /** @param {string} userId */
  togglePin(userId) {
    toggle(this.pinned, userId, MAX_PINS);
    this.excluded.delete(userId);
    this.#change();
  }

  /** @param {string} userId */
  toggleExclusion(userId) {
    toggle(this.excluded, userId, MAX_EXCLUSIONS);
    this.pinned.delete(userId);
    this.#change();
  }

  async #change() {
    this.changed();
    try {
      await this.tell();
    } catch (err) {
      // After a lost connection the next session is told before it joins anything.
      if (!(err instanceof ConnectionLostError)) {
        this.dispatchEvent(new CustomEvent('refused', { detail: err }));
      }
    }
  }

  /** A new session knows of nobody. */
  forget() {
    this.#told = NOTHING;
  }

  /**
   * Tells the server what it does not know yet; returns when it does.
   * @returns {Promise<void>}
   * @throws {RequestError | ConnectionLostError}
   */
  tell() {
    this.#telling ??= this.#tellAll().finally(() => {
      this.#telling = null;
    });
    return this.#telling;
  }

  async #tellAll() {
    for (;;) {
      const wish = { pin: [...this.pinned], exclude: [...this.excluded] };
      const text = JSON.stringify(wish);
      if (text === this.#told) {
        return;
      }
      await requestPatiently(this.#client, Op.SUBSCRIBE, wish);
      this.#told = text;
    }
  }
}

/**
 * @param {Set<string>} set
 * @param {string} userId
 * @param {number} most
 */
function toggle(set, userId, most) {
  if (set.delete(userId)) {
    return;
  }
  if (set.size >= most) {
    set.delete(/** @type {string} */ (set.values().next().value));
  }
  set.add(userId);
}
