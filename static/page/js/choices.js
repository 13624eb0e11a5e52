/**
 * What the person has chosen on this browser, for good: how the microphone is worked, by which keys, what is to be heard.
 *
 * Event: `change`, also when it was chosen in another tab.
 * @module
 */

import { forGood, read, write } from './storage.js';
import { Store } from './store.js';

const KEY = 'livechat.choices';

/**
 * When the microphone is open, where it is not muted: always; while a key or the button is held; or except then.
 * @typedef {'open' | 'talk' | 'mute'} TalkBy
 */

/** @typedef {'off' | 'browser' | 'rnnoise'} NoiseBy */
/** @typedef {'none' | 'who' | 'what'} Notices */

/** What holds until something else is chosen. Also says of which type each is. */
const DEFAULTS = {
  talkBy: /** @type {TalkBy} */ ('open'),
  /** The key that is held or pressed, as KeyboardEvent.code has it: its place on the keyboard, whatever it types. */
  talkKey: 'Space',
  /** Whether a press begins and another one ends it, in place of holding. */
  talkToggles: false,
  /** The devices, as the browser calls them on this page; '' for the system's choice. */
  microphoneId: '',
  speakerId: '',
  /** What the browser makes of the microphone's sound. */
  echoCancellation: true,
  autoGainControl: true,
  /** Who takes the noise out of it. */
  noise: /** @type {NoiseBy} */ ('browser'),
  /** Whether one is told that one talks while one is muted. */
  mutedHint: true,
  /** Whether tones tell what happens, and how loud, from 0 to 100. */
  tones: true,
  toneVolume: 60,
  /** What the system tells of messages while the page is hidden: nothing, who wrote, or what, too. */
  notices: /** @type {Notices} */ ('none'),
  /** Whether a telephone's screen stays on while one is in a channel. */
  keepAwake: true,
  /** Whether keys that type something, such as M, work where nothing is being written. */
  singleKeys: true,
};

/** @typedef {typeof DEFAULTS} Chosen */

export class Choices extends Store {
  /** @type {Chosen} */
  #chosen = load();

  constructor() {
    super();
    window.addEventListener('storage', (e) => {
      if (e.key === KEY) {
        this.#chosen = load();
        this.changed();
      }
    });
  }

  /**
   * @template {keyof Chosen} K
   * @param {K} name
   * @returns {Chosen[K]}
   */
  get(name) {
    return this.#chosen[name];
  }

  /**
   * @template {keyof Chosen} K
   * @param {K} name
   * @param {Chosen[K]} value
   */
  set(name, value) {
    this.#chosen = { ...this.#chosen, [name]: value };
    write(forGood, KEY, JSON.stringify(this.#chosen));
    this.changed();
  }
}

/** @returns {Chosen} what is kept, as far as it makes sense */
function load() {
  /** @type {any} */
  let kept = {};
  try {
    kept = JSON.parse(read(forGood, KEY) || '{}');
  } catch {
    // It is of another make.
  }
  /** @type {any} */
  const chosen = { ...DEFAULTS };
  for (const [name, value] of Object.entries(DEFAULTS)) {
    if (typeof kept?.[name] === typeof value) {
      chosen[name] = kept[name];
    }
  }
  return chosen;
}
