/**
 * The one quiet line about what is being mended by itself: nothing at first, since most of it is over sooner than it is read,
 * and nothing that moves what is on the screen.
 * @module
 */

import { mendingWords } from '../words/voice.js';
import { byId, setText } from './dom.js';

/** What is over in this time is not told, in milliseconds. */
const UNSEEN_MS = 1_000;
/** The same while one talks on: a voice that goes on is the best sign that all is well. */
const UNSEEN_TALKING_MS = 3_000;
/** What took this long was noticed: then its end is told, too, for so long. */
const NOTICED_MS = 5_000;
const MENDED_MS = 2_500;
/** Whoever waits this long may have something to do with their hands. */
const LONG_MS = 10_000;

/**
 * @param {import('../session.js').Session} session
 * @returns {() => void} renders
 */
export function mountLine(session) {
  const action = byId('line-action');
  /** Since when something is being mended, and until when its end is told, as performance.now() counts; 0 for not at all. */
  let since = 0;
  let mendedUntil = 0;
  let timer = 0;
  action.addEventListener('click', () => session.client.look());

  const unseen = () => (session.talksOn ? UNSEEN_TALKING_MS : UNSEEN_MS);

  /** @param {number} now */
  const state = (now) => {
    if (since) {
      if (session.pulse.silent) {
        return 'silent';
      }
      return now - since < unseen() ? 'ok' : session.restarting ? 'restart' : 'mending';
    }
    return now < mendedUntil ? 'mended' : 'ok';
  };

  function render() {
    const now = performance.now();
    const { mending } = session;
    if (mending && !since) {
      since = now;
      mendedUntil = 0;
    } else if (!mending && since) {
      mendedUntil = now - since >= NOTICED_MS ? now + MENDED_MS : 0;
      since = 0;
    }
    setText(byId('line-text'), mendingWords(state(now)));
    action.hidden = !since || now - since < LONG_MS;
    clearTimeout(timer);
    const next = [since + unseen(), since + LONG_MS, mendedUntil].find((at) => at > now);
    if (next) {
      timer = setTimeout(render, next - now);
    }
  }
  return render;
}
