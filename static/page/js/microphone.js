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
 * @property {boolean} [denoise] noise is taken out by {@link Denoise}, in place of the browser's suppression
 */

/**
 * Something that takes the noise out of a track, as denoiser.js does; event `change` when it began to run, stopped or broke.
 * @typedef {EventTarget & {track: MediaStreamTrack, running: boolean, broken: boolean, stop: () => void}} Denoiser
 */
/** @typedef {(track: MediaStreamTrack) => Promise<Denoiser>} Denoise */

/**
 * The microphone of this page.
 *
 * Events: `change` when anything readable here changed; `exchange` when {@link Microphone#track} is another one by itself, of the
 * same device; `lost` when the microphone went away by itself; `undenoised` when noise was to be taken out and that does not work;
 * `devices` when others came or went.
 */
export class Microphone extends Store {
  /** What is to be sent. @type {MediaStreamTrack | null} */
  track = null;
  /** The device's own track, which may have noise that the other has not. @type {MediaStreamTrack | null} */
  device = null;
  /** Noise was to be taken out, and that does not work here: the browser suppresses it. */
  undenoised = false;
  /** The browser is asking the person. */
  asking = false;

  /** Whether what it hears is made fit for speech: else it is for music. */
  processing;
  /** @type {Wishes} */
  wishes = { deviceId: '', echoCancellation: true, noiseSuppression: true, autoGainControl: true };
  /** What was chosen last; of another device one may have been given since. */
  #chosen = this.wishes;
  #denoise;
  /** @type {Denoiser | null} */
  #denoiser = null;
  /** What the browser was asked to make of the sound of the device that is open. */
  #processed = '';
  #enabled = true;
  #lost = false;
  /** @type {Signal | null} */
  #signal = null;
  /** @type {AbortController | null} */
  #wait = null;

  /**
   * @param {boolean} processing echo cancellation, noise suppression and automatic gain
   * @param {Denoise} [denoise]
   */
  constructor(processing, denoise) {
    super();
    this.processing = processing;
    this.#denoise = denoise;
    navigator.mediaDevices?.addEventListener?.('devicechange', () => this.dispatchEvent(new CustomEvent('devices')));
  }

  /** @type {Condition} */
  get condition() {
    if (this.#lost) {
      return 'lost';
    }
    if (this.device?.muted) {
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
   * there are others. The old one stays when that fails, unless something else is to be made of its sound.
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
      if (this.device && this.#processed !== this.#processes) {
        // Chromium gives a page what it has of a device as it has it, whatever is asked. So the other one goes first, and its
        // copies with it, whose owners hear of it in this turn.
        this.#drop();
        this.changed();
        await new Promise((resolve) => setTimeout(resolve));
      }
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
      this.undenoised = false;
    }
    return other;
  }

  /** Wants what was chosen again, where another one was taken in its place. */
  prefer() {
    this.wishes = this.#chosen;
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
    this.#permit();
    this.changed();
  }

  /** @param {MediaStreamTrack} device */
  #adopt(device) {
    this.#drop();
    this.#lost = false;
    this.#processed = this.#processes;
    this.device = device;
    this.track = device;
    this.#permit();
    device.onmute = () => this.changed();
    device.onunmute = () => this.changed();
    device.onended = () => this.#lose();
    try {
      this.#signal = new Signal(device);
      this.#signal.addEventListener('change', () => this.changed());
    } catch {
      // This browser cannot look into the track; it works all the same.
    }
    if (this.wishes.denoise && this.processing && this.#denoise && !this.undenoised) {
      this.#clean(device, this.#denoise);
    }
    this.changed();
  }

  /** What is sent is silent or not. What is made of it, and the look at whether anything comes, need the device in any case. */
  #permit() {
    if (this.track && this.device) {
      this.device.enabled = this.track !== this.device || this.#enabled;
      this.track.enabled = this.#enabled;
    }
  }

  /**
   * Has what is sent be free of noise, as soon as that can be. Until then, and while it cannot be, it is as it comes.
   * @param {MediaStreamTrack} device
   * @param {Denoise} denoise
   */
  async #clean(device, denoise) {
    /** @type {Denoiser} */
    let denoiser;
    try {
      denoiser = await denoise(device);
    } catch {
      if (device === this.device) {
        this.#undenoise();
      }
      return;
    }
    if (device !== this.device) {
      denoiser.stop();
      return;
    }
    this.#denoiser = denoiser;
    denoiser.addEventListener('change', () => denoiser === this.#denoiser && this.#exchange(denoiser));
    this.#exchange(denoiser);
  }

  /** Has the browser suppress the noise, which is better than nothing. */
  async #undenoise() {
    if (this.undenoised) {
      return;
    }
    this.undenoised = true;
    this.dispatchEvent(new CustomEvent('undenoised'));
    try {
      if (await this.#open()) {
        this.dispatchEvent(new CustomEvent('exchange'));
      }
    } catch {
      this.#lose(); // it was let go for that
    }
  }

  /** It went away by itself. */
  #lose() {
    this.miss();
    this.dispatchEvent(new CustomEvent('lost'));
  }

  /** @param {Denoiser} denoiser which runs now, or does not */
  #exchange(denoiser) {
    if (denoiser.broken) {
      this.#undenoise();
      return;
    }
    const track = denoiser.running ? denoiser.track : this.device;
    if (track !== this.track) {
      this.track = track;
      this.#permit();
      this.changed();
      this.dispatchEvent(new CustomEvent('exchange'));
    }
  }

  #drop() {
    this.#signal?.stop();
    this.#signal = null;
    this.#denoiser?.stop();
    this.#denoiser = null;
    if (this.device) {
      this.device.onmute = null;
      this.device.onunmute = null;
      this.device.onended = null;
      this.device.stop();
    }
    this.device = null;
    this.track = null;
  }

  /** @returns {Promise<string>} the device after the one in use; '' when there is no other */
  async #nextDevice() {
    const devices = await navigator.mediaDevices.enumerateDevices().catch(() => []);
    const { deviceId, groupId } = this.device?.getSettings() ?? {};
    // Aliases of one device are not devices.
    const inputs = devices.filter((d) => d.kind === 'audioinput' && d.deviceId && !ALIASES.has(d.deviceId));
    const inUse = inputs.findIndex((d) => d.deviceId === deviceId || (ALIASES.has(deviceId ?? '') && d.groupId === groupId));
    return inputs[(inUse + 1) % inputs.length]?.deviceId ?? '';
  }

  /** What the browser is to make of the sound. */
  get #sound() {
    const { echoCancellation, noiseSuppression, autoGainControl, denoise } = this.wishes;
    const byBrowser = denoise ? this.undenoised || !this.#denoise : noiseSuppression;
    return {
      echoCancellation: this.processing && echoCancellation,
      noiseSuppression: this.processing && byBrowser,
      autoGainControl: this.processing && autoGainControl,
    };
  }

  /** The same, to be compared. */
  get #processes() {
    return JSON.stringify(this.#sound);
  }

  /**
   * @param {AbortSignal} signal
   * @returns {Promise<MediaStreamTrack>}
   */
  async #request(signal) {
    if (!navigator.mediaDevices?.getUserMedia) {
      throw new MicrophoneError(window.isSecureContext ? 'unsupported' : 'insecure');
    }
    const { deviceId } = this.wishes;
    const audio = this.#sound;
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
