/**
 * What is held while one talks: a key, a button on the screen, or both at once. It says when, and knows nothing of what follows
 * from it.
 * @module
 */

import { isModal, writes } from './keys.js';

/** What a button with the keyboard's focus takes for a press. */
const ACTIVATING = new Set(['Space', 'Enter', 'NumpadEnter']);
/** Where they do. */
const ACTIVE = 'button, a, summary';
/** Keys that type nothing, so that they work while one writes. */
const TYPELESS = /^(F\d+|Pause|ScrollLock)$/;
/** Keys that are held to make another one of a key; only such a one is held alone. */
const MODIFIER = /^(Control|Alt|Shift|Meta)/;
/** Of what is not held but switched on. */
const SWITCHED = 'switched';
const KEY = 'key';

/**
 * Events: `press`; `release`, when the tail is over after the last of what was held was let go. It is let go, too, when the window
 * loses the keyboard, when the page is hidden, and when the touch is taken away; what is switched on stays on then.
 */
export class HoldToTalk extends EventTarget {
  /** From `press` to `release`. */
  pressed = false;
  /** The key, as KeyboardEvent.code has it; '' for none. */
  key = '';
  /** Whether one press begins and another ends it, in place of holding. */
  toggles = false;
  /** How long it goes on after it was let go, so that the last syllable is whole, in milliseconds. */
  tailMs = 0;

  #enabled = false;
  /** What is held: the key, pointers by number, or what is switched on. @type {Set<string | number>} */
  #held = new Set();
  /** The key that is held. */
  #code = '';
  #tail = 0;
  /** @type {Set<Element>} */
  #buttons = new Set();
  /** Whether the focus is where it is by the keyboard: then a button that has it is meant by Space. */
  #navigates = false;

  constructor() {
    super();
    document.addEventListener('pointerdown', () => (this.#navigates = false), true);
    document.addEventListener('keydown', (e) => (this.#navigates ||= /^(Tab|Arrow)/.test(e.key)), true);
    document.addEventListener('keydown', (e) => this.#onKeyDown(e));
    document.addEventListener('keyup', (e) => this.#onKeyUp(e));
    window.addEventListener('blur', () => this.#letGo());
    document.addEventListener('visibilitychange', () => document.hidden && this.#letGo());
  }

  /** Whether a press counts. */
  get enabled() {
    return this.#enabled;
  }

  set enabled(enabled) {
    this.#enabled = enabled;
    if (!enabled) {
      this.release();
    }
  }

  /** Ends it at once. What is still held has to be let go and pressed again. */
  release() {
    this.#held.clear();
    this.#end();
  }

  /** Switches it on or off, as a button does that cannot be held. */
  toggle() {
    this.#switch();
  }

  /**
   * Has a button be one to hold: by mouse, finger or keyboard. What only clicks, as assistive technology does, switches.
   * @param {HTMLElement} button
   */
  attach(button) {
    this.#buttons.add(button);
    button.addEventListener('pointerdown', (e) => {
      if (e.button !== 0) {
        return;
      }
      e.preventDefault(); // the focus stays where it is
      try {
        button.setPointerCapture(e.pointerId);
      } catch {
        // It is gone already; the button hears of that, too.
      }
      this.#down(e.pointerId);
    });
    for (const end of /** @type {const} */ (['pointerup', 'pointercancel', 'lostpointercapture'])) {
      button.addEventListener(end, (e) => this.#up(e.pointerId));
    }
    button.addEventListener('contextmenu', (e) => e.preventDefault());
    button.addEventListener('click', (e) => e.detail === 0 && this.#switch());
  }

  /** @param {KeyboardEvent} e */
  #onKeyDown(e) {
    if (e.defaultPrevented || !this.#isMine(e)) {
      return;
    }
    e.preventDefault();
    if (!e.repeat) {
      this.#code = e.code;
      this.#down(KEY);
    }
  }

  /** @param {KeyboardEvent} e */
  #onKeyUp(e) {
    if (this.#held.has(KEY) && e.code === this.#code) {
      e.preventDefault(); // Firefox would click the button that has the focus
      this.#up(KEY);
    } else if (e.key === 'Meta') {
      this.#up(KEY); // while that is held, macOS tells of no other key's end
    }
  }

  /** @param {KeyboardEvent} e */
  #isKey(e) {
    const focused = e.target instanceof Element && this.#buttons.has(e.target);
    return e.code === this.key || (focused && ACTIVATING.has(e.code));
  }

  /**
   * @param {KeyboardEvent} e
   * @returns {boolean} whether the key is pressed for this, and not for what has the focus
   */
  #isMine(e) {
    if (!this.#enabled || !this.#isKey(e) || e.isComposing) {
      return false;
    }
    if (e.repeat && this.#held.has(KEY)) {
      return true; // wherever the focus has gone meanwhile
    }
    if (isModal() || ((e.ctrlKey || e.altKey || e.metaKey) && !MODIFIER.test(e.code))) {
      return false;
    }
    if (writes(e.target)) {
      return TYPELESS.test(e.code);
    }
    const focused = e.target instanceof Element ? e.target.closest(ACTIVE) : null;
    return !(focused && this.#navigates && ACTIVATING.has(e.code)) || this.#buttons.has(focused);
  }

  /** @param {string | number} source */
  #down(source) {
    if (!this.#enabled) {
      return;
    }
    if (this.toggles) {
      this.#switch();
    } else {
      this.#held.add(source);
      this.#follow();
    }
  }

  /** @param {string | number} source */
  #up(source) {
    this.#held.delete(source);
    this.#follow();
  }

  #switch() {
    if (!this.#enabled) {
      return;
    }
    if (this.#held.size > 0) {
      this.#held.clear();
    } else {
      this.#held.add(SWITCHED);
    }
    this.#follow();
  }

  /** Nothing of a press that goes on elsewhere is told here. */
  #letGo() {
    const switched = this.#held.has(SWITCHED);
    this.#held.clear();
    if (switched) {
      this.#held.add(SWITCHED);
    }
    if (document.hidden && !switched) {
      this.#end(); // clocks of hidden pages are late
    } else {
      this.#follow();
    }
  }

  #follow() {
    if (this.#held.size > 0) {
      clearTimeout(this.#tail);
      this.#tail = 0;
      if (!this.pressed) {
        this.pressed = true;
        this.dispatchEvent(new CustomEvent('press'));
      }
    } else if (this.pressed && this.tailMs === 0) {
      this.#end(); // a timer may come after the next press, which then is none
    } else if (this.pressed && !this.#tail) {
      this.#tail = setTimeout(() => this.#end(), this.tailMs);
    }
  }

  #end() {
    clearTimeout(this.#tail);
    this.#tail = 0;
    if (this.pressed) {
      this.pressed = false;
      this.dispatchEvent(new CustomEvent('release'));
    }
  }
}
