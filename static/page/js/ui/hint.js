/**
 * A word to the person that goes away by itself: nothing is broken, and nothing has to be done.
 * @module
 */

import { phrases } from '../language.js';
import { byId, setText } from './dom.js';

/** How long it stays, in milliseconds. */
const SHOWN_MS = 4_000;

/**
 * @param {import('../muffled.js').Muffled} muffled
 * @param {import('../devices.js').Devices} devices
 * @returns {(text: string) => void} shows it
 */
export function mountHint(muffled, devices) {
  const element = byId('hint');
  let timer = 0;
  /** @param {string} text */
  const show = (text) => {
    setText(element, text);
    clearTimeout(timer);
    timer = setTimeout(() => setText(element, ''), SHOWN_MS);
  };
  muffled.addEventListener('talk', () => show(phrases.hold.mutedTalk));
  devices.addEventListener('switched', (e) => show(phrases.preferences.switched(/** @type {CustomEvent} */ (e).detail)));
  return show;
}
