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
  #firstMs;
  #failures = 0;
  #timer = 0;

  /**
   * @param {() => void} run tries again
   * @param {number} [firstMs] the first ceiling
   */
  constructor(run, firstMs = FIRST_MS) {
    this.#run = run;
    this.#firstMs = firstMs;
  }

  /**
   * Plans the next try.
   * @param {number} [mostMs] the last ceiling
   */
  later(mostMs = MAX_MS) {
    this.#failures++;
    this.in(Math.random() * Math.min(mostMs, this.#firstMs * 2 ** (this.#failures - 1)));
  }

  /**
   * Plans the next try for when somebody else thinks right.
   * @param {number} delayMs
   */
  in(delayMs) {
    this.cancel();
    this.at = Date.now() + delayMs;
    this.#timer = setTimeout(() => this.#try(), delayMs);
  }

  /** Tries at once: there is news, so that what failed before counts no more. */
  now() {
    this.succeeded();
    this.#try();
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

  #try() {
    this.cancel();
    this.#run();
  }
}
