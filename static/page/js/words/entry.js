/**
 * Words for who comes in, and for what keeps somebody out.
 * @module
 */

import { EntryError, SignedOutError } from '../account.js';
import { CloseCode, ErrorCode, RequestError, StoppedError } from '../protocol.js';
import { atTime, because, seconds } from './common.js';
import { roleWords } from './moderation.js';

/**
 * @param {string} reason the server's
 * @returns {string}
 */
export function siteRefused(reason) {
  return `The server does not accept this page’s address. Tell whoever runs it: ${reason}.`;
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
        return 'This browser is signed in no more. Choose a name to come by the invitation as somebody new.';
      case ErrorCode.NAME_TAKEN:
        return 'This name is somebody’s here, or looks like theirs. Choose another one.';
      case ErrorCode.INVITE:
        return `This invitation cannot be used: ${err.reason.replace(/^.*cannot be used: /, '')}.`;
      case ErrorCode.STORAGE:
        return 'The server cannot use its disk just now, so it lets nobody new in. Try again later.';
    }
    switch (err.status) {
      case 0:
        return 'The server cannot be reached. Check your connection, then try again.';
      case 400:
        return `This name cannot be used: ${err.reason.replace(/^invalid name: /, '')}.`;
      case 403:
        if (err.code === ErrorCode.SITE_REFUSED) {
          return siteRefused(err.reason);
        }
        return err.guestsRefused
          ? 'This server admits invited people only. Open the link of an invitation, or paste the access token you were given.'
          : 'Something in front of the server forbids this (403), such as a reverse proxy. Ask whoever runs the server.';
      case 429:
        return `Too many people came from your address at once. Try again in ${seconds(err.retryAfterMs)}.`;
      default:
        return `The server answered with an error (${err.status}). Try again in a moment.`;
    }
  }
  if (err instanceof StoppedError) {
    return connectionWords(err.state)?.text ?? because(err);
  }
  if (err instanceof SignedOutError) {
    return 'You are signed in here no more: the sign-in was taken back, or is too old. Another invitation lets you in.';
  }
  if (err instanceof RequestError && err.code === ErrorCode.INVALID_TOKEN) {
    return 'The access token is not valid. It may have expired; ask for a new one.';
  }
  return because(err);
}

/**
 * @param {import('../account.js').InviteAnswer} offer
 * @param {string} known whom this browser knows already, or ''
 * @returns {{title: string, lead: string, offer: string}}
 */
export function inviteWords({ role, channel_name, by_name, expires_at, for_name }, known) {
  if (for_name) {
    return {
      title: `Welcome back, ${for_name}`,
      lead: known && known !== for_name ? `This browser is signed in as ${known}, who would then be signed out here.` : 'This browser keeps you signed in.',
      offer: `The link works once${expires_at ? `, until ${atTime.format(expires_at)}` : ''}.`,
    };
  }
  const where = channel_name ? `to talk in ${channel_name}` : 'to this server';
  const lead = known ? `You are ${known} here already.` : !role ? 'It is for people who are known here. Sign in as you did before, and open it again.' : 'Choose a name: it is yours from then on, and this browser keeps you signed in.';
  const until = expires_at ? ` It holds until ${atTime.format(expires_at)}.` : '';
  return {
    title: by_name ? `${by_name} invites you ${where}` : `You are invited ${where}`,
    lead,
    offer: !role ? `It lets people who are known here in.${until}` : `The invitation makes you a ${roleWords(role).toLowerCase()}.${until}`.replace('a admin', 'an admin'),
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
      return { text: 'You opened Mini LiveChat somewhere else. This page is on hold.', action: 'take-over' };
    case CloseCode.KICKED:
    case CloseCode.BANNED:
      return null; // a panel of its own says it
    case CloseCode.AUTH_FAILED:
      return null; // a guest, who gets another token without being asked: anybody else is out
    case CloseCode.VERSION:
      return { text: 'This page and the server are of different versions.', action: 'reload' };
    default:
      return { text: `The server ended the connection (${state.reason || state.code}).`, action: 'reload' };
  }
}
