/**
 * Words about voice: microphone, loudspeaker and connection.
 * @module
 */

import { seconds } from './common.js';
import { doerWords } from './deeds.js';

/**
 * What is wrong with a microphone that was well when it was opened.
 * @param {import('../microphone.js').Condition} condition
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
 * @param {import('../playback.js').Sound} sound
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
 * @param {import('../microphone.js').MicrophoneProblem} problem
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
 * @param {import('../call.js').Call} call
 * @param {import('../meter.js').Quality | null} quality
 * @param {number} now as Date.now() counts
 * @param {'moderators' | 'allowed' | 'all'} [speaking] who is heard in the channel
 * @returns {{text: string, tone: 'good' | 'fair' | 'poor' | 'busy'}}
 */
export function voiceWords(call, quality, now, speaking) {
  if (call.retry.at !== null) {
    return { text: `Voice lost, again in ${seconds(call.retry.at - now)}`, tone: 'poor' };
  }
  switch (call.media.state) {
    case 'connected':
      return silenceWords(call, speaking) ?? qualityWords(quality);
    case 'unstable':
      return { text: 'Voice is interrupted', tone: 'poor' };
    case 'failed':
      return { text: 'Voice lost', tone: 'poor' };
    default:
      return { text: 'Connecting voice…', tone: 'busy' };
  }
}

/**
 * What is said to one in the audience of a channel.
 * @param {'moderators' | 'allowed' | 'all' | undefined} speaking who is heard there
 * @param {number} place in the line of raised hands; 0 for none
 * @returns {string}
 */
export function audienceWords(speaking, place) {
  if (place > 0) {
    return place === 1 ? 'Your hand is up, you are the first in line' : `Your hand is up, number ${place} in line`;
  }
  return speaking === 'moderators'
    ? 'You are in the audience: only moderators speak here'
    : 'You are in the audience: raise a hand to speak';
}

/**
 * @param {number} n
 * @returns {string} how many hands are up
 */
export function handsWords(n) {
  return n === 1 ? '1 hand up' : `${n} hands up`;
}

/**
 * Voice is connected, and still one is not heard or does not hear. It is said for as long as it
 * is so, whatever was dismissed.
 * @param {import('../call.js').Call} call
 * @param {'moderators' | 'allowed' | 'all' | undefined} speaking
 * @returns {{text: string, tone: 'fair' | 'poor'} | null}
 */
function silenceWords(call, speaking) {
  if (call.voice.held) {
    return { text: `${doerWords(call.heldBy)} has muted you`, tone: 'poor' };
  }
  if (call.audience.suppressed) {
    return { text: audienceWords(speaking, call.audience.placeOf(call.mine?.user_id ?? '')), tone: 'fair' };
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
 * @param {import('../meter.js').Quality | null} quality
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
