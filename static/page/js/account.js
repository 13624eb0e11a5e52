/**
 * Who the person is: the name, token and login the browser keeps, the token, invite or channel a link
 * carries, and how one comes by a token: as a guest, or by an invite.
 * @module
 */

import { ErrorCode } from './protocol.js';
import { forGood, forTab, read, write } from './storage.js';

/** How long the server may take to answer, in milliseconds. */
const TIMEOUT_MS = 10_000;

const NAME_KEY = 'livechat.name';
const TOKEN_KEY = 'livechat.token';
const GUEST_KEY = 'livechat.guest';
const DEVICE_KEY = 'livechat.device';
const LOGIN_KEY = 'livechat.login';
const LOGIN_NAME_KEY = 'livechat.login.name';

/** The server did not let somebody in, or was not reached. */
export class EntryError extends Error {
  /**
   * @param {number} status HTTP status; 0 when the server was not reached
   * @param {string} reason
   * @param {number} retryAfterMs
   * @param {number} [code] an ErrorCode; 0 when it was not this server that answered
   */
  constructor(status, reason, retryAfterMs, code = 0) {
    super(reason);
    this.name = 'EntryError';
    this.status = status;
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
    this.code = code;
  }

  /** Whether the server takes no guests, so that only a token helps. */
  get guestsRefused() {
    return this.code === ErrorCode.ACCESS_DENIED;
  }

  /** Whether the same request may succeed a little later. */
  get passing() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** A login that the browser kept is good no more: it was taken back, or nobody came for long. */
export class SignedOutError extends Error {}

/**
 * @param {string} path
 * @param {object} d
 * @returns {Promise<any>}
 * @throws {EntryError}
 */
async function post(path, d) {
  /** @type {Response} */
  let response;
  try {
    response = await fetch(new URL(path, document.baseURI), {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(d),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch {
    throw new EntryError(0, 'the server was not reached', 0);
  }
  const body = await response.json().catch(() => null);
  if (!response.ok || body === null) {
    const retryAfter = Number(response.headers.get('Retry-After')) || 0;
    const status = response.ok ? 500 : response.status;
    throw new EntryError(status, String(body?.reason ?? response.statusText), retryAfter * 1000, Number(body?.code) || 0);
  }
  return body;
}

/**
 * @param {string} name
 * @returns {Promise<{token: string, user_id: string, name: string}>}
 * @throws {EntryError}
 */
export async function requestGuestToken(name) {
  const guest = await post('api/guest', { name });
  if (typeof guest.token !== 'string') {
    throw new EntryError(500, 'there is no token in the answer', 0);
  }
  return guest;
}

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
 * Why the server refuses this page its WebSocket. Browsers do not say that of a WebSocket, so
 * the same address is asked again, by POST, because with GET they do not send the Origin that
 * the server judges.
 * @param {string | URL} gateway URL of the WebSocket
 * @returns {Promise<string>} '' when it does not refuse it, or cannot be reached
 */
export async function siteRefusal(gateway) {
  try {
    const response = await fetch(String(gateway).replace(/^ws/, 'http'), {
      method: 'POST',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const body = response.status === 403 ? await response.json() : null;
    return body?.code === ErrorCode.SITE_REFUSED ? String(body.reason) : '';
  } catch {
    return '';
  }
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
