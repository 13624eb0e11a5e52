/**
 * What is loaded when somebody asks for it first, since most who come never do.
 * @module
 */

/**
 * @template {unknown[]} A
 * @param {() => Promise<(...args: A) => void>} load
 * @returns {(...args: A) => Promise<void>} does what was loaded, once if it is asked for again meanwhile; nothing when loading fails,
 *   as without a network, and the next time loads again
 */
export function later(load) {
  /** @type {Promise<(...args: A) => void> | null} */
  let loaded = null;
  /** What it is asked for with, while it is loaded. @type {A | null} */
  let asked = null;
  return async (...args) => {
    const waits = asked !== null;
    asked = args;
    if (waits) {
      return;
    }
    loaded ??= load();
    const run = await loaded.catch((err) => console.warn('livechat:', err));
    loaded = run ? loaded : null;
    const last = asked;
    asked = null;
    run?.(...last);
  };
}
