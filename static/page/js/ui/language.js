/**
 * Where one chooses the page's language: before one comes in, and among the settings.
 * @module
 */

import { LANGUAGES, chooseLanguage, chosenLanguage, language, phrases } from '../language.js';
import { reload } from '../reload.js';
import { byId, h } from './dom.js';

/** Mounts both places. */
export function mountLanguage() {
  const chosen = Object.hasOwn(LANGUAGES, chosenLanguage()) ? chosenLanguage() : '';
  const there = () => Object.entries(LANGUAGES).map(([tag, name]) => h('option', { value: tag, lang: tag }, name));
  const start = /** @type {HTMLSelectElement} */ (byId('start-language'));
  start.replaceChildren(...there());
  start.value = language;
  const settings = /** @type {HTMLSelectElement} */ (byId('preferences-language'));
  settings.replaceChildren(h('option', { value: '' }, phrases.preferences.byBrowser), ...there());
  settings.value = chosen;
  for (const select of [start, settings]) {
    select.addEventListener('change', () => {
      chooseLanguage(select.value);
      reload();
    });
  }
}
