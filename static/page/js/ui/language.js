/**
 * Where one chooses the page's language: before one comes in, and among the settings.
 * @module
 */

import { LANGUAGES, chooseLanguage, chosenLanguage, phrases } from '../language.js';
import { reload } from '../reload.js';
import { byId, h } from './dom.js';

/** Mounts both places. */
export function mountLanguage() {
  for (const id of ['start-language', 'preferences-language']) {
    const select = /** @type {HTMLSelectElement} */ (byId(id));
    select.replaceChildren(
      h('option', { value: '' }, phrases.preferences.byBrowser),
      ...Object.entries(LANGUAGES).map(([tag, name]) => h('option', { value: tag, lang: tag }, name)),
    );
    select.value = Object.hasOwn(LANGUAGES, chosenLanguage()) ? chosenLanguage() : '';
    select.addEventListener('change', () => {
      chooseLanguage(select.value);
      reload();
    });
  }
}
