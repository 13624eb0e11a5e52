/**
 * The list of keys.
 * @module
 */

import { chordWords } from '../keys.js';
import { phrases } from '../language.js';
import { keyName } from '../words/keys.js';
import { byId, h } from './dom.js';

/** What keys do where one writes. @type {[string, string][]} */
const WRITING = [
  ['Enter', phrases.keys.send],
  ['Shift + Enter', phrases.keys.newLine],
  ['↑', phrases.keys.change],
  ['Escape', phrases.keys.leave],
];

const HOLDING = { talk: phrases.keys.talkHeld, mute: phrases.keys.muteHeld };
const TOGGLING = { talk: phrases.keys.talkToggled, mute: phrases.keys.muteToggled };

/**
 * @param {import('../keys.js').Keys} keys
 * @param {import('../choices.js').Choices} choices
 * @param {() => void} change opens the settings
 */
export function mountKeys(keys, choices, change) {
  const dialog = /** @type {HTMLDialogElement} */ (byId('keys-dialog'));
  byId('keys-close').addEventListener('click', () => dialog.close());
  byId('keys-change').addEventListener('click', () => {
    dialog.close();
    change();
  });
  const open = () => {
    const by = choices.get('talkBy');
    const single = choices.get('singleKeys');
    /** @type {[string, string][]} */
    const rows = [
      ...(by === 'open'
        ? []
        : [/** @type {[string, string]} */ ([keyName(choices.get('talkKey')), (choices.get('talkToggles') ? TOGGLING : HOLDING)[by]])]),
      ...keys.all.flatMap(({ chords, words }) => {
        const chord = single ? chords[0] : chords.find((one) => one.includes('+'));
        return chord ? [/** @type {[string, string]} */ ([chordWords(chord), words])] : [];
      }),
      ...WRITING,
    ];
    byId('keys-list').replaceChildren(
      ...rows.map(([key, words]) => h('div', { class: 'keys__row' }, h('dt', {}, h('kbd', {}, key)), h('dd', {}, words))),
    );
    dialog.showModal();
  };
  keys.add({ chords: ['?'], words: phrases.keys.list, run: open });
  byId('preferences-keys').addEventListener('click', () => {
    /** @type {HTMLDialogElement} */ (byId('preferences-dialog')).close();
    open();
  });
}
