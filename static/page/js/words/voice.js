/**
 * Words about voice: microphone, loudspeaker and connection.
 * @module
 */

import { fill } from '../advice.js';
import { phrases } from '../language.js';
import { seconds } from './common.js';
import { doerWords } from './deeds.js';

/**
 * What is wrong with a microphone that was well when it was opened.
 * @param {import('../microphone.js').Condition} condition
 * @returns {{text: string, label: string, note: string} | null} a sentence, what a button that
 *   may mend it says, and a word or two for the person's tile
 */
export function conditionWords(condition) {
  const says = phrases.voice;
  switch (condition) {
    case 'lost':
      return { text: says.lostText, label: says.lostLabel, note: says.lostNote };
    case 'held':
      return { text: says.heldText, label: says.heldLabel, note: says.heldNote };
    case 'silent':
      return { text: says.silentText, label: says.silentLabel, note: says.silentNote };
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
  const says = phrases.voice;
  switch (sound) {
    case 'blocked':
      return { text: says.blockedText, label: says.blockedLabel, note: says.cannotHear };
    case 'lost':
      return { text: says.noSpeaker, label: '', note: says.cannotHear };
    default:
      return null;
  }
}

/**
 * @param {import('../microphone.js').MicrophoneProblem} problem
 * @returns {{title: string, text: string}}
 */
export function microphoneWords(problem) {
  const { title, text } = phrases.microphone[problem];
  return { title, text: fill(text, { host: location.host }) };
}

/**
 * What the line says while what was lost is being mended, and for a moment after it.
 * @param {'ok' | 'mending' | 'mended' | 'silent' | 'restart'} state
 * @returns {string}
 */
export function mendingWords(state) {
  switch (state) {
    case 'mending':
      return phrases.voice.reconnecting;
    case 'mended':
      return phrases.voice.back;
    case 'restart':
      return phrases.voice.restarting;
    case 'silent':
      return phrases.voice.noAnswer;
    default:
      return '';
  }
}

/**
 * What voice is doing.
 * @param {import('../session.js').Session} session
 * @param {import('../meter.js').Quality | null} quality
 * @param {number} now as Date.now() counts
 * @returns {{text: string, tone: 'good' | 'fair' | 'poor' | 'busy'}}
 */
export function voiceWords({ call, directory, pulse }, quality, now) {
  if (pulse.silent) {
    return { text: phrases.voice.noAnswer, tone: 'poor' };
  }
  if (call.retry.at !== null) {
    return { text: phrases.voice.lostAgainIn(seconds(call.retry.at - now)), tone: 'poor' };
  }
  switch (call.media.state) {
    case 'connected':
      if (!call.path.broken) {
        return silenceWords(call, directory.find(call.here)?.speaking) ?? qualityWords(quality);
      }
      // Fall through: nothing comes.
    case 'unstable':
      return { text: phrases.voice.interrupted, tone: 'poor' };
    case 'failed':
      return { text: phrases.voice.lost, tone: 'poor' };
    default:
      return { text: phrases.voice.connecting, tone: 'busy' };
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
    return place === 1 ? phrases.voice.firstInLine : phrases.voice.placeInLine(place);
  }
  return speaking === 'moderators' ? phrases.voice.onlyModerators : phrases.voice.raiseHand;
}

/**
 * @param {number} n
 * @returns {string} how many hands are up
 */
export function handsWords(n) {
  return phrases.voice.hands(n);
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
    return { text: phrases.deeds.hasMutedYou(doerWords(call.heldBy)), tone: 'poor' };
  }
  if (call.audience.suppressed) {
    return { text: audienceWords(speaking, call.audience.placeOf(call.mine?.user_id ?? '')), tone: 'fair' };
  }
  if (call.talk.unheard !== 'ok') {
    return { text: phrases.voice.nobodyHears, tone: 'poor' };
  }
  return call.media.playback.sound !== 'ok' && !call.voice.deaf ? { text: phrases.voice.youHearNobody, tone: 'poor' } : null;
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
  const parts = [phrases.voice.connected];
  if (rtt !== null) {
    parts.push(phrases.common.ms(Math.max(1, rtt)));
  }
  if (loss > 0) {
    parts.push(phrases.voice.loss(loss));
  }
  const text = parts.join(' · ');
  if (loss >= POOR_LOSS_PERCENT || (rtt ?? 0) >= POOR_RTT_MS) {
    return { text, tone: 'poor' };
  }
  const fair = loss >= FAIR_LOSS_PERCENT || (rtt ?? 0) >= FAIR_RTT_MS;
  return { text, tone: fair ? 'fair' : 'good' };
}
