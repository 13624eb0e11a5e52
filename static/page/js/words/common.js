/**
 * Which of the phrases is said is decided in this folder: for every error, state and note. Here is what the others share.
 * @module
 */

import { language, phrases } from '../language.js';
import { ConnectionLostError, ErrorCode, RequestError } from '../protocol.js';

const SECOND_MS = 1_000;

/** From the largest down. @type {[string, number][]} */
const UNITS = [
  ['year', 365 * 86_400_000],
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
];

/**
 * @param {number} n
 * @param {string} unit as Intl has it
 * @returns {string} "5 seconds"
 */
const measured = (n, unit) => new Intl.NumberFormat(language, { style: 'unit', unit, unitDisplay: 'long' }).format(n);

/**
 * @param {number} ms
 * @returns {string}
 */
export function seconds(ms) {
  return measured(Math.max(1, Math.ceil(ms / SECOND_MS)), 'second');
}

/**
 * @param {number} ms
 * @returns {string}
 */
export function milliseconds(ms) {
  return ms < 1 ? phrases.common.underMs : phrases.common.ms(Math.round(ms));
}

/**
 * @param {number} ms
 * @returns {string} in its largest unit
 */
export function span(ms) {
  const unit = UNITS.find(([, size]) => ms >= size);
  return unit ? measured(Math.floor(ms / unit[1]), unit[0]) : phrases.common.underMinute;
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
  const says = phrases.because;
  if (err instanceof ConnectionLostError) {
    return err.sent ? says.lostMeanwhile : says.noConnection;
  }
  if (typeof RTCPeerConnection === 'undefined') {
    return says.noWebRTC;
  }
  if (!(err instanceof RequestError)) {
    return says.inBrowser;
  }
  switch (err.code) {
    case ErrorCode.RATE_LIMITED:
      return says.tooFast(seconds(err.retryAfterMs));
    case ErrorCode.ACCESS_DENIED:
      return says.denied;
    case ErrorCode.CHANNEL_NOT_FOUND:
      return says.noChannel;
    case ErrorCode.NOT_IN_CHANNEL:
    case ErrorCode.MESSAGE_ELSEWHERE:
      return says.notInChannel;
    case ErrorCode.MUTED:
      return says.muted;
    case ErrorCode.EMPTY_MESSAGE:
      return says.emptyMessage;
    case ErrorCode.MESSAGE_TOO_LONG:
      return says.longMessage;
    case ErrorCode.BAD_SDP:
    case ErrorCode.UNSUPPORTED_MEDIA:
      return says.noAgreement(err.reason);
    case ErrorCode.STORAGE:
      return says.storage;
    case ErrorCode.UNSETTLED:
      return says.unsettled;
    case ErrorCode.INTERNAL:
      return says.internal;
    default:
      return says.serverSays(err.reason);
  }
}

/** A time of the clock and the calendar. */
export const atTime = new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'short' });
