/**
 * The server's reasons in the language that is spoken. Errors have codes, but one code may have several reasons, which are told
 * apart by their English text; what is not known here stays as it came.
 * @module
 */

import { language, phrases } from '../language.js';

const says = phrases.reasons;

/** As the server means its days. */
const inUTC = new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeZone: 'UTC' });

/** @type {[RegExp, (...found: string[]) => string][]} */
const REASONS = [
  [/^it is empty$/, () => says.empty],
  [/^it has (\d+) characters, at most (\d+) are allowed$/, (n, most) => says.long(n, most)],
  [/^"(.*)" is reserved$/, (name) => says.reserved(name)],
  [/^it has no visible character$/, () => says.unseen],
  [/^it contains (U\+\w+), which is invisible or means nothing here$/, (code) => says.invisible(code)],
  [/^it contains an invisible joiner where it joins nothing$/, () => says.joiner],
  [/^more than (\d+) marks on one letter$/, (n) => says.marks(n)],
  [/^the mark (U\+\w+) has no letter to stand on$/, (code) => says.mark(code)],
  [/^there is no such invite; perhaps/, () => says.noInvite],
  [/^it has been used by as many people/, () => says.usedUp],
  [/^it was just used by somebody else/, () => says.justUsed],
  [/^it expired on (.*); ask for another one$/, (day) => says.expired(Number.isNaN(Date.parse(day)) ? day : inUTC.format(Date.parse(day)))],
  [/^it is for people who are known here already/, () => says.forKnown],
  [/^it signs somebody in, and gives nothing to who is$/, () => says.signsIn],
  [/^a moderator put you out of \S+; you may (?:come back|listen again) in (\d+) s$/, (s) => says.putOut(s)],
  [/^\S+ is for those who are invited$/, () => says.invited],
  [/^\S+ is for members, and you are a guest$/, () => says.members],
  [/^\S+ is none of the channels that your token opens$/, () => says.token],
  [/^only the owner of \S+, a moderator or an admin invites people there$/, () => says.mayInvite],
];

/** @param {string} reason */
const bare = (reason) => reason.replace(/^invalid name: /, '');

/**
 * @param {string} reason the server's
 * @returns {boolean} whether it can be said in every language
 */
export const knows = (reason) => REASONS.some(([pattern]) => pattern.test(bare(reason)));

/**
 * @param {string} reason the server's
 * @returns {string} without a capital letter or a full stop, to go on with
 */
export function reasonWords(reason) {
  const text = bare(reason);
  for (const [pattern, words] of REASONS) {
    const found = pattern.exec(text);
    if (found) {
      return words(...found.slice(1));
    }
  }
  return text;
}
