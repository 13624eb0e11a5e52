/**
 * Who the person is: the name and token the browser keeps, the token or channel a link
 * carries, and tokens for guests.
 * @module
 */

import { ErrorCode } from './protocol.js';

/** How long the server may take to mint a guest token, in milliseconds. */
const GUEST_TIMEOUT_MS = 10_000;

const NAME_KEY = 'livechat.name';
const TOKEN_KEY = 'livechat.token';
const GUEST_KEY = 'livechat.guest';

/** POST /api/guest did not answer with a token. */
export class GuestError extends Error {
  /**
   * @param {number} status HTTP status; 0 when the server was not reached
   * @param {string} reason
   * @param {number} retryAfterMs
   * @param {number} [code] an ErrorCode; 0 when it was not this server that answered
   */
  constructor(status, reason, retryAfterMs, code = 0) {
    super(reason);
    this.name = 'GuestError';
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

/**
 * @param {string} name
 * @returns {Promise<{token: string, user_id: string, name: string}>}
 * @throws {GuestError}
 */
export async function requestGuestToken(name) {
  /** @type {Response} */
  let response;
  try {
    response = await fetch(new URL('api/guest', document.baseURI), {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ name }),
      signal: AbortSignal.timeout(GUEST_TIMEOUT_MS),
    });
  } catch {
    throw new GuestError(0, 'the server was not reached', 0);
  }
  const body = await response.json().catch(() => null);
  if (!response.ok || typeof body?.token !== 'string') {
    const retryAfter = Number(response.headers.get('Retry-After')) || 0;
    const status = response.ok ? 500 : response.status;
    throw new GuestError(status, String(body?.reason ?? response.statusText), retryAfter * 1000, Number(body?.code) || 0);
  }
  return body;
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
      signal: AbortSignal.timeout(GUEST_TIMEOUT_MS),
    });
    const body = response.status === 403 ? await response.json() : null;
    return body?.code === ErrorCode.SITE_REFUSED ? String(body.reason) : '';
  } catch {
    return '';
  }
}

/**
 * Reads `#token=…&channel=…` from the address. The token is taken out of the address
 * bar and the history at once: it is a password and links get shared.
 * @returns {{token: string, channelId: string}}
 */
export function takeLink() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const token = fragment.get('token') ?? '';
  const channelId = fragment.get('channel') ?? '';
  if (token) {
    showChannelInAddress(channelId);
  }
  return { token, channelId };
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
 * What the browser keeps. The name is for the next visit; the token only for a reload
 * of this tab, so that two tabs are two people.
 */
export const memory = {
  get name() {
    return read(localStorageOf, NAME_KEY);
  },
  set name(name) {
    write(localStorageOf, NAME_KEY, name);
  },
  /** @returns {{token: string, guest: boolean}} */
  get credentials() {
    return { token: read(sessionStorageOf, TOKEN_KEY), guest: read(sessionStorageOf, GUEST_KEY) === 'yes' };
  },
  set credentials({ token, guest }) {
    write(sessionStorageOf, TOKEN_KEY, token);
    write(sessionStorageOf, GUEST_KEY, guest ? 'yes' : '');
  },
};

const localStorageOf = () => window.localStorage;
const sessionStorageOf = () => window.sessionStorage;

/**
 * @param {() => Storage} storage reading the property itself throws where a browser
 *   blocks storage
 * @param {string} key
 * @returns {string}
 */
function read(storage, key) {
  try {
    return storage().getItem(key) ?? '';
  } catch {
    return '';
  }
}

/**
 * @param {() => Storage} storage
 * @param {string} key
 * @param {string} value
 */
function write(storage, key, value) {
  try {
    if (value) {
      storage().setItem(key, value);
    } else {
      storage().removeItem(key);
    }
  } catch {
    // Without storage the name is asked for again; nothing else is lost.
  }
}
