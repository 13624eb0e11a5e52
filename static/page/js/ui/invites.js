/**
 * Inviting people: making a link, and those that there are.
 * @module
 */

import { inviteLink } from '../account.js';
import { phrases } from '../language.js';
import { Op } from '../protocol.js';
import { INVITE_TIMES, INVITE_USES, inviteFailed, inviteFacts, roleWords } from '../words/moderation.js';
import { byId, copy, h, renderList, setText } from './dom.js';
import { setIcon } from './icons.js';

/** @typedef {import('../protocol.js').Invite} Invite */
/** @typedef {import('../protocol.js').Role} Role */

/** All roles, the greatest first: who gives one gives less than their own, but for admins. */
const ROLES = /** @type {Role[]} */ (['admin', 'moderator', 'member', 'guest']);
/** How long a button says that it worked, in milliseconds. */
const COPIED_MS = 2_000;

/**
 * @param {import('../session.js').Session} session
 * @returns {(channelId?: string | null) => void} opens it, to invite to a channel or to the server
 */
export function mountInvites(session) {
  const { client, directory } = session;
  const dialog = /** @type {HTMLDialogElement} */ (byId('invite-dialog'));
  const form = /** @type {HTMLFormElement} */ (byId('invite-form'));
  const where = /** @type {HTMLSelectElement} */ (byId('invite-where'));
  const role = /** @type {HTMLSelectElement} */ (byId('invite-role'));
  const uses = /** @type {HTMLSelectElement} */ (byId('invite-uses'));
  const time = /** @type {HTMLSelectElement} */ (byId('invite-time'));
  const submit = /** @type {HTMLButtonElement} */ (byId('invite-submit'));
  const made = byId('invite-made');
  const link = /** @type {HTMLInputElement} */ (byId('invite-link'));
  const copyButton = byId('invite-copy');
  const error = byId('invite-error');
  const list = byId('invite-list');
  const empty = byId('invite-empty');
  /** @type {Invite[]} */
  let invites = [];
  /** Who was let into the channel, where one may know. @type {{user_id: string, name: string}[]} */
  let passes = [];
  byId('invite-close').addEventListener('click', () => dialog.close());

  /** @param {() => Promise<void>} act */
  const attempt = async (act) => {
    setText(error, '');
    try {
      await act();
    } catch (err) {
      setText(error, inviteFailed(/** @type {Error} */ (err)));
    }
    render();
  };

  const load = () =>
    attempt(async () => {
      const channel_id = session.mayAdminister(where.value) && where.value ? where.value : undefined;
      ({ invites, passes = [] } = await client.request(Op.INVITE_LIST, { channel_id }));
    });
  where.addEventListener('change', load);

  /** @param {{user_id: string, name: string}} pass */
  const createPass = ({ user_id, name }) =>
    h(
      'li',
      { class: 'invite' },
      h('span', { class: 'invite__what' }, name),
      h('button', { class: 'button button--small', type: 'button', 'aria-label': phrases.invite.uninviteWhom(name), click: () => attempt(() => uninvite(user_id)) }, phrases.invite.uninvite),
    );

  /** @param {string} user_id */
  const uninvite = async (user_id) => {
    await client.request(Op.INVITE_REVOKE, { channel_id: where.value, user_id });
    const name = passes.find((p) => p.user_id === user_id)?.name ?? '';
    passes = passes.filter((p) => p.user_id !== user_id);
    if (where.value === session.call.here && session.call.room?.members.has(user_id)) {
      session.onDone({ action: 'uninvite', user_id, name });
    }
  };

  /** @param {Invite} invite */
  const create = (invite) =>
    h(
      'li',
      { class: 'invite' },
      h('span', { class: 'invite__what' }),
      h('span', { class: 'invite__facts' }),
      h('button', { class: 'button button--small', type: 'button', 'aria-label': invite.user_id ? phrases.invite.revokeSignIn : phrases.invite.revokeFor(roleWords(invite.role)),
        click: () => attempt(() => revoke(invite.invite_id)) }, phrases.invite.revoke),
    );

  /** @param {string} invite_id */
  const revoke = async (invite_id) => {
    await client.request(Op.INVITE_REVOKE, { invite_id });
    invites = invites.filter((i) => i.invite_id !== invite_id);
    made.hidden ||= made.dataset.invite === invite_id;
  };

  const render = () => {
    renderList(list, invites, (i) => i.invite_id, create, (item, invite) => {
      const [what, facts] = item.children;
      const leads = invite.channel_id ? directory.nameOf(invite.channel_id) : '';
      setText(what, invite.user_id ? phrases.invite.signsIn : phrases.invite.leads(roleWords(invite.role), leads));
      setText(facts, inviteFacts(invite, Date.now()));
    });
    empty.hidden = invites.length > 0;
    renderList(byId('pass-list'), passes, (p) => p.user_id, createPass, () => {});
    byId('passes').hidden = passes.length === 0;
  };

  form.addEventListener('submit', (e) => {
    e.preventDefault();
    submit.disabled = true;
    attempt(async () => {
      const invite = await client.request(Op.INVITE_CREATE, {
        role: role.value || undefined,
        channel_id: where.value || undefined,
        uses: Number(uses.value),
        ttl_ms: Number(time.value),
      });
      invites = [invite, ...invites];
      made.hidden = false;
      made.dataset.invite = invite.invite_id;
      link.value = inviteLink(invite.secret);
      link.focus();
      link.select();
    }).finally(() => (submit.disabled = false));
  });
  copyButton.addEventListener('click', async () => {
    link.select();
    if (await copy(link.value)) {
      setIcon(copyButton, 'check');
      setTimeout(() => setIcon(copyButton, 'link'), COPIED_MS);
    }
  });

  /** Moderators give less than they have, admins anything. Who only owns a channel lets in people who are known already. */
  const offerRoles = () => {
    const mine = ROLES.indexOf(session.me?.role ?? 'guest');
    /** @type {(import('../protocol.js').Role | '')[]} */
    const given = mine > ROLES.indexOf('moderator') ? [''] : ROLES.filter((_, index) => mine === 0 || index > mine);
    role.replaceChildren(...given.map((r) => h('option', { value: r }, roleWords(r))));
    role.value = given.includes('member') ? 'member' : given[0];
  };

  return (channelId = null) => {
    const channels = directory.channels.filter((c) => session.mayInvite(c.channel_id));
    where.replaceChildren(
      ...(session.mayInvite(null) ? [h('option', { value: '' }, phrases.invite.server)] : []),
      ...channels.map((c) => h('option', { value: c.channel_id }, c.channel_name)),
    );
    where.value = channelId ?? '';
    uses.replaceChildren(...INVITE_USES.map(([n, words]) => h('option', { value: String(n) }, words)));
    time.replaceChildren(...INVITE_TIMES.map(([ms, words]) => h('option', { value: String(ms) }, words)));
    time.value = String(INVITE_TIMES[2][0]);
    offerRoles();
    made.hidden = true;
    [invites, passes] = [[], []];
    dialog.showModal();
    load();
  };
}
