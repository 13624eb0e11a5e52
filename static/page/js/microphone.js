/**
 * Opening the microphone, and why it could not be opened.
 * @module
 */

import { microphonePolicy } from './policy.js';
import { Store } from './store.js';

/**
 * - `insecure`: the browser hides microphones from pages that are not on HTTPS or on
 *   this machine;
 * - `unsupported`: the browser has none of this at all;
 * - `policy`: a header that came with the page forbids it;
 * - `denied`: the person said no, or the browser for them;
 * - `missing`: there is no microphone;
 * - `busy`: the operating system would not hand it over;
 * - `failed`: anything else.
 * @typedef {'insecure' | 'unsupported' | 'policy' | 'denied' | 'missing' | 'busy' | 'failed'} MicrophoneProblem
 */

export class MicrophoneError extends Error {
  /**
   * @param {MicrophoneProblem} problem
   * @param {unknown} [cause]
   */
  constructor(problem, cause) {
    super(`microphone: ${problem}`, { cause });
    this.name = 'MicrophoneError';
    this.problem = problem;
  }
}

/** getUserMedia's error names, in our words. */
const PROBLEMS = new Map(
  /** @type {[string, MicrophoneProblem][]} */ ([
    ['NotAllowedError', 'denied'],
    ['SecurityError', 'denied'],
    ['NotFoundError', 'missing'],
    ['OverconstrainedError', 'missing'],
    ['NotReadableError', 'busy'],
    ['AbortError', 'busy'],
  ]),
);

/**
 * The microphone of this page.
 *
 * Events: `change` when {@link Microphone#asking} changed; `lost` when the microphone
 * went away by itself.
 */
export class Microphone extends Store {
  /** @type {MediaStreamTrack | null} */
  track = null;
  /** The browser is asking the person. */
  asking = false;

  #processing;
  #enabled = true;
  /** @type {AbortController | null} */
  #wait = null;

  /** @param {boolean} processing echo cancellation, noise suppression and automatic gain */
  constructor(processing) {
    super();
    this.#processing = processing;
  }

  /**
   * Opens the microphone unless it is open. The browser may ask the person in turn, so
   * this can take any time.
   * @returns {Promise<boolean>} false when {@link cancel} or {@link close} came first
   * @throws {MicrophoneError}
   */
  async open() {
    if (this.track) {
      return true;
    }
    this.cancel();
    const wait = new AbortController();
    this.#wait = wait;
    this.#setAsking(true);
    try {
      const track = await Promise.race([this.#request(wait.signal), aborted(wait.signal)]);
      this.track = track;
      track.enabled = this.#enabled;
      track.onended = () => {
        this.close();
        this.dispatchEvent(new CustomEvent('lost'));
      };
      return true;
    } catch (err) {
      if (wait.signal.aborted) {
        return false;
      }
      throw err;
    } finally {
      if (this.#wait === wait) {
        this.#wait = null;
        this.#setAsking(false);
      }
    }
  }

  /** Gives up waiting for {@link open}. */
  cancel() {
    this.#wait?.abort();
    this.#wait = null;
    this.#setAsking(false);
  }

  /** Lets the microphone go, so that the browser's recording light goes out. */
  close() {
    this.cancel();
    if (this.track) {
      this.track.onended = null;
      this.track.stop();
      this.track = null;
    }
  }

  /** @param {boolean} enabled false sends silence */
  enable(enabled) {
    this.#enabled = enabled;
    if (this.track) {
      this.track.enabled = enabled;
    }
  }

  /**
   * @param {AbortSignal} signal
   * @returns {Promise<MediaStreamTrack>}
   */
  async #request(signal) {
    if (!navigator.mediaDevices?.getUserMedia) {
      throw new MicrophoneError(window.isSecureContext ? 'unsupported' : 'insecure');
    }
    const audio = {
      echoCancellation: this.#processing,
      noiseSuppression: this.#processing,
      autoGainControl: this.#processing,
    };
    /** @type {MediaStream} */
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio });
    } catch (err) {
      const problem = PROBLEMS.get(err instanceof DOMException ? err.name : '') ?? 'failed';
      const forbidden = problem === 'denied' && (await microphonePolicy()) !== '';
      throw new MicrophoneError(forbidden ? 'policy' : problem, err);
    }
    const [track] = stream.getAudioTracks();
    if (signal.aborted) {
      // Nobody waits for it any more: the recording light must not stay on.
      track.stop();
    }
    return track;
  }

  /** @param {boolean} asking */
  #setAsking(asking) {
    if (asking !== this.asking) {
      this.asking = asking;
      this.changed();
    }
  }
}

/**
 * @param {AbortSignal} signal
 * @returns {Promise<never>} rejects when the signal is given
 */
function aborted(signal) {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
