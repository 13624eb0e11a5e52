/**
 * Words about what was written: reading, writing and looking for it.
 * @module
 */

import { ConnectionLostError, ErrorCode, RequestError } from '../protocol.js';
import { HOW_TO_ENTER, because } from './common.js';
import { deedNote } from './deeds.js';

/**
 * @param {Error | null} err why a message was not delivered
 * @returns {string}
 */
export function messageFailed(err) {
  if (err instanceof ConnectionLostError && err.sent) {
    return 'The connection was lost before the server said that it has this: the others may have seen it.';
  }
  return `Not sent. ${because(err)}`;
}

/**
 * @param {Error} err why a message is not changed or deleted
 * @returns {string}
 */
export function changeFailed(err) {
  if (err instanceof RequestError && err.code === ErrorCode.MESSAGE_NOT_FOUND) {
    return 'The message is not there any more.';
  }
  return `That did not work. ${because(err)}`;
}

/**
 * @param {Error} err why messages cannot be read
 * @returns {string}
 */
export function readFailed(err) {
  if (err instanceof RequestError && err.code === ErrorCode.ACCESS_DENIED) {
    return `This channel is for members only. ${HOW_TO_ENTER}`;
  }
  return `Messages could not be read. ${because(err)}`;
}

/**
 * @param {Error | null} err why a message that somebody wants to see is not shown; null when it is not there
 * @returns {string}
 */
export function notFoundWords(err) {
  const kept = err instanceof RequestError && err.code === ErrorCode.MESSAGE_NOT_FOUND;
  return !err || kept ? 'This message is not there any more.' : `This message could not be read. ${because(err)}`;
}

/**
 * @param {number} n how many one has not seen
 * @returns {string}
 */
export function newMessages(n) {
  return n === 0 ? 'Jump to newest' : n === 1 ? '1 new message' : `${n} new messages`;
}

/**
 * @param {number} n
 * @returns {string} what a badge says
 */
export function unreadWords(n) {
  return n > 99 ? '99+' : String(n);
}

/**
 * @param {boolean} mayEnter
 * @param {string} room the channel one is in, or ''
 * @returns {string} what one who only looks at a channel is told in place of where one would write
 */
export function lookWords(mayEnter, room) {
  if (!mayEnter) {
    return `For members only. ${HOW_TO_ENTER}`;
  }
  return room ? `You are reading along; your voice is in ${room}.` : 'You are reading along, and nobody hears you.';
}

/**
 * @param {import('../protocol.js').ChannelInfo | undefined} info
 * @returns {string} what stands in the place of a chat without a message
 */
export function emptyWords(info) {
  const kept = info?.keep_messages !== 0 && info?.keep_for_ms !== 0;
  return kept ? 'Nothing is written here.' : 'What is written here is not kept. Join to read along.';
}

/**
 * @param {string} query
 * @returns {string | null} why it is not looked for; null when it is
 */
export function searchObjection(query) {
  if (query === '') {
    return 'All words have to be there. The best matches come first.';
  }
  if (!/[\p{L}\p{N}]/u.test(query)) {
    return 'Only letters and digits can be looked for.';
  }
  const one = [...query].length === 1 && !/[\p{sc=Han}\p{sc=Hangul}\p{sc=Hira}\p{sc=Kana}]/u.test(query);
  return one ? 'Type at least two letters.' : null;
}

/**
 * @param {number} n how many messages were found
 * @param {boolean} more whether there are others
 * @param {boolean} goesOn whether they can be asked for
 * @returns {string}
 */
export function findings(n, more, goesOn) {
  if (n === 0) {
    return goesOn ? 'None of the newer messages has all of these words.' : 'No message has all of these words.';
  }
  const found = n === 1 ? '1 message' : `${n} messages`;
  if (!more) {
    return found;
  }
  return goesOn ? `The best ${found}` : `The best ${found}. One more word narrows it down.`;
}

/**
 * @param {Error} err
 * @returns {string}
 */
export function searchFailed(err) {
  return err instanceof RequestError && err.code === ErrorCode.ACCESS_DENIED
    ? `This channel is for members only. ${HOW_TO_ENTER}`
    : because(err);
}

/**
 * @param {import('../pages.js').Entry} entry a note
 * @returns {string}
 */
export function noteWords({ note, name, deed }) {
  switch (note) {
    case 'join':
      return `${name} joined`;
    case 'leave':
      return `${name} left`;
    case 'gone':
      return `${name} lost the connection`;
    case 'unreached':
      return `${name} left: no voice connection`;
    case 'deed':
      return deed ? deedNote(deed) : '';
    case 'back':
      return 'You are back';
    default:
      return `You joined ${name}`;
  }
}
