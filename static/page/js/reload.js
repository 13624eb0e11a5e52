/**
 * Brings one back after a reload of the page: into the channel where one was, muted and deafened as one was, listening who listened.
 * It is kept for this tab only, and only a reload counts: whoever comes by a link or by a new tab joins by a click.
 * @module
 */

import { forTab, read, write } from './storage.js';

const KEY = 'livechat.was';

/**
 * @typedef {object} Was
 * @property {string} channelId
 * @property {boolean} muted
 * @property {boolean} deaf
 * @property {boolean} listenOnly
 */

let meant = false;

/** Loads the page anew by one's own doing, about which nobody is asked. */
export function reload() {
  meant = true;
  location.reload();
}

/** Whether that is going on. */
export const reloads = () => meant;

/** Whether this page came by a reload. */
function isReload() {
  const [entry] = performance.getEntriesByType('navigation');
  return /** @type {PerformanceNavigationTiming | undefined} */ (entry)?.type === 'reload';
}

/**
 * Has the voice be as it was before a reload, and keeps from now on how it is for the next one.
 * @param {import('./call.js').Call} call
 * @param {string} linked the channel that the address leads to, or ''
 * @returns {string | null} the channel where one was; null for none, or when another link was put into the tab
 */
export function comeBack(call, linked) {
  /** @type {Partial<Was> | null} */
  let was = null;
  try {
    was = isReload() ? JSON.parse(read(forTab, KEY) || 'null') : null;
  } catch {
    // It is of another make.
  }
  const channelId = typeof was?.channelId === 'string' && (was.channelId === linked || !linked) ? was.channelId : null;
  if (was && channelId !== null) {
    call.voice.setMuted(was.muted === true);
    call.voice.setDeaf(was.deaf === true);
    call.talk.listenOnly = was.listenOnly === true;
  }
  let kept = read(forTab, KEY);
  const keep = () => {
    const { wanted, voice, talk } = call;
    const now = wanted === null ? '' : JSON.stringify({ channelId: wanted, muted: voice.muted, deaf: voice.deaf, listenOnly: talk.listenOnly });
    if (now !== kept) {
      kept = now;
      write(forTab, KEY, now);
    }
  };
  call.addEventListener('change', keep);
  return channelId;
}
