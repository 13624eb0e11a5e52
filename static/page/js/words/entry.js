/**
 * Words for who comes in, and for what keeps somebody out.
 * @module
 */

import { EntryError, SignedOutError } from '../account.js';
import { phrases } from '../language.js';
import { CloseCode, ErrorCode, RequestError, StoppedError } from '../protocol.js';
import { atTime, because, seconds } from './common.js';
import { reasonWords } from './reasons.js';

/**
 * @param {string} reason the server's
 * @returns {string}
 */
export function siteRefused(reason) {
  return phrases.start.siteRefused(reason);
}

/**
 * @param {Error} err
 * @returns {string}
 */
export function signInFailed(err) {
  if (err instanceof EntryError) {
    switch (err.code) {
      case ErrorCode.INVALID_TOKEN:
      case ErrorCode.USER_NOT_FOUND:
        return phrases.start.signedInNoMore;
      case ErrorCode.NAME_TAKEN:
        return phrases.start.nameTaken;
      case ErrorCode.INVITE:
        return phrases.start.badInvite(reasonWords(err.reason.replace(/^.*cannot be used: /, '')));
      case ErrorCode.STORAGE:
        return phrases.start.storage;
      case ErrorCode.UNSETTLED:
        return phrases.start.unsettled;
    }
    switch (err.status) {
      case 0:
        return phrases.start.noServer;
      case 400:
        return phrases.channel.badName(reasonWords(err.reason));
      case 403:
        if (err.code === ErrorCode.SITE_REFUSED) {
          return siteRefused(err.reason);
        }
        return err.guestsRefused ? phrases.start.noGuests : phrases.start.forbidden;
      case 429:
        return phrases.start.tooMany(seconds(err.retryAfterMs));
      default:
        return phrases.start.serverError(err.status);
    }
  }
  if (err instanceof StoppedError) {
    return connectionWords(err.state)?.text ?? because(err);
  }
  if (err instanceof SignedOutError) {
    return phrases.start.signedOut;
  }
  if (err instanceof RequestError && err.code === ErrorCode.INVALID_TOKEN) {
    return phrases.start.badToken;
  }
  return because(err);
}

/**
 * @param {import('../account.js').InviteAnswer} offer
 * @param {string} known whom this browser knows already, or ''
 * @returns {{title: string, lead: string, offer: string}}
 */
export function inviteWords({ role, channel_name, by_name, expires_at, for_name }, known) {
  const says = phrases.start;
  const until = expires_at ? atTime.format(expires_at) : '';
  if (for_name) {
    return {
      title: says.welcomeBack(for_name),
      lead: known && known !== for_name ? says.otherSignedOut(known) : says.keepsSignedIn,
      offer: until ? says.linkOnceUntil(until) : says.linkOnce,
    };
  }
  const gives = role ? says.makesYou(phrases.asRole[role] ?? role) : says.letsKnownIn;
  return {
    title: says.invited(by_name ?? '', channel_name ?? ''),
    lead: known ? says.alreadyHere(known) : role ? says.chooseName : says.forKnown,
    offer: until ? `${gives} ${says.holdsUntil(until)}` : gives,
  };
}

/**
 * What keeps the page from the server, where a person has to do something about it, or waits for it at the door.
 * @param {import('../client.js').ClientState} state
 * @returns {{text: string, action: 'retry' | 'take-over' | 'reload'} | null}
 */
export function connectionWords(state) {
  if (state.name === 'waiting' && state.refusal) {
    return { text: siteRefused(state.refusal), action: 'retry' };
  }
  if (state.name !== 'stopped') {
    return null;
  }
  switch (state.code) {
    case CloseCode.REPLACED:
      return { text: phrases.start.elsewhere, action: 'take-over' };
    case CloseCode.KICKED:
    case CloseCode.BANNED:
      return null; // a panel of its own says it
    case CloseCode.AUTH_FAILED:
      return null; // a guest, who gets another token without being asked: anybody else is out
    case CloseCode.VERSION:
      return { text: phrases.start.versions, action: 'reload' };
    default:
      return { text: phrases.start.serverEnded(state.reason || String(state.code)), action: 'reload' };
  }
}
