/**
 * A menu that a button opens, as ARIA has it: arrow keys go through it, Escape and Tab leave it.
 * @module
 */

import { h } from './dom.js';
import { icon } from './icons.js';

/**
 * @typedef {object} Item
 * @property {import('./icons.js').IconName} icon
 * @property {string} label
 * @property {boolean} [danger]
 * @property {() => void} run
 */

/** How near the menu comes to its button and to the edges of the window, in pixels. */
const GAP_PX = 4;
const EDGE_PX = 8;

/** The one that is open. @type {Menu | null} */
let open = null;

class Menu {
  #listening = new AbortController();

  /**
   * @param {HTMLElement} button
   * @param {string} label
   * @param {Item[]} items
   * @param {HTMLInputElement} [lead] what stands above them, of a label
   */
  constructor(button, label, items, lead) {
    this.button = button;
    // What has more than items is no menu to ARIA.
    const role = lead ? null : 'menuitem';
    this.items = items.map((item) =>
      h(
        'button',
        { class: item.danger ? 'menu__item menu__item--danger' : 'menu__item', type: 'button', role, tabindex: '-1',
          click: () => this.#choose(item) },
        icon(item.icon),
        item.label,
      ),
    );
    /** What arrow keys go through. @type {HTMLElement[]} */
    this.stops = lead ? [lead, ...this.items] : this.items;
    this.element = h(
      'div',
      { class: 'menu', role: lead ? 'dialog' : 'menu', 'aria-label': label, keydown: (e) => this.#onKey(e) },
      lead?.closest('label'),
      ...this.items,
    );
    (button.closest('main, aside, nav, dialog') ?? document.body).append(this.element); // within a landmark
    button.setAttribute('aria-expanded', 'true');
    this.#place();
    const { signal } = this.#listening;
    document.addEventListener('pointerdown', (e) => this.#leave(e), { signal, capture: true });
    document.addEventListener('scroll', () => this.#follow(), { signal, capture: true, passive: true });
    window.addEventListener('resize', () => this.#follow(), { signal });
  }

  /** @param {boolean} back whether the button gets the focus again */
  close(back) {
    this.#listening.abort();
    this.element.remove();
    this.button.setAttribute('aria-expanded', 'false');
    open = open === this ? null : open;
    if (back) {
      this.button.focus();
    }
  }

  /** Below the button, or above it where there is no room. */
  #place() {
    const { left, right, top, bottom } = this.button.getBoundingClientRect();
    const { width, height } = this.element.getBoundingClientRect();
    const fits = bottom + GAP_PX + height <= innerHeight - EDGE_PX;
    const x = left + width <= innerWidth - EDGE_PX ? left : right - width;
    this.element.style.left = `${Math.max(x, EDGE_PX)}px`;
    this.element.style.top = `${fits ? bottom + GAP_PX : Math.max(top - GAP_PX - height, EDGE_PX)}px`;
  }

  /** Stays with the button, which a turned phone, its keyboard or a scroll has moved; closes when that is out of sight. */
  #follow() {
    const { top, bottom } = this.button.getBoundingClientRect();
    if (this.button.checkVisibility() && bottom > 0 && top < innerHeight) {
      this.#place();
    } else {
      this.close(false);
    }
  }

  /** @param {Event} e a press somewhere; the button closes by its own click */
  #leave(e) {
    const target = /** @type {Node} */ (e.target);
    if (!this.element.contains(target) && !this.button.contains(target)) {
      this.close(false);
    }
  }

  /** @param {Item} item */
  #choose(item) {
    this.close(true);
    item.run();
  }

  /** @param {KeyboardEvent} e */
  #onKey(e) {
    const at = this.stops.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    const count = this.stops.length;
    const to = { ArrowDown: (at + 1) % count, ArrowUp: (at - 1 + count) % count, Home: 0, End: count - 1 }[e.key];
    if (to !== undefined) {
      e.preventDefault();
      this.stops[to].focus();
    } else if (e.key === 'Escape' || e.key === 'Tab') {
      // From the button Tab goes on to what is next to it.
      this.close(true);
    }
  }
}

/**
 * Opens a menu at its button, or closes it.
 * @param {HTMLElement} button with aria-haspopup
 * @param {string} label
 * @param {Item[]} items
 * @param {HTMLInputElement} [lead] what stands above them, of a label
 */
export function toggleMenu(button, label, items, lead) {
  const was = open;
  was?.close(false);
  if (was?.button !== button) {
    open = new Menu(button, label, items, lead);
    open.stops[0]?.focus();
  }
}

/** Closes the menu whose button went off the screen. */
export function closeLostMenu() {
  if (open && !open.button.checkVisibility()) {
    open.close(false);
  }
}
