/**
 * Words about keys and what is held.
 * @module
 */

import { phrases } from '../language.js';

/** What codes are called that are not called what they type. @type {Map<string, string>} */
const NAMES = new Map([
  ['ControlLeft', phrases.keys.leftCtrl],
  ['ControlRight', phrases.keys.rightCtrl],
  ['ShiftLeft', phrases.keys.leftShift],
  ['ShiftRight', phrases.keys.rightShift],
  ['AltLeft', phrases.keys.leftAlt],
  ['AltRight', phrases.keys.rightAlt],
  ['CapsLock', 'Caps Lock'],
  ['ScrollLock', 'Scroll Lock'],
  ['ArrowUp', '↑'],
  ['ArrowDown', '↓'],
  ['ArrowLeft', '←'],
  ['ArrowRight', '→'],
  ['PageUp', phrases.keys.pageUp],
  ['PageDown', phrases.keys.pageDown],
  ['Space', phrases.keys.space],
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
    return phrases.hold.youAreMuted;
  }
  if (pressed) {
    const now = by === 'talk' ? phrases.floor.onAir : phrases.hold.nobodyHears;
    return toggles ? phrases.hold.pressToEnd(now) : now;
  }
  if (by === 'talk') {
    return toggles ? phrases.hold.pressToTalk : phrases.hold.holdToTalk;
  }
  return toggles ? phrases.hold.pressToMute : phrases.hold.holdToMute;
}
