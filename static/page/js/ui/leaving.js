/**
 * Asks before one goes out of a call by a way that may not have been meant: Back, which the page asks about itself, and closing or
 * leaving the page, about which only the browser can ask, in its own words.
 * @module
 */

import { phrases } from '../language.js';
import { reloads } from '../reload.js';
import { byId, setText } from './dom.js';

/** Keys that load the page anew, which leads back into the call: nobody is asked for so long after one, in milliseconds. */
const RELOADING_MS = 2_000;

/**
 * @param {import('../session.js').Session} session
 */
export function mountLeaving({ call, client }) {
  const dialog = /** @type {HTMLDialogElement} */ (byId('leave-dialog'));
  let reloadedAt = -Infinity;
  let asks = false;

  document.addEventListener('keydown', (e) => {
    if (e.key === 'F5' || ((e.ctrlKey || e.metaKey) && e.code === 'KeyR')) {
      reloadedAt = performance.now();
    }
  }, true);
  /** @param {BeforeUnloadEvent} e */
  const ask = (e) => {
    if (!reloads() && performance.now() - reloadedAt > RELOADING_MS) {
      e.preventDefault();
    }
  };
  // Only in a call: some browsers keep no page that listens for it, to show it again.
  const follow = () => {
    const inCall = call.wanted !== null && client.state.name !== 'stopped';
    if (inCall !== asks) {
      asks = inCall;
      (asks ? window.addEventListener : window.removeEventListener)('beforeunload', ask);
    }
    if (!inCall) {
      dialog.close();
    }
  };
  call.addEventListener('change', follow);
  client.addEventListener('state', follow);

  call.address.addEventListener('back', () => {
    if (!dialog.open) {
      setText(byId('leave-title'), phrases.leaving.title(call.room?.name ?? ''));
      dialog.showModal();
      byId('leave-stay').focus();
    }
  });
  byId('leave-stay').addEventListener('click', () => dialog.close());
  byId('leave-confirm').addEventListener('click', () => {
    dialog.close();
    call.leave();
  });
}
