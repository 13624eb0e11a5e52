/**
 * One's own half of the talk: whether one talks or only listens, with which microphone, and what keeps one from being heard.
 *
 * Event: `change`.
 * @module
 */

import { MicrophoneError } from './microphone.js';
import { Store } from './store.js';

/**
 * Why there is no microphone, and where the person was going.
 * @typedef {object} MicrophoneTrouble
 * @property {import('./microphone.js').MicrophoneProblem} problem
 * @property {string} channelId
 */

export class Talk extends Store {
  /** Joins without a microphone, because the person said so. */
  listenOnly = false;
  /** @type {MicrophoneTrouble | null} */
  trouble = null;
  /** What is wrong with the microphone, when the person wants to hear no more of it. */
  /** @type {import('./microphone.js').Condition} */
  dismissed = 'ok';

  #media;
  #voice;

  /**
   * @param {import('./media.js').Media} media
   * @param {import('./voice.js').Voice} voice
   */
  constructor(media, voice) {
    super();
    this.#media = media;
    this.#voice = voice;
    this.microphone = media.microphone;
    this.microphone.addEventListener('change', () => this.#onMicrophone());
  }

  /**
   * Why one is not heard although one wants to be. Who muted oneself is told of nothing but a
   * microphone that is gone.
   * @type {import('./microphone.js').Condition}
   */
  get unheard() {
    const { condition } = this.microphone;
    return this.listenOnly || this.#voice.held || this.#voice.suppressed || (this.#voice.silent && condition !== 'lost') ? 'ok' : condition;
  }

  dismiss() {
    this.trouble = null;
    this.dismissed = this.microphone.condition;
    this.changed();
  }

  /**
   * @param {string} channelId where the person is going
   * @param {boolean} anew whether one that is open will not do
   * @returns {Promise<boolean>} false when there is none, or nobody waits any more
   */
  async open(channelId, anew) {
    this.trouble = null;
    try {
      return await (anew ? this.microphone.reopen() : this.microphone.open());
    } catch (err) {
      const problem = err instanceof MicrophoneError ? err.problem : 'failed';
      this.trouble = { problem, channelId };
      this.changed();
      return false;
    }
  }

  /**
   * Takes another microphone in place of a lost one, where nobody has to be asked for it.
   * @returns {Promise<string | null>} its name; null when nothing was done
   */
  async recover() {
    const permission = await navigator.permissions
      ?.query({ name: /** @type {PermissionName} */ ('microphone') })
      .catch(() => null);
    if (permission?.state !== 'granted' || this.microphone.condition !== 'lost' || this.microphone.asking) {
      return null;
    }
    try {
      const taken = (await this.microphone.open()) && (await this.#media.replaceMicrophone());
      return taken ? (this.microphone.device?.label ?? '') : null;
    } catch {
      return null; // There is none. The condition stays what it is, and so does what is shown.
    }
  }

  #onMicrophone() {
    if (this.dismissed !== this.microphone.condition) {
      this.dismissed = 'ok';
    }
    this.changed();
  }
}
