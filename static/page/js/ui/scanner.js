/**
 * The channels to which one listens without being in them: which of them is heard, and which interrupts the others.
 * @module
 */

import { phrases } from '../language.js';
import { byId, h, renderList, setAttribute, setText } from './dom.js';
import { icon } from './icons.js';

/**
 * @param {import('../session.js').Session} session
 * @returns {() => void} renders
 */
export function mountScanner(session) {
  const { directory } = session;
  const { listening } = session.call;

  /** @param {{id: string}} channel */
  const create = ({ id }) =>
    h(
      'li',
      { class: 'scanner__channel' },
      h('button', { class: 'icon-button scanner__star', type: 'button', click: () => listening.togglePriority(id) }, icon('star')),
      h('span', { class: 'scanner__name' }),
      h('button', { class: 'icon-button', type: 'button', click: () => listening.toggle(id) }, icon('close')),
    );

  /**
   * @param {HTMLElement} item
   * @param {{id: string}} channel
   */
  const update = (item, { id }) => {
    const [star, label, end] = /** @type {HTMLCollectionOf<HTMLElement>} */ (item.children);
    const name = directory.nameOf(id);
    const heard = listening.heard?.channelId === id ? listening.heard : null;
    item.classList.toggle('scanner__channel--heard', heard !== null);
    setText(label, heard ? `${name}: ${heard.name}` : name);
    setAttribute(label, 'title', name);
    setAttribute(star, 'aria-pressed', String(listening.priority === id));
    setAttribute(star, 'aria-label', phrases.channels.interruptsOthers(name));
    setAttribute(star, 'title', listening.priority === id ? phrases.channels.interrupts : phrases.channels.letInterrupt);
    setAttribute(end, 'aria-label', phrases.channels.listenNoMore(name));
    setAttribute(end, 'title', phrases.channels.noMore);
  };

  return () => {
    byId('scanner').hidden = !listening.possible || listening.channels.length === 0;
    renderList(byId('scanner-list'), listening.channels.map((id) => ({ id })), (c) => c.id, create, update);
  };
}
