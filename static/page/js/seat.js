/**
 * One person has one session, so one tab at a time can be them. A browser copies what a tab keeps when the tab is duplicated, and a
 * login is known to all of its tabs; so a tab that would sign in by what is kept looks first whether another one is that person.
 * A browser without locks, as on a page without HTTPS, cannot know.
 * @module
 */

/** How long and how often it is looked whether the page before this one in the same tab has gone, in milliseconds. */
const PATIENCE_MS = 500;
const LOOK_MS = 50;

export class Seat {
  #release = () => {};

  /**
   * @param {string} userId
   * @returns {Promise<boolean>} whether no other tab of this browser is this person
   */
  async isFree(userId) {
    const name = nameOf(userId);
    for (const begin = performance.now(); ;) {
      const locks = await navigator.locks?.query().catch(() => null);
      if (!locks?.held?.some((lock) => lock.name === name)) {
        return true;
      }
      if (performance.now() - begin > PATIENCE_MS) {
        return false;
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  /** @param {string} userId who this tab is from now on, whichever was it before */
  take(userId) {
    this.leave();
    /** @type {Promise<void>} */
    const left = new Promise((resolve) => (this.#release = resolve));
    navigator.locks?.request(nameOf(userId), { steal: true }, () => left).catch(() => {}); // another tab took it
  }

  /** This tab is nobody any more. */
  leave() {
    this.#release();
  }
}

/** @param {string} userId */
function nameOf(userId) {
  return `livechat ${new URL('.', document.baseURI).pathname} ${userId}`;
}

/**
 * @param {string} token
 * @returns {{userId: string, name: string}} whose it says it is
 */
export function bearerOf(token) {
  try {
    const [, payload] = token.split('.');
    const bytes = Uint8Array.from(atob(payload.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
    const { sub, name } = JSON.parse(new TextDecoder().decode(bytes));
    return { userId: String(sub), name: String(name ?? sub) };
  } catch {
    return { userId: token, name: '' }; // the server will say what is wrong with it
  }
}
