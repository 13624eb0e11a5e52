/**
 * Notices that one talks while one is muted. It listens only while the microphone is open anyway, and what it hears goes nowhere:
 * a copy of the track, since the muted one gives zeros, is measured and forgotten.
 *
 * Event: `talk` when one does.
 * @module
 */

import { listening } from './signal.js';

/** How often it is looked, in milliseconds. */
const INTERVAL_MS = 100;
/** Samples looked at at once: about as much. */
const WINDOW = 4096;
/** From this on it is speech, of full scale: -42 dB, a little more than makes the server take somebody for speaking. */
const SPEECH = 0.008;
/** Of the last looks so many must have it: a cough or a key is no speech. */
const LOOKS = 8;
const LOUD_LOOKS = 5;
/** Who goes on is told again after this long, in milliseconds. */
const AGAIN_MS = 20_000;

export class Muffled extends EventTarget {
  #call;
  #choices;
  /** The muted track that is looked at. @type {MediaStreamTrack | null} */
  #track = null;
  /** Ends the looking. */
  #stop = () => {};

  /**
   * @param {import('./call.js').Call} call
   * @param {import('./choices.js').Choices} choices
   */
  constructor(call, choices) {
    super();
    this.#call = call;
    this.#choices = choices;
    call.addEventListener('change', () => this.#follow());
    choices.addEventListener('change', () => this.#follow());
  }

  #follow() {
    const { here, voice, microphone } = this.#call;
    const muted = here !== null && !voice.suppressed && (voice.silent || voice.held) && this.#choices.get('mutedHint');
    const track = muted && microphone.track?.readyState === 'live' ? microphone.track : null;
    if (track !== this.#track) {
      this.#stop();
      this.#stop = () => {};
      this.#track = track;
      if (track) {
        this.#look(track);
      }
    }
  }

  /** @param {MediaStreamTrack} track */
  #look(track) {
    const copy = track.clone();
    copy.enabled = true;
    /** @type {MediaStreamAudioSourceNode} */
    let source;
    /** @type {AnalyserNode} */
    let analyser;
    try {
      source = listening().createMediaStreamSource(new MediaStream([copy]));
      analyser = new AnalyserNode(listening(), { fftSize: WINDOW });
      source.connect(analyser);
    } catch {
      copy.stop();
      return; // this browser cannot look into a track
    }
    const samples = new Float32Array(WINDOW);
    /** @type {boolean[]} */
    let looks = [];
    let told = -Infinity;
    const timer = setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      const power = samples.reduce((sum, s) => sum + s * s, 0) / WINDOW;
      looks = [...looks, power > SPEECH ** 2].slice(-LOOKS);
      const now = performance.now();
      if (!document.hidden && looks.filter(Boolean).length >= LOUD_LOOKS && now - told > AGAIN_MS) {
        told = now;
        this.dispatchEvent(new CustomEvent('talk'));
      }
    }, INTERVAL_MS);
    this.#stop = () => {
      clearInterval(timer);
      source.disconnect();
      copy.stop();
    };
  }
}
