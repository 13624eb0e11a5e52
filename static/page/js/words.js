/**
 * What the page says to people: every error, state and note in plain words.
 * @module
 */

import { EntryError, SignedOutError } from './account.js';
import { CloseCode, ConnectionLostError, ErrorCode, RequestError, StoppedError } from './protocol.js';

/**
 * @param {number} ms
 * @returns {string}
 */
function seconds(ms) {
  const s = Math.max(1, Math.ceil(ms / 1000));
  return s === 1 ? '1 second' : `${s} seconds`;
}

/**
 * @param {number} ms
 * @returns {string}
 */
export function milliseconds(ms) {
  return ms < 1 ? 'under 1 ms' : `${Math.round(ms)} ms`;
}

/**
 * @param {number} ms
 * @returns {string} in its largest unit
 */
export function span(ms) {
  for (const [unit, size] of /** @type {[string, number][]} */ ([
    ['day', 86_400_000],
    ['hour', 3_600_000],
    ['minute', 60_000],
  ])) {
    const n = Math.floor(ms / size);
    if (n > 0) {
      return n === 1 ? `1 ${unit}` : `${n} ${unit}s`;
    }
  }
  return 'less than a minute';
}

/**
 * @param {number} n
 * @returns {string}
 */
export function people(n) {
  return n === 1 ? '1 person' : `${n} people`;
}

/**
 * @param {string} text the server's
 * @returns {string} with a capital letter and a full stop
 */
function sentence(text) {
  return text ? `${text[0].toUpperCase()}${text.slice(1).replace(/\.$/, '')}.` : '';
}

/**
 * @param {Error | null} err
 * @returns {string} a whole sentence
 */
function because(err) {
  if (err instanceof ConnectionLostError) {
    return err.sent ? 'The connection to the server was lost meanwhile.' : 'There is no connection to the server.';
  }
  if (typeof RTCPeerConnection === 'undefined') {
    return 'This browser cannot carry voice: WebRTC is missing or switched off.';
  }
  if (!(err instanceof RequestError)) {
    return 'Something in this browser went wrong; reloading the page may help.';
  }
  switch (err.code) {
    case ErrorCode.RATE_LIMITED:
      return `That was too fast for the server. Try again in ${seconds(err.retryAfterMs)}.`;
    case ErrorCode.ACCESS_DENIED:
      return 'Only the person who created it, or an admin, may do that.';
    case ErrorCode.CHANNEL_NOT_FOUND:
      return 'The channel does not exist any more.';
    case ErrorCode.NOT_IN_CHANNEL:
    case ErrorCode.MESSAGE_ELSEWHERE:
      return 'You are not in this channel any more.';
    case ErrorCode.MUTED:
      return 'A moderator has muted you.';
    case ErrorCode.EMPTY_MESSAGE:
      return 'The message is empty.';
    case ErrorCode.MESSAGE_TOO_LONG:
      return 'The message is too long.';
    case ErrorCode.BAD_SDP:
    case ErrorCode.UNSUPPORTED_MEDIA:
      return `The server and this browser do not agree on how to carry voice (${err.reason}).`;
    case ErrorCode.STORAGE:
      return 'The server cannot use its disk just now: nothing is kept or found. Voice goes on.';
    case ErrorCode.INTERNAL:
      return 'The server had an internal error. Whoever runs it can find more in its log.';
    default:
      return `The server says: ${err.reason}.`;
  }
}

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

/** What helps a guest who stands before a channel for members. */
const HOW_TO_ENTER = 'Ask whoever runs the server for an invitation.';

/**
 * @param {import('./call.js').Problem} problem
 * @returns {string}
 */
export function problemWords({ doing, name, error }) {
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
      return `A moderator has moved you to ${name}.`;
    case 'deleted':
      return `${name} was deleted.`;
    case 'voice':
      return `Your microphone setting did not reach the server. ${because(error)}`;
    case 'microphone-changed':
      return name ? `Your microphone went away. Now in use: ${name}.` : 'Your microphone went away. Another one is in use.';
  }
}

/**
 * What is wrong with a microphone that was well when it was opened.
 * @param {import('./microphone.js').Condition} condition
 * @returns {{text: string, label: string, note: string} | null} a sentence, what a button that
 *   may mend it says, and a word or two for the person's tile
 */
export function conditionWords(condition) {
  switch (condition) {
    case 'lost':
      return { text: 'Your microphone was disconnected. Nobody hears you.', label: 'Use a microphone', note: 'No microphone' };
    case 'held':
      return {
        text: 'Your device has taken the microphone away, as for a phone call. Nobody hears you until it gives it back.',
        label: 'Take it back',
        note: 'Mic on hold',
      };
    case 'silent':
      return {
        text: 'No sound comes from your microphone. Is it switched off, or the wrong one? Nobody hears you.',
        label: 'Try another',
        note: 'Mic silent',
      };
    default:
      return null;
  }
}

/**
 * What is wrong with the loudspeaker.
 * @param {import('./playback.js').Sound} sound
 * @returns {{text: string, label: string, note: string} | null} as for the microphone
 */
export function soundWords(sound) {
  switch (sound) {
    case 'blocked':
      return { text: 'Your browser holds the sound back. You hear nobody.', label: 'Click to hear', note: 'Cannot hear' };
    case 'lost':
      return {
        text: 'There is neither a loudspeaker nor headphones. You hear nobody until there are.',
        label: '',
        note: 'Cannot hear',
      };
    default:
      return null;
  }
}

/**
 * @param {import('./microphone.js').MicrophoneProblem} problem
 * @returns {{title: string, text: string}}
 */
export function microphoneWords(problem) {
  switch (problem) {
    case 'policy':
      return {
        title: 'This site forbids the microphone',
        text:
          'Your browser would allow it, but the page came with a header, Permissions-Policy, that forbids it to everybody. ' +
          'Ask whoever runs the server to change that, most often at a reverse proxy, to microphone=(self).',
      };
    case 'denied':
      return {
        title: 'The microphone is not allowed',
        text:
          'Your browser keeps this page from using the microphone. Allow it with the icon beside the address, then try again.',
      };
    case 'missing':
      return {
        title: 'No microphone found',
        text: 'Plug one in, or switch it on in your system’s settings, then try again.',
      };
    case 'busy':
      return {
        title: 'The microphone is in use',
        text: 'Another program may be holding it. Close that program, then try again.',
      };
    case 'insecure':
      return {
        title: 'The microphone needs a secure page',
        text:
          'Browsers give a microphone only to pages opened over HTTPS or on the same machine. ' +
          `This one came over plain HTTP from ${location.host}. Ask whoever runs the server for its https:// address.`,
      };
    case 'unsupported':
      return {
        title: 'This browser has no microphone access',
        text: 'It is too old, or this feature is switched off. Another browser will do.',
      };
    case 'failed':
      return {
        title: 'The microphone did not start',
        text: 'Your browser gave no reason. Trying again often helps.',
      };
  }
}

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

const atTime = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

/** @type {Record<import('./protocol.js').Role, string>} */
const ROLE_WORDS = { admin: 'Admin', moderator: 'Moderator', member: 'Member', guest: 'Guest' };

/**
 * @param {import('./protocol.js').Role} role
 * @returns {string}
 */
export function roleWords(role) {
  return ROLE_WORDS[role] ?? role;
}

/**
 * @param {import('./account.js').InviteAnswer} offer
 * @param {string} known whom this browser knows already, or ''
 * @returns {{title: string, lead: string, offer: string}}
 */
export function inviteWords({ role, channel_name, by_name, expires_at }, known) {
  const where = channel_name ? `to talk in ${channel_name}` : 'to this server';
  const lead = known ? `You are ${known} here already.` : 'Choose a name: it is yours from then on, and this browser keeps you signed in.';
  const until = expires_at ? ` It holds until ${atTime.format(expires_at)}.` : '';
  return {
    title: by_name ? `${by_name} invites you ${where}` : `You are invited ${where}`,
    lead,
    offer: `The invitation makes you a ${roleWords(role).toLowerCase()}.${until}`.replace('a admin', 'an admin'),
  };
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
 * @param {import('./protocol.js').Invite} invite
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
  if (err instanceof RequestError && err.code === ErrorCode.ACCESS_DENIED) {
    return `You may not do that: ${err.reason.replace(/^access denied: /, '')}.`;
  }
  return err instanceof RequestError && err.code === ErrorCode.USER_NOT_FOUND ? 'They are not here any more.' : because(err);
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

/** @type {Record<string, string>} */
const DEED_WORDS = { mute: 'muted', unmute: 'let be heard', move: 'moved', kick: 'put out', ban: 'banned', unban: 'let in again', role: 'given another role' };

/**
 * @param {import('./protocol.js').Deed} deed
 * @param {string} where the channel's name, or ''
 * @returns {{what: string, facts: string}}
 */
export function deedWords({ at, action, user_id, name, by_name, reason, until }, where) {
  const place = where && `${action === 'move' ? 'to' : 'in'} ${where}`;
  const end = until ? `until ${atTime.format(until)}` : '';
  return {
    what: [name || user_id, DEED_WORDS[action] ?? action, place].filter(Boolean).join(' '),
    facts: [atTime.format(at), `by ${by_name || 'who runs the server'}`, end, reason].filter(Boolean).join(' · '),
  };
}

/**
 * @param {import('./protocol.js').Ban} ban
 * @returns {string}
 */
export function banFacts({ until, reason, by_name }) {
  return [until ? `until ${atTime.format(until)}` : 'for good', `by ${by_name || 'who runs the server'}`, reason].filter(Boolean).join(' · ');
}

/**
 * What keeps the page from the server, where a person has to do something about it, or waits for it at the door.
 * @param {import('./client.js').ClientState} state
 * @returns {{text: string, action: 'retry' | 'take-over' | 'return' | 'reload'} | null}
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
      return { text: `A moderator has put you out${state.reason ? `: ${state.reason}` : ''}.`, action: 'return' };
    case CloseCode.BANNED:
      return { text: sentence(state.reason ?? ''), action: 'return' };
    case CloseCode.AUTH_FAILED:
      return null; // a guest, who gets another token without being asked: anybody else is out
    case CloseCode.VERSION:
      return { text: 'This page and the server are of different versions.', action: 'reload' };
    default:
      return { text: `The server ended the connection (${state.reason || state.code}).`, action: 'reload' };
  }
}

/**
 * What the line says while what was lost is being mended, and for a moment after it.
 * @param {'ok' | 'mending' | 'mended'} state
 * @returns {string}
 */
export function mendingWords(state) {
  switch (state) {
    case 'mending':
      return 'Reconnecting…';
    case 'mended':
      return 'You are back';
    default:
      return '';
  }
}

/**
 * What voice is doing.
 * @param {import('./call.js').Call} call
 * @param {import('./meter.js').Quality | null} quality
 * @param {number} now as Date.now() counts
 * @returns {{text: string, tone: 'good' | 'fair' | 'poor' | 'busy'}}
 */
export function voiceWords(call, quality, now) {
  if (call.retry.at !== null) {
    return { text: `Voice lost, again in ${seconds(call.retry.at - now)}`, tone: 'poor' };
  }
  switch (call.media.state) {
    case 'connected':
      return silenceWords(call) ?? qualityWords(quality);
    case 'unstable':
      return { text: 'Voice is interrupted', tone: 'poor' };
    case 'failed':
      return { text: 'Voice lost', tone: 'poor' };
    default:
      return { text: 'Connecting voice…', tone: 'busy' };
  }
}

/**
 * Voice is connected, and still one is not heard or does not hear. It is said for as long as it
 * is so, whatever was dismissed.
 * @param {import('./call.js').Call} call
 * @returns {{text: string, tone: 'poor'} | null}
 */
function silenceWords(call) {
  if (call.voice.held) {
    return { text: 'A moderator has muted you', tone: 'poor' };
  }
  if (call.talk.unheard !== 'ok') {
    return { text: 'Nobody hears you', tone: 'poor' };
  }
  return call.media.playback.sound !== 'ok' && !call.voice.deaf ? { text: 'You hear nobody', tone: 'poor' } : null;
}

/** Round trips and losses above these are noticed in a conversation. */
const FAIR_RTT_MS = 150;
const POOR_RTT_MS = 350;
const FAIR_LOSS_PERCENT = 2;
const POOR_LOSS_PERCENT = 8;

/**
 * @param {import('./meter.js').Quality | null} quality
 * @returns {{text: string, tone: 'good' | 'fair' | 'poor'}}
 */
function qualityWords(quality) {
  const rtt = quality?.rttMs ?? null;
  const loss = quality?.lossPercent ?? 0;
  const parts = ['Connected'];
  if (rtt !== null) {
    parts.push(`${Math.max(1, rtt)} ms`);
  }
  if (loss > 0) {
    parts.push(`${loss} % lost`);
  }
  const text = parts.join(' · ');
  if (loss >= POOR_LOSS_PERCENT || (rtt ?? 0) >= POOR_RTT_MS) {
    return { text, tone: 'poor' };
  }
  const fair = loss >= FAIR_LOSS_PERCENT || (rtt ?? 0) >= FAIR_RTT_MS;
  return { text, tone: fair ? 'fair' : 'good' };
}

/** Said as soon as the page is opened: afterwards it would come as a surprise. */
export const INSECURE_PAGE =
  'This page came over plain HTTP, where browsers give no microphone: you can listen but not talk. ' +
  'Ask for the server’s https:// address.';

/** Voice never got through, though signalling works. */
export const PATH_BLOCKED =
  'This page gets through but voice does not: a firewall may be in the way.';

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
 * @param {import('./protocol.js').ChannelInfo | undefined} info
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
 * @param {import('./pages.js').Entry} entry a note
 * @returns {string}
 */
export function noteWords({ note, name }) {
  switch (note) {
    case 'join':
      return `${name} joined`;
    case 'leave':
      return `${name} left`;
    case 'gone':
      return `${name} lost the connection`;
    case 'unreached':
      return `${name} left: no voice connection`;
    case 'moved':
      return `${name} was moved to another channel`;
    case 'kicked':
      return `${name} was put out by a moderator`;
    case 'mute':
      return `${name} was muted by a moderator`;
    case 'unmute':
      return `${name} may be heard again`;
    case 'back':
      return 'You are back';
    default:
      return `You joined ${name}`;
  }
}
