/**
 * The menus beside people: how loud one hears somebody, whether at all, and what a moderator may do.
 * @module
 */

import { phrases } from '../language.js';
import { MAX_LOUDNESS } from '../loudness.js';
import { h, setText } from './dom.js';
import { toggleMenu } from './menu.js';

/** How far a press of an arrow key goes, in percent. */
const STEP = 10;

/**
 * @param {import('../session.js').Session} session
 * @param {import('../loudness.js').Loudness} loudness
 * @param {(userId: string) => import('./menu.js').Item[]} moderation what a moderator may do to somebody
 * @param {(userId: string) => void} why asks why one does not hear somebody
 * @returns {Pick<import('./dialogs.js').Dialogs, 'moderate' | 'person'>}
 */
export function mountMenus(session, loudness, moderation, why) {
  const { call } = session;
  const { hearing } = call;

  /** @param {string} userId */
  const slider = (userId) => {
    const says = h('output', {});
    const input = h('input', { type: 'range', min: '0', max: String(MAX_LOUDNESS), step: String(STEP) });
    input.value = String(loudness.of(userId));
    const show = () => setText(says, phrases.common.percent(Number(input.value)));
    input.addEventListener('input', () => {
      show();
      loudness.set(userId, Number(input.value));
    });
    show();
    h('label', { class: 'menu__volume' }, h('span', {}, phrases.person.volume), input, says);
    return input;
  };

  /** @param {string} userId */
  const nameOf = (userId) => call.room?.members.get(userId)?.name ?? '';

  return {
    moderate: (userId, button) => toggleMenu(button, nameOf(userId), moderation(userId)),
    person: (userId, button) => {
      const pinned = hearing.pinned.has(userId);
      const excluded = hearing.excluded.has(userId);
      toggleMenu(
        button,
        nameOf(userId),
        [
          { icon: 'pin', label: pinned ? phrases.person.hearLikeOthers : phrases.person.alwaysHear, run: () => hearing.togglePin(userId) },
          { icon: excluded ? 'channel' : 'sound-off', label: excluded ? phrases.person.hearAgain : phrases.person.muteForMe, run: () => hearing.toggleExclusion(userId) },
          ...(call.why.available ? [/** @type {import('./menu.js').Item} */ ({ icon: 'ear', label: phrases.why.ask, run: () => why(userId) })] : []),
          ...(session.mayAct(userId) ? moderation(userId) : []),
        ],
        slider(userId),
      );
    },
  };
}
