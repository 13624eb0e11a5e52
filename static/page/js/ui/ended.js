/**
 * What is shown, and nothing else, to one whom a moderator put out.
 * @module
 */

import { endingWords } from '../words/deeds.js';
import { byId, setText } from './dom.js';

/** Browsers have no longer timers, in milliseconds. */
const LONGEST_MS = 2 ** 31 - 1;

/**
 * @param {import('../session.js').Session} session
 * @returns {() => void} renders
 */
export function mountEnded(session) {
  const panel = byId('ended');
  const again = byId('ended-return');
  const other = byId('ended-other');
  let timer = 0;
  again.addEventListener('click', () => session.comeBack());
  other.addEventListener('click', () => session.signOut());

  return function render() {
    const { ending } = session;
    const appears = panel.hidden && ending !== null;
    panel.hidden = ending === null;
    if (!ending) {
      return;
    }
    const words = endingWords(ending, Date.now());
    setText(byId('ended-title'), words.title);
    setText(byId('ended-reason'), words.reason);
    setText(byId('ended-text'), words.text);
    again.hidden = !words.returns;
    // Who is known here by an invite would be so no more.
    other.hidden = session.kind === 'login' || !ending.banned;
    clearTimeout(timer);
    if (ending.until) {
      timer = setTimeout(render, Math.min(Math.max(ending.until - Date.now(), 0), LONGEST_MS));
    }
    if (appears) {
      document.querySelectorAll('dialog').forEach((dialog) => dialog.close());
      byId('ended-title').focus();
    }
  };
}
