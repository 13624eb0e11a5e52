/**
 * What the browser keeps: for good, or for a reload of this tab. A browser may keep nothing; then it is asked for again, and
 * nothing else is lost.
 * @module
 */

/** For good, in all tabs. Reading the property itself throws where a browser blocks storage. */
export const forGood = () => window.localStorage;
/** For a reload of this tab. */
export const forTab = () => window.sessionStorage;

/**
 * @param {() => Storage} storage
 * @param {string} key
 * @returns {string} '' when nothing is kept
 */
export function read(storage, key) {
  try {
    return storage().getItem(key) ?? '';
  } catch {
    return '';
  }
}

/**
 * @param {() => Storage} storage
 * @param {string} key
 * @param {string} value '' keeps nothing
 */
export function write(storage, key, value) {
  try {
    if (value) {
      storage().setItem(key, value);
    } else {
      storage().removeItem(key);
    }
  } catch {
    // As above.
  }
}
