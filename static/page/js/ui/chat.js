/**
 * The chat that one reads: of the channel one is in, or of one that one looks at.
 * @module
 */

import { phrases } from '../language.js';
import { emptyWords, lookWords, newMessages, notFoundWords, readFailed } from '../words/chat.js';
import { mountActions } from './actions.js';
import { mountComposer } from './composer.js';
import { byId, renderList, setAttribute, setText } from './dom.js';
import { createRow, rowKey, rows, updateMessage } from './message.js';

/** @typedef {import('../pages.js').Entry} Entry */
/** @typedef {import('./message.js').Mark} Mark */

/** This near to the end counts as reading along, in pixels. */
const NEAR_END_PX = 48;
/** This near to the beginning or the end more messages are fetched, in pixels. */
const NEAR_EDGE_PX = 400;
/** Where the line is put from which on one has not read, below the upper edge, in pixels. */
const LINE_PX = 56;

/**
 * @param {import('../session.js').Session} session
 * @param {import('./dialogs.js').Dialogs} dialogs
 * @returns {() => void} renders
 */
export function mountChat(session, dialogs) {
  const { call, reading } = session;
  const log = byId('chat-log');
  const list = byId('chat-list');
  const newest = byId('chat-newest');
  const send = /** @type {HTMLButtonElement} */ (byId('chat-send'));
  const compose = mountComposer(session);
  const renderHead = mountHead(session, dialogs);
  /** Who reads the newest line goes on reading the newest line. */
  let atEnd = true;
  /** @type {import('../pages.js').Pages | null} */
  let shown = null;
  /** @type {string | null} */
  let channelId = null;
  /** One has just come, and is put to where one left off. */
  let opening = false;
  /** Of the first message that one had not seen, and whether there are any such still. @type {number | null} */
  let newKey = null;
  let unseen = false;

  const fromEnd = () => log.scrollHeight - log.scrollTop - log.clientHeight;
  const toEnd = () => {
    if (atEnd) {
      log.scrollTop = log.scrollHeight;
    }
  };
  const fetchMore = () => {
    const { view, chat } = reading;
    if (!view?.ready || view.error || view.loading || log.clientHeight === 0) {
      return;
    }
    if (view.more && log.scrollTop < NEAR_EDGE_PX) {
      view.older();
    } else if (chat?.passage && fromEnd() < NEAR_EDGE_PX) {
      chat.newer();
    }
  };
  /** @param {(element: HTMLElement) => boolean} [that] */
  const lastMessage = (that = () => true) =>
    /** @type {HTMLElement | undefined} */ ([.../** @type {NodeListOf<HTMLElement>} */ (log.querySelectorAll('.message'))].findLast(that));
  /** Has what is in view be read. */
  const see = () => {
    const { chat } = reading;
    if (!chat || chat.passage || opening || document.hidden || !log.checkVisibility()) {
      return;
    }
    const edge = log.getBoundingClientRect().bottom + NEAR_END_PX / 2;
    const item = lastMessage((e) => e.getBoundingClientRect().bottom <= edge);
    const entry = chat.entries.find((one) => String(one.key) === item?.dataset.key);
    if (entry) {
      chat.see(entry);
    }
  };
  const renderNewest = () => {
    const waiting = reading.chat?.entries.filter((entry) => entry.unseen).length ?? 0;
    newest.hidden = !reading.chat?.passage && (atEnd || (waiting === 0 && fromEnd() < log.clientHeight));
    setText(/** @type {Element} */ (newest.lastElementChild), newMessages(waiting));
  };
  log.addEventListener('scroll', () => {
    atEnd = !reading.chat?.passage && fromEnd() < NEAR_END_PX;
    see();
    renderNewest();
    fetchMore();
  });
  newest.addEventListener('click', () => toNewest());
  document.addEventListener('visibilitychange', see);
  new ResizeObserver(toEnd).observe(log);
  mountActions(session, log, compose);
  const toNewest = () => {
    atEnd = true;
    reading.chat?.newest();
    lastMessage()?.focus({ preventScroll: true });
    render();
  };

  /**
   * @param {HTMLElement} item
   * @param {Entry | Mark} row
   * @param {Entry | Mark | undefined} before
   */
  const update = (item, row, before) => {
    const { view, chat } = reading;
    if (!view || !chat) {
      return;
    }
    if (!('mark' in row)) {
      if (!row.note) {
        updateMessage(item, row, before, view, chat);
      }
    } else if (row.mark === 'older' || row.mark === 'later') {
      const words = row.mark === 'older' ? phrases.chat.earlier : phrases.chat.later;
      const [reason, button] = /** @type {HTMLCollectionOf<HTMLElement>} */ (item.children);
      const error = view.loading ? null : view.error;
      setText(reason, error ? `${readFailed(error)} ` : '');
      setText(button, view.loading ? phrases.common.loading : error ? phrases.common.tryAgain : words);
      button.onclick = () => (row.mark === 'later' ? chat.newer() : view.more ? view.older() : chat.load());
    }
  };

  /** Shows what there is. What one reads stays where it is, whatever comes above it. */
  const draw = () => {
    const { view, chat } = reading;
    const { top: edge } = log.getBoundingClientRect();
    const anchor = atEnd ? null : [...log.querySelectorAll('.message')].find((e) => e.getBoundingClientRect().bottom > edge);
    const bottom = anchor?.getBoundingClientRect().bottom ?? 0; // the first one may lose its head
    const all = view ? rows(view, newKey, view === chat?.passage) : [];
    renderList(list, all, rowKey, createRow, (item, row, index) => update(item, row, all[index - 1]));
    if (anchor?.isConnected) {
      log.scrollTop += anchor.getBoundingClientRect().bottom - bottom;
    }
    setAttribute(log, 'aria-busy', String(view?.loading ?? false));
    toEnd();
  };

  /** Shows from where on one has not read, for as long as one reads it and until one writes. */
  const drawLine = () => {
    const first = reading.chat?.entries.find((entry) => entry.unseen);
    if (first && !unseen) {
      newKey = first.key;
      draw();
    }
    unseen = first !== undefined;
  };

  /** Puts one who has come to where one left off, once that is known. */
  const open = () => {
    if (!opening || !reading.chat?.ready || reading.chat.passage || !log.checkVisibility()) {
      return;
    }
    opening = false;
    drawLine();
    const line = /** @type {HTMLElement | null} */ (log.querySelector('.mark--new'));
    if (line) {
      log.scrollTop += line.getBoundingClientRect().top - log.getBoundingClientRect().top - LINE_PX;
      atEnd = fromEnd() < NEAR_END_PX;
    }
  };

  /** Goes to the message that somebody wants to see, once it is there. */
  const find = () => {
    const { view, chat, target } = reading;
    if (!target || !log.checkVisibility()) {
      return;
    }
    const entry = view?.find(target);
    const item = entry && /** @type {HTMLElement | null} */ (log.querySelector(`[data-key="${entry.key}"]`));
    if (item) {
      opening = false;
      atEnd = false;
      item.scrollIntoView({ block: 'center' });
      item.focus({ preventScroll: true });
      item.classList.add('message--found');
      item.addEventListener('animationend', () => item.classList.remove('message--found'), { once: true });
    } else if (!chat?.passage?.ready) {
      return;
    } else {
      compose.say(notFoundWords(chat.passage.error));
      chat.newest();
    }
    reading.target = null;
  };

  compose.onSend = () => {
    newKey = null;
    atEnd = true;
    reading.chat?.newest();
  };

  function render() {
    const { view, chat } = reading;
    byId('chat').hidden = !view;
    if (reading.channelId !== channelId) {
      ({ channelId } = reading);
      opening = true;
      atEnd = true;
      newKey = null;
      unseen = false;
      compose.reset();
    }
    if (view !== shown && view === chat?.passage) {
      atEnd = false;
    }
    shown = view;
    if (chat && atEnd && !chat.passage) {
      chat.trim();
    }
    renderHead();
    draw();
    open();
    find();
    see();
    drawLine();
    renderNewest();
    fetchMore();
    send.disabled = !call.here;
    compose.render();
  }
  return render;
}

/**
 * What stands above the chat, and below it where one only looks.
 * @param {import('../session.js').Session} session
 * @param {import('./dialogs.js').Dialogs} dialogs
 * @returns {() => void} renders
 */
function mountHead(session, dialogs) {
  const { call, directory, reading } = session;
  const join = byId('chat-join');
  byId('chat-search').addEventListener('click', () => dialogs.search(reading.channelId));
  byId('chat-settings').addEventListener('click', () => reading.channelId && dialogs.settings(reading.channelId));
  byId('chat-close').addEventListener('click', () => reading.leave());
  join.addEventListener('click', () => reading.channelId && call.join(reading.channelId));

  return () => {
    const { channelId, looking, view } = reading;
    const info = looking ? directory.find(channelId) : undefined;
    byId('chat-empty').hidden = !view?.ready || view.error !== null || view.entries.length > 0;
    setText(byId('chat-empty'), emptyWords(directory.find(channelId)));
    byId('chat').classList.toggle('chat--looking', looking);
    setText(byId('chat-title'), looking ? directory.nameOf(channelId) : phrases.chat.title);
    byId('chat-state').hidden = !looking;
    setText(byId('chat-topic'), info?.topic ?? '');
    byId('chat-close').hidden = !looking;
    const back = call.room ? phrases.chat.backTo(call.room.name) : phrases.common.close;
    setAttribute(byId('chat-close'), 'title', back);
    setAttribute(byId('chat-close'), 'aria-label', back);
    byId('chat-settings').hidden = !looking || !session.mayAdminister(channelId);
    byId('chat-look').hidden = !looking;
    byId('chat-form').hidden = looking;
    join.hidden = !session.mayEnter(channelId) || call.wanted === channelId;
    setText(byId('chat-look-text'), looking ? lookWords(session.mayEnter(channelId), call.room?.name ?? '') : '');
  };
}
