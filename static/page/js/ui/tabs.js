/**
 * On a narrow screen: which of channels, people and chat is shown.
 * @module
 */

import { phrases } from '../language.js';
import { unreadWords } from '../words/chat.js';
import { byId, setAttribute, setText } from './dom.js';

/**
 * @param {import('../session.js').Session} session
 * @param {string} invitedTo the channel a link invites to, or ''
 * @returns {() => void} renders
 */
export function mountTabs(session, invitedTo) {
  const app = byId('app');
  const bar = byId('tabs');
  const tabs = /** @type {HTMLElement[]} */ ([...bar.querySelectorAll('[data-tab]')]);
  const badge = byId('chat-badge');
  /** @type {string | null} */
  let shownRoom = null;
  if (invitedTo) {
    // The invitation is where people would be.
    app.dataset.view = 'people';
  }

  for (const tab of tabs) {
    tab.addEventListener('click', () => {
      app.dataset.view = tab.dataset.tab;
      session.changed();
    });
  }

  return () => {
    const { room } = session.call;
    const { channelId: readId } = session.reading;
    const roomId = room?.channelId ?? session.call.wanted;
    if (roomId !== shownRoom) {
      // Arriving shows who is there, leaving shows where else to go.
      shownRoom = roomId;
      app.dataset.view = roomId || session.call.talk.trouble ? 'people' : 'channels';
    } else if (session.call.talk.trouble && !room) {
      app.dataset.view = 'people';
    }
    if (app.dataset.view === 'chat' && !readId) {
      app.dataset.view = room ? 'people' : 'channels';
    }
    const view = app.dataset.view;
    // Before one is anywhere there is only the list, or the way back to it.
    bar.hidden = !room && !readId && view === 'channels';
    for (const tab of tabs) {
      tab.hidden = !readId && tab.dataset.tab === 'chat';
      setAttribute(tab, 'aria-pressed', String(tab.dataset.tab === view));
    }
    const unread = session.marks.unread(readId);
    badge.hidden = unread === 0;
    setText(badge, unreadWords(unread));
    setAttribute(badge, 'aria-label', phrases.common.unreadOnly(unreadWords(unread)));
  };
}
