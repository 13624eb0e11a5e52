/**
 * The connection check's dialog.
 * @module
 */

import { phrases } from '../language.js';
import { byId, h, renderList, setText } from './dom.js';
import { icon } from './icons.js';

/** How long the copy button says that it worked, in milliseconds. */
const COPIED_MS = 2_000;

/** What a screen reader says of a mark. @type {Record<import('../checkup.js').CheckStatus, string>} */
const STATUS_WORDS = phrases.checkup;

/** @type {Record<string, import('./icons.js').IconName>} */
const ICONS = { good: 'check', warning: 'warning', failed: 'close', skipped: 'dash' };

/**
 * @param {import('../checkup.js').Checkup} checkup
 * @returns {() => void} opens it and starts the check
 */
export function mountCheckup(checkup) {
  const dialog = /** @type {HTMLDialogElement} */ (byId('checkup-dialog'));
  const again = /** @type {HTMLButtonElement} */ (byId('checkup-again'));
  const copy = /** @type {HTMLButtonElement} */ (byId('checkup-copy'));
  const verdict = byId('checkup-verdict');
  let wasRunning = false;
  again.addEventListener('click', () => checkup.run());
  byId('checkup-close').addEventListener('click', () => dialog.close());
  copy.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(checkup.report);
      setText(copy, phrases.room.copied);
      setTimeout(() => setText(copy, phrases.checkup.copyReport), COPIED_MS);
    } catch {
      // Browsers keep the clipboard from pages without HTTPS.
      window.prompt(phrases.common.copyThis, checkup.report);
    }
  });

  const render = () => {
    verdict.dataset.status = checkup.verdict.tone;
    setText(byId('checkup-text'), checkup.verdict.text);
    again.disabled = checkup.running;
    copy.disabled = checkup.running;
    const list = byId('checkup-list');
    renderList(list, checkup.checks, (c) => c.name, create, update);
    if (wasRunning && !checkup.running) {
      const first = list.querySelector('[data-status=failed]') ?? list.querySelector('[data-status=warning]');
      first?.scrollIntoView({ block: 'nearest' });
    }
    wasRunning = checkup.running;
  };
  checkup.addEventListener('change', render);

  return () => {
    checkup.run();
    render();
    if (!dialog.open) {
      dialog.showModal();
    }
    // Not at what is below, which grows.
    dialog.scrollTop = 0;
    byId('checkup-close').focus({ preventScroll: true });
  };
}

/**
 * @param {string} line
 * @returns {(HTMLElement | string)[]} with the settings in it marked as such
 */
function marked(line) {
  return line.split(/(--[a-z-]+(?:=[\w.:]+\w)?)/).map((part) => (part.startsWith('--') ? h('code', {}, part) : part));
}

/** @returns {HTMLElement} */
function create() {
  return h(
    'li',
    { class: 'checkup__item' },
    h('span', { class: 'checkup__mark' }),
    h(
      'div',
      { class: 'checkup__body' },
      h('span', { class: 'checkup__name' }),
      ' ',
      h('span', { class: 'visually-hidden' }),
      ' ',
      h('span', { class: 'checkup__found' }),
      h('div', { class: 'checkup__advice' }),
    ),
  );
}

/**
 * @param {HTMLElement} item
 * @param {import('../checkup.js').Check} check
 */
function update(item, check) {
  const [mark, body] = item.children;
  const [name, status, found, advice] = body.children;
  if (item.dataset.status !== check.status) {
    item.dataset.status = check.status;
    mark.replaceChildren(check.status === 'busy' ? h('span', { class: 'spinner' }) : icon(ICONS[check.status]));
  }
  setText(name, check.name);
  setText(status, `${STATUS_WORDS[check.status]}:`);
  setText(found, check.text);
  if (advice.textContent !== check.advice.join('')) {
    advice.replaceChildren(...check.advice.map((line) => h('p', {}, ...marked(line))));
  }
}
