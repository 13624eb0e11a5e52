/**
 * Plays what is heard louder than it is, which audio elements cannot. It takes an element's place only while it does play, so that
 * nobody becomes silent for being made louder.
 *
 * Event: `change` when it began to play or stopped.
 * @module
 */

import { Store } from './store.js';

/** @typedef {{source: MediaStreamAudioSourceNode, gain: GainNode}} Boosted */

export class Booster extends Store {
  /** @type {AudioContext | null} */
  #context = null;
  /** Keeps loud voices from being cut off at full scale. @type {AudioNode | null} */
  #limiter = null;
  #speaker = '';
  /** @type {Map<HTMLAudioElement, Boosted>} */
  #boosted = new Map();

  /**
   * @param {HTMLAudioElement} audio
   * @param {number} factor
   * @returns {boolean} whether it is played here
   */
  set(audio, factor) {
    const context = (this.#context ??= this.#begin());
    if (context.state !== 'running') {
      context.resume().catch(() => {}); // at the next click
      return false;
    }
    let boosted = this.#boosted.get(audio);
    if (!boosted) {
      const source = context.createMediaStreamSource(/** @type {MediaStream} */ (audio.srcObject));
      boosted = { source, gain: new GainNode(context) };
      source.connect(boosted.gain).connect(/** @type {AudioNode} */ (this.#limiter));
      this.#boosted.set(audio, boosted);
    }
    boosted.gain.gain.value = factor;
    return true;
  }

  /** @param {string} speaker '' for the system's choice */
  setSpeaker(speaker) {
    this.#speaker = speaker;
    lead(this.#context, speaker);
  }

  /** @param {HTMLAudioElement} audio that is played by itself again */
  remove(audio) {
    const boosted = this.#boosted.get(audio);
    boosted?.source.disconnect();
    boosted?.gain.disconnect();
    this.#boosted.delete(audio);
    if (this.#boosted.size === 0 && this.#context?.state === 'running') {
      this.#context.suspend().catch(() => {}); // one that runs costs a telephone its battery
    }
  }

  #begin() {
    const context = new AudioContext({ latencyHint: 'interactive' });
    this.#limiter = new DynamicsCompressorNode(context, { threshold: -3, knee: 0, ratio: 20, attack: 0.002, release: 0.1 });
    this.#limiter.connect(context.destination);
    lead(context, this.#speaker);
    context.onstatechange = () => this.changed();
    return context;
  }
}

/**
 * @param {AudioContext | null} context
 * @param {string} speaker where it is to be heard, where the browser lets a page choose; '' for the system's choice
 */
export function lead(context, speaker) {
  const sink = /** @type {any} */ (context);
  if (sink?.setSinkId && sink.sinkId !== speaker) {
    sink.setSinkId(speaker).catch(() => sink.setSinkId('').catch(() => {}));
  }
}
