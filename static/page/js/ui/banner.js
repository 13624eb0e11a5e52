/**
 * The line across the top that tells of trouble, the most pressing one first.
 * @module
 */

import { INSECURE_PAGE, PATH_BLOCKED, connectionWords, microphoneWords, problemWords } from '../words.js';
import { byId, setText } from './dom.js';

/**
 * @typedef {object} Notice
 * @property {string} text
 * @property {string} [countdown]
 * @property {string} [label] of the button
 * @property {() => void} [run] what the button does
 * @property {() => void} [close] it can be dismissed
 * @property {boolean} [calm] nothing is broken
 */

/**
 * @param {import('../session.js').Session} session
 * @returns {Notice | null}
 */
function connectionNotice({ client }) {
  const words = connectionWords(client.state, Date.now());
  if (!words) {
    return null;
  }
  switch (words.action) {
    case 'retry':
      return { text: words.text, countdown: words.countdown, label: 'Retry now', run: () => client.retryNow() };
    case 'take-over':
      return { text: words.text, label: 'Take over', run: () => client.retryNow() };
    case 'reload':
      return { text: words.text, label: 'Reload', run: () => location.reload() };
    default:
      return { text: words.text, calm: true };
  }
}

/**
 * @param {import('../session.js').Session} session
 * @param {() => void} check opens the connection check
 * @returns {Notice | null}
 */
function callNotice({ call }, check) {
  if (call.media.blocked && call.here) {
    return { text: 'Your browser holds the sound back.', label: 'Click to hear', run: () => call.media.unblock(), calm: true };
  }
  const close = () => call.dismiss();
  if (call.trouble && call.here) {
    const { title } = microphoneWords(call.trouble.problem);
    return { text: `${title}. You are listening only.`, label: 'Try again', run: () => call.useMicrophone(), close };
  }
  if (call.problem) {
    const lost = call.problem.doing === 'microphone-lost';
    const again = lost ? { label: 'Use a microphone', run: () => call.useMicrophone() } : {};
    return { text: problemWords(call.problem), close, ...again };
  }
  if (call.pathBlocked && call.here) {
    // It is tried again by itself.
    return { text: PATH_BLOCKED, label: 'Find out why', run: check };
  }
  return null;
}

/**
 * @param {import('../session.js').Session} session
 * @param {() => void} check opens the connection check
 * @returns {() => void} renders
 */
export function mountBanner(session, check) {
  const banner = byId('banner');
  const action = byId('banner-action');
  const close = byId('banner-close');
  /** @type {Notice | null} */
  let shown = null;
  /** What always holds, until it was read. @type {Notice | null} */
  let insecure = window.isSecureContext
    ? null
    : {
        text: INSECURE_PAGE,
        close: () => {
          insecure = null;
          render();
        },
      };
  action.addEventListener('click', () => shown?.run?.());
  close.addEventListener('click', () => shown?.close?.());

  function render() {
    shown = connectionNotice(session) ?? callNotice(session, check) ?? insecure;
    banner.hidden = shown === null;
    banner.classList.toggle('banner--calm', shown?.calm === true);
    setText(byId('banner-text'), shown?.text ?? '');
    setText(byId('banner-countdown'), shown?.countdown ?? '');
    setText(action, shown?.label ?? '');
    action.hidden = !shown?.label;
    close.hidden = !shown?.close;
  }
  return render;
}
