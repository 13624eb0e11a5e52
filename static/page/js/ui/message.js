/**
 * One line of the chat: a message, a note, or a mark between them.
 * @module
 */

import { language, phrases } from '../language.js';
import { parse, plain } from '../markup.js';
import { messageFailed, noteWords } from '../words/chat.js';
import { h, setText } from './dom.js';
import { icon } from './icons.js';
import { paintAvatar } from './people.js';

/** @typedef {import('../pages.js').Entry} Entry */
/** @typedef {import('../pages.js').Pages} Pages */
/** @typedef {import('../chat.js').Chat} Chat */

/**
 * What stands between entries: where a day begins, where what one has not read does, and what leads to older and to later messages.
 * @typedef {{mark: 'day' | 'new' | 'older' | 'later', at: number}} Mark
 */

/** Messages of one author this close together share one head, in milliseconds. */
const TOGETHER_MS = 5 * 60_000;
/** How much is shown of a message that is answered, in characters. */
const QUOTE_CHARS = 80;

export const clock = new Intl.DateTimeFormat(language, { hour: '2-digit', minute: '2-digit' });
const calendar = new Intl.DateTimeFormat(language, { weekday: 'long', day: 'numeric', month: 'long' });
const calendarOfOld = new Intl.DateTimeFormat(language, { day: 'numeric', month: 'long', year: 'numeric' });
export const moment = new Intl.DateTimeFormat(language, { dateStyle: 'full', timeStyle: 'short' });

/** What each part of a message is shown by. */
const TAGS = /** @type {const} */ ({ code: 'code', strong: 'strong', em: 'em', struck: 's' });

/**
 * @param {import('../markup.js').Part} part
 * @returns {Node | string}
 */
function draw(part) {
  if (typeof part === 'string') {
    return part;
  }
  const { kind, href = '' } = part;
  const within = part.parts.map(draw);
  switch (kind) {
    case 'block':
      return h('pre', { dir: 'ltr' }, h('code', {}, ...within));
    case 'link': {
      // An address is read from the left, whatever stands before it directs the writing to.
      const target = href.startsWith('http') ? '_blank' : null;
      return h('a', { href, target, rel: 'noopener noreferrer nofollow', dir: 'ltr' }, ...within);
    }
    default:
      return h(TAGS[kind], {}, ...within);
  }
}

/**
 * @param {number} at
 * @returns {string}
 */
export function dayWords(at) {
  const day = new Date(at);
  const today = new Date();
  const yesterday = new Date(today.getFullYear(), today.getMonth(), today.getDate() - 1);
  if (day.toDateString() === today.toDateString()) {
    return phrases.chat.today;
  }
  if (day.toDateString() === yesterday.toDateString()) {
    return phrases.chat.yesterday;
  }
  return (day.getFullYear() === today.getFullYear() ? calendar : calendarOfOld).format(day);
}

/**
 * @param {Pages} view
 * @param {number | null} newKey of the first entry that was not read
 * @param {boolean} later whether there are later messages
 * @returns {(Entry | Mark)[]} what is shown
 */
export function rows(view, newKey, later) {
  /** @type {(Entry | Mark)[]} */
  const all = view.more || view.error ? [{ mark: 'older', at: 0 }] : [];
  let day = '';
  for (const entry of view.entries) {
    if (entry.key === newKey) {
      all.push({ mark: 'new', at: entry.at });
    }
    if (!entry.note && new Date(entry.at).toDateString() !== day) {
      day = new Date(entry.at).toDateString();
      all.push({ mark: 'day', at: entry.at });
    }
    all.push(entry);
  }
  if (later) {
    all.push({ mark: 'later', at: 0 });
  }
  return all;
}

/**
 * @param {Entry | Mark} row
 * @returns {string}
 */
export function rowKey(row) {
  return 'mark' in row ? row.mark + (row.mark === 'day' ? new Date(row.at).toDateString() : '') : String(row.key);
}

/**
 * @param {Entry | Mark} row
 * @returns {HTMLElement}
 */
export function createRow(row) {
  if ('mark' in row) {
    switch (row.mark) {
      case 'older':
      case 'later':
        return h('li', { class: 'older' }, h('span', {}), h('button', { class: 'link-button', type: 'button' }));
      case 'new':
        return h('li', { class: 'mark mark--new' }, h('span', {}, phrases.chat.new));
      default:
        return h('li', { class: 'mark' }, h('span', {}, dayWords(row.at)));
    }
  }
  if (row.note) {
    return h('li', { class: 'note' }, noteWords(row));
  }
  const avatar = h('span', { class: 'avatar avatar--small', 'aria-hidden': 'true' });
  paintAvatar(avatar, row.authorId ?? '', row.name);
  return h(
    'li',
    { class: 'message', tabindex: '-1' },
    avatar,
    h(
      'p',
      { class: 'message__head' },
      h('span', { class: 'message__author', dir: 'auto' }, row.name),
      h('time', { class: 'message__time' }),
    ),
    h('div', { class: 'message__text', dir: 'auto' }),
  );
}

/**
 * @param {Entry} entry
 * @param {Entry | Mark | undefined} before
 * @returns {boolean} whether it needs no head of its own
 */
function follows(entry, before) {
  return (
    before !== undefined && !('mark' in before) && before.text !== undefined && !entry.replyTo &&
    before.authorId === entry.authorId && entry.at - before.at < TOGETHER_MS
  );
}

/**
 * @param {HTMLElement} item
 * @param {Entry} entry
 * @param {Entry | Mark | undefined} before
 * @param {Pages} view in which it is shown
 * @param {Chat} chat
 */
export function updateMessage(item, entry, before, view, chat) {
  item.classList.toggle('message--follows', follows(entry, before));
  item.classList.toggle('message--sending', entry.delivery === 'sending');
  const time = /** @type {HTMLTimeElement} */ (item.querySelector('time'));
  if (time.dateTime !== new Date(entry.at).toISOString()) {
    time.dateTime = new Date(entry.at).toISOString();
    time.title = moment.format(entry.at);
    setText(time, clock.format(entry.at));
  }
  const text = /** @type {HTMLElement} */ (item.querySelector('.message__text'));
  const shown = `${entry.editedAt ?? ''} ${entry.text}`;
  if (text.dataset.shown !== shown) {
    text.dataset.shown = shown;
    const edited = entry.editedAt
      ? h('span', { class: 'message__edited', title: moment.format(entry.editedAt) }, ` ${phrases.chat.edited}`)
      : null;
    text.replaceChildren(...parse(entry.text ?? '').map(draw), ...(edited ? [edited] : []));
  }
  updateReply(item, entry, view);
  updateFailure(item, entry, chat);
}

/**
 * @param {Entry} entry
 * @returns {string} the beginning of a message, as one line
 */
export function quote(entry) {
  const line = plain(entry.text ?? '').replace(/\s+/g, ' ').trim();
  const chars = [...line];
  return chars.length > QUOTE_CHARS ? `${chars.slice(0, QUOTE_CHARS).join('')}…` : line;
}

/**
 * @param {HTMLElement} item
 * @param {Entry} entry
 * @param {Pages} view
 */
function updateReply(item, entry, view) {
  if (!entry.replyTo) {
    return;
  }
  let button = item.querySelector('.message__reply');
  if (!button) {
    button = h('button', { class: 'message__reply', type: 'button' }, icon('reply'), h('span', { dir: 'auto' }));
    item.prepend(button);
  }
  const answered = view.find(entry.replyTo);
  setText(/** @type {Element} */ (button.lastElementChild), answered ? `${answered.name}: ${quote(answered)}` : phrases.chat.earlierOne);
}

/**
 * @param {HTMLElement} item
 * @param {Entry} entry
 * @param {Chat} chat
 */
function updateFailure(item, entry, chat) {
  const failed = item.querySelector('.message__failed');
  if (entry.delivery !== 'failed') {
    failed?.remove();
  } else if (!failed) {
    item.append(
      h(
        'p',
        { class: 'message__failed', role: 'alert' },
        `${messageFailed(entry.error ?? null)} `,
        h('button', { class: 'link-button', type: 'button', click: () => chat.sendAgain(entry) }, phrases.chat.again),
      ),
    );
  }
}
