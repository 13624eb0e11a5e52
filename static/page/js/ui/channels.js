/**
 * The list of channels, and who one is oneself.
 * @module
 */

import { people } from '../words.js';
import { byId, h, renderList, setAttribute, setText } from './dom.js';
import { icon } from './icons.js';
import { paintAvatar } from './people.js';

/** @typedef {import('../protocol.js').ChannelInfo} ChannelInfo */

/**
 * @param {import('../session.js').Session} session
 * @param {import('./dialogs.js').Dialogs} dialogs
 * @returns {() => void} renders
 */
export function mountChannels(session, dialogs) {
  const { call, directory } = session;
  const list = byId('channel-list');
  const empty = byId('channels-empty');
  byId('create-open').addEventListener('click', () => dialogs.create());
  byId('sign-out').addEventListener('click', () => session.signOut());

  /** @param {ChannelInfo} info */
  const create = (info) => {
    const go = () => {
      if (call.wanted === info.channel_id) {
        byId('app').dataset.view = 'people';
        call.dismiss();
      } else {
        call.join(info.channel_id);
      }
    };
    return h(
      'li',
      {},
      h(
        'button',
        { class: 'channel', type: 'button', click: go },
        icon('channel'),
        h('span', { class: 'channel__name' }),
        h('span', { class: 'channel__count', 'aria-hidden': 'true' }),
      ),
    );
  };

  /**
   * @param {HTMLElement} item
   * @param {ChannelInfo} info
   */
  const update = (item, info) => {
    const button = /** @type {HTMLElement} */ (item.firstElementChild);
    const [, name, count] = button.children;
    const own = session.limits?.channel_capacity !== info.capacity;
    const full = info.member_count >= info.capacity;
    setText(name, info.channel_name);
    setText(count, own ? `${info.member_count}/${info.capacity}` : String(info.member_count));
    count.classList.toggle('channel__count--none', info.member_count === 0);
    button.classList.toggle('channel--full', full);
    setAttribute(button, 'aria-current', call.wanted === info.channel_id ? 'true' : null);
    const words = [info.channel_name, people(info.member_count), full ? 'full' : ''];
    setAttribute(button, 'aria-label', words.filter(Boolean).join(', '));
    setAttribute(button, 'title', full ? `${info.channel_name} is full` : info.channel_name);
  };

  return () => {
    renderList(list, directory.channels, (c) => c.channel_id, create, update);
    empty.hidden = directory.channels.length > 0;
    setText(empty, directory.listed ? 'There is no channel yet. Create the first one.' : 'Loading…');
    setText(byId('my-name'), session.me?.name ?? '');
    if (session.me) {
      paintAvatar(byId('my-avatar'), session.me.userId, session.me.name);
    }
  };
}
