/**
 * Whom moderators keep out, and what was done.
 * @module
 */

import { phrases } from '../language.js';
import { Op } from '../protocol.js';
import { banFacts, deedWords, moderationFailed } from '../words/moderation.js';
import { byId, h, renderList, setText } from './dom.js';

/** @typedef {import('../protocol.js').Deed} Deed */
/** @typedef {import('../protocol.js').Ban} Ban */

/**
 * @param {import('../session.js').Session} session
 * @returns {() => void} opens it
 */
export function mountAudit(session) {
  const { client, directory } = session;
  const dialog = /** @type {HTMLDialogElement} */ (byId('audit-dialog'));
  const error = byId('audit-error');
  const more = byId('audit-more');
  /** @type {Ban[]} */
  let bans = [];
  /** @type {Deed[]} */
  let deeds = [];
  byId('audit-close').addEventListener('click', () => dialog.close());

  /** @param {() => Promise<void>} act */
  const attempt = async (act) => {
    setText(error, '');
    try {
      await act();
    } catch (err) {
      setText(error, moderationFailed(/** @type {Error} */ (err)));
    }
    render();
  };
  const load = () =>
    attempt(async () => {
      bans = (await client.request(Op.AUDIT, { bans: true })).bans ?? [];
      deeds = [];
      await further();
    });
  const further = async () => {
    const page = await client.request(Op.AUDIT, { before: deeds.at(-1)?.seq });
    deeds = [...deeds, ...(page.deeds ?? [])];
    more.hidden = !page.more;
  };
  more.addEventListener('click', () => attempt(further));

  /** @param {Ban} ban */
  const createBan = (ban) =>
    h(
      'li',
      { class: 'invite' },
      h('span', { class: 'invite__what' }, ban.name || ban.user_id),
      h('span', { class: 'invite__facts' }, banFacts(ban)),
      h('button', { class: 'button button--small', type: 'button', 'aria-label': phrases.deeds.letIn(ban.name || ban.user_id),
        click: () => attempt(() => lift(ban)) }, phrases.deeds.lift),
    );
  /** @param {Ban} ban */
  const lift = async ({ ban_id }) => {
    await client.request(Op.BAN_LIFT, { ban_id });
    bans = bans.filter((b) => b.ban_id !== ban_id);
    deeds = [];
    await further();
  };
  /** @param {Deed} deed */
  const createDeed = (deed) => {
    const { what, facts } = deedWords(deed, deed.channel_id ? directory.nameOf(deed.channel_id) : '');
    return h('li', { class: 'invite' }, h('span', { class: 'invite__what' }, what), h('span', { class: 'invite__facts' }, facts));
  };
  const render = () => {
    renderList(byId('audit-bans'), bans, (b) => b.ban_id, createBan, () => {});
    renderList(byId('audit-deeds'), deeds, (d) => String(d.seq), createDeed, () => {});
    byId('audit-nobody').hidden = bans.length > 0;
    byId('audit-nothing').hidden = deeds.length > 0;
  };

  return () => {
    more.hidden = true;
    dialog.showModal();
    load();
  };
}
