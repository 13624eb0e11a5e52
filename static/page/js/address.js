/**
 * The page's address and its place in the history. The address leads to the channel one is in, and being in one is a place of its own
 * in the history, so that Back leads out of the channel before it leads off the page, and can be asked about.
 *
 * Event: `back`, when the way led back while one is in a channel. One is in it still, and so is the address.
 * @module
 */

import { channelLink } from './account.js';

/** What the history has of each place: outside of channels, and in one. */
const OUT = 'out';
const IN = 'in';

export class Address extends EventTarget {
  /** @type {string | null} the channel one is in */
  #channel = null;
  /** By our own doing the way leads back, and is not at its end. */
  #leaving = false;
  /** The last way through the history was one of ours, not a link that was put into the tab. */
  #ours = false;

  constructor() {
    super();
    window.addEventListener('popstate', (e) => this.#onPop(e.state?.place));
    // A link put into this tab changes only the fragment, which loads nothing by itself.
    window.addEventListener('hashchange', () => this.#ours || location.reload());
  }

  /** @param {string | null} channelId the channel one is in from now on; null for none */
  show(channelId) {
    if (channelId !== this.#channel) {
      this.#channel = channelId;
      if (!this.#leaving) {
        this.#write();
      }
    }
  }

  /** @param {string | undefined} place to which the history led */
  #onPop(place) {
    this.#ours = place === OUT;
    if (!this.#ours) {
      return;
    }
    const asked = !this.#leaving && this.#channel !== null;
    this.#leaving = false;
    this.#write();
    if (asked) {
      this.dispatchEvent(new CustomEvent('back'));
    }
  }

  #write() {
    const inside = history.state?.place === IN;
    const url = channelLink(this.#channel);
    if (this.#channel === null && inside) {
      this.#leaving = true;
      history.back();
    } else if (this.#channel !== null && !inside) {
      history.replaceState({ place: OUT }, '', url);
      history.pushState({ place: IN }, '', url);
    } else {
      history.replaceState({ place: inside ? IN : OUT }, '', url);
    }
  }
}
