/**
 * What a moderator may do to somebody in the channel: a menu, and a dialog for what needs another word.
 * @module
 */

import { phrases } from '../language.js';
import { Op } from '../protocol.js';
import { BAN_TIMES, moderationFailed } from '../words/moderation.js';
import { byId, h, setText } from './dom.js';
import { icon } from './icons.js';
import { closeLostMenu } from './menu.js';

/** @typedef {import('../protocol.js').Member} Member */

/**
 * @typedef {object} Question what the dialog asks
 * @property {string} title
 * @property {string} text
 * @property {string} [confirm] the button's label; none where one chooses a channel
 * @property {boolean} [lasts] it is for a time
 * @property {() => Promise<void>} [act]
 */

/**
 * @param {import('../session.js').Session} session
 * @returns {(userId: string) => import('./menu.js').Item[]} what the menu has
 */
export function mountPerson(session) {
  const { call, client, directory } = session;
  const dialog = /** @type {HTMLDialogElement} */ (byId('person-dialog'));
  const form = /** @type {HTMLFormElement} */ (byId('person-form'));
  const channels = byId('person-channels');
  const time = /** @type {HTMLSelectElement} */ (byId('person-time'));
  const reason = /** @type {HTMLInputElement} */ (byId('person-reason'));
  const confirm = /** @type {HTMLButtonElement} */ (byId('person-confirm'));
  const error = byId('person-error');
  /** @type {Question | null} */
  let asked = null;
  time.replaceChildren(...BAN_TIMES.map(([s, words]) => h('option', { value: String(s) }, words)));
  byId('person-cancel').addEventListener('click', () => dialog.close());
  session.addEventListener('change', closeLostMenu);

  /** @param {() => Promise<void>} act what is done before the dialog closes */
  const attempt = async (act) => {
    setText(error, '');
    confirm.disabled = true;
    try {
      await act();
      dialog.close();
    } catch (err) {
      setText(error, moderationFailed(/** @type {Error} */ (err)));
    } finally {
      confirm.disabled = false;
    }
  };
  form.addEventListener('submit', (e) => {
    e.preventDefault();
    if (asked?.act) {
      attempt(asked.act);
    }
  });

  /** @param {Question} question */
  const ask = (question) => {
    asked = question;
    setText(byId('person-title'), question.title);
    setText(byId('person-text'), question.text);
    setText(error, '');
    setText(confirm, question.confirm ?? '');
    confirm.hidden = !question.confirm;
    channels.hidden = Boolean(question.confirm);
    byId('person-why').hidden = !question.confirm;
    byId('person-duration').hidden = !question.lasts;
    time.value = String(BAN_TIMES[1][0]);
    reason.value = '';
    dialog.showModal();
    if (question.confirm) {
      reason.focus();
    }
  };

  /** @param {Member} member */
  const mute = async ({ user_id, name, muted }) => {
    try {
      await client.request(Op.MEMBER_MUTE, { user_id, mute: !muted });
      session.onDone({ action: muted ? 'unmute' : 'mute', user_id, name });
    } catch (err) {
      call.report('deed', name, /** @type {Error} */ (err));
    }
  };

  /** @param {Member} member */
  const askWhere = ({ user_id, name }) => {
    /** @param {string} channel_id */
    const move = async (channel_id) => {
      await client.request(Op.MEMBER_MOVE, { user_id, channel_id });
      session.onDone({ action: 'move', user_id, name, to_channel_id: channel_id });
    };
    const others = directory.channels.filter((c) => c.channel_id !== call.here);
    channels.replaceChildren(
      ...others.map((c) =>
        h(
          'li',
          {},
          h(
            'button',
            { class: 'channel', type: 'button', click: () => attempt(() => move(c.channel_id)) },
            icon(c.access === 'members' ? 'lock' : 'channel'),
            h('span', { class: 'channel__name' }, c.channel_name),
            h('span', { class: 'channel__count' }, String(session.peopleIn(c.channel_id).length)),
          ),
        ),
      ),
    );
    const text = others.length > 0 ? phrases.person.moveText : phrases.person.noOther;
    ask({ title: phrases.person.moveTitle(name), text });
  };

  /**
   * @param {Member} member
   * @param {boolean} may
   */
  const letSpeak = async ({ user_id, name }, may) => {
    try {
      await call.audience.allow(user_id, may);
    } catch (err) {
      call.report('deed', name, /** @type {Error} */ (err));
    }
  };
  /**
   * @param {Member} member
   * @returns {import('./menu.js').Item[]} whether they speak, in a channel where not everybody does
   */
  const speech = (member) => {
    const onStage = directory.find(call.here)?.speaking === 'allowed';
    const up = member.hand_at !== undefined;
    return [
      ...(onStage && member.suppressed ? [{ icon: /** @type {const} */ ('mic'), label: phrases.person.letSpeak, run: () => letSpeak(member, true) }] : []),
      ...(onStage && !member.suppressed ? [{ icon: /** @type {const} */ ('ear'), label: phrases.person.toAudience, run: () => letSpeak(member, false) }] : []),
      ...(up && (member.suppressed || !onStage) ? [{ icon: /** @type {const} */ ('hand'), label: phrases.person.lowerHand, run: () => letSpeak(member, false) }] : []),
    ];
  };

  const why = () => reason.value.trim() || undefined;
  /** @param {Member} member */
  const askKick = ({ user_id, name }) =>
    ask({
      title: phrases.person.removeTitle(name),
      text: phrases.person.removeText,
      confirm: phrases.person.remove,
      act: async () => {
        const done = await client.request(Op.MEMBER_KICK, { user_id, reason: why() });
        session.onDone({ action: 'kick', user_id, name, reason: done.reason });
      },
    });
  /** @param {Member} member */
  const askBan = ({ user_id, name }) =>
    ask({
      title: phrases.person.banTitle(name),
      text: phrases.person.banText,
      confirm: phrases.person.ban,
      lasts: true,
      act: async () => {
        const done = await client.request(Op.MEMBER_BAN, { user_id, duration_s: Number(time.value), reason: why() });
        session.onDone({ action: 'ban', user_id, name, reason: done.reason });
      },
    });

  return (userId) => {
    const member = call.room?.members.get(userId);
    if (!member) {
      return [];
    }
    return [
      ...speech(member),
      { icon: member.muted ? 'mic' : 'mic-off', label: member.muted ? phrases.person.letBeHeard : phrases.person.muteForAll, run: () => mute(member) },
      { icon: 'channel', label: phrases.person.moveTo, run: () => askWhere(member) },
      { icon: 'exit', label: phrases.person.removeMore, danger: true, run: () => askKick(member) },
      ...(session.moderates ? [/** @type {const} */ ({ icon: 'shield', label: phrases.person.banMore, danger: true, run: () => askBan(member) })] : []),
    ];
  };
}
