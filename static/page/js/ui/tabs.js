/**
 * On a narrow screen: which of channels, people and chat is shown.
 * @module
 */

import { byId, setAttribute, setText } from './dom.js';

/** Above this the badge says "9+". */
const BADGE_MAX = 9;

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
  let readKey = 0;
  if (invitedTo) {
    // The invitation is where people would be.
    app.dataset.view = 'people';
  }

  for (const tab of tabs) {
    tab.addEventListener('click', () => {
      app.dataset.view = tab.dataset.tab;
      render();
    });
  }

  function render() {
    const { room } = session.call;
    const roomId = room?.channelId ?? session.call.wanted;
    if (roomId !== shownRoom) {
      // Arriving shows who is there, leaving shows where else to go.
      shownRoom = roomId;
      app.dataset.view = roomId || session.call.trouble ? 'people' : 'channels';
    } else if (session.call.trouble && !room) {
      app.dataset.view = 'people';
    }
    const view = app.dataset.view;
    // Before one is anywhere there is only the list, or the way back to it.
    bar.hidden = !room && view === 'channels';
    for (const tab of tabs) {
      tab.hidden = !room && tab.dataset.tab === 'chat';
      setAttribute(tab, 'aria-pressed', String(tab.dataset.tab === view));
    }
    const entries = room?.chat.entries ?? [];
    if (view === 'chat') {
      readKey = Math.max(readKey, ...entries.map((e) => e.key));
    }
    const mine = session.me?.userId;
    const unread = entries.filter((e) => e.text !== undefined && e.authorId !== mine && e.key > readKey).length;
    badge.hidden = unread === 0;
    setText(badge, unread > BADGE_MAX ? `${BADGE_MAX}+` : String(unread));
    setAttribute(badge, 'aria-label', `${unread} unread`);
  }

  return render;
}
