/**
 * The chat of the channel.
 * @module
 */

import { charCount } from '../protocol.js';
import { messageFailed, noteWords } from '../words.js';
import { byId, h, renderList, setText } from './dom.js';
import { paintAvatar } from './people.js';

/** @typedef {import('../chat.js').Entry} Entry */

/** Messages of one author this close together share one head, in milliseconds. */
const TOGETHER_MS = 5 * 60_000;
/** This near to the end counts as reading along, in pixels. */
const NEAR_END_PX = 48;
/** The composer grows up to this height, in pixels. */
const COMPOSER_MAX_PX = 132;

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const link = /https?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]]/g;

/**
 * @param {string} text
 * @returns {(Node | string)[]} the text with its web addresses as links
 */
function withLinks(text) {
  /** @type {(Node | string)[]} */
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(link)) {
    const [url] = match;
    parts.push(text.slice(end, match.index));
    parts.push(h('a', { href: url, target: '_blank', rel: 'noopener noreferrer nofollow' }, url));
    end = match.index + url.length;
  }
  parts.push(text.slice(end));
  return parts;
}

/**
 * @param {Entry} entry
 * @returns {HTMLElement}
 */
function createEntry(entry) {
  if (entry.note) {
    return h('li', { class: 'note' }, noteWords(entry));
  }
  const avatar = h('span', { class: 'avatar avatar--small', 'aria-hidden': 'true' });
  paintAvatar(avatar, entry.authorId ?? '', entry.name);
  return h(
    'li',
    { class: 'message' },
    avatar,
    h(
      'p',
      { class: 'message__head' },
      h('span', { class: 'message__author' }, entry.name),
      h('time', { class: 'message__time' }),
    ),
    h('p', { class: 'message__text' }, ...withLinks(entry.text ?? '')),
  );
}

/**
 * @param {Entry} entry
 * @param {Entry | undefined} before
 * @returns {boolean} whether it needs no head of its own
 */
function follows(entry, before) {
  return before?.text !== undefined && before.authorId === entry.authorId && entry.at - before.at < TOGETHER_MS;
}

/**
 * @param {import('../session.js').Session} session
 * @returns {() => void} renders
 */
export function mountChat(session) {
  const { call } = session;
  const log = byId('chat-log');
  const form = /** @type {HTMLFormElement} */ (byId('chat-form'));
  const text = /** @type {HTMLTextAreaElement} */ (byId('chat-text'));
  const send = /** @type {HTMLButtonElement} */ (byId('chat-send'));
  // Who reads the newest line goes on reading the newest line.
  let atEnd = true;
  const toEnd = () => {
    if (atEnd) {
      log.scrollTop = log.scrollHeight;
    }
  };
  log.addEventListener('scroll', () => {
    atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_END_PX;
  });
  new ResizeObserver(toEnd).observe(log);
  /** @type {string | null} */
  let shownRoom = null;

  /**
   * @param {HTMLElement} item
   * @param {Entry} entry
   * @param {number} index
   */
  const update = (item, entry, index) => {
    if (entry.note) {
      return;
    }
    const before = call.room?.chat.entries[index - 1];
    item.classList.toggle('message--follows', follows(entry, before));
    item.classList.toggle('message--sending', entry.delivery === 'sending');
    const time = /** @type {HTMLTimeElement} */ (item.querySelector('time'));
    time.dateTime = new Date(entry.at).toISOString();
    setText(time, clock.format(entry.at));
    const failed = item.querySelector('.message__failed');
    if (entry.delivery !== 'failed') {
      failed?.remove();
    } else if (!failed) {
      const again = () => call.room?.chat.sendAgain(entry);
      item.append(
        h(
          'p',
          { class: 'message__failed', role: 'alert' },
          `${messageFailed(entry.error ?? null)} `,
          h('button', { class: 'link-button', type: 'button', click: again }, 'Send again'),
        ),
      );
    }
  };

  const grow = () => {
    text.style.height = 'auto';
    text.style.height = `${Math.min(text.scrollHeight, COMPOSER_MAX_PX)}px`;
  };

  /** @returns {string} what keeps the text from being sent, in words */
  const objection = () => {
    const over = charCount(text.value.trim()) - (session.limits?.message_chars ?? Infinity);
    return over > 0 ? `The message is ${over} characters too long.` : '';
  };

  text.addEventListener('input', () => {
    grow();
    setText(byId('chat-error'), objection());
  });
  text.addEventListener('keydown', (e) => {
    // While an input method composes, Enter chooses a word.
    if (e.key === 'Enter' && !e.shiftKey && !e.isComposing) {
      e.preventDefault();
      form.requestSubmit();
    }
  });
  form.addEventListener('submit', (e) => {
    e.preventDefault();
    const content = text.value.trim();
    if (!content || objection() || !call.here || !session.me) {
      return;
    }
    call.room?.chat.send(content, session.me);
    text.value = '';
    grow();
    text.focus();
  });

  return () => {
    const { room } = call;
    byId('chat').hidden = !room;
    atEnd ||= shownRoom !== (room?.channelId ?? null);
    shownRoom = room?.channelId ?? null;
    renderList(log, room?.chat.entries ?? [], (e) => String(e.key), createEntry, update);
    toEnd();
    send.disabled = !call.here;
    text.placeholder = room ? `Message ${room.name}` : '';
  };
}
