/**
 * The large button that is held to talk, or to be silent, and the hint to whom it does not serve.
 * @module
 */

import { MUTED_PRESS, holdWords, keyName, learnLayout } from '../words/keys.js';
import { byId, setAttribute, setText } from './dom.js';
import { setIcon } from './icons.js';

/**
 * @param {import('../session.js').Session} session
 * @param {import('../push.js').Push} push
 * @param {(text: string) => void} hint
 * @returns {() => void} renders
 */
export function mountHold({ call }, push, hint) {
  const button = byId('hold');
  const { hold } = push;
  hold.attach(button);
  push.addEventListener('vain', () => hint(MUTED_PRESS));
  const render = () => {
    const { by } = push;
    button.hidden = !push.offered;
    if (by === 'open') {
      return;
    }
    const muted = call.voice.silent || call.voice.held;
    const heard = !muted && hold.pressed === (by === 'talk');
    setIcon(button, heard ? 'mic' : 'mic-off');
    setText(byId('hold-text'), holdWords(by, hold.toggles, hold.pressed, muted));
    setText(byId('hold-key'), keyName(hold.key));
    setAttribute(button, 'aria-keyshortcuts', keyName(hold.key));
    setAttribute(button, 'aria-pressed', String(hold.pressed));
    setAttribute(button, 'aria-disabled', muted || !hold.enabled ? 'true' : null);
    button.dataset.heard = String(heard);
  };
  push.addEventListener('change', render);
  learnLayout().then(render);
  /** @type {any} */ (navigator).keyboard?.addEventListener?.('layoutchange', () => learnLayout().then(render));
  return render;
}
