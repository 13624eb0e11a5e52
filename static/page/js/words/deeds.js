/**
 * What moderators do to people, in words.
 * @module
 */

/** Who did it whom no name is given for. */
const OPERATOR = 'whoever runs the server';

/**
 * How a channel's chat tells of a deed. What a member sees only by somebody's going has no `by`.
 * @typedef {object} Deed
 * @property {'mute' | 'unmute' | 'move' | 'kick' | 'ban' | 'uninvite'} deed
 * @property {string} name of whom it was done to; '' for oneself
 * @property {string} [by] who did it, '' for the operator
 * @property {string} [reason]
 * @property {string} [where] the name of the channel somebody was moved to
 * @property {boolean} [here] it is the channel that one reads of it in
 */

const DONE = { mute: 'muted', unmute: 'unmuted', kick: 'removed', ban: 'banned', uninvite: 'uninvited' };

/**
 * @param {Deed} deed
 * @returns {string}
 */
export function deedNote({ deed, name, by, reason, where, here }) {
  const whom = name ? `${name} was` : 'You were';
  const what = deed === 'move' ? `moved ${here ? 'here' : `to ${where || 'another channel'}`}` : DONE[deed];
  return `${whom} ${what}${by === undefined ? '' : ` by ${by || OPERATOR}`}${reason ? `: ${reason}` : ''}`;
}

/**
 * @param {string | undefined} by who did something, as far as it is known
 * @returns {string} to begin a sentence with
 */
export function doerWords(by = 'A moderator') {
  return by || 'Whoever runs the server';
}

/**
 * @param {string | undefined} by as above
 * @returns {string} what is said beneath the face of one who is muted
 */
export function mutedWords(by = 'a moderator') {
  return `Muted by ${by || OPERATOR}`;
}

/** When a ban ends, to people far and near. */
const untilTime = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'short' });

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
  const doer = by === undefined ? '' : ` by ${by || OPERATOR}`;
  if (!banned) {
    const pause = where ? ` For a minute it will not be to ${where}.` : '';
    return { title: `You were removed${doer}`, reason, text: `You may come back.${pause}`, returns: true };
  }
  const over = until !== undefined && until <= now;
  const end = until === undefined ? 'This ban has no end.' : `It ends on ${untilTime.format(until)}.`;
  return {
    title: `You are banned from this server${doer}`,
    reason: reason.replace(SERVERS_WORDS, ''),
    text: over ? 'The ban has ended.' : end,
    returns: over,
  };
}
