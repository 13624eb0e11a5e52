/**
 * Which microphone and which loudspeaker are used, and what the browser makes of the microphone's sound, as the person has chosen.
 *
 * Event: `change` when there are other devices.
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
    this.#follow();
  }

  /** Looks what there is. Their names are told once a microphone was allowed. */
  async look() {
    const all = (await navigator.mediaDevices?.enumerateDevices?.().catch(() => [])) ?? [];
    const named = all.filter((d) => d.deviceId !== '' && d.deviceId !== 'default');
    this.microphones = named.filter((d) => d.kind === 'audioinput');
    this.speakers = 'setSinkId' in HTMLMediaElement.prototype ? named.filter((d) => d.kind === 'audiooutput') : [];
    this.changed();
  }

  #follow() {
    const choices = this.#choices;
    const { microphone, media, here, talk } = this.#call;
    const speaker = choices.get('speakerId');
    media.playback.setSpeaker(speaker);
    this.#tones.setSpeaker(speaker);
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
