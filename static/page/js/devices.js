/**
 * Which microphone and which loudspeaker are used, and what the browser makes of the microphone's sound, as the person has chosen.
 *
 * Events: `change` when there are other devices; `switched` when a better microphone was there and was taken, with its name.
 * @module
 */

import { Store } from './store.js';

export class Devices extends Store {
  /** @type {MediaDeviceInfo[]} */
  microphones = [];
  /** Empty where the browser lets no page choose. @type {MediaDeviceInfo[]} */
  speakers = [];

  #call;
  #choices;
  #tones;
  /** Which device is the system's choice of a microphone, as far as the browser tells. */
  #default = '';

  /**
   * @param {import('./call.js').Call} call
   * @param {import('./choices.js').Choices} choices
   * @param {import('./tones.js').Tones} tones
   */
  constructor(call, choices, tones) {
    super();
    this.#call = call;
    this.#choices = choices;
    this.#tones = tones;
    navigator.mediaDevices?.addEventListener?.('devicechange', () => this.look());
    choices.addEventListener('change', () => this.#follow());
    // From the first one on it is known what there is, so that news of it can be told.
    call.microphone.addEventListener('change', () => call.microphone.device && this.microphones.length === 0 && this.look());
    this.#follow();
  }

  /** Looks what there is. Their names are told once a microphone was allowed. */
  async look() {
    const all = (await navigator.mediaDevices?.enumerateDevices?.().catch(() => [])) ?? [];
    const named = all.filter((d) => d.deviceId !== '' && d.deviceId !== 'default');
    const before = this.microphones;
    this.microphones = named.filter((d) => d.kind === 'audioinput');
    this.speakers = 'setSinkId' in HTMLMediaElement.prototype ? named.filter((d) => d.kind === 'audiooutput') : [];
    this.#leadSound();
    const wasDefault = this.#default;
    this.#default = all.find((d) => d.kind === 'audioinput' && d.deviceId === 'default')?.groupId ?? '';
    this.changed();
    const chosen = this.#choices.get('microphoneId');
    const isThere = (/** @type {MediaDeviceInfo} */ d) => d.deviceId === chosen;
    const cameBack = chosen !== '' && before.length > 0 && !before.some(isThere) && this.microphones.some(isThere);
    const otherDefault = chosen === '' && wasDefault !== '' && this.#default !== '' && wasDefault !== this.#default;
    if (cameBack || otherDefault) {
      await this.#take();
    }
  }

  /** Whether the browser asks by itself which loudspeaker, and may know of others than it tells the page. */
  get asks() {
    return typeof (/** @type {any} */ (navigator.mediaDevices)?.selectAudioOutput) === 'function';
  }

  /** Has the browser ask for the loudspeaker, by a click only. */
  async ask() {
    const device = await /** @type {any} */ (navigator.mediaDevices).selectAudioOutput().catch(() => null); // none was chosen
    if (device) {
      await this.look();
      this.#choices.set('speakerId', device.deviceId);
    }
  }

  /** Takes the microphone that is wanted in place of the one in use, if one is. One that is opened later is that anyway. */
  async #take() {
    const { microphone, here, talk } = this.#call;
    const device = microphone.device;
    microphone.prefer();
    if (!device || !here || talk.listenOnly) {
      return;
    }
    await this.#call.useMicrophone();
    if (microphone.device && microphone.device !== device) {
      this.dispatchEvent(new CustomEvent('switched', { detail: microphone.device.label }));
    }
  }

  /** Has all be heard on the loudspeaker that was chosen; on the system's while that is not there. */
  #leadSound() {
    const chosen = this.#choices.get('speakerId');
    const missing = this.speakers.length > 0 && !this.speakers.some((d) => d.deviceId === chosen);
    const speaker = missing ? '' : chosen;
    this.#call.media.playback.setSpeaker(speaker);
    this.#tones.setSpeaker(speaker);
  }

  #follow() {
    const choices = this.#choices;
    const { microphone, here, talk } = this.#call;
    this.#leadSound();
    const other = microphone.choose({
      deviceId: choices.get('microphoneId'),
      echoCancellation: choices.get('echoCancellation'),
      noiseSuppression: choices.get('noise') === 'browser',
      denoise: choices.get('noise') === 'rnnoise',
      autoGainControl: choices.get('autoGainControl'),
    });
    if (other && microphone.track && here && !talk.listenOnly) {
      this.#call.useMicrophone();
    }
  }
}
