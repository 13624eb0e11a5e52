/**
 * What the page says to people is in this folder: every error, state and note in plain words. Here is what the others share.
 * @module
 */

import { ConnectionLostError, ErrorCode, RequestError } from '../protocol.js';

/**
 * @param {number} ms
 * @returns {string}
 */
export function seconds(ms) {
  const s = Math.max(1, Math.ceil(ms / 1000));
  return s === 1 ? '1 second' : `${s} seconds`;
}

/**
 * @param {number} ms
 * @returns {string}
 */
export function milliseconds(ms) {
  return ms < 1 ? 'under 1 ms' : `${Math.round(ms)} ms`;
}

/**
 * @param {number} ms
 * @returns {string} in its largest unit
 */
export function span(ms) {
  for (const [unit, size] of /** @type {[string, number][]} */ ([
    ['day', 86_400_000],
    ['hour', 3_600_000],
    ['minute', 60_000],
  ])) {
    const n = Math.floor(ms / size);
    if (n > 0) {
      return n === 1 ? `1 ${unit}` : `${n} ${unit}s`;
    }
  }
  return 'less than a minute';
}

/**
 * @param {number} n
 * @returns {string}
 */
export function people(n) {
  return n === 1 ? '1 person' : `${n} people`;
}

/**
 * @param {string} text the server's
 * @returns {string} with a capital letter and a full stop
 */
export function sentence(text) {
  return text ? `${text[0].toUpperCase()}${text.slice(1).replace(/\.$/, '')}.` : '';
}

/**
 * @param {Error | null} err
 * @returns {string} a whole sentence
 */
export function because(err) {
  if (err instanceof ConnectionLostError) {
    return err.sent ? 'The connection to the server was lost meanwhile.' : 'There is no connection to the server.';
  }
  if (typeof RTCPeerConnection === 'undefined') {
    return 'This browser cannot carry voice: WebRTC is missing or switched off.';
  }
  if (!(err instanceof RequestError)) {
    return 'Something in this browser went wrong; reloading the page may help.';
  }
  switch (err.code) {
    case ErrorCode.RATE_LIMITED:
      return `That was too fast for the server. Try again in ${seconds(err.retryAfterMs)}.`;
    case ErrorCode.ACCESS_DENIED:
      return 'Only the person who created it, or an admin, may do that.';
    case ErrorCode.CHANNEL_NOT_FOUND:
      return 'The channel does not exist any more.';
    case ErrorCode.NOT_IN_CHANNEL:
    case ErrorCode.MESSAGE_ELSEWHERE:
      return 'You are not in this channel any more.';
    case ErrorCode.MUTED:
      return 'A moderator has muted you.';
    case ErrorCode.EMPTY_MESSAGE:
      return 'The message is empty.';
    case ErrorCode.MESSAGE_TOO_LONG:
      return 'The message is too long.';
    case ErrorCode.BAD_SDP:
    case ErrorCode.UNSUPPORTED_MEDIA:
      return `The server and this browser do not agree on how to carry voice (${err.reason}).`;
    case ErrorCode.STORAGE:
      return 'The server cannot use its disk just now: nothing is kept or found. Voice goes on.';
    case ErrorCode.INTERNAL:
      return 'The server had an internal error. Whoever runs it can find more in its log.';
    default:
      return `The server says: ${err.reason}.`;
  }
}

/** What helps a guest who stands before a channel for members. */
export const HOW_TO_ENTER = 'Ask whoever runs the server for an invitation.';

export const atTime = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });
