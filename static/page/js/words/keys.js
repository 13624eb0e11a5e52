/**
 * Words about keys and what is held.
 * @module
 */

/** What codes are called that are not called what they type. @type {Map<string, string>} */
const NAMES = new Map([
  ['ControlLeft', 'Left Ctrl'],
  ['ControlRight', 'Right Ctrl'],
  ['ShiftLeft', 'Left Shift'],
  ['ShiftRight', 'Right Shift'],
  ['AltLeft', 'Left Alt'],
  ['AltRight', 'Right Alt'],
  ['CapsLock', 'Caps Lock'],
  ['ScrollLock', 'Scroll Lock'],
  ['ArrowUp', '↑'],
  ['ArrowDown', '↓'],
  ['ArrowLeft', '←'],
  ['ArrowRight', '→'],
  ['PageUp', 'Page up'],
  ['PageDown', 'Page down'],
]);

/** What the keyboard's keys type, where the browser tells. @type {Map<string, string> | null} */
let layout = null;

/** Asks what the keyboard's keys type. */
export async function learnLayout() {
  layout = (await /** @type {any} */ (navigator).keyboard?.getLayoutMap?.().catch(() => null)) ?? null;
}

/**
 * @param {string} code as KeyboardEvent.code has it
 * @returns {string} as it is printed on the key, as far as that is known
 */
export function keyName(code) {
  const typed = layout?.get(code);
  if (typed?.trim()) {
    return typed.toUpperCase();
  }
  return NAMES.get(code) ?? code.replace(/^(Key|Digit)(?=.$)/, '').replace(/^Numpad(?=.)/, 'Numpad ');
}

/**
 * What stands on the button that is held.
 * @param {'talk' | 'mute'} by what it is for
 * @param {boolean} toggles
 * @param {boolean} pressed
 * @param {boolean} muted whether nothing comes of it
 * @returns {string}
 */
export function holdWords(by, toggles, pressed, muted) {
  if (muted) {
    return 'You are muted';
  }
  if (pressed) {
    const now = by === 'talk' ? 'You are on air' : 'Nobody hears you';
    return toggles ? `${now} · press to end` : now;
  }
  return `${toggles ? 'Press' : 'Hold'} to ${by}`;
}

/** Said to one who presses the button in vain. */
export const MUTED_PRESS = 'You are muted: unmute first, then talk.';

/** Said to one who talks while muted. */
export const MUTED_TALK = 'You are muted. Nobody hears you.';
