/**
 * The large button that is held to talk, or to be silent, and the hint to whom it does not serve.
 * @module
 */

import { phrases } from '../language.js';
import { BREAK_IN, floorHint, floorWords } from '../words/floor.js';
import { holdWords, keyName, learnLayout } from '../words/keys.js';
import { byId, setAttribute, setText } from './dom.js';
import { setIcon } from './icons.js';

/** How often the time that is left moves, in milliseconds. */
const TICK_MS = 250;

/**
 * @param {import('../session.js').Session} session
 * @param {import('../push.js').Push} push
 * @param {(text: string) => void} hint
 * @returns {() => void} renders
 */
export function mountHold({ call }, push, hint) {
  const button = byId('hold');
  const urgent = byId('hold-urgent');
  const { hold, breakIn } = push;
  const { floor } = call;
  hold.attach(button);
  breakIn.attach(urgent);
  push.addEventListener('told', () => hint(floorHint(floor, hold.toggles)));
  push.addEventListener('vain', () => hint(phrases.hold.mutedPress));
  const render = () => {
    const { by } = push;
    button.hidden = !push.offered;
    if (by === 'open') {
      return;
    }
    const muted = call.voice.silent || call.voice.held;
    const heard = !muted && (by === 'floor' ? floor.standing === 'granted' : hold.pressed === (by === 'talk'));
    const [text, note] = by === 'floor' ? floorWords(floor, hold.toggles, muted) : [holdWords(by, hold.toggles, hold.pressed, muted), ''];
    setIcon(button, heard || (by === 'floor' && !muted) ? 'mic' : 'mic-off');
    setText(byId('hold-text'), text);
    setText(byId('hold-note'), note);
    setText(byId('hold-key'), keyName(hold.key));
    setAttribute(button, 'aria-keyshortcuts', keyName(hold.key));
    setAttribute(button, 'aria-disabled', muted || !hold.enabled ? 'true' : null);
    button.dataset.heard = String(heard);
    button.dataset.floor = by !== 'floor' ? '' : floor.warned ? 'warned' : floor.standing || (floor.holder || floor.over ? 'taken' : 'idle');
    const { urgency } = push;
    urgent.hidden = urgency === null;
    urgent.classList.toggle('hold-urgent--emergency', urgency === 'emergency');
    if (urgency) {
      setText(urgent, BREAK_IN[urgency]);
    }
  };
  setInterval(() => {
    if (floor.until !== null) {
      render();
    }
  }, TICK_MS);
  push.addEventListener('change', render);
  learnLayout().then(render);
  /** @type {any} */ (navigator).keyboard?.addEventListener?.('layoutchange', () => learnLayout().then(render));
  return render;
}
