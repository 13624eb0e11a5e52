/**
 * The first screen: a name, or an access token.
 * @module
 */

import { GuestError, memory } from '../account.js';
import { INSECURE_PAGE, connectionWords, signInFailed } from '../words.js';
import { byId, setAttribute, setText } from './dom.js';

/** HTTP's answer when the name cannot be used. */
const BAD_REQUEST = 400;

/** @param {Error | null} err */
const isAboutName = (err) => err instanceof GuestError && err.status === BAD_REQUEST;

/**
 * @param {import('../session.js').Session} session
 * @param {string} channelId the channel a link invites to, or ''
 * @returns {() => void} renders
 */
export function mountStart(session, channelId) {
  const guestForm = /** @type {HTMLFormElement} */ (byId('guest-form'));
  const tokenForm = /** @type {HTMLFormElement} */ (byId('token-form'));
  const name = /** @type {HTMLInputElement} */ (byId('guest-name'));
  const token = /** @type {HTMLInputElement} */ (byId('token'));
  const other = byId('start-other');
  const error = byId('start-error');
  const buttons = /** @type {HTMLButtonElement[]} */ ([byId('guest-submit'), byId('token-submit')]);
  let useToken = false;
  /** @type {Error | null} the error that was last acted upon */
  let seenError = null;

  setText(byId('start-insecure'), window.isSecureContext ? '' : INSECURE_PAGE);
  byId('start-insecure').hidden = window.isSecureContext;
  name.value = memory.name;
  guestForm.addEventListener('submit', (e) => {
    e.preventDefault();
    session.signInAsGuest(name.value.trim(), channelId || null);
  });
  tokenForm.addEventListener('submit', (e) => {
    e.preventDefault();
    session.signInWithToken(token.value.trim(), false, channelId || null);
    token.value = '';
  });
  other.addEventListener('click', () => {
    useToken = !useToken;
    session.signInError = null;
    render();
    (useToken ? token : name).focus();
  });

  function render() {
    if (session.signInError !== seenError) {
      seenError = session.signInError;
      if (isAboutName(seenError)) {
        name.select();
      }
      useToken ||= seenError instanceof GuestError && seenError.guestsRefused;
    }
    const busy = session.stage === 'busy';
    guestForm.hidden = useToken;
    tokenForm.hidden = !useToken;
    setText(other, useToken ? 'Join as a guest instead' : 'I have an access token');
    setText(byId('start-lead'), channelId ? 'You are invited to talk.' : 'Talk with your people on your own server.');
    for (const button of buttons) {
      button.disabled = busy;
      setText(button, busy ? 'Connecting…' : channelId ? 'Join' : 'Continue');
    }
    const { state } = session.client;
    const unreached = busy && state.name === 'waiting' ? 'The server cannot be reached. It is tried again.' : '';
    const trouble = busy ? (connectionWords(state)?.text ?? unreached) : '';
    setAttribute(name, 'aria-invalid', isAboutName(session.signInError) ? 'true' : null);
    setText(error, session.signInError ? signInFailed(session.signInError) : trouble);
  }

  if (!matchMedia('(pointer: coarse)').matches) {
    // Not on a phone: the keyboard would cover the page before it was seen.
    queueMicrotask(() => name.focus());
  }
  return render;
}
