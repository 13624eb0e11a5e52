/**
 * Notices of the system: who writes in the channel one is in, to one who has asked for that, while the page is hidden.
 * @module
 */

import { phrases } from './language.js';
import { plain } from './markup.js';
import { Op } from './protocol.js';

/** How much of a message is told, in characters. */
const TOLD_CHARS = 160;

/** Whether this browser can. */
export const canNotify = () => 'Notification' in window && 'serviceWorker' in navigator;

/** Asks the person, by a click of theirs only. @returns {Promise<boolean>} whether they allow it */
export async function askToNotify() {
  return canNotify() && (await Notification.requestPermission()) === 'granted';
}

/**
 * @param {string} text of a message
 * @returns {string} what may stand on a locked screen: of addresses, which may let somebody in, no more than where they lead
 */
export function told(text) {
  const chars = [...plain(text, (href) => new URL(href).host || href).replace(/\s+/g, ' ').trim()];
  return chars.length > TOLD_CHARS ? `${chars.slice(0, TOLD_CHARS).join('')}…` : chars.join('');
}

/**
 * @param {import('./session.js').Session} session
 * @param {import('./choices.js').Choices} choices
 * @param {import('./shell.js').Shell} shell
 */
export function mountNotices(session, choices, shell) {
  const { call, client, directory } = session;
  client.addEventListener('event', (e) => {
    const { op, d } = /** @type {CustomEvent} */ (e).detail;
    const how = choices.get('notices');
    const tells = op === Op.MESSAGE_EVENT && d.author_id !== session.me?.userId && d.channel_id === call.here && how !== 'none';
    if (!tells || !document.hidden || !canNotify() || Notification.permission !== 'granted') {
      return;
    }
    const channelId = d.channel_id;
    shell.notify(phrases.notices.wrote(d.author_name, directory.nameOf(channelId)), {
      body: how === 'what' ? told(d.content) : '',
      tag: channelId, // one for each channel: the latest
      icon: 'icons/icon-192.png',
      silent: choices.get('tones'), // which tell it already
      data: { channelId },
    }).catch(() => {}); // the permission was taken back
  });
  document.addEventListener('visibilitychange', () => !document.hidden && shell.quiet());
}
