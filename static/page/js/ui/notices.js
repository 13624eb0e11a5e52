/**
 * What the system tells: where a notice leads, and the part of the settings about it, and about a telephone's screen.
 * @module
 */

import { phrases } from '../language.js';
import { askToNotify, canNotify } from '../notices.js';
import { sleeps } from '../telephone.js';
import { byId, setText } from './dom.js';

/**
 * @param {import('../session.js').Session} session
 * @param {import('../choices.js').Choices} choices
 */
export function mountNoticeChoices(session, choices) {
  const how = /** @type {HTMLSelectElement} */ (byId('preferences-notices-how'));
  const awake = /** @type {HTMLInputElement} */ (byId('preferences-awake'));
  const says = byId('preferences-notices-says');

  const render = () => {
    how.value = choices.get('notices');
    awake.checked = choices.get('keepAwake');
    byId('preferences-notify').hidden = !canNotify();
    byId('preferences-awake-label').hidden = !sleeps();
    byId('preferences-notices').hidden = !canNotify() && !sleeps();
  };
  how.addEventListener('change', async () => {
    const wish = /** @type {import('../choices.js').Notices} */ (how.value);
    const allowed = wish === 'none' || (await askToNotify());
    setText(says, allowed ? '' : phrases.notices.denied);
    choices.set('notices', allowed ? wish : 'none');
    render();
  });
  awake.addEventListener('change', () => choices.set('keepAwake', awake.checked));
  choices.addEventListener('change', render);
  render();

  navigator.serviceWorker?.addEventListener('message', ({ data }) => {
    if (typeof data?.show === 'string' && session.directory.find(data.show)) {
      session.reading.look(data.show);
      byId('app').dataset.view = 'chat';
      session.changed();
    }
  });
}
