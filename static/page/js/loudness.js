/**
 * How loud one hears each person, and whom not at all, kept by this browser for the next time.
 *
 * Event: `change`.
 * @module
 */

import { forGood, read, write } from './storage.js';
import { Store } from './store.js';

const KEY = 'livechat.people';
/** As loud as they are, and the most, in percent. */
const NORMAL = 100;
export const MAX_LOUDNESS = 200;
/** Kept are so many people; those who were set longest ago go first. */
const MAX_PEOPLE = 500;

/**
 * @typedef {object} Kept of one person
 * @property {number} loudness in percent
 * @property {boolean} excluded
 */

export class Loudness extends Store {
  /** By user id, who was set last at the end. @type {Map<string, Kept>} */
  #people = load();
  #media;
  #hearing;

  /** @param {import('./call.js').Call} call */
  constructor({ media, hearing }) {
    super();
    this.#media = media;
    this.#hearing = hearing;
    media.volumeOf = (userId) => this.of(userId) / NORMAL;
    hearing.restore([...this.#people].filter(([, kept]) => kept.excluded).map(([id]) => id));
    hearing.addEventListener('change', () => this.#followHearing());
  }

  /**
   * @param {string} userId
   * @returns {number} in percent
   */
  of(userId) {
    return this.#people.get(userId)?.loudness ?? NORMAL;
  }

  /**
   * @param {string} userId
   * @param {number} percent
   */
  set(userId, percent) {
    this.#keep(userId, { loudness: percent, excluded: this.#hearing.excluded.has(userId) });
    this.#media.applyVolumes();
  }

  #followHearing() {
    const { excluded } = this.#hearing;
    for (const [id, kept] of this.#people) {
      if (kept.excluded && !excluded.has(id)) {
        this.#keep(id, { ...kept, excluded: false });
      }
    }
    for (const id of excluded) {
      if (!this.#people.get(id)?.excluded) {
        this.#keep(id, { loudness: this.of(id), excluded: true });
      }
    }
  }

  /**
   * @param {string} userId
   * @param {Kept} kept
   */
  #keep(userId, kept) {
    this.#people.delete(userId);
    if (kept.excluded || kept.loudness !== NORMAL) {
      this.#people.set(userId, kept);
    }
    for (const id of [...this.#people.keys()].slice(0, Math.max(0, this.#people.size - MAX_PEOPLE))) {
      this.#people.delete(id);
    }
    write(forGood, KEY, this.#people.size > 0 ? JSON.stringify([...this.#people]) : '');
    this.changed();
  }
}

/** @returns {Map<string, Kept>} */
function load() {
  try {
    const kept = /** @type {[string, any][]} */ (JSON.parse(read(forGood, KEY) || '[]'));
    return new Map(
      kept.map(([id, { loudness, excluded }]) => [
        String(id),
        { loudness: Math.min(Math.max(Number(loudness) || 0, 0), MAX_LOUDNESS), excluded: excluded === true },
      ]),
    );
  } catch {
    return new Map(); // it is of another make
  }
}
