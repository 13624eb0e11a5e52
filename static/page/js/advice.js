/**
 * What mends a connection, in the words of `livechat doctor`. {names} stand for values.
 * @module
 */

import { phrases } from './language.js';

export const Advice = phrases.advice;

/**
 * Puts values in the place of {names}.
 * @param {string} text
 * @param {Record<string, string>} values
 * @returns {string}
 */
export function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}
