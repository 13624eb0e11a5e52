/**
 * The invite that a link carries: what it is, and becoming by it somebody whom this browser keeps.
 *
 * Event: `change`.
 * @module
 */

import { EntryError, askInvite, endLogin, memory, showChannelInAddress } from './account.js';
import { ErrorCode } from './protocol.js';
import { Store } from './store.js';

export class Invitation extends Store {
  /** `none` when there is none, or none any more; `refused` when it cannot be used, or nobody knows yet. */
  /** @type {'none' | 'asking' | 'open' | 'refused'} */
  state = 'none';
  /** @type {import('./account.js').InviteAnswer | null} */
  offer = null;
  /** @type {Error | null} why it cannot be used, or was not accepted */
  error = null;
  /** It is being accepted. */
  busy = false;

  #session;
  #secret;

  /**
   * @param {import('./session.js').Session} session
   * @param {string} secret '' for none
   */
  constructor(session, secret) {
    super();
    this.#session = session;
    this.#secret = secret;
    if (secret) {
      this.look();
    }
  }

  /** Whether it can be tried again as it is. */
  get passing() {
    return this.error instanceof EntryError && this.error.passing;
  }

  /** Asks what it is. */
  async look() {
    this.state = 'asking';
    this.error = null;
    this.changed();
    try {
      this.offer = await askInvite(this.#secret);
      this.state = 'open';
    } catch (err) {
      this.error = /** @type {Error} */ (err);
      this.state = 'refused';
    }
    this.changed();
  }

  /** It is of no use any more, here or to who reloads the page. */
  drop() {
    if (this.state !== 'none') {
      this.state = 'none';
      this.error = null;
      showChannelInAddress(null);
      this.changed();
    }
  }

  /** @param {string} name of the person that one becomes */
  accept(name) {
    return this.#accept(async () => {
      const before = memory.login.token;
      const made = await askInvite(this.#secret, { name, device: memory.device });
      if (before && this.offer?.for_name) {
        endLogin(before); // which this browser keeps no more
      }
      memory.login = { token: made.token ?? '', name: made.name ?? name };
    });
  }

  /** Accepts it as who one is on this browser already. */
  acceptAsKnown() {
    const { token } = memory.login;
    return this.#accept(() => askInvite(this.#secret, { token }));
  }

  /** @param {() => Promise<any>} ask */
  async #accept(ask) {
    this.busy = true;
    this.error = null;
    this.changed();
    try {
      await ask();
      this.drop();
      this.#session.signInWithToken(memory.login.token, 'login', this.offer?.channel_id ?? null);
    } catch (err) {
      this.error = /** @type {Error} */ (err);
      const code = err instanceof EntryError ? err.code : 0;
      if (code === ErrorCode.INVITE) {
        this.state = 'refused';
      } else if (code === ErrorCode.INVALID_TOKEN || code === ErrorCode.USER_NOT_FOUND) {
        memory.login = { token: '', name: '' };
      }
    }
    this.busy = false;
    this.changed();
  }
}
