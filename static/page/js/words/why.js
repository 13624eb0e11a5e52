/**
 * Words for why one does not hear somebody.
 * @module
 */

import { phrases } from '../language.js';

/**
 * @param {import('../protocol.js').WhyFound} found
 * @returns {{what: string, mend: string}}
 */
export function whyWords({ cause, what, mend }) {
  /** @type {Record<string, string[] | undefined>} */
  const causes = phrases.why.causes;
  const [ourWhat, ourMend] = causes[cause] ?? [what, mend];
  return { what: ourWhat, mend: ourMend };
}
