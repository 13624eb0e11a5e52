/**
 * Short tones that tell by ear what happened, made on the spot: what goes up begins, what goes down ends, and what is of the
 * floor sounds like radio.
 * @module
 */

import { lead } from './booster.js';

/**
 * @typedef {object} Note
 * @property {number} at when it begins, in milliseconds from the tone's beginning
 * @property {number} ms how long it lasts
 * @property {number} hz
 * @property {number} [to] the frequency it slides to
 * @property {OscillatorType} [type] a sine when absent; others have overtones, for low ones
 */

/**
 * - `join`, `leave`: somebody, or oneself; `mute` to `undeafen`: one's own voice; `message`: somebody wrote;
 * - `granted`: go ahead; `denied`; `queued`: one is to wait; `taken`: somebody else begins; `warning`: one is about to be cut off;
 *   `cut`: one was; `idle`: who talked is done, and the floor is free.
 * @typedef {'join' | 'leave' | 'mute' | 'unmute' | 'deafen' | 'undeafen' | 'message' | 'granted' | 'denied' | 'queued' | 'taken' |
 *   'warning' | 'cut' | 'idle'} Tone
 */

/** Each is over within 400 ms, and no two of its notes sound at once, so that none clips. @type {Record<Tone, Note[]>} */
export const TONES = {
  join: [{ at: 0, ms: 110, hz: 523 }, { at: 110, ms: 200, hz: 784 }],
  leave: [{ at: 0, ms: 110, hz: 784 }, { at: 110, ms: 200, hz: 523 }],
  mute: [{ at: 0, ms: 140, hz: 440, to: 277, type: 'triangle' }],
  unmute: [{ at: 0, ms: 140, hz: 349, to: 554, type: 'triangle' }],
  deafen: [{ at: 0, ms: 120, hz: 370, type: 'triangle' }, { at: 130, ms: 160, hz: 220, type: 'triangle' }],
  undeafen: [{ at: 0, ms: 120, hz: 220, type: 'triangle' }, { at: 130, ms: 160, hz: 370, type: 'triangle' }],
  message: [{ at: 0, ms: 60, hz: 1047 }, { at: 70, ms: 160, hz: 1397 }],
  granted: [{ at: 0, ms: 45, hz: 910 }, { at: 75, ms: 45, hz: 910 }, { at: 150, ms: 60, hz: 910 }],
  denied: [{ at: 0, ms: 320, hz: 165, type: 'square' }],
  queued: [{ at: 0, ms: 90, hz: 659 }, { at: 230, ms: 90, hz: 659 }],
  taken: [{ at: 0, ms: 90, hz: 466, type: 'triangle' }],
  warning: [{ at: 0, ms: 70, hz: 1760 }, { at: 100, ms: 70, hz: 1319 }, { at: 200, ms: 70, hz: 1760 }, { at: 300, ms: 70, hz: 1319 }],
  cut: [{ at: 0, ms: 340, hz: 988, to: 185, type: 'triangle' }],
  idle: [{ at: 0, ms: 80, hz: 1175 }],
};

/** How loud they are at most, of full scale, so that the ear takes them for about as loud. @type {Partial<Record<OscillatorType, number>>} */
const LEVELS = { sine: 0.42, triangle: 0.5, square: 0.2 };
/** How long a note takes to come and to go, so that it does not click, in seconds. */
const EDGE_S = 0.008;
/** Who would hear a tone later than this after what it tells, hears none, in milliseconds. */
const LATE_MS = 300;
/** The context rests after this long without a tone, in milliseconds: one that runs costs a telephone its battery. */
const REST_MS = 5_000;

/**
 * Has a tone be played.
 * @param {BaseAudioContext} context
 * @param {AudioNode} destination
 * @param {Tone} tone
 * @param {number} when as the context's clock counts, in seconds
 */
export function sound(context, destination, tone, when) {
  for (const { at, ms, hz, to, type = 'sine' } of TONES[tone]) {
    const level = LEVELS[type] ?? 0;
    const start = when + at / 1000;
    const end = start + ms / 1000;
    const oscillator = new OscillatorNode(context, { frequency: hz, type });
    const gain = new GainNode(context, { gain: 0 });
    if (to) {
      oscillator.frequency.setValueAtTime(hz, start);
      oscillator.frequency.exponentialRampToValueAtTime(to, end);
    }
    gain.gain.setValueAtTime(0, start);
    gain.gain.linearRampToValueAtTime(level, start + EDGE_S);
    gain.gain.setValueAtTime(level, end - EDGE_S);
    gain.gain.linearRampToValueAtTime(0, end);
    oscillator.connect(gain).connect(destination);
    oscillator.start(start);
    oscillator.stop(end);
    oscillator.onended = () => gain.disconnect();
  }
}

export class Tones {
  #choices;
  /** @type {AudioContext | null} */
  #context = null;
  /** @type {GainNode | null} */
  #volume = null;
  #rest = 0;
  #speaker = '';

  /** @param {import('./choices.js').Choices} choices */
  constructor(choices) {
    this.#choices = choices;
  }

  /** @param {string} speaker where they are heard; '' for the system's choice */
  setSpeaker(speaker) {
    this.#speaker = speaker;
    lead(this.#context, speaker);
  }

  /** @param {Tone} tone */
  async play(tone) {
    if (!this.#choices.get('tones')) {
      return;
    }
    const asked = performance.now();
    const context = (this.#context ??= new AudioContext({ latencyHint: 'interactive' }));
    lead(context, this.#speaker);
    this.#volume ??= new GainNode(context);
    this.#volume.connect(context.destination);
    // The ear counts in ratios.
    this.#volume.gain.value = (this.#choices.get('toneVolume') / 100) ** 2;
    if (context.state !== 'running') {
      // Before the first click a browser holds all sound back, and this waits for it.
      await context.resume().catch(() => {});
    }
    if (context.state !== 'running' || performance.now() - asked > LATE_MS) {
      return;
    }
    sound(context, this.#volume, tone, context.currentTime);
    clearTimeout(this.#rest);
    this.#rest = setTimeout(() => context.suspend().catch(() => {}), REST_MS);
  }
}
