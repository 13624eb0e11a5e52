/**
 * What the owner of a channel, or an admin, may set: name, topic, who may enter and speak, and what is kept.
 * @module
 */

import { phrases } from '../language.js';
import { FEATURE_STAGE, MODE_PTT, Op, charCount } from '../protocol.js';
import { keepTimes, talkTimes, updateFailed } from '../words/channels.js';
import { byId, h, setText } from './dom.js';

/** What CHANNEL_UPDATE calls the server's own default. */
const DEFAULT = -1;
/** The server's limit of a topic, in characters. */
const TOPIC_CHARS = 200;

/**
 * @param {import('../session.js').Session} session
 * @returns {(channelId: string) => void} opens it
 */
export function mountSettings(session) {
  const { client, directory } = session;
  const dialog = /** @type {HTMLDialogElement} */ (byId('settings-dialog'));
  const form = /** @type {HTMLFormElement} */ (byId('settings-form'));
  const name = /** @type {HTMLInputElement} */ (byId('settings-name'));
  const topic = /** @type {HTMLInputElement} */ (byId('settings-topic'));
  const access = /** @type {HTMLSelectElement} */ (byId('settings-access'));
  const speaking = /** @type {HTMLSelectElement} */ (byId('settings-speaking'));
  const mode = /** @type {HTMLSelectElement} */ (byId('settings-mode'));
  const talk = /** @type {HTMLSelectElement} */ (byId('settings-talk'));
  const queue = /** @type {HTMLInputElement} */ (byId('settings-queue'));
  const cutIn = /** @type {HTMLInputElement} */ (byId('settings-cutin'));
  const over = /** @type {HTMLInputElement} */ (byId('settings-over'));
  const time = /** @type {HTMLSelectElement} */ (byId('settings-time'));
  const count = /** @type {HTMLInputElement} */ (byId('settings-count'));
  const submit = /** @type {HTMLButtonElement} */ (byId('settings-submit'));
  const error = byId('settings-error');
  let channelId = '';
  byId('settings-cancel').addEventListener('click', () => dialog.close());
  const showFloor = () => {
    byId('settings-floor').hidden = mode.value !== MODE_PTT;
  };
  mode.addEventListener('change', showFloor);

  /** @returns {string} what is wrong with the input, in words */
  const objection = () => {
    const most = session.limits?.channel_name_chars ?? Infinity;
    if (!name.value.trim()) {
      return phrases.create.needsName;
    }
    if (charCount(name.value.trim()) > most) {
      return phrases.create.longName(most);
    }
    return charCount(topic.value.trim()) > TOPIC_CHARS ? phrases.create.longTopic(TOPIC_CHARS) : '';
  };
  const changes = () => ({
    channel_id: channelId,
    channel_name: name.value.trim(),
    topic: topic.value.trim(),
    access: access.value,
    speaking: client.has(FEATURE_STAGE) ? speaking.value : undefined,
    mode: mode.value,
    ...(mode.value === MODE_PTT && {
      floor: {
        talk_ms: Number(talk.value),
        queue: queue.value === '' ? DEFAULT : Number(queue.value),
        cut_in: cutIn.checked,
        over: over.checked,
      },
    }),
    keep_messages: count.value === '' ? DEFAULT : Number(count.value),
    keep_for_ms: Number(time.value),
  });

  form.addEventListener('submit', async (e) => {
    e.preventDefault();
    setText(error, objection());
    if (objection()) {
      return;
    }
    submit.disabled = true;
    try {
      session.onChannelChanged(await client.request(Op.CHANNEL_UPDATE, changes()));
      dialog.close();
    } catch (err) {
      setText(error, updateFailed(/** @type {Error} */ (err)));
    } finally {
      submit.disabled = false;
    }
  });

  return (id) => {
    const info = directory.find(id);
    if (!info) {
      return;
    }
    channelId = id;
    setText(error, '');
    name.value = info.channel_name;
    topic.value = info.topic ?? '';
    access.value = info.access;
    speaking.value = info.speaking ?? 'all';
    byId('settings-stage').hidden = !client.has(FEATURE_STAGE);
    mode.value = info.mode;
    talk.replaceChildren(...talkTimes(info.floor?.talk_ms).map(([ms, words]) => h('option', { value: String(ms) }, words)));
    talk.value = String(info.floor?.talk_ms ?? DEFAULT);
    queue.value = info.floor?.queue === undefined ? '' : String(info.floor.queue);
    cutIn.checked = info.floor?.cut_in ?? false;
    over.checked = info.floor?.over ?? false;
    showFloor();
    time.replaceChildren(...keepTimes(info.keep_for_ms).map(([ms, words]) => h('option', { value: String(ms) }, words)));
    time.value = String(info.keep_for_ms ?? DEFAULT);
    count.value = info.keep_messages === undefined ? '' : String(info.keep_messages);
    dialog.showModal();
    name.focus();
  };
}
