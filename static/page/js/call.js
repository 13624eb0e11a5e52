/**
 * The call as the page shows it: the channel one is in, what last went wrong there, and the address of the page, which leads
 * to it.
 *
 * Events: those of {@link Stay}.
 * @module
 */

import { Address } from './address.js';
import { Stay } from './stay.js';

/** @typedef {import('./stay.js').Problem} Problem */

/** @extends {Stay<import('./chat.js').Chat>} */
export class Call extends Stay {
  /** @type {Problem | null} */
  problem = null;
  address = new Address();

  /**
   * @param {import('./client.js').Client} client
   * @param {import('./media.js').Media} media
   * @param {import('./directory.js').Directory} directory
   * @param {import('./chat.js').Chats} chats
   */
  constructor(client, media, directory, chats) {
    super(client, media, directory, chats);
    this.addEventListener('problem', (e) => {
      this.problem = /** @type {CustomEvent<Problem>} */ (e).detail;
      this.changed();
    });
    this.microphone.addEventListener('undenoised', () => this.report('undenoised', '', null));
    this.addEventListener('settled', () => this.address.show(this.wanted));
  }

  /** @returns {string | undefined} who as a moderator muted one, as far as it is known */
  get heldBy() {
    return this.told.mutedBy.get(this.myId);
  }

  clear() {
    super.clear();
    this.problem = null;
  }

  dismiss() {
    this.problem = null;
    this.talk.dismiss();
    this.changed();
  }

  /** Says why one is not heard, to one who would be. */
  explainHeld() {
    this.report('held', '', null, this.heldBy);
  }

  hold() {
    super.hold();
    if (this.problem?.doing === 'held' && !this.voice.held) {
      this.problem = null;
    }
  }
}
