/**
 * Who the person is: the name, token and login the browser keeps, the token, invite or channel a link
 * carries, and how one comes by a token: as a guest, or by an invite.
 * @module
 */

import { askGuest, post as postTo } from './entry.js';
import { forGood, forTab, read, write } from './storage.js';

export { EntryError, siteRefusal } from './entry.js';

const NAME_KEY = 'livechat.name';
const TOKEN_KEY = 'livechat.token';
const GUEST_KEY = 'livechat.guest';
const DEVICE_KEY = 'livechat.device';
const LOGIN_KEY = 'livechat.login';
const LOGIN_NAME_KEY = 'livechat.login.name';

/** A login that the browser kept is good no more: it was taken back, or nobody came for long. */
export class SignedOutError extends Error {}

/**
 * @param {string} path
 * @param {object} d
 * @returns {Promise<any>}
 * @throws {import('./entry.js').EntryError}
 */
const post = (path, d) => postTo(new URL(path, document.baseURI), d);

/**
 * @param {string} name
 * @returns {Promise<{token: string, user_id: string, name: string}>}
 * @throws {import('./entry.js').EntryError}
 */
export const requestGuestToken = (name) => askGuest(document.baseURI, name);

/**
 * What an invite is, and, of who accepts it, whom it makes.
 * @typedef {object} InviteAnswer
 * @property {import('./protocol.js').Role} role
 * @property {string} [channel_id]
 * @property {string} [channel_name]
 * @property {string} [by_name]
 * @property {number} [expires_at]
 * @property {string} [for_name] whom the link signs in, whatever name is sent
 * @property {string} [token] absent for one who was a person already
 * @property {string} [user_id]
 * @property {string} [name]
 */

/**
 * Asks what an invite is, and with a name or a token accepts it.
 * @param {string} secret
 * @param {{name?: string, token?: string, device?: string}} [as]
 * @returns {Promise<InviteAnswer>}
 * @throws {EntryError}
 */
export function askInvite(secret, as = {}) {
  return post('api/invite', { secret, ...as });
}

/**
 * Takes a login back. That the server cannot be reached is no reason to stay.
 * @param {string} token
 */
export async function endLogin(token) {
  await post('api/signout', { token }).catch(() => {});
}

/**
 * Reads `#token=…&channel=…` or `#invite=…` from the address. The token is taken out of the address
 * bar and the history at once: it is a password and links get shared. An invite stays until it is accepted.
 * @returns {{token: string, channelId: string, invite: string}}
 */
export function takeLink() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const token = fragment.get('token') ?? '';
  const channelId = fragment.get('channel') ?? '';
  const invite = fragment.get('invite') ?? '';
  if (token) {
    showChannelInAddress(channelId);
  }
  return { token, channelId, invite };
}

/**
 * Makes the address bar a link to the channel, so that it can be shared.
 * @param {string | null} channelId
 */
export function showChannelInAddress(channelId) {
  history.replaceState(null, '', channelLink(channelId));
}

/**
 * @param {string | null} channelId
 * @returns {string}
 */
export function channelLink(channelId) {
  const url = new URL(location.href);
  url.hash = channelId ? `channel=${channelId}` : '';
  return url.href;
}

/**
 * @param {string} secret
 * @returns {string}
 */
export function inviteLink(secret) {
  const url = new URL(location.href);
  url.search = '';
  url.hash = `invite=${secret}`;
  return url.href;
}

/**
 * What the browser keeps. The name and the login are for the next visit; the token only for a reload
 * of this tab, so that two tabs are two people.
 */
export const memory = {
  get name() {
    return read(forGood, NAME_KEY);
  },
  set name(name) {
    write(forGood, NAME_KEY, name);
  },
  /** @returns {{token: string, guest: boolean}} */
  get credentials() {
    return { token: read(forTab, TOKEN_KEY), guest: read(forTab, GUEST_KEY) === 'yes' };
  },
  set credentials({ token, guest }) {
    write(forTab, TOKEN_KEY, token);
    write(forTab, GUEST_KEY, guest ? 'yes' : '');
  },
  /** A word at random by which the server knows this browser again. */
  get device() {
    const kept = read(forGood, DEVICE_KEY) || randomWord();
    write(forGood, DEVICE_KEY, kept);
    return kept;
  },
  /** Who one is on this browser for good, having come by an invite; the token is '' when one is nobody. */
  /** @returns {{token: string, name: string}} */
  get login() {
    return { token: read(forGood, LOGIN_KEY), name: read(forGood, LOGIN_NAME_KEY) };
  },
  set login({ token, name }) {
    write(forGood, LOGIN_KEY, token);
    write(forGood, LOGIN_NAME_KEY, name);
  },
};

/** @returns {string} */
export function randomWord() {
  return [...crypto.getRandomValues(new Uint32Array(4))].map((n) => n.toString(36)).join('-');
}
