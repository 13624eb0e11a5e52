/**
 * The part of the settings about microphone and loudspeaker: which, what is made of the sound, and how it is to hear oneself.
 * @module
 */

import { phrases } from '../language.js';
import { microphoneWords } from '../words/voice.js';
import { byId, h, setAttribute, setText } from './dom.js';

/** @type {Record<import('../trial.js').Trial['state'], string>} */
const HEAR = {
  off: phrases.preferences.hear,
  asking: phrases.preferences.hear,
  on: phrases.preferences.hear,
  recording: phrases.preferences.say,
  playing: phrases.preferences.playing,
};

/**
 * @param {import('../choices.js').Choices} choices
 * @param {import('../devices.js').Devices} devices
 * @param {import('../trial.js').Trial} trial
 */
export function mountDevices(choices, devices, trial) {
  const dialog = /** @type {HTMLDialogElement} */ (byId('preferences-dialog'));
  const test = byId('devices-try');
  const hear = /** @type {HTMLButtonElement} */ (byId('devices-hear'));
  const meter = /** @type {HTMLMeterElement} */ (byId('devices-level'));
  /** @type {[HTMLSelectElement, 'microphoneId' | 'speakerId', () => MediaDeviceInfo[], string][]} */
  const selects = [
    [/** @type {HTMLSelectElement} */ (byId('devices-microphone')), 'microphoneId', () => devices.microphones, phrases.preferences.microphone],
    [/** @type {HTMLSelectElement} */ (byId('devices-speaker')), 'speakerId', () => devices.speakers, phrases.preferences.speaker],
  ];
  const noise = /** @type {HTMLSelectElement} */ (byId('devices-noise'));
  /** @type {[HTMLInputElement, 'echoCancellation' | 'autoGainControl'][]} */
  const switches = [
    [/** @type {HTMLInputElement} */ (byId('devices-echo')), 'echoCancellation'],
    [/** @type {HTMLInputElement} */ (byId('devices-gain')), 'autoGainControl'],
  ];

  /** With what was chosen last, of which others hear at the end of this turn. */
  const again = () => queueMicrotask(() => trial.again());
  for (const [select, name] of selects) {
    select.addEventListener('change', () => {
      choices.set(name, select.value);
      again();
    });
  }
  for (const [box, name] of switches) {
    box.addEventListener('change', () => {
      choices.set(name, box.checked);
      again();
    });
  }
  noise.addEventListener('change', () => {
    choices.set('noise', /** @type {import('../choices.js').NoiseBy} */ (noise.value));
    again();
  });
  test.addEventListener('click', () => (trial.state === 'off' ? trial.start().then(() => devices.look()) : trial.stop()));
  hear.addEventListener('click', async () => {
    if (trial.state === 'off') {
      await trial.start();
      devices.look();
    }
    trial.hear();
  });
  byId('devices-ask').addEventListener('click', () => devices.ask());
  dialog.addEventListener('close', () => trial.stop());

  const renderChoices = () => {
    for (const [select, name, list, word] of selects) {
      const chosen = choices.get(name);
      const there = list();
      const options = there.map((d, i) => h('option', { value: d.deviceId }, d.label || `${word} ${i + 1}`));
      const missing = chosen && !there.some((d) => d.deviceId === chosen);
      select.replaceChildren(
        h('option', { value: '' }, phrases.preferences.bySystem),
        ...options,
        ...(missing ? [h('option', { value: chosen }, phrases.preferences.notThere)] : []),
      );
      select.value = chosen;
    }
    byId('devices-speakers').hidden = devices.speakers.length === 0 && !devices.asks;
    byId('devices-ask').hidden = !devices.asks;
    switches.forEach(([box, name]) => (box.checked = choices.get(name)));
    noise.value = choices.get('noise');
  };
  const renderTrial = () => {
    const { state, problem } = trial;
    setText(test, state === 'off' ? phrases.preferences.tryIt : phrases.preferences.stop);
    meter.value = trial.level;
    setText(hear, HEAR[state]);
    hear.disabled = state !== 'on' && state !== 'off';
    const words = problem && microphoneWords(problem);
    const undenoised = trial.undenoised ? phrases.preferences.undenoised : '';
    setText(byId('devices-says'), words ? `${words.title}. ${words.text}` : undenoised);
  };
  choices.addEventListener('change', renderChoices);
  devices.addEventListener('change', renderChoices);
  trial.addEventListener('change', renderTrial);
  renderChoices();
  renderTrial();
  return () => devices.look();
}
