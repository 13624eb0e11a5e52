/**
 * On a narrow screen: which of channels, people and chat is shown.
 * @module
 */

import { byId, setAttribute, setText } from './dom.js';

/** Above this the badge says "9+". */
const BADGE_MAX = 9;

/**
 * @param {import('../session.js').Session} session
 * @returns {() => void} renders
 */
export function mountTabs(session) {
  const app = byId('app');
  const tabs = /** @type {HTMLElement[]} */ ([...byId('tabs').querySelectorAll('[data-tab]')]);
  const badge = byId('chat-badge');
  /** @type {string | null} */
  let shownRoom = null;
  let readKey = 0;

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
    byId('tabs').hidden = !room;
    for (const tab of tabs) {
      setAttribute(tab, 'aria-pressed', String(tab.dataset.tab === view));
    }
    const entries = room?.chat.entries ?? [];
    if (view === 'chat') {
      readKey = entries.at(-1)?.key ?? readKey;
    }
    const mine = session.me?.userId;
    const unread = entries.filter((e) => e.text !== undefined && e.authorId !== mine && e.key > readKey).length;
    badge.hidden = unread === 0;
    setText(badge, unread > BADGE_MAX ? `${BADGE_MAX}+` : String(unread));
    setAttribute(badge, 'aria-label', `${unread} unread`);
  }

  return render;
}
