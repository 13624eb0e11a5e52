/**
 * The page's title, which counts what is unread in all channels, and so does the icon of a page that was installed.
 * @module
 */

import { phrases } from '../language.js';
import { unreadWords } from '../words/chat.js';

/**
 * @param {import('../session.js').Session} session
 * @returns {() => void} renders
 */
export function mountTitle(session) {
  let counted = 0;
  return () => {
    const { room } = session.call;
    const { unread } = session;
    document.title = [unread > 0 ? `(${unreadWords(unread)})` : '', room ? `${room.name} ·` : '', phrases.common.name].filter(Boolean).join(' ');
    if (unread !== counted) {
      counted = unread;
      /** @type {any} */ (navigator).setAppBadge?.(unread)?.catch(() => {}); // 0 takes it away
    }
  };
}
