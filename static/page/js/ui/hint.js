/**
 * A word to the person that goes away by itself: nothing is broken, and nothing has to be done.
 * @module
 */

import { byId, setText } from './dom.js';

/** How long it stays, in milliseconds. */
const SHOWN_MS = 4_000;

/** @returns {(text: string) => void} shows it */
export function mountHint() {
  const element = byId('hint');
  let timer = 0;
  return (text) => {
    setText(element, text);
    clearTimeout(timer);
    timer = setTimeout(() => setText(element, ''), SHOWN_MS);
  };
}
