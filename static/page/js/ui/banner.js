/**
 * The line across the top that tells of trouble in which a person has a say, the most pressing one first.
 * @module
 */

import { phrases } from '../language.js';
import { reload } from '../reload.js';
import { problemWords } from '../words/channels.js';
import { connectionWords } from '../words/entry.js';
import { conditionWords, microphoneWords, soundWords } from '../words/voice.js';
import { byId, setText } from './dom.js';

/** What is only to be known. @type {import('../call.js').Problem['doing'][]} */
const CALM = ['microphone-changed', 'moved', 'uninvited', 'role', 'audience', 'let-speak', 'let-speak-muted', 'undenoised'];

/**
 * @typedef {object} Notice
 * @property {string} text
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
  const words = connectionWords(client.state);
  if (!words) {
    return null;
  }
  switch (words.action) {
    case 'retry':
      return { text: words.text, label: phrases.banner.retry, run: () => client.retryNow() };
    case 'take-over':
      return { text: words.text, label: phrases.banner.takeOver, run: () => client.retryNow() };
    case 'reload':
      return { text: words.text, label: phrases.banner.reload, run: () => reload() };
  }
}

/**
 * @param {import('../session.js').Session} session
 * @param {() => void} check opens the connection check
 * @returns {Notice | null}
 */
function callNotice({ call }, check) {
  const close = () => call.dismiss();
  const again = () => call.useMicrophone();
  const sound = call.here && !call.voice.deaf ? soundWords(call.media.playback.sound) : null;
  if (sound) {
    return { text: sound.text, label: sound.label, run: () => call.media.playback.resume() };
  }
  if (call.talk.trouble && call.here) {
    const { title } = microphoneWords(call.talk.trouble.problem);
    return { text: call.talk.listenOnly ? phrases.banner.listeningOnly(title) : phrases.banner.nobodyHears(title), label: phrases.common.tryAgain, run: again, close };
  }
  const unheard = call.here && call.talk.unheard !== call.talk.dismissed ? conditionWords(call.talk.unheard) : null;
  if (unheard) {
    return { text: unheard.text, label: unheard.label, run: again, close };
  }
  if (call.problem) {
    return { text: problemWords(call.problem), close, calm: CALM.includes(call.problem.doing) };
  }
  if (call.pathBlocked && call.here) {
    // It is tried again by itself.
    return { text: call.untried ? phrases.banner[call.untried] : phrases.banner.pathBlocked, label: phrases.banner.findOut, run: check };
  }
  return null;
}

/**
 * @param {import('../session.js').Session} session
 * @returns {Notice | null} what is wrong between the machines that are the server
 */
function nodesNotice({ client, call }) {
  if (client.ready && client.alone) {
    return { text: phrases.banner.alone };
  }
  const apart = call.here && call.room ? [...call.room.members.values()].filter((member) => member.media === 'apart') : [];
  if (apart.length > 0) {
    return { text: phrases.banner.otherNode(apart[0].name, apart.length - 1) };
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
        text: phrases.banner.insecure,
        close: () => {
          insecure = null;
          render();
        },
      };
  action.addEventListener('click', () => shown?.run?.());
  close.addEventListener('click', () => shown?.close?.());

  function render() {
    shown = connectionNotice(session) ?? callNotice(session, check) ?? nodesNotice(session) ?? insecure;
    banner.hidden = shown === null;
    banner.classList.toggle('banner--calm', shown?.calm === true);
    setText(byId('banner-text'), shown?.text ?? '');
    setText(action, shown?.label ?? '');
    action.hidden = !shown?.label;
    close.hidden = !shown?.close;
  }
  return render;
}
