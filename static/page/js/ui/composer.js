/**
 * Where one writes: a message, an answer to one, or another text for one's own.
 * @module
 */

import { draftOf, keepDraft } from '../drafts.js';
import { phrases } from '../language.js';
import { charCount } from '../protocol.js';
import { changeFailed } from '../words/chat.js';
import { byId, setText } from './dom.js';
import { quote } from './message.js';

/** @typedef {import('../pages.js').Entry} Entry */

/** The composer grows up to this height, in pixels. */
const COMPOSER_MAX_PX = 132;

/**
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
export function mountComposer(session) {
  const { call, reading } = session;
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

  const keep = () => {
    if (session.me && reading.channelId) {
      keepDraft(session.me.userId, reading.channelId, subject?.edits ? subject.draft : text.value);
    }
  };

  /** @returns {string} what keeps the text from being sent, in words */
  const objection = () => {
    const over = charCount(text.value.trim()) - (session.limits?.message_chars ?? Infinity);
    return over > 0 ? phrases.chat.tooLong(over) : '';
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
    const { chat } = reading;
    if (!content || objection() || !call.here || reading.looking || !session.me || !chat) {
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
    keep();
    text.focus();
  };

  text.addEventListener('input', () => {
    grow();
    keep();
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
      const last = reading.view?.entries.findLast((entry) => entry.id && entry.authorId === session.me?.userId);
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
      put(session.me && reading.channelId ? draftOf(session.me.userId, reading.channelId) : '');
    },
    render: () => {
      if (subject?.entry.gone) {
        end();
        return;
      }
      about.hidden = !subject;
      if (subject) {
        const { entry, edits } = subject;
        setText(byId('chat-about-text'), edits ? phrases.chat.editing : phrases.chat.replying(entry.name, quote(entry)));
      }
      text.placeholder = call.room ? phrases.chat.writeTo(call.room.name) : '';
    },
    onSend: () => {},
  };
  return composer;
}
