/**
 * Keeps voice on a path that works: notices that nothing comes any more, before the browser does where it can, and moves the
 * connection to another path by an ICE restart, until something comes again. The call goes on meanwhile.
 *
 * Events: `change`; `lost` when the server does not move the connection, so that only joining again helps.
 * @module
 */

import { ErrorCode, Op, RequestError, requestPatiently } from './protocol.js';
import { Store } from './store.js';

/** How long the browser may call the path broken before we do, in milliseconds: a burst of loss is over by then. */
const BROKEN_MS = 1_000;
/**
 * How long nothing may come while somebody who has a line speaks. It is longer than the end of speech takes to be told
 * (280 ms, and up to 100 ms between two SPEAKERS), and than most bursts of loss last.
 */
const QUIET_MS = 600;
const LOOK_MS = 200;
/** Between two ICE restarts while nothing comes: at first as long as a path takes to be found on a slow network. */
const FIRST_PAUSE_MS = 2_000;
const LAST_PAUSE_MS = 16_000;

export class Path extends Store {
  /** Nothing comes although somebody speaks. */
  #silent = false;
  /** Another path is to be found, whether or not this one seems to work. */
  #wanted = false;
  #finding = false;
  /** Ends the pause between two tries. */
  #wake = () => {};

  #client;
  #media;
  #brokenTimer = 0;
  #lookTimer = 0;
  /** Packets at the last look, and when they last were more than before, as performance.now() counts. */
  #received = 0;
  #heardAt = 0;

  /**
   * @param {import('./client.js').Client} client
   * @param {import('./media.js').Media} media
   */
  constructor(client, media) {
    super();
    this.#client = client;
    this.#media = media;
    media.addEventListener('state', () => this.#onState());
    client.addEventListener('state', () => {
      if (client.state.name !== 'ready' && !this.#silent) {
        this.expect(false); // who speaks is not known until the connection is back
      }
    });
  }

  /** Whether voice was connected and is interrupted. */
  get broken() {
    return this.#silent || this.#media.state === 'unstable';
  }

  /** Looks for another path: the network is another one, or the server says that nothing comes. */
  restart() {
    if (this.#media.state === 'connected' || this.#media.state === 'unstable') {
      this.#wanted = true;
      this.#wake();
      this.#find();
    }
  }

  /** @param {boolean} speech whether somebody speaks who has a line, so that packets must come */
  expect(speech) {
    if (!speech) {
      clearInterval(this.#lookTimer);
      this.#lookTimer = 0;
      this.#setSilent(false);
    } else if (!this.#lookTimer) {
      this.#heardAt = performance.now();
      this.#lookTimer = setInterval(() => this.#look(), LOOK_MS);
    }
  }

  async #look() {
    const received = await this.#media.received().catch(() => null);
    const now = performance.now();
    if (received === null || !this.#lookTimer) {
      return; // the connection was closed meanwhile, or nothing is expected any more
    }
    if (received !== this.#received || this.#media.state !== 'connected') {
      this.#received = received;
      this.#heardAt = now;
    }
    const silent = now - this.#heardAt >= QUIET_MS;
    if (silent || this.#client.state.name === 'ready') {
      this.#setSilent(silent);
    } else {
      this.expect(false);
    }
  }

  /** @param {boolean} silent */
  #setSilent(silent) {
    if (silent !== this.#silent) {
      this.#silent = silent;
      this.changed();
      this.#wake();
    }
    if (silent) {
      this.#find();
    }
  }

  #onState() {
    clearTimeout(this.#brokenTimer);
    if (this.#media.state === 'unstable') {
      this.#brokenTimer = setTimeout(() => this.#find(), BROKEN_MS);
    } else {
      this.#wake();
    }
  }

  async #find() {
    if (this.#finding) {
      return;
    }
    this.#finding = true;
    for (let pause = FIRST_PAUSE_MS; this.broken || this.#wanted; pause = Math.min(2 * pause, LAST_PAUSE_MS)) {
      const wanted = this.#wanted;
      this.#wanted = false;
      try {
        // An offer that waits for an answer is in the way of a path that comes back by itself, so there must be somebody to answer.
        await this.#client.reach();
        if (wanted || this.broken) {
          await this.#move();
        }
      } catch (err) {
        if (err instanceof RequestError && (this.broken || err.code === ErrorCode.NOT_IN_CHANNEL)) {
          this.dispatchEvent(new CustomEvent('lost'));
          break;
        }
        // Otherwise the call is over, or the path works.
      }
      await this.#pause(pause);
    }
    this.#finding = false;
  }

  async #move() {
    await this.#media.restart(async (offer) => {
      const { sdp_answer } = await requestPatiently(this.#client, Op.RENEGOTIATE, { sdp_offer: offer });
      return sdp_answer;
    });
  }

  /**
   * Waits for so long, or until it is known that the path works or that it does not.
   * @param {number} ms
   * @returns {Promise<void>}
   */
  #pause(ms) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
