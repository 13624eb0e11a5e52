/**
 * Tries the microphone: how loud it is, and how one sounds, which nobody else hears. Where one is talking already, it is a copy of
 * that microphone, also while one is muted.
 *
 * Event: `change`.
 * @module
 */

import { MicrophoneError } from './microphone.js';
import { Store } from './store.js';

/** How often the level is looked at, in milliseconds, and the samples of each look. */
const INTERVAL_MS = 60;
const WINDOW = 2048;
/** What is softer shows nothing, in decibels of full scale. */
const FLOOR_DB = -60;
/** How long one is recorded, in milliseconds: a sentence. */
const RECORD_MS = 3_000;

export class Trial extends Store {
  /** @type {'off' | 'asking' | 'on' | 'recording' | 'playing'} */
  state = 'off';
  /** From 0 to 1, on a scale of decibels. */
  level = 0;
  /** Why there is no microphone. @type {import('./microphone.js').MicrophoneProblem | null} */
  problem = null;

  #call;
  #own;
  #choices;
  /** The copy that is looked at, and what it is of. @type {MediaStreamTrack | null} */
  #track = null;
  /** @type {MediaStreamTrack | null} */
  #from = null;
  /** Ends what is being done. */
  #done = new AbortController();

  /**
   * @param {import('./call.js').Call} call
   * @param {import('./microphone.js').Microphone} own opened where there is none yet; chosen as the call's is
   * @param {import('./choices.js').Choices} choices
   */
  constructor(call, own, choices) {
    super();
    this.#call = call;
    this.#own = own;
    this.#choices = choices;
    for (const microphone of [call.microphone, own]) {
      microphone.addEventListener('change', () => this.#follow());
    }
  }

  /** Noise was to be taken out, and that does not work here. */
  get undenoised() {
    return this.#own.undenoised || this.#call.microphone.undenoised;
  }

  async start() {
    this.stop();
    const { signal } = (this.#done = new AbortController());
    const { microphone } = this.#call;
    this.#set('asking');
    try {
      if (microphone.track?.readyState !== 'live') {
        this.#own.choose({ ...microphone.wishes });
        if (!(await this.#own.open())) {
          return;
        }
      }
    } catch (err) {
      if (!signal.aborted) {
        this.problem = err instanceof MicrophoneError ? err.problem : 'failed';
        this.#set('off');
      }
      return;
    }
    const open = this.#own.track ?? microphone.track;
    if (!signal.aborted && open) {
      this.#take(open);
    }
  }

  /** Tries what was chosen since, where it tries its own. The call's is followed anyway. */
  again() {
    if (this.#own.track) {
      this.start();
    }
  }

  /** Looks at another track in place of one that was exchanged; opens one where there is none any more. */
  #follow() {
    const { microphone } = this.#call;
    const open = this.#own.track ?? microphone.track;
    if (!this.#from || open === this.#from) {
      this.changed();
      return;
    }
    this.#done.abort();
    this.#done = new AbortController();
    this.#track?.stop();
    if (open) {
      this.#take(open);
    } else if (!microphone.asking) {
      this.start();
    }
  }

  /** @param {MediaStreamTrack} open */
  #take(open) {
    this.#from = open;
    this.#track = open.clone();
    this.#track.enabled = true;
    this.#measure(this.#track, this.#done.signal);
    this.#set('on');
  }

  stop() {
    this.#done.abort();
    this.#track?.stop();
    this.#track = null;
    this.#from = null;
    this.#own.close();
    this.level = 0;
    this.problem = null;
    this.#set('off');
  }

  /** Records a sentence and plays it. */
  async hear() {
    if (this.state !== 'on' || !this.#track) {
      return;
    }
    const { signal } = this.#done;
    this.#set('recording');
    try {
      const sound = await record(this.#track, signal);
      this.#set('playing');
      await play(sound, this.#choices.get('speakerId'), signal);
    } catch {
      // One that was stopped, or that this browser cannot record: the level shows all the same.
    }
    if (!signal.aborted) {
      this.#set('on');
    }
  }

  /**
   * @param {MediaStreamTrack} track
   * @param {AbortSignal} signal
   */
  #measure(track, signal) {
    // One of its own, since others suspend the one that they share, and a browser may leave one without a clock.
    const context = new AudioContext({ latencyHint: 'playback' });
    const source = context.createMediaStreamSource(new MediaStream([track]));
    const analyser = new AnalyserNode(context, { fftSize: WINDOW });
    const samples = new Float32Array(WINDOW);
    source.connect(analyser);
    const timer = setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      const power = samples.reduce((sum, s) => sum + s * s, 0) / WINDOW;
      this.level = Math.min(Math.max(1 - (10 * Math.log10(power)) / FLOOR_DB, 0), 1);
      this.changed();
    }, INTERVAL_MS);
    signal.addEventListener('abort', () => {
      clearInterval(timer);
      context.close();
    });
  }

  /** @param {Trial['state']} state */
  #set(state) {
    this.state = state;
    this.changed();
  }
}

/**
 * @param {MediaStreamTrack} track
 * @param {AbortSignal} signal
 * @returns {Promise<Blob>} what it gave for a while
 */
function record(track, signal) {
  const recorder = new MediaRecorder(new MediaStream([track]));
  return new Promise((resolve, reject) => {
    recorder.ondataavailable = ({ data }) => resolve(data);
    recorder.onerror = reject;
    signal.addEventListener('abort', () => reject(signal.reason));
    recorder.start();
    setTimeout(() => recorder.state !== 'inactive' && recorder.stop(), RECORD_MS);
  });
}

/**
 * @param {Blob} sound
 * @param {string} speaker
 * @param {AbortSignal} signal
 */
async function play(sound, speaker, signal) {
  const url = URL.createObjectURL(sound);
  const audio = new Audio(url);
  try {
    await /** @type {any} */ (audio).setSinkId?.(speaker).catch(() => {}); // then the system's
    await audio.play();
    await new Promise((resolve) => {
      audio.onended = resolve;
      audio.onerror = resolve;
      signal.addEventListener('abort', resolve);
    });
  } finally {
    audio.pause();
    URL.revokeObjectURL(url);
  }
}
