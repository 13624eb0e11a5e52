/**
 * The middle of the screen: the channel's head, and what is shown while there are no
 * people to show: where to go, that one is on the way, or why it does not work.
 * @module
 */

import { channelLink } from '../account.js';
import { phrases } from '../language.js';
import { lookWords } from '../words/chat.js';
import { handsWords, microphoneWords, voiceWords } from '../words/voice.js';
import { byId, copy, h, setAttribute, setText } from './dom.js';
import { icon, setIcon } from './icons.js';
import { showsStage } from './people.js';

/** How long the link button says that it worked, in milliseconds. */
const COPIED_MS = 2_000;

/**
 * @typedef {object} Scene what the stage shows
 * @property {string} key tells scenes apart, so that buttons are not made anew under a finger
 * @property {import('./icons.js').IconName | 'spinner'} icon
 * @property {string} title
 * @property {string} text
 * @property {{label: string, primary?: boolean, run: () => void}[]} buttons
 */

/**
 * @param {import('../session.js').Session} session
 * @param {string} invitedTo channel id, or ''
 * @param {boolean} been whether one has been in a channel since one came by the link
 * @param {() => void} preferences opens the settings
 * @returns {Scene}
 */
function sceneFor(session, invitedTo, been, preferences) {
  const { call, directory } = session;
  const trial = { label: phrases.room.trial, run: preferences };
  const cancel = { label: phrases.common.cancel, run: () => call.leave() };
  const { wanted, talk: { trouble } } = call;
  if (trouble) {
    const id = trouble.channelId;
    // Trying again does not change what the page or the browser is.
    const hopeless = ['insecure', 'unsupported', 'policy'].includes(trouble.problem);
    return {
      key: `trouble ${trouble.problem} ${id}`,
      icon: 'mic-off',
      ...microphoneWords(trouble.problem),
      buttons: [
        ...(hopeless ? [] : [{ label: phrases.common.tryAgain, primary: true, run: () => call.join(id) }]),
        { label: phrases.room.joinAsListener, primary: hopeless, run: () => call.joinAsListener(id) },
        cancel,
      ],
    };
  }
  if (wanted !== null && call.microphone.asking) {
    return {
      key: `asking ${wanted}`,
      icon: 'mic',
      title: phrases.room.allow,
      text: phrases.room.asking,
      buttons: [{ label: phrases.room.justListen, run: () => call.joinAsListener(wanted) }, cancel],
    };
  }
  if (wanted !== null) {
    return { key: `joining ${wanted}`, icon: 'spinner', title: phrases.room.joining(directory.nameOf(wanted)), text: session.restarting ? phrases.room.restarting : '', buttons: [cancel] };
  }
  const before = directory.find(session.reading.channelId ?? invitedTo);
  if (before) {
    const id = before.channel_id;
    const count = session.peopleIn(id).length;
    const speaking = session.peopleIn(id).filter((p) => session.speakingIn(id).has(p.user_id)).map((p) => p.name);
    const there = count > 0 ? phrases.room.inside(phrases.common.people(count)) : phrases.room.nobody;
    const inside = speaking.length > 0 ? `${there} ${phrases.room.speaking(speaking.join(', '))}` : there;
    const enters = session.mayEnter(id);
    const join = { label: phrases.common.join, primary: true, run: () => call.join(id) };
    return {
      key: `before ${id} ${before.channel_name} ${enters}`,
      icon: before.access === 'members' ? 'lock' : 'channel',
      title: before.channel_name,
      text: enters ? inside : lookWords(false, ''),
      buttons: enters ? [join, trial] : [],
    };
  }
  if (invitedTo && directory.listed && !been) {
    return { key: 'dead', icon: 'link', title: phrases.room.deadLink, text: phrases.room.deadLinkText, buttons: [trial] };
  }
  return {
    key: 'none',
    icon: 'channel',
    title: phrases.room.pick,
    text: phrases.room.pickText,
    buttons: [trial],
  };
}

/**
 * @param {HTMLElement} stage
 * @param {Scene} scene
 */
function showScene(stage, scene) {
  if (stage.dataset.key === scene.key) {
    setText(/** @type {Element} */ (stage.querySelector('.stage__text')), scene.text);
    return;
  }
  stage.dataset.key = scene.key;
  const figure = scene.icon === 'spinner' ? h('span', { class: 'spinner' }) : icon(scene.icon);
  stage.replaceChildren(
    h('div', { class: 'stage__figure' }, figure),
    h('h2', { class: 'stage__title' }, scene.title),
    h('p', { class: 'stage__text' }, scene.text),
    h(
      'div',
      { class: 'stage__buttons' },
      ...scene.buttons.map(({ label, primary, run }) =>
        h('button', { class: primary ? 'button button--primary' : 'button', type: 'button', click: run }, label),
      ),
    ),
  );
}

/**
 * @param {import('../session.js').Session} session
 * @param {import('./dialogs.js').Dialogs & {preferences: () => void}} dialogs
 * @param {string} invitedTo the channel a link invites to, or ''
 * @returns {() => void} renders
 */
export function mountRoom(session, dialogs, invitedTo) {
  const { call } = session;
  const stage = byId('stage');
  const status = byId('voice-status');
  const link = byId('room-link');
  const remove = byId('room-delete');
  const settings = byId('room-settings');
  const invite = byId('room-invite');
  /** @type {import('../meter.js').Quality | null} */
  let quality = null;

  link.addEventListener('click', async () => {
    const url = channelLink(call.wanted);
    if (await copy(url)) {
      setIcon(link, 'check');
      setTimeout(() => setIcon(link, 'link'), COPIED_MS);
    } else {
      // Browsers keep the clipboard from pages without HTTPS.
      window.prompt(phrases.common.copyThis, url);
    }
  });
  remove.addEventListener('click', () => call.room && dialogs.delete(call.room.channelId));
  invite.addEventListener('click', () => call.room && dialogs.invite(call.room.channelId));
  settings.addEventListener('click', () => call.room && dialogs.settings(call.room.channelId));

  const renderStatus = () => {
    const words = voiceWords(session, quality, Date.now());
    setText(status, words.text);
    status.dataset.tone = words.tone;
    status.hidden = !call.here && call.retry.at === null;
  };
  call.media.addEventListener('quality', (e) => {
    quality = /** @type {CustomEvent} */ (e).detail;
    renderStatus();
  });

  /** One has been in a channel since, so that it does not matter any more where the link led. */
  let been = false;
  const renderStage = () => showScene(stage, sceneFor(session, invitedTo, been, dialogs.preferences));
  session.directory.addEventListener('speaking', () => !stage.hidden && renderStage());

  return () => {
    const { room } = call;
    been ||= room !== null;
    const onStage = showsStage(call);
    stage.hidden = !onStage;
    byId('room-head').hidden = onStage;
    if (onStage) {
      renderStage();
    } else {
      delete stage.dataset.key;
    }
    if (call.media.state !== 'connected') {
      quality = null;
    }
    renderStatus();
    setText(byId('room-name'), room?.name ?? '');
    setText(byId('app-title'), room?.name ?? phrases.common.name);
    setText(byId('room-count'), room ? phrases.common.people(room.members.size) : '');
    const hands = room && session.mayModerate(room.channelId) ? call.audience.line.length : 0;
    byId('room-hands').hidden = hands === 0;
    setText(byId('room-hands'), hands > 0 ? handsWords(hands) : '');
    const info = session.directory.find(room?.channelId ?? null);
    setText(byId('room-topic'), info?.topic ?? '');
    setAttribute(byId('room-topic'), 'title', info?.topic ?? null);
    byId('room-lock').hidden = info?.access !== 'members';
    const administers = session.mayAdminister(room?.channelId ?? null);
    remove.hidden = !administers;
    settings.hidden = !administers;
    invite.hidden = !room || !session.mayInvite(room.channelId);
    setAttribute(stage, 'aria-busy', String(stage.dataset.key?.startsWith('joining') ?? false));
  };
}
