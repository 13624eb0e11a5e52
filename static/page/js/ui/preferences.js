/**
 * What the person may choose for themselves on this browser. It holds as soon as it is chosen.
 * @module
 */

import { phrases } from '../language.js';
import { keyName } from '../words/keys.js';
import { byId, setAttribute, setText } from './dom.js';

/** Keys that have work of their own in every page or system. */
const TAKEN = /^(Escape|Tab|Meta|OS|ContextMenu|Enter|NumpadEnter)/;

/**
 * @param {import('../choices.js').Choices} choices
 * @param {import('../keys.js').Keys} keys
 * @param {import('../tones.js').Tones} tones
 * @param {() => void} look looks what devices there are
 * @returns {() => void} opens it
 */
export function mountPreferences(choices, keys, tones, look) {
  const dialog = /** @type {HTMLDialogElement} */ (byId('preferences-dialog'));
  const by = /** @type {HTMLSelectElement} */ (byId('preferences-by'));
  const how = /** @type {HTMLSelectElement} */ (byId('preferences-how'));
  /** @type {[HTMLInputElement, 'singleKeys' | 'tones' | 'mutedHint'][]} */
  const switches = [
    [/** @type {HTMLInputElement} */ (byId('preferences-single')), 'singleKeys'],
    [/** @type {HTMLInputElement} */ (byId('preferences-tones')), 'tones'],
    [/** @type {HTMLInputElement} */ (byId('preferences-muffled')), 'mutedHint'],
  ];
  const volume = /** @type {HTMLInputElement} */ (byId('preferences-volume'));
  const key = byId('preferences-key');
  const says = byId('preferences-says');
  /** The next key that is pressed is the one to talk by. */
  let waits = false;
  /** The key that was, until it is let go: that would click the button in some browsers. */
  let taken = '';

  const render = () => {
    by.value = choices.get('talkBy');
    how.value = String(choices.get('talkToggles'));
    switches.forEach(([box, name]) => (box.checked = choices.get(name)));
    volume.value = String(choices.get('toneVolume'));
    byId('preferences-loudness').hidden = !choices.get('tones');
    byId('preferences-push').hidden = by.value === 'open';
    setText(key, waits ? phrases.preferences.pressKey : keyName(choices.get('talkKey')));
    key.dataset.waits = String(waits);
  };
  /** @param {boolean} on */
  const wait = (on) => {
    waits = on;
    render();
  };

  by.addEventListener('change', () => choices.set('talkBy', /** @type {import('../choices.js').TalkBy} */ (by.value)));
  how.addEventListener('change', () => choices.set('talkToggles', how.value === 'true'));
  for (const [box, name] of switches) {
    box.addEventListener('change', () => choices.set(name, box.checked));
  }
  volume.addEventListener('change', () => {
    choices.set('toneVolume', Number(volume.value));
    tones.play('join');
  });
  key.addEventListener('click', () => {
    setText(says, '');
    wait(!waits);
  });
  key.addEventListener('blur', () => waits && wait(false));
  key.addEventListener('keydown', (e) => {
    if (!waits) {
      return;
    }
    e.preventDefault();
    e.stopPropagation();
    if (e.repeat) {
      return;
    }
    const name = keyName(e.code);
    taken = e.code;
    if (e.code === 'Escape') {
      setText(says, '');
    } else if (TAKEN.test(e.code) || e.code === '' || keys.all.some(({ chords }) => chords.includes(name))) {
      setText(says, phrases.preferences.taken(name || phrases.preferences.thisKey));
      return;
    } else {
      setText(says, phrases.preferences.chosen(name));
      choices.set('talkKey', e.code);
    }
    wait(false);
  });
  key.addEventListener('keyup', (e) => {
    if (e.code === taken) {
      e.preventDefault();
      taken = '';
    }
  });
  choices.addEventListener('change', render);
  byId('preferences-close').addEventListener('click', () => dialog.close());

  return () => {
    setText(says, '');
    wait(false);
    look();
    dialog.showModal();
  };
}
