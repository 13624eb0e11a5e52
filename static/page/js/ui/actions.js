/**
 * What can be done with a message: buttons in the one that the mouse is over or that has the focus, which arrow keys move.
 * @module
 */

import { phrases } from '../language.js';
import { changeFailed } from '../words/chat.js';
import { h } from './dom.js';
import { icon } from './icons.js';

/** @typedef {import('../pages.js').Entry} Entry */

/**
 * @param {import('../session.js').Session} session
 * @param {HTMLElement} log
 * @param {import('./composer.js').Composer} compose
 */
export function mountActions(session, log, compose) {
  const { call, reading } = session;
  /** @type {Entry | undefined} */
  let entry;

  /**
   * @param {import('./icons.js').IconName} name
   * @param {string} label
   * @param {(entry: Entry) => void} run
   */
  const button = (name, label, run) =>
    h('button', { class: 'icon-button', type: 'button', title: label, 'aria-label': label, click: () => entry && run(entry) }, icon(name));
  const reply = button('reply', phrases.chat.reply, compose.reply);
  const edit = button('edit', phrases.chat.edit, compose.edit);
  const remove = button('trash', phrases.chat.remove, () => arm(true));
  const sure = h('button', { class: 'button button--danger', type: 'button', hidden: true }, phrases.chat.removeForAll);
  const bar = h('span', { class: 'message__actions' }, reply, edit, remove, sure);

  /** @param {boolean} armed whether the next click deletes */
  const arm = (armed) => {
    sure.hidden = !armed;
    remove.hidden = armed || !mayDelete();
    if (armed) {
      sure.focus();
    }
  };
  const mayDelete = () => entry?.authorId === session.me?.userId || session.mayModerate(reading.channelId);
  sure.addEventListener('click', () => {
    if (entry) {
      reading.chat?.delete(entry).then(() => compose.say(''), (err) => compose.say(changeFailed(err)));
    }
    arm(false);
  });

  /** @param {Event} e */
  const show = (e) => {
    const item = /** @type {HTMLElement} */ (e.target).closest?.('.message');
    if (!item || bar.parentElement === item) {
      return;
    }
    if (e.type === 'pointerover' && bar.contains(document.activeElement)) {
      return; // the keyboard is there
    }
    const key = /** @type {HTMLElement} */ (item).dataset.key;
    entry = reading.view?.entries.find((one) => String(one.key) === key);
    const writes = call.here !== null && !reading.looking;
    if (!entry?.id || !(writes || mayDelete())) {
      bar.remove();
      return;
    }
    reply.hidden = !writes;
    edit.hidden = !writes || entry.authorId !== session.me?.userId;
    arm(false);
    item.append(bar);
  };
  log.addEventListener('pointerover', show);
  log.addEventListener('focusin', show);

  log.addEventListener('click', (e) => {
    const target = /** @type {HTMLElement} */ (e.target);
    const item = /** @type {HTMLElement | null} */ (target.closest('.message'));
    if (!item || !target.closest('.message__reply')) {
      return;
    }
    const answered = reading.view?.entries.find((one) => String(one.key) === item.dataset.key)?.replyTo;
    if (answered && reading.channelId) {
      reading.show(reading.channelId, answered);
    }
  });

  log.addEventListener('keydown', (e) => {
    const step = { ArrowUp: -1, ArrowDown: 1 }[e.key];
    if (!step) {
      return;
    }
    const items = /** @type {HTMLElement[]} */ ([...log.querySelectorAll('.message')]);
    const at = items.findIndex((item) => item.contains(document.activeElement));
    const to = at < 0 ? items.at(-1) : items[at + step];
    if (to) {
      e.preventDefault();
      to.focus();
    }
  });
}
