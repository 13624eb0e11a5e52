/**
 * Waiting before trying again: a random time below a ceiling that doubles with every
 * failure. Random, so that everybody a server lost does not come back at once.
 * @module
 */

/** The first ceiling and the last, in milliseconds, as PROTOCOL.md asks. */
const FIRST_MS = 1_000;
const MAX_MS = 30_000;

export class Retry {
  /** @type {number | null} when the next try starts, as Date.now() counts */
  at = null;

  #run;
  #failures = 0;
  #timer = 0;

  /** @param {() => void} run tries again */
  constructor(run) {
    this.#run = run;
  }

  /** Plans the next try. */
  later() {
    this.cancel();
    const delay = Math.random() * Math.min(MAX_MS, FIRST_MS * 2 ** this.#failures);
    this.#failures++;
    this.at = Date.now() + delay;
    this.#timer = setTimeout(() => {
      this.at = null;
      this.#run();
    }, delay);
  }

  /** Forgets the planned try, but not how often it failed. */
  cancel() {
    clearTimeout(this.#timer);
    this.at = null;
  }

  /** It worked: the next wait is short again. */
  succeeded() {
    this.#failures = 0;
  }

  get failedBefore() {
    return this.#failures > 0;
  }
}
