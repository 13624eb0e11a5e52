/**
 * The list of channels, and who is in them. The server tells of channels that come and go, and, to a page that somebody is
 * looking at, of the people in all of them.
 * @module
 */

import { ErrorCode, Op, RequestError, channelIdFor, requestPatiently } from './protocol.js';
import { Store } from './store.js';

/** @typedef {import('./protocol.js').Present} Present */

/** Events: `change`; `speaking` when others speak than before somewhere, and nothing else is new. */
export class Directory extends Store {
  /** @type {import('./protocol.js').ChannelInfo[]} in the order in which they are shown */
  channels = [];
  /** False until the first list arrived. */
  listed = false;

  #client;
  /** Who is where, by channel id; empty channels are not in it. @type {Map<string, Present[]>} */
  #present = new Map();
  /** PRESENCE is on its way. */
  #asking = false;

  /** @param {import('./client.js').Client} client */
  constructor(client) {
    super();
    this.#client = client;
    document.addEventListener('visibilitychange', () => this.#watch());
  }

  /** Asks for everything, which a new session has not been told. */
  begin() {
    this.#watch();
    this.#list();
  }

  async #list() {
    try {
      const { channels } = await requestPatiently(this.#client, Op.CHANNEL_LIST, {});
      this.channels = channels;
      this.listed = true;
      this.changed();
    } catch {
      // Without a session: the next one begins anew.
    }
  }

  /** Has the server tell who is where while somebody is looking, and only then. */
  async #watch() {
    if (this.#asking) {
      return;
    }
    this.#asking = true;
    try {
      let watch;
      do {
        watch = !document.hidden;
        const { channels } = await requestPatiently(this.#client, Op.PRESENCE, { watch });
        if (watch) {
          this.#present.clear();
          this.applyPresence({ channels });
        }
      } while (watch === document.hidden);
    } catch {
      // As above.
    } finally {
      this.#asking = false;
    }
  }

  /** @param {import('./protocol.js').Presence} d what changed */
  applyPresence({ channels }) {
    let alike = true;
    for (const { channel_id, members, gone = [], set = [] } of channels) {
      const before = this.peopleIn(channel_id);
      const people = members ?? patched(before, gone, set);
      alike &&= JSON.stringify(before, withoutSpeech) === JSON.stringify(people, withoutSpeech);
      if (people.length > 0) {
        this.#present.set(channel_id, people);
      } else {
        this.#present.delete(channel_id);
      }
    }
    if (alike) {
      this.dispatchEvent(new CustomEvent('speaking'));
    } else {
      this.changed();
    }
  }

  /**
   * @param {string | null} channelId
   * @returns {Present[]} in the order in which they came
   */
  peopleIn(channelId) {
    return this.#present.get(channelId ?? '') ?? [];
  }

  /**
   * @param {string | null} channelId
   * @returns {import('./protocol.js').ChannelInfo | undefined}
   */
  find(channelId) {
    return this.channels.find((c) => c.channel_id === channelId);
  }

  /**
   * @param {string | null} channelId
   * @returns {string} the name people know it by; the id while that is all we know
   */
  nameOf(channelId) {
    return this.find(channelId)?.channel_name ?? channelId ?? '';
  }

  /**
   * @param {string} name
   * @param {string} mode
   * @param {number} capacity 0 for the server's limit
   * @returns {Promise<import('./protocol.js').ChannelInfo>}
   * @throws {RequestError | import('./protocol.js').ConnectionLostError}
   */
  async create(name, mode, capacity) {
    const ask = (/** @type {string} */ id) =>
      this.#client.request(Op.CHANNEL_CREATE, { channel_id: id, channel_name: name, mode, capacity });
    let info;
    try {
      info = await ask(channelIdFor(name));
    } catch (err) {
      if (!(err instanceof RequestError && err.code === ErrorCode.CHANNEL_EXISTS)) {
        throw err;
      }
      // "Team A" and "team-a" make one id but are two names. Whether this one is free the server says.
      info = await ask(channelIdFor(name, String(Math.random())));
    }
    this.upsert(info);
    return info;
  }

  /**
   * @param {string} channelId
   * @throws {RequestError | import('./protocol.js').ConnectionLostError}
   */
  async delete(channelId) {
    await this.#client.request(Op.CHANNEL_DELETE, { channel_id: channelId });
    this.remove(channelId);
  }

  /** @param {import('./protocol.js').ChannelInfo} info */
  upsert(info) {
    const others = this.channels.filter((c) => c.channel_id !== info.channel_id);
    this.channels = [...others, info].sort(byPosition);
    this.changed();
  }

  /** @param {string} channelId */
  remove(channelId) {
    this.channels = this.channels.filter((c) => c.channel_id !== channelId);
    this.changed();
  }
}

/**
 * @param {string} key
 * @param {unknown} value
 * @returns {unknown} the value, of all that is known of people but whether they speak
 */
function withoutSpeech(key, value) {
  return key === 'speaks' ? undefined : value;
}

/**
 * @param {Present[]} people
 * @param {string[]} gone user ids
 * @param {Present[]} set who came or is otherwise than before
 * @returns {Present[]}
 */
function patched(people, gone, set) {
  const byId = new Map(people.map((p) => [p.user_id, p]));
  gone.forEach((id) => byId.delete(id));
  set.forEach((p) => byId.set(p.user_id, p)); // a Map keeps the place of whoever is in it
  return [...byId.values()];
}

/**
 * The server's order of a list, which one by one its events do not tell.
 * @param {import('./protocol.js').ChannelInfo} a
 * @param {import('./protocol.js').ChannelInfo} b
 * @returns {number}
 */
function byPosition(a, b) {
  return (a.position ?? 0) - (b.position ?? 0) || a.created_at - b.created_at || (a.channel_id < b.channel_id ? -1 : 1);
}
