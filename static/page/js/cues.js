/**
 * Which tone tells of what: one's own voice, the floor, who comes and goes where one is, and messages to one who does not look.
 * @module
 */

import { Op } from './protocol.js';

/**
 * How many in a row are told by a tone, and how soon there is one more, in milliseconds: a crowd that comes is not to be a drum
 * roll. What one does oneself is told always.
 * @type {Record<'crowd' | 'message', [number, number]>}
 */
const PACE = { crowd: [3, 10_000], message: [2, 4_000] };

/** Lets so many through at once, and then one in a while. */
export class Pace {
  #most;
  #everyMs;
  #left;
  #at = 0;

  /**
   * @param {number} most
   * @param {number} everyMs
   */
  constructor(most, everyMs) {
    this.#most = most;
    this.#everyMs = everyMs;
    this.#left = most;
  }

  /**
   * @param {number} now in milliseconds, on a clock that only goes on
   * @returns {boolean}
   */
  allows(now) {
    this.#left = Math.min(this.#most, this.#left + (now - this.#at) / this.#everyMs);
    this.#at = now;
    if (this.#left < 1) {
      return false;
    }
    this.#left--;
    return true;
  }
}

/**
 * @param {import('./session.js').Session} session
 * @param {import('./tones.js').Tones} tones
 */
export function mountCues(session, tones) {
  const { call, client } = session;
  const crowd = new Pace(...PACE.crowd);
  const message = new Pace(...PACE.message);
  const was = { silent: false, deaf: false, in: false };

  call.addEventListener('change', () => {
    const { voice } = call;
    const silent = voice.silent || voice.held;
    const inside = call.room !== null;
    if (inside !== was.in) {
      tones.play(inside ? 'join' : 'leave');
    } else if (inside && voice.deaf !== was.deaf) {
      tones.play(voice.deaf ? 'deafen' : 'undeafen');
    } else if (inside && silent !== was.silent) {
      tones.play(silent ? 'mute' : 'unmute');
    }
    Object.assign(was, { silent, deaf: voice.deaf, in: inside });
  });

  call.floor.addEventListener('cue', (e) => tones.play(/** @type {CustomEvent} */ (e).detail));

  client.addEventListener('event', (e) => {
    const { op, d } = /** @type {CustomEvent} */ (e).detail;
    const here = d.channel_id !== undefined && d.channel_id === call.here;
    const now = performance.now();
    if (op === Op.CHANNEL_EVENT && here && (d.event === 'join' || d.event === 'leave')) {
      const others = d.member && d.member.user_id !== session.me?.userId;
      if (others && !call.voice.deaf && crowd.allows(now)) {
        tones.play(d.event);
      }
    } else if (op === Op.MESSAGE_EVENT && d.author_id !== session.me?.userId) {
      if ((document.hidden || !document.hasFocus()) && message.allows(now)) {
        tones.play('message');
      }
    }
  });
}
