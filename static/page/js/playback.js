/**
 * The audio elements that play what is heard. Browsers stop them without an error: they refuse
 * to start until the person has clicked something, pause them for a telephone call or by a
 * headset's button, or lose the loudspeaker. So each is looked after: what stands still is
 * started again, and what will not start is told.
 * @module
 */

import { Booster } from './booster.js';
import { Store } from './store.js';

/** How often the elements are looked at, in milliseconds. */
const INTERVAL_MS = 500;
/** After so many looks without having moved on, an element is made anew, and told after so many. */
const RENEW_LOOKS = 2;
const STUCK_LOOKS = 4;

/**
 * - `ok`: nothing is known to be wrong;
 * - `blocked`: the browser will not play; a click helps, or time;
 * - `lost`: there is neither a loudspeaker nor headphones.
 * @typedef {'ok' | 'blocked' | 'lost'} Sound
 */

/**
 * @typedef {object} Played what is known of one element
 * @property {boolean} refused it would not start
 * @property {boolean} expected somebody speaks on it, so that it must move
 * @property {number} time its clock at the last look
 * @property {number} still looks in a row at which it had not moved
 * @property {number} volume 1 is as it comes
 */

/** Event: `change` when {@link Playback#sound} changed. */
export class Playback extends Store {
  #host;
  /** @type {Map<HTMLAudioElement, Played>} */
  #elements = new Map();
  #timer = 0;
  #deaf = false;
  #booster = new Booster();
  /** The loudspeaker, '' for the system's choice. */
  #speaker = '';
  /** Whether outputs were seen: not every browser tells of them. */
  #outputsSeen = false;
  #outputLost = false;
  /** @type {Sound} as it was last told */
  #told = 'ok';

  /** @param {HTMLElement} host where the elements live */
  constructor(host) {
    super();
    this.#host = host;
    this.#booster.addEventListener('change', () => this.#applyVolumes());
    navigator.mediaDevices?.addEventListener?.('devicechange', () => this.#countOutputs());
    // Any click will do for the browser, so it does for us.
    for (const gesture of ['click', 'keydown']) {
      document.addEventListener(gesture, () => this.sound === 'blocked' && this.resume(), true);
    }
  }

  /** @type {Sound} */
  get sound() {
    if (this.#elements.size === 0) {
      return 'ok';
    }
    if (this.#outputLost) {
      return 'lost';
    }
    const blocked = [...this.#elements.values()].some((played) => played.refused || played.still >= STUCK_LOOKS);
    return blocked ? 'blocked' : 'ok';
  }

  /**
   * @param {MediaStream} stream
   * @returns {HTMLAudioElement} that plays it until it is removed
   */
  add(stream) {
    const audio = document.createElement('audio');
    audio.autoplay = true;
    audio.muted = this.#deaf;
    audio.srcObject = stream;
    this.#elements.set(audio, { refused: false, expected: false, time: 0, still: 0, volume: 1 });
    audio.addEventListener('playing', () => this.#settle(audio, false));
    this.#host.append(audio);
    this.#lead(audio);
    this.#play(audio);
    if (!this.#timer) {
      this.#timer = setInterval(() => this.#look(), INTERVAL_MS);
      this.#countOutputs();
    }
    return audio;
  }

  /** @param {HTMLAudioElement} audio */
  remove(audio) {
    this.#elements.delete(audio);
    this.#booster.remove(audio);
    audio.srcObject = null;
    audio.remove();
    if (this.#elements.size === 0) {
      clearInterval(this.#timer);
      this.#timer = 0;
    }
    this.#tell();
  }

  /**
   * @param {HTMLAudioElement} audio
   * @param {boolean} expected whether somebody is speaking on it
   */
  expect(audio, expected) {
    const played = this.#elements.get(audio);
    if (played) {
      played.expected = expected;
    }
  }

  /** @param {boolean} deaf */
  setDeaf(deaf) {
    this.#deaf = deaf;
    this.#applyVolumes();
  }

  /**
   * @param {HTMLAudioElement} audio
   * @param {number} volume 1 is as it comes
   */
  setVolume(audio, volume) {
    const played = this.#elements.get(audio);
    if (played && played.volume !== volume) {
      played.volume = volume;
      this.#applyVolume(audio, volume);
    }
  }

  /** @param {string} speaker '' for the system's choice */
  setSpeaker(speaker) {
    if (speaker !== this.#speaker) {
      this.#speaker = speaker;
      this.#booster.setSpeaker(speaker);
      for (const audio of this.#elements.keys()) {
        this.#lead(audio);
      }
    }
  }

  /** @param {HTMLAudioElement} audio to its loudspeaker; to the system's when that is not there */
  async #lead(audio) {
    const element = /** @type {any} */ (audio);
    if (element.setSinkId && element.sinkId !== this.#speaker) {
      await element.setSinkId(this.#speaker).catch(() => element.setSinkId('').catch(() => {}));
    }
  }

  #applyVolumes() {
    for (const [audio, { volume }] of this.#elements) {
      this.#applyVolume(audio, volume);
    }
  }

  /**
   * @param {HTMLAudioElement} audio
   * @param {number} volume
   */
  #applyVolume(audio, volume) {
    audio.volume = Math.min(volume, 1);
    // On some telephones an element is always as loud as the telephone.
    const beyond = volume > 1 || Math.abs(audio.volume - volume) > 0.01;
    const boosted = beyond && !this.#deaf && this.#booster.set(audio, volume);
    if (!boosted) {
      this.#booster.remove(audio);
    }
    audio.muted = this.#deaf || boosted;
  }

  /** Starts what stands still. From a click it works where it was refused before. */
  resume() {
    this.#applyVolumes();
    for (const [audio, played] of this.#elements) {
      if (played.still >= STUCK_LOOKS) {
        this.#renew(audio, played);
      }
      this.#play(audio);
    }
  }

  #look() {
    for (const [audio, played] of this.#elements) {
      if (audio.paused || played.refused) {
        this.#play(audio);
        continue;
      }
      const still = played.expected && audio.currentTime === played.time;
      played.time = audio.currentTime;
      played.still = still ? played.still + 1 : 0;
      if (played.still === RENEW_LOOKS) {
        this.#renew(audio, played);
        this.#play(audio);
      }
    }
    this.#tell();
  }

  /**
   * @param {HTMLAudioElement} audio
   * @param {Played} played
   */
  #renew(audio, played) {
    const stream = audio.srcObject;
    audio.srcObject = null;
    audio.srcObject = stream;
    played.time = audio.currentTime;
  }

  /** @param {HTMLAudioElement} audio */
  async #play(audio) {
    const played = this.#elements.get(audio);
    if (!played) {
      return;
    }
    try {
      await audio.play();
      this.#settle(audio, false);
    } catch {
      // For whatever reason: it is silent.
      this.#settle(audio, true);
    }
  }

  /**
   * @param {HTMLAudioElement} audio
   * @param {boolean} refused
   */
  #settle(audio, refused) {
    const played = this.#elements.get(audio);
    if (played) {
      played.refused = refused;
      this.#tell();
    }
  }

  async #countOutputs() {
    const devices = (await navigator.mediaDevices?.enumerateDevices?.().catch(() => [])) ?? [];
    const outputs = devices.some((device) => device.kind === 'audiooutput');
    this.#outputsSeen ||= outputs;
    this.#outputLost = this.#outputsSeen && !outputs;
    this.#tell();
  }

  #tell() {
    if (this.sound !== this.#told) {
      this.#told = this.sound;
      this.changed();
    }
  }
}
