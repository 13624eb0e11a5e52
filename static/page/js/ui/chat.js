/**
 * The chat of the channel.
 * @module
 */

import { charCount } from '../protocol.js';
import { changeFailed } from '../words.js';
import { byId, h, renderList, setAttribute, setText } from './dom.js';
import { icon } from './icons.js';
import { createRow, quote, rowKey, rows, updateMessage } from './message.js';

/** @typedef {import('../chat.js').Entry} Entry */
/** @typedef {import('../chat.js').Chat} Chat */

/** This near to the end counts as reading along, in pixels. */
const NEAR_END_PX = 48;
/** This near to the beginning older messages are fetched, in pixels. */
const NEAR_START_PX = 400;
/** The composer grows up to this height, in pixels. */
const COMPOSER_MAX_PX = 132;

/**
 * @param {import('../session.js').Session} session
 * @returns {() => void} renders
 */
export function mountChat(session) {
  const { call } = session;
  const log = byId('chat-log');
  const send = /** @type {HTMLButtonElement} */ (byId('chat-send'));
  const compose = mountComposer(session);
  // Who reads the newest line goes on reading the newest line.
  let atEnd = true;
  /** @type {Chat | null} */
  let shown = null;
  // Up to where one has read, and where what one had not begins.
  let readKey = 0;
  /** @type {number | null} */
  let newKey = null;
  const chat = () => call.room?.chat ?? null;

  const toEnd = () => {
    if (atEnd) {
      log.scrollTop = log.scrollHeight;
    }
  };
  const fetchOlder = () => {
    const here = chat();
    if (here?.more && !here.failed && log.clientHeight > 0 && log.scrollTop < NEAR_START_PX) {
      here.older();
    }
  };
  log.addEventListener('scroll', () => {
    atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_END_PX;
    fetchOlder();
  });
  new ResizeObserver(toEnd).observe(log);
  mountActions(session, log, compose);

  /**
   * @param {HTMLElement} item
   * @param {Entry | import('./message.js').Mark} row
   * @param {Entry | import('./message.js').Mark | undefined} before
   */
  const update = (item, row, before) => {
    const here = /** @type {Chat} */ (chat());
    if (!('mark' in row)) {
      if (!row.note) {
        updateMessage(item, row, before, here);
      }
    } else if (row.mark === 'older') {
      const button = /** @type {HTMLButtonElement} */ (item.firstElementChild);
      const words = here.failed ? 'Earlier messages could not be read. Try again' : 'Earlier messages';
      setText(button, here.loading ? 'Loading…' : words);
      button.onclick = () => (here.more ? here.older() : here.load());
    }
  };

  /** Keeps where the line is from which on one has not read. */
  const renderNew = (/** @type {Chat} */ here) => {
    const last = Math.max(readKey, ...here.entries.map((e) => e.key));
    if (atEnd && !document.hidden && log.checkVisibility()) {
      readKey = last;
    } else {
      const mine = session.me?.userId;
      newKey = here.entries.find((e) => e.text !== undefined && e.authorId !== mine && e.key > readKey)?.key ?? newKey;
    }
  };
  compose.onSend = () => {
    newKey = null;
    atEnd = true;
  };

  return () => {
    const { room } = call;
    const here = chat();
    byId('chat').hidden = !room;
    if (here !== shown) {
      shown = here;
      atEnd = true;
      newKey = null;
      readKey = Math.max(0, ...(here?.entries ?? []).map((e) => e.key));
      compose.reset();
    }
    if (here) {
      renderNew(here);
      if (atEnd) {
        here.trim();
      }
    }
    // What one reads stays where it is, whatever comes above it.
    const { top: edge } = log.getBoundingClientRect();
    const anchor = atEnd ? null : [...log.querySelectorAll('.message')].find((e) => e.getBoundingClientRect().bottom > edge);
    const bottom = anchor?.getBoundingClientRect().bottom ?? 0; // the first one may lose its head
    const all = here ? rows(here, newKey) : [];
    renderList(log, all, rowKey, createRow, (item, row, index) => update(item, row, all[index - 1]));
    if (anchor?.isConnected) {
      log.scrollTop += anchor.getBoundingClientRect().bottom - bottom;
    }
    setAttribute(log, 'aria-busy', String(here?.loading ?? false));
    toEnd();
    fetchOlder();
    send.disabled = !call.here;
    compose.render();
  };
}

/**
 * Where one writes: a message, an answer to one, or another text for one's own.
 * @typedef {object} Composer
 * @property {(entry: Entry) => void} reply
 * @property {(entry: Entry) => void} edit
 * @property {(error: string) => void} say
 * @property {() => void} reset
 * @property {() => void} render
 * @property {() => void} onSend
 */

/**
 * @param {import('../session.js').Session} session
 * @returns {Composer}
 */
function mountComposer(session) {
  const { call } = session;
  const form = /** @type {HTMLFormElement} */ (byId('chat-form'));
  const text = /** @type {HTMLTextAreaElement} */ (byId('chat-text'));
  const about = byId('chat-about');
  /** @type {{entry: Entry, edits: boolean, draft: string} | null} what is answered or changed, and what was being written before */
  let subject = null;

  const grow = () => {
    text.style.height = 'auto';
    text.style.height = `${Math.min(text.scrollHeight, COMPOSER_MAX_PX)}px`;
  };

  /** @param {string} value */
  const put = (value) => {
    text.value = value;
    grow();
  };

  /** @returns {string} what keeps the text from being sent, in words */
  const objection = () => {
    const over = charCount(text.value.trim()) - (session.limits?.message_chars ?? Infinity);
    return over > 0 ? `The message is ${over} characters too long.` : '';
  };

  /** @param {string} error */
  const say = (error) => setText(byId('chat-error'), error);

  const end = () => {
    if (subject?.edits) {
      put(subject.draft);
    }
    subject = null;
    composer.render();
  };

  /**
   * @param {Entry} entry
   * @param {boolean} edits
   */
  const begin = (entry, edits) => {
    end();
    subject = { entry, edits, draft: text.value };
    if (edits) {
      put(entry.text ?? '');
    }
    composer.render();
    text.focus();
  };

  const submit = async () => {
    const content = text.value.trim();
    const chat = call.room?.chat;
    if (!content || objection() || !call.here || !session.me || !chat) {
      return;
    }
    const { entry, edits } = subject ?? {};
    if (entry && edits) {
      end();
      if (content !== entry.text) {
        await chat.edit(entry, content).then(() => say(''), (err) => say(changeFailed(err)));
      }
      return;
    }
    composer.onSend();
    chat.send(content, session.me, entry?.id);
    put('');
    end();
    text.focus();
  };

  text.addEventListener('input', () => {
    grow();
    say(objection());
  });
  text.addEventListener('keydown', (e) => {
    // While an input method composes, Enter chooses a word.
    if (e.key === 'Enter' && !e.shiftKey && !e.isComposing) {
      e.preventDefault();
      form.requestSubmit();
    } else if (e.key === 'Escape' && subject) {
      e.preventDefault();
      end();
    } else if (e.key === 'ArrowUp' && text.value.trim() === '' && !subject) {
      const last = call.room?.chat.entries.findLast((entry) => entry.id && entry.authorId === session.me?.userId);
      if (last) {
        e.preventDefault();
        begin(last, true);
      }
    }
  });
  byId('chat-about-end').addEventListener('click', () => {
    end();
    text.focus();
  });
  form.addEventListener('submit', (e) => {
    e.preventDefault();
    submit();
  });

  /** @type {Composer} */
  const composer = {
    reply: (entry) => begin(entry, false),
    edit: (entry) => begin(entry, true),
    say,
    reset: () => {
      subject = null;
    },
    render: () => {
      if (subject && !call.room?.chat.entries.includes(subject.entry)) {
        end(); // it was deleted
        return;
      }
      about.hidden = !subject;
      if (subject) {
        const { entry, edits } = subject;
        setText(byId('chat-about-text'), edits ? 'Editing your message' : `Replying to ${entry.name}: ${quote(entry)}`);
      }
      text.placeholder = call.room ? `Message ${call.room.name}` : '';
    },
    onSend: () => {},
  };
  return composer;
}

/**
 * What can be done with a message: buttons in the one that the mouse is over or that has the focus, which arrow keys move.
 * @param {import('../session.js').Session} session
 * @param {HTMLElement} log
 * @param {Composer} compose
 */
function mountActions(session, log, compose) {
  const { call } = session;
  /** @type {Entry | undefined} */
  let entry;

  /**
   * @param {import('./icons.js').IconName} name
   * @param {string} label
   * @param {(entry: Entry) => void} run
   */
  const button = (name, label, run) =>
    h('button', { class: 'icon-button', type: 'button', title: label, 'aria-label': label, click: () => entry && run(entry) }, icon(name));
  const reply = button('reply', 'Reply', compose.reply);
  const edit = button('edit', 'Edit', compose.edit);
  const remove = button('trash', 'Delete', () => arm(true));
  const sure = h('button', { class: 'button button--danger', type: 'button', hidden: true }, 'Delete for all');
  const bar = h('span', { class: 'message__actions' }, reply, edit, remove, sure);

  /** @param {boolean} armed whether the next click deletes */
  const arm = (armed) => {
    sure.hidden = !armed;
    remove.hidden = armed || !mayDelete();
    if (armed) {
      sure.focus();
    }
  };
  const mayDelete = () => {
    const mine = session.me?.userId;
    return entry?.authorId === mine || session.directory.find(call.here)?.owner_id === mine;
  };
  sure.addEventListener('click', () => {
    if (entry) {
      call.room?.chat.delete(entry).then(() => compose.say(''), (err) => compose.say(changeFailed(err)));
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
    entry = call.room?.chat.entries.find((one) => String(one.key) === key);
    if (!entry?.id || !call.here) {
      bar.remove();
      return;
    }
    edit.hidden = entry.authorId !== session.me?.userId;
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
    const { chat } = call.room ?? {};
    const from = chat?.entries.find((one) => String(one.key) === item.dataset.key);
    const answered = chat?.find(from?.replyTo);
    const to = answered && log.querySelector(`[data-key="${answered.key}"]`);
    if (to) {
      to.scrollIntoView({ block: 'center' });
      /** @type {HTMLElement} */ (to).focus({ preventScroll: true });
    } else {
      chat?.older();
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
