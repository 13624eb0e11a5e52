/**
 * Words about roles: whom one invites, and what moderators do.
 * @module
 */

import { phrases } from '../language.js';
import { ErrorCode, RequestError } from '../protocol.js';
import { atTime, because, span } from './common.js';
import { reasonWords } from './reasons.js';

/**
 * @param {import('../protocol.js').Role | ''} [role]
 * @returns {string}
 */
export function roleWords(role = '') {
  return role === '' ? phrases.roles.known : phrases.roles[role] ?? role;
}

const HOUR_MS = 3_600_000;

/** For how many people an invite may be, and how long it may last. */
/** @type {[number, string][]} */
export const INVITE_USES = [
  .../** @type {[number, string][]} */ ([1, 5, 10, 25, 100].map((n) => [n, phrases.common.people(n)])),
  [0, phrases.invite.everybody],
];

/** @type {[number, string][]} */
export const INVITE_TIMES = [
  .../** @type {[number, string][]} */ ([HOUR_MS, 24 * HOUR_MS, 7 * 24 * HOUR_MS, 30 * 24 * HOUR_MS].map((ms) => [ms, span(ms)])),
  [0, phrases.invite.forGood],
];

/**
 * @param {import('../protocol.js').Invite} invite
 * @param {number} now as Date.now() counts
 * @returns {string}
 */
export function inviteFacts({ uses, used, expires_at, by_name }, now) {
  const spent = uses > 0 && used >= uses;
  const count = uses === 0 ? phrases.invite.used(used) : phrases.invite.usedOf(used, uses);
  const rest = !expires_at ? phrases.deeds.forGood : expires_at <= now ? phrases.invite.expired : phrases.deeds.until(atTime.format(expires_at));
  return [spent ? phrases.invite.usedUp : count, spent ? '' : rest, byWords(by_name)].filter(Boolean).join(' · ');
}

/**
 * @param {Error} err why an invite was not made or revoked
 * @returns {string}
 */
export function inviteFailed(err) {
  if (err instanceof RequestError && err.code === ErrorCode.ACCESS_DENIED) {
    return phrases.invite.notAllowed(reasonWords(err.reason.replace(/^access denied: /, '')));
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
        return phrases.deeds.serverModerator;
      }
      return / is an? (moderator|admin) here/.test(err.message)
        ? phrases.deeds.asMuch
        : phrases.deeds.notYou;
    case ErrorCode.USER_NOT_FOUND:
      return phrases.deeds.notHere;
    case ErrorCode.NOT_IN_CHANNEL:
      return phrases.deeds.inNoChannel;
    case ErrorCode.CHANNEL_FULL:
      return phrases.deeds.channelFull;
    case ErrorCode.INVALID_PAYLOAD:
      return phrases.deeds.badReason;
    default:
      return because(err);
  }
}

/** How long people may be kept out, in seconds. */
/** @type {[number, string][]} */
export const BAN_TIMES = [
  [3_600, phrases.person.forHour],
  [86_400, phrases.person.forDay],
  [7 * 86_400, phrases.person.forWeek],
  [30 * 86_400, phrases.person.forMonth],
  [0, phrases.deeds.forGood],
];

/** @param {string | undefined} name who did something, '' for the operator */
const byWords = (name) => (name ? phrases.deeds.by(name) : phrases.deeds.byOperator);

/**
 * @param {import('../protocol.js').Deed} deed
 * @param {string} where the channel's name, or ''
 * @returns {{what: string, facts: string}}
 */
export function deedWords({ at, action, user_id, name, by_name, reason, role, until }, where) {
  const end = until ? phrases.deeds.until(atTime.format(until)) : '';
  const whom = name || user_id || phrases.common.somebody;
  return {
    what: phrases.deeds.listed({ action, name: whom, role: role ? phrases.asRole[role] ?? role : '', where }),
    facts: [atTime.format(at), byWords(by_name), end, reason].filter(Boolean).join(' · '),
  };
}

/**
 * @param {import('../protocol.js').Ban} ban
 * @returns {string}
 */
export function banFacts({ until, reason, by_name }) {
  return [until ? phrases.deeds.until(atTime.format(until)) : phrases.deeds.forGood, byWords(by_name), reason].filter(Boolean).join(' · ');
}
