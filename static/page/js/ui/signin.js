/**
 * The ways in that the server has beside a name and a token: signing in with the provider of a team.
 * @module
 */

import { phrases } from '../language.js';
import { byId, setText } from './dom.js';

/** How long the server may take to say which ways in there are, in milliseconds. */
const CONFIG_TIMEOUT_MS = 10_000;

/** What went wrong at the provider, by the word in `#signin-failed=…`. */
const FAILED = {
  unreachable: phrases.start.serviceUnreachable,
  denied: phrases.start.serviceDenied,
  expired: phrases.start.serviceExpired,
  busy: phrases.start.serviceBusy,
};

/**
 * @typedef {object} Doors
 * @property {boolean} guests whether a name alone lets one in
 * @property {string} failure why signing in did not work, or ''
 * @property {string | null} channelName of the channel that a link leads to; '' when there is none that one may know of, null while nothing is known
 * @property {(wanted: boolean) => void} show shows the button where it is wanted, if there is a provider
 */

/**
 * Takes from the address what went wrong when the person was at the provider.
 * @returns {string} in words, or ''
 */
function takeFailure() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const word = fragment.get('signin-failed');
  if (word === null) {
    return '';
  }
  history.replaceState(null, '', location.pathname + location.search);
  return Object.hasOwn(FAILED, word) ? FAILED[/** @type {keyof FAILED} */ (word)] : phrases.start.serviceBad;
}

/**
 * Shows the button, once it is known that there is to be one.
 * @param {string} channelId the channel a link invites to, or ''
 * @param {() => void} changed what is returned has changed
 * @returns {Doors}
 */
export function mountSignIn(channelId, changed) {
  const button = /** @type {HTMLAnchorElement} */ (byId('signin'));
  let provider = '';
  const doors = {
    guests: true,
    failure: takeFailure(),
    /** @type {string | null} */
    channelName: null,
    /** @param {boolean} wanted */
    show(wanted) {
      byId('start-signin').hidden = !provider || !wanted;
    },
  };
  const to = new URL('api/signin', document.baseURI);
  if (channelId) {
    to.searchParams.set('channel', channelId);
  }
  button.href = to.href;
  const about = new URL('api/config', document.baseURI);
  about.search = to.search;
  fetch(about, { signal: AbortSignal.timeout(CONFIG_TIMEOUT_MS) })
    .then((response) => response.json())
    .then((config) => {
      if (config.signin) {
        provider = String(config.signin.name);
        setText(button, phrases.start.signInWith(provider));
        doors.guests = config.guests;
      }
      if (channelId && config.guests) {
        doors.channelName = config.channel?.channel_name ?? '';
      }
      changed();
    })
    .catch(() => {
      // Then a name or a token is what there is; whether the server can be reached is said when they are used.
    });
  return doors;
}
