/**
 * The buttons of one's voice: mute, deafen, leave.
 * @module
 */

import { mountHeadset } from '../headset.js';
import { chordWords } from '../keys.js';
import { phrases } from '../language.js';
import { doerWords } from '../words/deeds.js';
import { byId, catchFocus, setAttribute, setText } from './dom.js';
import { setIcon } from './icons.js';

/**
 * @param {HTMLElement} button
 * @param {import('./icons.js').IconName} icon
 * @param {string} label
 * @param {boolean} on whether it differs from what is usual; the label says it too, so that no state contradicts it
 */
function renderControl(button, icon, label, on) {
  setIcon(button, icon);
  setText(/** @type {Element} */ (button.querySelector('span')), label);
  button.dataset.on = String(on);
}

/**
 * @param {import('../session.js').Session} session
 * @param {import('../keys.js').Keys} keys
 * @param {import('../push.js').Push} push
 * @returns {() => void} renders
 */
export function mountControls(session, keys, push) {
  const { call } = session;
  const mute = byId('mute');
  const deafen = byId('deafen');
  const hold = byId('hold');
  const hand = byId('hand');

  /** There is nothing to mute. */
  const without = () => call.talk.listenOnly || call.microphone.condition === 'lost';
  const toggleMute = () => {
    if (call.voice.held) {
      call.explainHeld();
      return;
    }
    if (without()) {
      call.useMicrophone();
    } else {
      call.voice.setMuted(!call.voice.silent);
    }
  };
  const toggleHand = async () => {
    try {
      await call.audience.raise(!call.audience.raised);
    } catch (err) {
      call.report('hand', '', /** @type {Error} */ (err));
    }
  };
  const toggleDeaf = () => call.voice.setDeaf(!call.voice.deaf);
  const leave = () => call.leave();
  for (const [button, chords, words, run] of /** @type {[HTMLElement, string[], string, () => void][]} */ ([
    [mute, ['M', 'Alt+M'], phrases.keys.mute, toggleMute],
    [deafen, ['D'], phrases.keys.deafen, toggleDeaf],
    [hand, ['H'], phrases.keys.hand, toggleHand],
    [byId('leave'), ['Control+Shift+L'], phrases.keys.leaveChannel, leave],
  ])) {
    button.addEventListener('click', run);
    keys.add({ chords, words, run, when: () => call.room !== null && !button.hidden });
    setAttribute(button, 'aria-keyshortcuts', chords.join(' '));
    setAttribute(button, 'title', chordWords(chords[0]));
  }

  mountHeadset(call, push, toggleMute);

  let inRoom = false;
  return () => {
    const { room, voice } = call;
    byId('controls').hidden = !room;
    if (inRoom !== (room !== null)) {
      inRoom = room !== null;
      catchFocus(inRoom ? (hold.hidden ? mute : hold) : document.querySelector('.channel'));
    }
    const { suppressed, raised } = call.audience;
    if (hand.hidden === (suppressed || raised)) {
      hand.hidden = !hand.hidden;
      catchFocus(hand.hidden ? mute : hand);
    }
    renderControl(hand, 'hand', raised ? phrases.controls.lowerHand : phrases.controls.raiseHand, raised);
    mute.hidden = suppressed; // nobody is heard there, muted or not
    setAttribute(mute, 'aria-disabled', voice.held ? 'true' : null);
    if (voice.held) {
      renderControl(mute, 'mic-off', phrases.controls.muted, true);
      setAttribute(mute, 'title', phrases.deeds.hasMutedYou(doerWords(call.heldBy)));
    } else if (without()) {
      renderControl(mute, 'mic', phrases.controls.useMicrophone, false);
      setAttribute(mute, 'title', call.talk.listenOnly ? phrases.controls.listeningOnly : phrases.controls.disconnected);
    } else {
      renderControl(mute, voice.silent ? 'mic-off' : 'mic', voice.silent ? phrases.controls.unmute : phrases.controls.mute, voice.silent);
      setAttribute(mute, 'title', 'M');
    }
    renderControl(deafen, voice.deaf ? 'headphones-off' : 'headphones', voice.deaf ? phrases.controls.undeafen : phrases.controls.deafen, voice.deaf);
  };
}
