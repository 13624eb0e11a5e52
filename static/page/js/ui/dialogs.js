/**
 * Creating and deleting a channel, and the way to the dialogs that have modules of their own.
 * @module
 */

import { phrases } from '../language.js';
import { later } from '../later.js';
import { charCount } from '../protocol.js';
import { createFailed } from '../words/channels.js';
import { byId, setText } from './dom.js';
import { mountMenus } from './loudness.js';
import { mountPerson } from './person.js';

/**
 * @typedef {object} Dialogs
 * @property {() => void} create asks for a new channel's name
 * @property {(channelId: string) => void} delete asks whether to delete it
 * @property {() => void} signOut asks whether to, where that cannot be undone
 * @property {(channelId?: string | null) => void} invite people to a channel or to the server
 * @property {(userId: string, button: HTMLElement) => void} moderate has a menu of what a moderator may do to somebody in the channel
 * @property {(userId: string, button: HTMLElement) => void} person has a menu of all that one may do about somebody in the channel
 * @property {() => void} audit whom moderators keep out, and what they did
 * @property {(channelId: string) => void} settings of a channel
 * @property {(channelId?: string | null) => void} search looks for what was written, in one channel or in all
 */

/**
 * @param {import('../session.js').Session} session
 * @param {import('../keys.js').Keys} keys
 * @param {import('../loudness.js').Loudness} loudness
 * @param {() => void} check opens the connection check
 * @returns {Dialogs}
 */
export function mountDialogs(session, keys, loudness, check) {
  const why = later(async () => (await import('./why.js')).mountWhy(session, loudness, check));
  const search = later(async () => (await import('./search.js')).mountSearch(session));
  keys.add({ chords: ['/'], words: phrases.channels.searchMessages, when: () => session.stage === 'in', run: () => search() });
  byId('search-open').addEventListener('click', () => search());
  return {
    create: mountCreate(session),
    delete: mountDelete(session),
    signOut: mountSignOut(session),
    invite: later(async () => (await import('./invites.js')).mountInvites(session)),
    ...mountMenus(session, loudness, mountPerson(session), why),
    audit: later(async () => (await import('./moderation.js')).mountAudit(session)),
    settings: later(async () => (await import('./settings.js')).mountSettings(session)),
    search,
  };
}

/**
 * @param {import('../session.js').Session} session
 * @returns {() => void}
 */
function mountCreate(session) {
  const dialog = /** @type {HTMLDialogElement} */ (byId('create-dialog'));
  const form = /** @type {HTMLFormElement} */ (byId('create-form'));
  const name = /** @type {HTMLInputElement} */ (byId('create-name'));
  const capacity = /** @type {HTMLInputElement} */ (byId('create-capacity'));
  const mode = /** @type {HTMLSelectElement} */ (byId('create-mode'));
  const submit = /** @type {HTMLButtonElement} */ (byId('create-submit'));
  const error = byId('create-error');
  byId('create-cancel').addEventListener('click', () => dialog.close());

  /** @returns {string} what is wrong with the input, in words */
  const objection = () => {
    if (!name.value.trim()) {
      return phrases.create.needsName;
    }
    const most = session.limits?.channel_name_chars ?? Infinity;
    return charCount(name.value.trim()) > most ? phrases.create.longName(most) : '';
  };

  form.addEventListener('submit', async (e) => {
    e.preventDefault();
    setText(error, objection());
    if (objection()) {
      return;
    }
    submit.disabled = true;
    try {
      const info = await session.directory.create(name.value.trim(), mode.value, Number(capacity.value) || 0);
      dialog.close();
      if (session.call.wanted === null) {
        session.call.join(info.channel_id);
      }
    } catch (err) {
      setText(error, createFailed(/** @type {Error} */ (err)));
    } finally {
      submit.disabled = false;
    }
  });

  return () => {
    form.reset();
    setText(error, '');
    const most = session.limits?.channel_capacity;
    if (most) {
      capacity.max = String(most);
      capacity.placeholder = phrases.create.upTo(most);
    }
    dialog.showModal();
    name.focus();
  };
}

/**
 * @param {import('../session.js').Session} session
 * @returns {(channelId: string) => void}
 */
function mountDelete(session) {
  const dialog = /** @type {HTMLDialogElement} */ (byId('delete-dialog'));
  let channelId = '';
  byId('delete-cancel').addEventListener('click', () => dialog.close());
  byId('delete-confirm').addEventListener('click', () => {
    dialog.close();
    session.deleteChannel(channelId);
  });

  return (id) => {
    channelId = id;
    const info = session.directory.find(id);
    const others = session.peopleIn(id).length - 1;
    setText(byId('delete-title'), phrases.remove.title(info?.channel_name ?? id));
    setText(
      byId('delete-text'),
      others > 0 ? phrases.remove.others(phrases.common.people(others)) : phrases.remove.nobody,
    );
    dialog.showModal();
    byId('delete-cancel').focus();
  };
}

/**
 * Who came by an invite is known on this browser only by its login, so leaving is for good.
 * @param {import('../session.js').Session} session
 * @returns {() => void}
 */
function mountSignOut(session) {
  const dialog = /** @type {HTMLDialogElement} */ (byId('signout-dialog'));
  byId('signout-cancel').addEventListener('click', () => dialog.close());
  byId('signout-confirm').addEventListener('click', () => {
    dialog.close();
    session.signOut();
  });
  return () => {
    if (session.kind !== 'login') {
      session.signOut();
      return;
    }
    setText(byId('signout-title'), phrases.signOut.title(session.me?.name ?? ''));
    dialog.showModal();
    byId('signout-cancel').focus();
  };
}
