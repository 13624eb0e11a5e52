/**
 * Whether the server answers, while one is in a call and looks at the page.
 *
 * What comes anyway is the sign of it: a voice, the comfort noise of somebody silent, any frame. Only where nothing comes for a while,
 * since all others are muted or one is alone, a HEARTBEAT asks, and one is asked at a time. A connection that is seen to be lost says
 * nothing of the server, which may well carry voice on: that is told elsewhere, and later.
 *
 * Event: `change` when {@link Pulse#silent} changed.
 * @module
 */

import { Store } from './store.js';

/** How long nothing may come before it is asked, and how long the answer may then take, in milliseconds: told within two seconds. */
export const QUIET_MS = 700;
export const PATIENCE_MS = 900;
/** Where the way is long, an answer may take so many of its round trips. */
const ROUND_TRIPS = 3;
/** How often it is looked whether something comes again, in milliseconds. */
const LOOK_MS = 200;

export class Pulse extends Store {
  /** The server does not answer, although the connections to it stand. */
  silent = false;

  #client;
  #call;
  #timer = 0;
  /** When it was asked last, as performance.now() counts; 0 when the answer came. */
  #asked = 0;

  /**
   * @param {import('./client.js').Client} client
   * @param {import('./stay.js').Stay} call
   */
  constructor(client, call) {
    super();
    this.#client = client;
    this.#call = call;
    call.addEventListener('change', () => this.#follow());
    document.addEventListener('visibilitychange', () => this.#follow());
  }

  /** Watches while it is wanted. */
  #follow() {
    const wanted = this.#call.here !== null && !document.hidden;
    if (wanted && !this.#timer) {
      this.#asked = 0;
      this.#look();
    } else if (!wanted) {
      clearTimeout(this.#timer);
      this.#timer = 0;
      this.#set(false);
    }
  }

  #look() {
    const now = performance.now();
    const heardAt = Math.max(this.#client.heardAt, this.#call.media.heardAt());
    const patience = Math.max(PATIENCE_MS, ROUND_TRIPS * (this.#client.rttMs ?? 0));
    let next = LOOK_MS;
    if (heardAt > this.#asked) {
      this.#asked = 0;
    }
    if (now - heardAt < QUIET_MS) {
      this.#set(false);
      next = Math.max(heardAt + QUIET_MS - now, 0);
    } else if (this.#asked && now - this.#asked >= patience) {
      this.#set(true);
    } else if (this.#asked) {
      next = this.#asked + patience - now;
    } else if (this.#client.beat()) {
      this.#asked = now;
      next = patience;
    }
    this.#timer = setTimeout(() => this.#look(), Math.max(next, 1));
  }

  /** @param {boolean} silent */
  #set(silent) {
    if (silent !== this.silent) {
      this.silent = silent;
      this.changed();
    }
  }
}
