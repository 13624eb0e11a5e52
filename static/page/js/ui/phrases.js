/**
 * Puts what is said into the page's HTML, which names it by its place among the phrases: `data-phrase="start.name"` for the text
 * of an element, `data-phrase-label`, `-title` and `-placeholder` for attributes.
 * @module
 */

import { language, phrases } from '../language.js';

/** @type {[string, (element: Element, words: string) => void][]} */
const PLACES = [
  ['data-phrase', (element, words) => (element.textContent = words)],
  ['data-phrase-label', (element, words) => element.setAttribute('aria-label', words)],
  ['data-phrase-title', (element, words) => element.setAttribute('title', words)],
  ['data-phrase-placeholder', (element, words) => element.setAttribute('placeholder', words)],
];

/**
 * @param {string} path such as start.name
 * @returns {string}
 */
function phrase(path) {
  const found = path.split('.').reduce((/** @type {any} */ at, part) => at?.[part], phrases);
  if (typeof found !== 'string') {
    throw new Error(`there is no phrase ${path}`);
  }
  return found;
}

/** Has the page speak its language. */
export function fillPhrases() {
  document.documentElement.lang = language;
  document.documentElement.dir = phrases.dir;
  for (const [attribute, put] of PLACES) {
    for (const element of document.querySelectorAll(`[${attribute}]`)) {
      put(element, phrase(/** @type {string} */ (element.getAttribute(attribute))));
    }
  }
}
