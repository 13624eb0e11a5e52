/**
 * Looking for what was written: a dialog with a field, and what is found, the best first.
 * @module
 */

import { phrases } from '../language.js';
import { Op } from '../protocol.js';
import { findings, searchFailed, searchObjection } from '../words/chat.js';
import { byId, h, renderList, setAttribute, setText } from './dom.js';
import { clock, dayWords, moment } from './message.js';

/** @typedef {import('../protocol.js').FoundMessage} FoundMessage */

/** How many are asked for at first, and how many then: as many as the server gives. */
const FEW = 20;
const MANY = 50;
/** Whoever types for so long without a break is not asked about in between, in milliseconds. */
const PAUSE_MS = 250;
/** How much of a long message is shown, and how much of that before the first place, in characters. */
const EXCERPT_CHARS = 240;
const LEAD_CHARS = 60;

/**
 * @param {import('../session.js').Session} session
 * @returns {(channelId?: string | null) => void} opens it, to look in one channel or in all
 */
export function mountSearch(session) {
  const { client, directory, reading } = session;
  const dialog = /** @type {HTMLDialogElement} */ (byId('search-dialog'));
  const text = /** @type {HTMLInputElement} */ (byId('search-text'));
  const where = /** @type {HTMLSelectElement} */ (byId('search-where'));
  const state = byId('search-state');
  const list = byId('search-list');
  const more = /** @type {HTMLButtonElement} */ (byId('search-more'));
  let asked = 0;
  let timer = 0;
  /** @type {FoundMessage[]} */
  let found = [];
  /** How more are found: what is asked for then, and whether that comes behind what is there. */
  /** @type {{ask: {limit: number, before?: string}, behind: boolean} | null} */
  let rest = null;

  /** @param {string} words */
  const show = (words) => {
    setText(state, words);
    list.hidden = found.length === 0;
    more.hidden = rest === null;
    setText(more, rest?.behind ? phrases.search.further : phrases.common.more);
    renderList(list, found, (m) => `${m.message_id} ${m.edited_at ?? ''} ${JSON.stringify(m.marks)} ${where.value}`, create, () => {});
  };

  /**
   * @param {{limit: number, before?: string}} ask
   * @param {boolean} behind whether what is found comes behind what is there
   */
  const search = async (ask, behind) => {
    clearTimeout(timer);
    const turn = ++asked;
    const query = text.value.trim();
    const objection = searchObjection(query);
    if (objection !== null) {
      found = [];
      rest = null;
      show(objection);
      return;
    }
    setAttribute(list, 'aria-busy', 'true');
    try {
      const page = await client.request(Op.SEARCH, { query, channel_id: where.value || undefined, ...ask });
      if (turn === asked) {
        found = behind ? [...found, ...page.messages] : page.messages;
        const widens = page.more && ask.limit === FEW && page.messages.length === FEW;
        const further = page.next ? { ask: { limit: MANY, before: page.next }, behind: true } : null;
        rest = widens ? { ask: { limit: MANY }, behind: false } : further;
        show(findings(found.length, page.more, rest !== null));
      }
    } catch (err) {
      if (turn === asked) {
        found = behind ? found : [];
        show(searchFailed(/** @type {Error} */ (err)));
      }
    } finally {
      setAttribute(list, 'aria-busy', turn === asked ? null : 'true');
    }
  };
  const begin = () => search({ limit: FEW }, false);

  /** @param {FoundMessage} message */
  const create = (message) => {
    const { channel_id, message_id, author_name, timestamp } = message;
    const go = () => {
      dialog.close();
      byId('app').dataset.view = 'chat';
      reading.show(channel_id, message_id);
    };
    return h(
      'li',
      {},
      h(
        'button',
        { class: 'found', type: 'button', click: go },
        h(
          'span',
          { class: 'found__head' },
          h('span', { class: 'found__author', dir: 'auto' }, author_name || phrases.common.gone),
          where.value ? null : h('span', { class: 'found__channel' }, phrases.search.in(directory.nameOf(channel_id))),
          h('time', { class: 'found__time', datetime: new Date(timestamp).toISOString(), title: moment.format(timestamp) },
            `${dayWords(timestamp)}, ${clock.format(timestamp)}`),
        ),
        h('span', { class: 'found__text', dir: 'auto' }, ...excerpt(message)),
      ),
    );
  };

  text.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(begin, PAUSE_MS);
  });
  where.addEventListener('change', begin);
  more.addEventListener('click', async () => {
    const had = found.length;
    if (rest) {
      await search(rest.ask, rest.behind);
    }
    /** @type {HTMLElement | null | undefined} */ (list.children[had]?.querySelector('button'))?.focus();
  });
  byId('search-form').addEventListener('submit', (e) => {
    e.preventDefault();
    begin();
  });
  byId('search-close').addEventListener('click', () => dialog.close());
  dialog.addEventListener('click', (e) => e.target === dialog && dialog.close()); // beside it
  dialog.addEventListener('keydown', (e) => {
    const step = { ArrowUp: -1, ArrowDown: 1 }[e.key];
    if (!step || e.target === where) {
      return;
    }
    const found = /** @type {HTMLElement[]} */ ([...list.querySelectorAll('button')]);
    const at = found.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    e.preventDefault();
    (found[at + step] ?? (at + step < 0 ? text : null))?.focus();
  });

  /** @param {string | null} [channelId] */
  const open = (channelId = null) => {
    const scope = channelId ?? '';
    where.replaceChildren(
      h('option', { value: '' }, phrases.search.allChannels),
      ...directory.channels.map((c) => h('option', { value: c.channel_id }, c.channel_name)),
    );
    where.value = scope;
    dialog.showModal();
    text.select();
    begin();
  };
  return open;
}

/**
 * @param {FoundMessage} message
 * @returns {(Node | string)[]} what it says, or the part where it was found, with the places marked
 */
function excerpt({ content, marks }) {
  const chars = [...content].map((c) => (/\s/u.test(c) ? ' ' : c)); // as marks count
  const first = marks[0]?.[0] ?? 0;
  const begin = chars.length <= EXCERPT_CHARS || first <= LEAD_CHARS ? 0 : first - LEAD_CHARS;
  const end = Math.min(chars.length, begin + EXCERPT_CHARS);
  const part = (/** @type {number} */ from, /** @type {number} */ to) => chars.slice(Math.max(from, begin), Math.min(to, end)).join('');
  /** @type {(Node | string)[]} */
  const parts = [begin > 0 ? '…' : ''];
  let at = begin;
  for (const [start, length] of marks.filter(([start, length]) => start + length > begin && start < end)) {
    parts.push(part(at, start), h('mark', {}, part(start, start + length)));
    at = start + length;
  }
  parts.push(part(at, end), end < chars.length ? '…' : '');
  return parts;
}
