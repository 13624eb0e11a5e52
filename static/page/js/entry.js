/**
 * Coming in: what a server is asked by HTTP before there is a session, and by what words it refuses.
 * @module
 */

import { ErrorCode } from './protocol.js';

/** How long the server may take to answer, in milliseconds. */
const TIMEOUT_MS = 10_000;

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

/**
 * @param {string | URL} url
 * @param {object} d
 * @returns {Promise<any>}
 * @throws {EntryError}
 */
export async function post(url, d) {
  /** @type {Response} */
  let response;
  try {
    response = await fetch(url, {
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
 * @param {string | URL} server where its page is
 * @param {string} name
 * @returns {Promise<{token: string, user_id: string, name: string}>}
 * @throws {EntryError}
 */
export async function askGuest(server, name) {
  const guest = await post(new URL('api/guest', server), { name });
  if (typeof guest.token !== 'string') {
    throw new EntryError(500, 'there is no token in the answer', 0);
  }
  return guest;
}

/**
 * @param {string | URL} server where its page is
 * @returns {URL} where its WebSocket is
 */
export function gatewayOf(server) {
  const url = new URL('ws', server);
  url.protocol = url.protocol.replace('http', 'ws');
  url.search = '';
  url.hash = '';
  return url;
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
