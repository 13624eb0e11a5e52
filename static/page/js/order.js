/**
 * The order of a list of people that is too long to be seen at once: who speaks rises to its top, and stays there for a while.
 * @module
 */

/** How long who spoke stays on top, in milliseconds: an answer is to find them where they were. */
export const STAY_MS = 20_000;

export class Order {
  /** When those on top spoke last, in the order in which they rose. @type {Map<string, number>} */
  #risen = new Map();

  /**
   * @param {string[]} ids as they stand otherwise
   * @param {Set<string>} speaking
   * @param {number} now in milliseconds
   * @param {boolean} still whether nobody is to move just now: somebody has a finger on the list
   * @returns {string[]} as they are shown
   */
  arrange(ids, speaking, now, still) {
    const here = new Set(ids);
    for (const id of speaking) {
      if (here.has(id) && (this.#risen.has(id) || !still)) {
        this.#risen.set(id, now); // a Map keeps the place of whoever is in it
      }
    }
    for (const [id, at] of this.#risen) {
      if (!here.has(id) || (!still && now - at > STAY_MS)) {
        this.#risen.delete(id);
      }
    }
    return [...this.#risen.keys(), ...ids.filter((id) => !this.#risen.has(id))];
  }
}
