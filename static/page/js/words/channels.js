/**
 * Words about channels: joining, making, changing and deleting them.
 * @module
 */

import { phrases } from '../language.js';
import { ErrorCode, RequestError } from '../protocol.js';
import { because, seconds, sentence, span } from './common.js';
import { doerWords } from './deeds.js';
import { moderationFailed } from './moderation.js';
import { reasonWords } from './reasons.js';

/**
 * @param {Error} err
 * @returns {string}
 */
export function createFailed(err) {
  const code = err instanceof RequestError ? err.code : 0;
  if (code === ErrorCode.CHANNEL_NAME_TAKEN) {
    return phrases.channel.nameTaken;
  }
  if (code === ErrorCode.OWNS_TOO_MANY) {
    return phrases.channel.ownsTooMany;
  }
  if (code === ErrorCode.CHANNEL_FULL) {
    return phrases.channel.tooMany;
  }
  if (err instanceof RequestError && code === ErrorCode.INVALID_PAYLOAD && err.reason.includes('invalid name: ')) {
    return phrases.channel.badName(reasonWords(err.reason.replace(/^.*invalid name: /, '')));
  }
  return because(err);
}

/**
 * @param {RequestError} err
 * @returns {string} why one may not enter a channel
 */
function noEntry({ reason }) {
  const why = reason.replace(/^access denied: /, '');
  return why.includes('for members') ? `${phrases.channel.membersOnly} ${phrases.because.howToEnter}` : sentence(reasonWords(why));
}

/**
 * @param {import('../call.js').Problem} problem
 * @returns {string}
 */
export function problemWords({ doing, name, error, by }) {
  const says = phrases.channel;
  const code = error instanceof RequestError ? error.code : 0;
  switch (doing) {
    case 'join':
      if (code === ErrorCode.CHANNEL_FULL) {
        return says.isFull(name);
      }
      if (code === ErrorCode.CHANNEL_NOT_FOUND) {
        return says.isGone(name);
      }
      return says.notJoined(name, code === ErrorCode.ACCESS_DENIED ? noEntry(/** @type {RequestError} */ (error)) : because(error));
    case 'delete':
      return says.notDeleted(name, because(error));
    case 'moved':
      return says.movedYou(doerWords(by), name);
    case 'uninvited':
      return says.uninvitedYou(doerWords(by), name);
    case 'held':
      return says.heldYou(doerWords(by));
    case 'role':
      return says.roleNow(phrases.asRole[/** @type {import('../protocol.js').Role} */ (name)] ?? name);
    case 'deed':
      return says.deedFailed(name, error ? moderationFailed(error) : '');
    case 'listen':
      return says.listenFailed(because(error));
    case 'hand':
      return says.handFailed(because(error));
    case 'audience':
      return says.audienceNow;
    case 'let-speak':
      return says.speakNow;
    case 'let-speak-muted':
      return says.speakMuted;
    case 'deleted':
      return says.deleted(name);
    case 'voice':
      return says.voiceFailed(because(error));
    case 'undenoised':
      return phrases.preferences.undenoised;
    case 'microphone-changed':
      return name ? says.microphoneNow(name) : says.microphoneOther;
  }
}

/**
 * @param {Error} err why a channel was not changed
 * @returns {string}
 */
export function updateFailed(err) {
  if (err instanceof RequestError && err.code === ErrorCode.INVALID_PAYLOAD && err.reason.includes('topic')) {
    return phrases.channel.badTopic(reasonWords(err.reason.replace(/^.*d\.topic: /, '')));
  }
  return createFailed(err);
}

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/**
 * @param {number | undefined} current how long a channel's messages are kept, in milliseconds
 * @returns {[number, string][]} for how long they may be kept
 */
export function keepTimes(current) {
  const times = [DAY_MS, 7 * DAY_MS, 30 * DAY_MS, 90 * DAY_MS, 365 * DAY_MS];
  const more = current === undefined || current <= 0 || times.includes(current) ? [] : [current];
  return [
    [-1, phrases.channel.asServer],
    [0, phrases.channel.notAtAll],
    .../** @type {[number, string][]} */ ([...times, ...more].map((ms) => [ms, span(ms)])),
  ];
}

/**
 * @param {number | undefined} current how long one may talk at a stretch in a channel, in milliseconds
 * @returns {[number, string][]} for how long one may
 */
export function talkTimes(current) {
  const times = [15_000, 30_000, MINUTE_MS, 5 * MINUTE_MS];
  const more = current === undefined || current <= 0 || times.includes(current) ? [] : [current];
  return [
    [-1, phrases.channel.asServer],
    .../** @type {[number, string][]} */ ([...times, ...more].map((ms) => [ms, ms % MINUTE_MS === 0 ? span(ms) : seconds(ms)])),
    [0, phrases.channel.asLongAsLiked],
  ];
}
