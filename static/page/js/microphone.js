/**
 * Opening the microphone, why it could not be opened, and what becomes of it.
 * @module
 */

import { microphonePolicy } from './policy.js';
import { Signal } from './signal.js';
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

/** Ids under which Chromium lists a device once more. */
const ALIASES = new Set(['default', 'communications']);

/**
 * What becomes of a microphone that was opened:
 * - `ok`: nothing is known to be wrong;
 * - `held`: the system keeps it to itself, for a telephone call or an assistant that listens;
 * - `silent`: it gives nothing but zeros;
 * - `lost`: it went away.
 * @typedef {'ok' | 'held' | 'silent' | 'lost'} Condition
 */

/**
 * Which microphone, and what the browser is to make of its sound.
 * @typedef {object} Wishes
 * @property {string} deviceId '' for the system's choice
 * @property {boolean} echoCancellation
 * @property {boolean} noiseSuppression
 * @property {boolean} autoGainControl
 */

/**
 * The microphone of this page.
 *
 * Events: `change` when {@link Microphone#asking} or {@link Microphone#condition} changed;
 * `lost` when the microphone went away by itself; `devices` when others came or went.
 */
export class Microphone extends Store {
  /** @type {MediaStreamTrack | null} */
  track = null;
  /** The browser is asking the person. */
  asking = false;

  /** Whether what it hears is made fit for speech: else it is for music. */
  processing;
  /** @type {Wishes} */
  wishes = { deviceId: '', echoCancellation: true, noiseSuppression: true, autoGainControl: true };
  /** What was chosen last; of another device one may have been given since. */
  #chosen = this.wishes;
  #enabled = true;
  #lost = false;
  /** @type {Signal | null} */
  #signal = null;
  /** @type {AbortController | null} */
  #wait = null;

  /** @param {boolean} processing echo cancellation, noise suppression and automatic gain */
  constructor(processing) {
    super();
    this.processing = processing;
    navigator.mediaDevices?.addEventListener?.('devicechange', () => this.dispatchEvent(new CustomEvent('devices')));
  }

  /** @type {Condition} */
  get condition() {
    if (this.#lost) {
      return 'lost';
    }
    if (this.track?.muted) {
      return 'held';
    }
    return this.#signal?.silent && this.#enabled ? 'silent' : 'ok';
  }

  /**
   * Opens the microphone unless it is open. The browser may ask the person in turn, so
   * this can take any time.
   * @returns {Promise<boolean>} false when {@link cancel} or {@link close} came first
   * @throws {MicrophoneError}
   */
  async open() {
    return this.track ? true : this.#open();
  }

  /**
   * Opens it anew in place of one that gives nothing: another device if this one is silent and
   * there are others. The old one stays when that fails.
   * @returns {Promise<boolean>} false when {@link cancel} or {@link close} came first
   * @throws {MicrophoneError}
   */
  async reopen() {
    if (this.condition === 'silent') {
      this.wishes = { ...this.wishes, deviceId: await this.#nextDevice() };
    }
    return this.#open();
  }

  async #open() {
    this.cancel();
    const wait = new AbortController();
    this.#wait = wait;
    this.#setAsking(true);
    try {
      const track = await Promise.race([this.#request(wait.signal), aborted(wait.signal)]);
      this.#adopt(track);
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

  /**
   * @param {Wishes} wishes what the person wants from the next time on that it is opened
   * @returns {boolean} whether they are others than before
   */
  choose(wishes) {
    const other = JSON.stringify(wishes) !== JSON.stringify(this.#chosen);
    if (other) {
      this.#chosen = wishes;
      this.wishes = wishes;
    }
    return other;
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
    this.#drop();
    this.#lost = false;
    this.changed();
  }

  /** There ought to be one, and there is none. */
  miss() {
    this.#drop();
    this.#lost = true;
    this.changed();
  }

  /** @param {boolean} enabled false sends silence */
  enable(enabled) {
    this.#enabled = enabled;
    if (this.track) {
      this.track.enabled = enabled;
    }
    this.changed();
  }

  /** @param {MediaStreamTrack} track */
  #adopt(track) {
    this.#drop();
    this.#lost = false;
    this.track = track;
    track.enabled = this.#enabled;
    track.onmute = () => this.changed();
    track.onunmute = () => this.changed();
    track.onended = () => {
      this.miss();
      this.dispatchEvent(new CustomEvent('lost'));
    };
    try {
      this.#signal = new Signal(track);
      this.#signal.addEventListener('change', () => this.changed());
    } catch {
      // This browser cannot look into the track; it works all the same.
    }
    this.changed();
  }

  #drop() {
    this.#signal?.stop();
    this.#signal = null;
    if (this.track) {
      this.track.onmute = null;
      this.track.onunmute = null;
      this.track.onended = null;
      this.track.stop();
      this.track = null;
    }
  }

  /** @returns {Promise<string>} the device after the one in use; '' when there is no other */
  async #nextDevice() {
    const devices = await navigator.mediaDevices.enumerateDevices().catch(() => []);
    const { deviceId, groupId } = this.track?.getSettings() ?? {};
    // Aliases of one device are not devices.
    const inputs = devices.filter((d) => d.kind === 'audioinput' && d.deviceId && !ALIASES.has(d.deviceId));
    const inUse = inputs.findIndex((d) => d.deviceId === deviceId || (ALIASES.has(deviceId ?? '') && d.groupId === groupId));
    return inputs[(inUse + 1) % inputs.length]?.deviceId ?? '';
  }

  /**
   * @param {AbortSignal} signal
   * @returns {Promise<MediaStreamTrack>}
   */
  async #request(signal) {
    if (!navigator.mediaDevices?.getUserMedia) {
      throw new MicrophoneError(window.isSecureContext ? 'unsupported' : 'insecure');
    }
    const { deviceId, echoCancellation, noiseSuppression, autoGainControl } = this.wishes;
    const audio = {
      echoCancellation: this.processing && echoCancellation,
      noiseSuppression: this.processing && noiseSuppression,
      autoGainControl: this.processing && autoGainControl,
    };
    // A wish alone some browsers pass over.
    const exactly = deviceId ? { ...audio, deviceId: { exact: deviceId } } : audio;
    /** @type {MediaStream} */
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: exactly }).catch((err) => {
        // The one that was chosen is not there: any will do.
        if (exactly !== audio && (err.name === 'OverconstrainedError' || err.name === 'NotFoundError')) {
          return navigator.mediaDevices.getUserMedia({ audio });
        }
        throw err;
      });
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
