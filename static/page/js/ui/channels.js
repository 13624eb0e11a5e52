/**
 * The list of channels with the people in them, who of them speaks, and who one is oneself.
 * @module
 */

import { phrases } from '../language.js';
import { Order } from '../order.js';
import { MODE_PTT } from '../protocol.js';
import { unreadWords } from '../words/chat.js';
import { roleWords } from '../words/moderation.js';
import { byId, catchFocus, h, renderList, setAttribute, setText } from './dom.js';
import { icon, setIcon } from './icons.js';
import { paintAvatar } from './people.js';

/** @typedef {import('../protocol.js').ChannelInfo} ChannelInfo */
/** @typedef {import('../protocol.js').Present} Present */

/** How many people of a channel are shown when there are more, until somebody wants to see all. */
const SHOWN = 7;

/**
 * @param {import('../session.js').Session} session
 * @param {import('./dialogs.js').Dialogs} dialogs
 * @returns {() => void} renders
 */
export function mountChannels(session, dialogs) {
  const { call, directory, marks, reading } = session;
  const list = byId('channel-list');
  const empty = byId('channels-empty');
  /** Ids of the channels of which everybody is shown. @type {Set<string>} */
  const unfolded = new Set();
  /** In which order people are shown where not all are. @type {Map<string, Order>} */
  const orders = new Map();
  byId('create-open').addEventListener('click', () => dialogs.create());
  byId('sign-out').addEventListener('click', () => dialogs.signOut());
  byId('audit-open').addEventListener('click', () => dialogs.audit());
  byId('invite-open').addEventListener('click', () => dialogs.invite());

  /** @param {ChannelInfo} info */
  const create = ({ channel_id }) => {
    const go = () => {
      if (call.wanted === channel_id) {
        byId('app').dataset.view = 'people';
        reading.leave();
        call.dismiss();
      } else {
        call.join(channel_id);
      }
    };
    const look = () => {
      byId('app').dataset.view = 'chat';
      reading.look(channel_id);
    };
    const fold = () => {
      if (!unfolded.delete(channel_id)) {
        unfolded.add(channel_id);
      }
      render();
    };
    return h(
      'li',
      {},
      h(
        'div',
        { class: 'channels__row' },
        h(
          'button',
          { class: 'channel', type: 'button', click: go },
          icon('channel'),
          h('span', { class: 'channel__name', dir: 'auto' }),
          h('span', { class: 'channel__count', 'aria-hidden': 'true' }),
          h('span', { class: 'visually-hidden' }),
        ),
        h('button', { class: 'channels__read', type: 'button', click: look }, icon('chat'), h('span', { class: 'badge' })),
        h('button', { class: 'channels__read channels__listen', type: 'button', click: () => call.listening.toggle(channel_id) }, icon('ear')),
      ),
      h('ul', { class: 'present' }),
      h('button', { class: 'present__more', type: 'button', click: fold }),
    );
  };

  /**
   * @param {HTMLElement} item
   * @param {ChannelInfo} info
   */
  const update = (item, info) => {
    const [row, present, more] = /** @type {HTMLCollectionOf<HTMLElement>} */ (item.children);
    const [button, read, listen] = /** @type {HTMLCollectionOf<HTMLElement>} */ (row.children);
    const inside = session.peopleIn(info.channel_id);
    updateChannel(button, info, inside.length);
    updateRead(read, info);
    updateListen(listen, info);

    const all = inside.length <= SHOWN + 1 || unfolded.has(info.channel_id);
    present.hidden = inside.length === 0;
    setAttribute(present, 'aria-label', phrases.channels.peopleIn(info.channel_name));
    renderPresent(present, info.channel_id, all);
    more.hidden = inside.length <= SHOWN + 1;
    setText(more, all ? phrases.channels.fewer : `+${inside.length - SHOWN}`);
    setAttribute(more, 'aria-expanded', String(all));
    setAttribute(more, 'aria-label', all ? phrases.channels.fewerIn(info.channel_name) :
      phrases.channels.moreIn(inside.length - SHOWN, info.channel_name));
  };

  /**
   * @param {HTMLElement} present
   * @param {string} channelId
   * @param {boolean} all whether everybody is shown, or only the first, of whom who speaks is one
   */
  const renderPresent = (present, channelId, all) => {
    const inside = session.peopleIn(channelId);
    const speaking = session.speakingIn(channelId);
    let shown = inside;
    if (!all) {
      const order = orders.get(channelId) ?? new Order();
      orders.set(channelId, order);
      const ids = order.arrange(inside.map((p) => p.user_id), speaking, performance.now(), false).slice(0, SHOWN);
      shown = ids.flatMap((id) => inside.find((p) => p.user_id === id) ?? []);
    }
    renderList(present, shown, (p) => p.user_id, createPerson, updatePerson);
    for (const child of present.children) {
      const item = /** @type {HTMLElement} */ (child);
      item.classList.toggle('present__person--speaking', speaking.has(item.dataset.key ?? ''));
    }
  };
  /** Others speak than before, and nothing else has changed. */
  const onSpeaking = () => {
    for (const child of list.children) {
      const [, present, more] = /** @type {HTMLCollectionOf<HTMLElement>} */ (child.children);
      if (!present.hidden) {
        renderPresent(present, /** @type {HTMLElement} */ (child).dataset.key ?? '', more.ariaExpanded === 'true');
      }
    }
  };
  directory.addEventListener('speaking', onSpeaking);
  call.addEventListener('speaking', onSpeaking);

  /**
   * @param {HTMLElement} button
   * @param {ChannelInfo} info
   * @param {number} inside how many are in it
   */
  const updateChannel = (button, info, inside) => {
    const [, name, count, facts] = button.children;
    const own = session.limits?.channel_capacity !== info.capacity;
    const members = info.access === 'members';
    const turns = info.mode === MODE_PTT;
    setIcon(button, members ? 'lock' : turns ? 'radio' : 'channel');
    const full = inside >= info.capacity;
    setText(name, info.channel_name);
    setText(count, own ? `${inside}/${info.capacity}` : String(inside));
    count.classList.toggle('channel__count--none', inside === 0);
    button.classList.toggle('channel--full', full);
    setAttribute(button, 'aria-current', call.wanted === info.channel_id ? 'true' : null);
    const says = phrases.channels;
    const words = [phrases.common.people(inside), full && says.full, turns && says.turns, members && says.forMembers];
    setText(facts, `, ${words.filter(Boolean).join(', ')}`);
    setAttribute(button, 'title', full ? says.isFull(info.channel_name) : info.channel_name);
  };

  /**
   * @param {HTMLElement} button leads to the chat, without the voice
   * @param {ChannelInfo} info
   */
  const updateRead = (button, { channel_id, channel_name }) => {
    const unread = marks.unread(channel_id);
    const badge = /** @type {HTMLElement} */ (button.lastElementChild);
    button.hidden = unread === 0 && !session.mayEnter(channel_id);
    button.classList.toggle('channels__read--unread', unread > 0);
    setText(badge, unreadWords(unread));
    setAttribute(button, 'aria-current', reading.looking && reading.channelId === channel_id ? 'true' : null);
    const words = call.room?.channelId === channel_id ? phrases.channels.read(channel_name) : phrases.channels.readOnly(channel_name);
    setAttribute(button, 'aria-label', unread > 0 ? phrases.common.unread(words, unreadWords(unread)) : words);
    setAttribute(button, 'title', words);
  };

  /**
   * @param {HTMLElement} button has one hear the channel beside one's own
   * @param {ChannelInfo} info
   */
  const updateListen = (button, { channel_id, channel_name, may }) => {
    const { listening } = call;
    const on = listening.channels.includes(channel_id);
    const open = on || (!listening.full && may?.includes('enter') === true);
    button.hidden = !listening.possible || call.here === channel_id || !open;
    setAttribute(button, 'aria-pressed', String(on));
    setAttribute(button, 'aria-label', phrases.channels.listenTo(channel_name));
    setAttribute(button, 'title', on ? phrases.channels.listenNoMore(channel_name) : phrases.channels.listenIn(channel_name));
  };

  /** Whoever has just come in begins where there is something to choose. */
  let came = false;
  const welcome = () => {
    const here = session.stage === 'in' && directory.listed;
    if (here && !came && call.wanted === null) {
      catchFocus(document.querySelector('.stage__buttons .button--primary') ?? list.querySelector('.channel'));
    }
    came = here;
  };
  const render = () => {
    renderList(list, directory.channels, (c) => c.channel_id, create, update);
    empty.hidden = directory.channels.length > 0;
    setText(empty, directory.listed ? phrases.channels.none : phrases.common.loading);
    byId('invite-open').hidden = !session.mayInvite(null);
    byId('audit-open').hidden = !session.moderates;
    setText(byId('my-name'), session.me?.name ?? '');
    setText(byId('my-role'), session.me ? roleWords(session.me.role) : '');
    if (session.me) {
      paintAvatar(byId('my-avatar'), session.me.userId, session.me.name);
    }
    welcome();
  };
  return render;
}

/** @param {Present} person */
function createPerson({ user_id, name }) {
  const avatar = h('span', { class: 'avatar avatar--tiny', 'aria-hidden': 'true' });
  paintAvatar(avatar, user_id, name);
  return h(
    'li',
    { class: 'present__person' },
    avatar,
    h('span', { class: 'present__name', dir: 'auto' }),
    h('span', { class: 'present__mark', role: 'img', hidden: true }, icon('mic-off')),
  );
}

/**
 * @param {HTMLElement} item
 * @param {Present} person
 */
function updatePerson(item, { name, self_mute, self_deaf, muted }) {
  const [, label, mark] = /** @type {HTMLCollectionOf<HTMLElement>} */ (item.children);
  setText(label, name);
  setAttribute(label, 'title', name);
  mark.hidden = !self_mute && !muted;
  const silence = muted ? phrases.channels.mutedByModerator : self_deaf ? phrases.channels.deafened : phrases.channels.muted;
  if (!mark.hidden && mark.title !== silence) {
    mark.title = silence;
    setAttribute(mark, 'aria-label', silence);
    setIcon(mark, self_deaf && !muted ? 'headphones-off' : 'mic-off');
  }
}
