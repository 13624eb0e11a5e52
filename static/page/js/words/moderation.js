/**
 * Words about roles: whom one invites, and what moderators do.
 * @module
 */

import { ErrorCode, RequestError } from '../protocol.js';
import { atTime, because } from './common.js';

/** @type {Record<import('../protocol.js').Role, string>} */
const ROLE_WORDS = { admin: 'Admin', moderator: 'Moderator', member: 'Member', guest: 'Guest' };

/**
 * @param {import('../protocol.js').Role | ''} [role]
 * @returns {string}
 */
export function roleWords(role = '') {
  return role === '' ? 'People who are known here' : ROLE_WORDS[role] ?? role;
}

/** For how many people an invite may be, and how long it may last. */
/** @type {[number, string][]} */
export const INVITE_USES = [
  [1, '1 person'],
  [5, '5 people'],
  [10, '10 people'],
  [25, '25 people'],
  [100, '100 people'],
  [0, 'Everybody who has it'],
];

/** @type {[number, string][]} */
export const INVITE_TIMES = [
  [3_600_000, '1 hour'],
  [86_400_000, '1 day'],
  [7 * 86_400_000, '7 days'],
  [30 * 86_400_000, '30 days'],
  [0, 'For good'],
];

/**
 * @param {import('../protocol.js').Invite} invite
 * @param {number} now as Date.now() counts
 * @returns {string}
 */
export function inviteFacts({ uses, used, expires_at, by_name }, now) {
  const spent = uses > 0 && used >= uses;
  const count = uses === 0 ? `used ${used} ${used === 1 ? 'time' : 'times'}` : `used ${used} of ${uses}`;
  const rest = !expires_at ? 'for good' : expires_at <= now ? 'expired' : `until ${atTime.format(expires_at)}`;
  return [spent ? 'used up' : count, spent ? '' : rest, by_name ? `by ${by_name}` : 'by who runs the server'].filter(Boolean).join(' · ');
}

/**
 * @param {Error} err why an invite was not made or revoked
 * @returns {string}
 */
export function inviteFailed(err) {
  if (err instanceof RequestError && err.code === ErrorCode.ACCESS_DENIED) {
    return `You may not do that: ${err.reason.replace(/^access denied: /, '')}.`;
  }
  return because(err);
}

/**
 * @param {Error} err why something was not done to somebody
 * @returns {string}
 */
export function moderationFailed(err) {
  switch (err instanceof RequestError ? err.code : 0) {
    case ErrorCode.ACCESS_DENIED:
      if (err.message.includes('moderator of the server')) {
        return 'A moderator of the server muted them, and only such a one can undo it.';
      }
      return / is an? (moderator|admin) here/.test(err.message)
        ? 'They may do as much here as you may, or more.'
        : 'You may not do that here.';
    case ErrorCode.USER_NOT_FOUND:
      return 'They are not here any more.';
    case ErrorCode.NOT_IN_CHANNEL:
      return 'They are in no channel any more.';
    case ErrorCode.CHANNEL_FULL:
      return 'That channel is full.';
    case ErrorCode.INVALID_PAYLOAD:
      return 'The reason cannot be used as it is: it is too long, or has characters that nobody sees.';
    default:
      return because(err);
  }
}

/** How long people may be kept out, in seconds. */
/** @type {[number, string][]} */
export const BAN_TIMES = [
  [3_600, 'for an hour'],
  [86_400, 'for a day'],
  [7 * 86_400, 'for a week'],
  [30 * 86_400, 'for a month'],
  [0, 'for good'],
];

/**
 * @param {import('../protocol.js').Role} role
 * @returns {string} for the middle of a sentence
 */
export function withArticle(role) {
  return role === 'admin' ? 'an admin' : `a ${role}`;
}

/** @type {Record<string, string>} */
const DEED_PLACES = { move: 'to', kick: 'from', uninvite: 'from' };

/** @type {Record<string, string>} */
const DEED_WORDS = {
  mute: 'muted', unmute: 'unmuted', move: 'moved', kick: 'removed', ban: 'banned', unban: 'let in again',
  allow: 'let speak', deny: 'sent back to the audience', login: 'given a link to sign in', logout: 'signed out everywhere',
  revoke: 'had an invite or a token revoked', delete: 'deleted', uninvite: 'uninvited',
};

/**
 * @param {import('../protocol.js').Deed} deed
 * @param {string} where the channel's name, or ''
 * @returns {{what: string, facts: string}}
 */
export function deedWords({ at, action, user_id, name, by_name, reason, role, until }, where) {
  const place = where && `${DEED_PLACES[action] ?? 'in'} ${where}`;
  const end = until ? `until ${atTime.format(until)}` : '';
  return {
    what: [name || user_id || 'Somebody', role ? `made ${withArticle(role)}` : DEED_WORDS[action] ?? action, place].filter(Boolean).join(' '),
    facts: [atTime.format(at), `by ${by_name || 'who runs the server'}`, end, reason].filter(Boolean).join(' · '),
  };
}

/**
 * @param {import('../protocol.js').Ban} ban
 * @returns {string}
 */
export function banFacts({ until, reason, by_name }) {
  return [until ? `until ${atTime.format(until)}` : 'for good', `by ${by_name || 'who runs the server'}`, reason].filter(Boolean).join(' · ');
}
