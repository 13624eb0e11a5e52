/**
 * Which language the page speaks, and what it says in it: what was chosen here, or else the first that the browser asks for and
 * there is. It is decided once, when the page loads; another one comes by a reload, which leads back into the call.
 * @module
 */

import { forGood, read, write } from './storage.js';

/** What there is, by tags of BCP 47, each in its own words: languages/TAG.js. @type {Record<string, string>} */
export const LANGUAGES = { en: 'English', ko: '한국어' };

const KEY = 'livechat.language';

/** The tag that was chosen here; '' leaves it to the browser. */
export const chosenLanguage = () => read(forGood, KEY);

/** @param {string} tag as above */
export function chooseLanguage(tag) {
  write(forGood, KEY, tag);
}

/**
 * @param {readonly string[]} wanted tags, the best first
 * @returns {string} the tag of one that there is
 */
export function languageFor(wanted) {
  const there = Object.keys(LANGUAGES);
  for (const tag of wanted) {
    // zh-Hant-TW is content with zh-Hant, and then with zh.
    for (let part = tag.toLowerCase(); part; part = part.slice(0, Math.max(part.lastIndexOf('-'), 0))) {
      const found = there.find((one) => one.toLowerCase() === part);
      if (found) {
        return found;
      }
    }
  }
  return 'en';
}

/** The tag of the language that is spoken. */
export const language = languageFor([chosenLanguage(), ...(navigator.languages ?? [navigator.language])]);

/** What is said in it. @type {import('./languages/en.js').Phrases} */
export const phrases = (await import(`./languages/${language}.js`)).default;
