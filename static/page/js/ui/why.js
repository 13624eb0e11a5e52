/**
 * "I can't hear them": the answer in plain words, and the next step.
 * @module
 */

import { phrases } from '../language.js';
import { because } from '../words/common.js';
import { whyWords } from '../words/why.js';
import { byId, setText } from './dom.js';

/**
 * @param {import('../session.js').Session} session
 * @param {import('../loudness.js').Loudness} loudness
 * @param {() => void} check opens the connection check
 * @returns {(userId: string) => Promise<void>} asks why one does not hear somebody
 */
export function mountWhy({ call }, loudness, check) {
  const dialog = /** @type {HTMLDialogElement} */ (byId('why-dialog'));
  const action = byId('why-action');
  /** Of whom it was asked last. */
  let asked = '';
  /** @type {() => void} */
  let run = () => {};
  byId('why-close').addEventListener('click', () => dialog.close());
  action.addEventListener('click', () => {
    dialog.close();
    run();
  });

  /**
   * What can be done from here.
   * @param {string} cause
   * @param {string} userId
   * @returns {{label: string, run: () => void} | null}
   */
  const step = (cause, userId) => {
    switch (cause) {
      case 'person_muted':
        return { label: phrases.why.fullVolume, run: () => loudness.set(userId, 100) };
      case 'excluded':
        return { label: phrases.person.hearAgain, run: () => call.hearing.toggleExclusion(userId) };
      case 'not_in_slots':
        return { label: phrases.person.alwaysHear, run: () => call.hearing.togglePin(userId) };
      case 'you_deaf':
        return { label: phrases.controls.undeafen, run: () => call.voice.setDeaf(false) };
      case 'sound_blocked':
      case 'not_playing':
        return { label: phrases.voice.blockedLabel, run: () => call.media.playback.resume() };
      case 'you_no_udp':
      case 'you_no_dtls':
      case 'half_open':
        return { label: phrases.channels.checkup, run: check };
      default:
        return null;
    }
  };

  /**
   * @param {string} what
   * @param {string} mend
   * @param {{label: string, run: () => void} | null} [next]
   */
  const show = (what, mend, next) => {
    setText(byId('why-what'), what);
    setText(byId('why-mend'), mend);
    action.hidden = !next;
    setText(action, next?.label ?? '');
    run = next?.run ?? run;
  };

  return async (userId) => {
    asked = userId;
    setText(byId('why-title'), phrases.why.title(call.room?.members.get(userId)?.name ?? ''));
    show(phrases.why.looking, '');
    dialog.showModal();
    byId('why-close').focus();
    try {
      const found = await call.why.ask(userId);
      const { what, mend } = whyWords(found);
      if (asked === userId) {
        show(what, mend, step(found.cause, userId));
      }
    } catch (err) {
      show(because(/** @type {Error} */ (err)), '');
    }
  };
}
