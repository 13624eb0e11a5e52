/**
 * What one has begun to write, by channel, kept for this tab: it outlives a reload, and a look into another channel.
 * @module
 */

import { forTab, read, write } from './storage.js';

const KEY = 'livechat.drafts';

/**
 * @returns {{userId: string, texts: Record<string, string>}} whose they are, and the texts by channel id
 */
function load() {
  try {
    const { userId, texts } = JSON.parse(read(forTab, KEY));
    return { userId: String(userId), texts: Object.fromEntries(Object.entries(texts).map(([id, text]) => [id, String(text)])) };
  } catch {
    return { userId: '', texts: {} };
  }
}

/**
 * @param {string} userId who one is: another one's are none of theirs
 * @param {string} channelId
 * @returns {string}
 */
export function draftOf(userId, channelId) {
  const kept = load();
  return kept.userId === userId && Object.hasOwn(kept.texts, channelId) ? kept.texts[channelId] : '';
}

/**
 * @param {string} userId
 * @param {string} channelId
 * @param {string} text blanks alone are none
 */
export function keepDraft(userId, channelId, text) {
  const kept = load();
  const texts = kept.userId === userId ? kept.texts : {};
  delete texts[channelId];
  if (text.trim()) {
    texts[channelId] = text;
  }
  write(forTab, KEY, Object.keys(texts).length > 0 ? JSON.stringify({ userId, texts }) : '');
}
