/**
 * Words about what was written: reading, writing and looking for it.
 * @module
 */

import { phrases } from '../language.js';
import { ConnectionLostError, ErrorCode, RequestError } from '../protocol.js';
import { because } from './common.js';
import { deedNote } from './deeds.js';

/**
 * @param {Error | null} err why a message was not delivered
 * @returns {string}
 */
export function messageFailed(err) {
  if (err instanceof ConnectionLostError && err.sent) {
    return phrases.chat.perhapsSent;
  }
  return phrases.chat.notSent(because(err));
}

/**
 * @param {Error} err why a message is not changed or deleted
 * @returns {string}
 */
export function changeFailed(err) {
  if (err instanceof RequestError && err.code === ErrorCode.MESSAGE_NOT_FOUND) {
    return phrases.chat.isGone;
  }
  return phrases.chat.failed(because(err));
}

/**
 * @param {Error} err why messages cannot be read
 * @returns {string}
 */
export function readFailed(err) {
  if (err instanceof RequestError && err.code === ErrorCode.ACCESS_DENIED) {
    return phrases.chat.membersOnly(phrases.because.howToEnter);
  }
  return phrases.chat.notRead(because(err));
}

/**
 * @param {Error | null} err why a message that somebody wants to see is not shown; null when it is not there
 * @returns {string}
 */
export function notFoundWords(err) {
  const kept = err instanceof RequestError && err.code === ErrorCode.MESSAGE_NOT_FOUND;
  return !err || kept ? phrases.chat.notThere : phrases.chat.oneNotRead(because(err));
}

/**
 * @param {number} n how many one has not seen
 * @returns {string}
 */
export function newMessages(n) {
  return n === 0 ? phrases.chat.toNewest : phrases.chat.newMessages(n);
}

/**
 * @param {number} n
 * @returns {string} what a badge says
 */
export function unreadWords(n) {
  return n > 99 ? phrases.chat.many : String(n);
}

/**
 * @param {boolean} mayEnter
 * @param {string} room the channel one is in, or ''
 * @returns {string} what one who only looks at a channel is told in place of where one would write
 */
export function lookWords(mayEnter, room) {
  if (!mayEnter) {
    return phrases.chat.forMembers(phrases.because.howToEnter);
  }
  return room ? phrases.chat.readingFrom(room) : phrases.chat.reading;
}

/**
 * @param {import('../protocol.js').ChannelInfo | undefined} info
 * @returns {string} what stands in the place of a chat without a message
 */
export function emptyWords(info) {
  const kept = info?.keep_messages !== 0 && info?.keep_for_ms !== 0;
  return kept ? phrases.chat.empty : phrases.chat.notKept;
}

/**
 * @param {string} query
 * @returns {string | null} why it is not looked for; null when it is
 */
export function searchObjection(query) {
  if (query === '') {
    return phrases.search.hint;
  }
  if (!/[\p{L}\p{N}]/u.test(query)) {
    return phrases.search.lettersOnly;
  }
  const one = [...query].length === 1 && !/[\p{sc=Han}\p{sc=Hangul}\p{sc=Hira}\p{sc=Kana}]/u.test(query);
  return one ? phrases.search.twoLetters : null;
}

/**
 * @param {number} n how many messages were found
 * @param {boolean} more whether there are others
 * @param {boolean} goesOn whether they can be asked for
 * @returns {string}
 */
export function findings(n, more, goesOn) {
  if (n === 0) {
    return goesOn ? phrases.search.noneNewer : phrases.search.none;
  }
  if (!more) {
    return phrases.search.all(n);
  }
  return goesOn ? phrases.search.best(n) : phrases.search.bestOnly(n);
}

/**
 * @param {Error} err
 * @returns {string}
 */
export function searchFailed(err) {
  return err instanceof RequestError && err.code === ErrorCode.ACCESS_DENIED
    ? phrases.chat.membersOnly(phrases.because.howToEnter)
    : because(err);
}

/**
 * @param {import('../pages.js').Entry} entry a note
 * @returns {string}
 */
export function noteWords({ note, name, deed }) {
  switch (note) {
    case 'join':
      return phrases.chat.joined(name);
    case 'leave':
      return phrases.chat.left(name);
    case 'gone':
      return phrases.chat.lost(name);
    case 'unreached':
      return phrases.chat.unreached(name);
    case 'deed':
      return deed ? deedNote(deed) : '';
    case 'back':
      return phrases.chat.back;
    default:
      return phrases.chat.youJoined(name);
  }
}
