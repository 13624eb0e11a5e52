/**
 * Words about channels: joining, making, changing and deleting them.
 * @module
 */

import { ErrorCode, RequestError } from '../protocol.js';
import { HOW_TO_ENTER, because, sentence, span } from './common.js';
import { doerWords } from './deeds.js';
import { moderationFailed, withArticle } from './moderation.js';

/**
 * @param {Error} err
 * @returns {string}
 */
export function createFailed(err) {
  const code = err instanceof RequestError ? err.code : 0;
  if (code === ErrorCode.CHANNEL_NAME_TAKEN) {
    return 'There is a channel with this name already, or with one that looks the same. Choose another name.';
  }
  if (code === ErrorCode.OWNS_TOO_MANY) {
    return 'You have made as many channels as one person may. Delete one of them first.';
  }
  if (code === ErrorCode.CHANNEL_FULL) {
    return 'The server has as many channels as it may hold. Delete one, or try later.';
  }
  if (err instanceof RequestError && code === ErrorCode.INVALID_PAYLOAD && err.reason.includes('invalid name: ')) {
    return `This name cannot be used: ${err.reason.replace(/^.*invalid name: /, '')}.`;
  }
  return because(err);
}

/**
 * @param {RequestError} err
 * @returns {string} why one may not enter a channel
 */
function noEntry({ reason }) {
  const why = reason.replace(/^access denied: /, '');
  return why.includes('for members') ? `It is for members only. ${HOW_TO_ENTER}` : sentence(why);
}

/**
 * @param {import('../call.js').Problem} problem
 * @returns {string}
 */
export function problemWords({ doing, name, error, by }) {
  const code = error instanceof RequestError ? error.code : 0;
  switch (doing) {
    case 'join':
      if (code === ErrorCode.CHANNEL_FULL) {
        return `${name} is full. Try again when somebody has left.`;
      }
      if (code === ErrorCode.CHANNEL_NOT_FOUND) {
        return `${name} does not exist any more.`;
      }
      return `You could not join ${name}. ${code === ErrorCode.ACCESS_DENIED ? noEntry(/** @type {RequestError} */ (error)) : because(error)}`;
    case 'delete':
      return `${name} was not deleted. ${because(error)}`;
    case 'moved':
      return `${doerWords(by)} has moved you to ${name}.`;
    case 'uninvited':
      return `${doerWords(by)} has taken your invitation to ${name} back.`;
    case 'held':
      return `${doerWords(by)} has muted you: nobody hears you until a moderator undoes it.`;
    case 'role':
      return `You are ${withArticle(/** @type {import('../protocol.js').Role} */ (name))} here now.`;
    case 'deed':
      return `Nothing has changed for ${name}. ${error ? moderationFailed(error) : ''}`;
    case 'listen':
      return `You cannot listen to these channels. ${because(error)}`;
    case 'hand':
      return `Your hand is as it was. ${because(error)}`;
    case 'audience':
      return 'You are in the audience now: nobody hears you.';
    case 'let-speak':
      return 'You may speak now: everybody in the channel hears you.';
    case 'let-speak-muted':
      return 'You may speak now. Switch your microphone on to be heard.';
    case 'deleted':
      return `${name} was deleted.`;
    case 'voice':
      return `Your microphone setting did not reach the server. ${because(error)}`;
    case 'microphone-changed':
      return name ? `Your microphone went away. Now in use: ${name}.` : 'Your microphone went away. Another one is in use.';
  }
}

/**
 * @param {Error} err why a channel was not changed
 * @returns {string}
 */
export function updateFailed(err) {
  if (err instanceof RequestError && err.code === ErrorCode.INVALID_PAYLOAD && err.reason.includes('topic')) {
    return `This topic cannot be used: ${err.reason.replace(/^.*d\.topic: /, '')}.`;
  }
  return createFailed(err);
}

const DAY_MS = 86_400_000;

/**
 * @param {number | undefined} current how long a channel's messages are kept, in milliseconds
 * @returns {[number, string][]} for how long they may be kept
 */
export function keepTimes(current) {
  /** @type {[number, string][]} */
  const times = [
    [-1, 'As the server does by default'],
    [0, 'Not at all'],
    [DAY_MS, '1 day'],
    [7 * DAY_MS, '7 days'],
    [30 * DAY_MS, '30 days'],
    [90 * DAY_MS, '90 days'],
    [365 * DAY_MS, '1 year'],
  ];
  return current === undefined || times.some(([ms]) => ms === current) ? times : [...times, [current, span(current)]];
}

/**
 * @param {number | undefined} current how long one may talk at a stretch in a channel, in milliseconds
 * @returns {[number, string][]} for how long one may
 */
export function talkTimes(current) {
  /** @type {[number, string][]} */
  const times = [
    [-1, 'As the server does by default'],
    [15_000, '15 seconds'],
    [30_000, '30 seconds'],
    [60_000, '1 minute'],
    [300_000, '5 minutes'],
    [0, 'As long as one likes'],
  ];
  const known = current === undefined || times.some(([ms]) => ms === current);
  return known ? times : [...times, [current, `${Math.round(current / 1000)} seconds`]];
}
