/**
 * What moderators do to people, in words.
 * @module
 */

import { language, phrases } from '../language.js';

/** @typedef {import('../room.js').Deed} Deed */

/**
 * @param {string | undefined} by who did something, as far as it is known, '' for the operator
 * @returns {string | undefined} for the middle of a sentence
 */
const byWhom = (by) => (by === '' ? phrases.common.operator : by);

/**
 * @param {Deed} deed
 * @returns {string}
 */
export function deedNote({ deed, name, by, reason, where, here }) {
  const told = phrases.deeds.note({ deed, name, by: byWhom(by), where: where ?? '', here: here === true });
  return reason ? `${told}: ${reason}` : told;
}

/**
 * @param {string | undefined} by who did something, as far as it is known
 * @returns {string} to begin a sentence with
 */
export function doerWords(by = phrases.common.moderatorFirst) {
  return by || phrases.common.operatorFirst;
}

/**
 * @param {string | undefined} by as above
 * @returns {string} what is said beneath the face of one who is muted
 */
export function mutedWords(by) {
  return by === undefined ? phrases.deeds.mutedByModerator : phrases.deeds.mutedBy(by || phrases.common.operator);
}

/** When a ban ends, to people far and near. */
const untilTime = new Intl.DateTimeFormat(language, { dateStyle: 'full', timeStyle: 'short' });

/** What the server says besides why, which is said here in the time of this place. */
const SERVERS_WORDS = /^you are banned from this server( until [\d-]+ [\d:]+ UTC)?(: |$)/;

/**
 * Why one is out, and what can be done about it.
 * @typedef {object} Ending
 * @property {boolean} banned
 * @property {string} [by] who did it, as far as it is known, '' for the operator
 * @property {string} reason
 * @property {string} [where] the name of the channel one was in
 * @property {number} [until] when a ban ends; absent for good
 */

/**
 * @param {Ending} ending
 * @param {number} now
 * @returns {{title: string, reason: string, text: string, returns: boolean}} `returns` says whether one may come back
 */
export function endingWords({ banned, by, reason, where, until }, now) {
  if (!banned) {
    const text = where ? phrases.ended.pause(where) : phrases.ended.mayReturn;
    return { title: phrases.ended.removed(byWhom(by)), reason, text, returns: true };
  }
  const over = until !== undefined && until <= now;
  const end = until === undefined ? phrases.ended.noEnd : phrases.ended.ends(untilTime.format(until));
  return {
    title: phrases.ended.banned(byWhom(by)),
    reason: reason.replace(SERVERS_WORDS, ''),
    text: over ? phrases.ended.over : end,
    returns: over,
  };
}
