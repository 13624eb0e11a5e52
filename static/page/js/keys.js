/**
 * Keys that do something wherever the focus is. They keep out of the way of whoever writes, of dialogs and menus, of input
 * methods, and of what belongs to the browser.
 *
 * A chord is written as in aria-keyshortcuts: `M`, `?`, `Alt+M`, `Control+Shift+L`. Letters are meant as they are printed on the
 * key; where a keyboard has no Latin letters, by their place on it.
 * @module
 */

/** Where keys type. */
const FIELDS = 'input, textarea, select, [contenteditable]';
/** What has all keys to itself while it is there. */
const MODAL = 'dialog[open], .menu';

/**
 * @typedef {object} Shortcut
 * @property {string[]} chords the first is the one that is told
 * @property {string} words what it does
 * @property {() => void} run
 * @property {() => boolean} [when] whether it does anything just now; the key is the browser's else
 */

/**
 * @param {EventTarget | null} target
 * @returns {boolean} whether keys type something there
 */
export function writes(target) {
  return target instanceof Element && target.closest(FIELDS) !== null;
}

/** Whether something has all keys to itself. */
export function isModal() {
  return document.querySelector(MODAL) !== null;
}

/**
 * @param {string} chord
 * @returns {string} for people: `Ctrl + Shift + L`
 */
export function chordWords(chord) {
  return chord.split('+').join(' + ').replace('Control', 'Ctrl');
}

export class Keys {
  /** @type {Shortcut[]} in the order in which they are told */
  all = [];

  #choices;

  /** @param {import('./choices.js').Choices} choices */
  constructor(choices) {
    this.#choices = choices;
    document.addEventListener('keydown', (e) => this.#onKey(e));
  }

  /** @param {Shortcut} shortcut */
  add(shortcut) {
    this.all.push(shortcut);
  }

  /** @param {KeyboardEvent} e */
  #onKey(e) {
    if (e.defaultPrevented || e.repeat || e.isComposing || isModal()) {
      return;
    }
    const found = this.all.find((one) => one.chords.some((chord) => this.#fits(e, chord)) && (one.when?.() ?? true));
    if (found) {
      e.preventDefault();
      found.run();
    }
  }

  /**
   * @param {KeyboardEvent} e
   * @param {string} chord
   */
  #fits(e, chord) {
    const parts = chord.split('+');
    const key = /** @type {string} */ (parts.pop());
    const letter = /^[A-Z]$/.test(key);
    // Where one writes, what has no Alt types or edits.
    if ((writes(e.target) && !parts.includes('Alt')) || (parts.length === 0 && !this.#choices.get('singleKeys'))) {
      return false;
    }
    const held = e.ctrlKey === parts.includes('Control') && e.altKey === parts.includes('Alt') && !e.metaKey;
    // To get at a symbol may take Shift on one keyboard and not on another.
    return held && (!letter || e.shiftKey === parts.includes('Shift')) && means(e, key);
  }
}

/**
 * @param {KeyboardEvent} e
 * @param {string} key a capital letter, or what the key types
 * @returns {boolean}
 */
function means(e, key) {
  if (!/^[A-Z]$/.test(key)) {
    return e.key === key;
  }
  // With Alt held, a letter's key may type something else altogether.
  const latin = /^[a-z]$/i.test(e.key);
  return latin ? e.key.toUpperCase() === key : e.code === `Key${key}`;
}
