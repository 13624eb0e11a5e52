/**
 * One stop of the Tab key for a whole list: arrow keys, Home and End go on from there.
 * @module
 */

import { catchFocus } from './dom.js';

/**
 * @param {HTMLElement} list
 * @param {string} selector of what may have the focus, one in each item
 * @returns {() => void} to be called when the list was rendered
 */
export function mountRoving(list, selector) {
  /** Where the focus was last. @type {HTMLElement | null} */
  let last = null;
  const stops = () => [.../** @type {NodeListOf<HTMLElement>} */ (list.querySelectorAll(selector))].filter((one) => one.checkVisibility());

  const render = () => {
    const all = stops();
    if (last && !last.isConnected) {
      last = null;
      catchFocus(all[0] ?? null);
    }
    const stop = last && all.includes(last) ? last : all[0];
    for (const one of all) {
      one.tabIndex = one === stop ? 0 : -1;
    }
  };
  list.addEventListener('focusin', (e) => {
    const stop = /** @type {HTMLElement} */ (e.target).closest(selector);
    if (stop) {
      last = /** @type {HTMLElement} */ (stop);
      render();
    }
  });
  list.addEventListener('keydown', (e) => {
    const all = stops();
    const at = all.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    if (at < 0 || e.ctrlKey || e.altKey || e.metaKey || e.shiftKey) {
      return;
    }
    const onward = document.documentElement.dir === 'rtl' ? -1 : 1;
    const steps = { ArrowRight: onward, ArrowLeft: -onward, ArrowDown: 1, ArrowUp: -1, Home: -at, End: all.length - 1 - at };
    const step = steps[/** @type {keyof typeof steps} */ (e.key)];
    if (step !== undefined) {
      e.preventDefault();
      all[Math.min(Math.max(at + step, 0), all.length - 1)].focus();
    }
  });
  return render;
}
