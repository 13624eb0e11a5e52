/**
 * The list of channels. The server tells of channels that come and go, and of people
 * only in one's own channel, so the counts are fetched every few seconds while somebody
 * is looking.
 * @module
 */

import { ErrorCode, Op, RequestError, channelIdFor } from './protocol.js';
import { Store } from './store.js';

/** How often the list is fetched while the page is visible, in milliseconds. */
const INTERVAL_MS = 5_000;

export class Directory extends Store {
  /** @type {import('./protocol.js').ChannelInfo[]} oldest first */
  channels = [];
  /** False until the first list arrived. */
  listed = false;

  #client;

  /** @param {import('./client.js').Client} client */
  constructor(client) {
    super();
    this.#client = client;
    setInterval(() => this.refresh(), INTERVAL_MS);
    document.addEventListener('visibilitychange', () => this.refresh());
  }

  /** Fetches the list, if anybody is looking. */
  async refresh() {
    if (this.#client.state.name !== 'ready' || document.hidden) {
      return;
    }
    try {
      const { channels } = await this.#client.request(Op.CHANNEL_LIST);
      this.channels = channels;
      this.listed = true;
      this.changed();
    } catch {
      // The next round comes soon, and a lost connection is told elsewhere.
    }
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
   * @param {number} capacity 0 for the server's limit
   * @returns {Promise<import('./protocol.js').ChannelInfo>}
   * @throws {RequestError | import('./protocol.js').ConnectionLostError}
   */
  async create(name, capacity) {
    const nameTaken = this.channels.some((c) => c.channel_name === name);
    const ask = (/** @type {string} */ id) =>
      this.#client.request(Op.CHANNEL_CREATE, { channel_id: id, channel_name: name, mode: 'conference', capacity });
    let info;
    try {
      info = await ask(channelIdFor(name));
    } catch (err) {
      const exists = err instanceof RequestError && err.code === ErrorCode.CHANNEL_EXISTS;
      if (!exists || nameTaken) {
        throw err;
      }
      // "Team A" and "team-a" make one id but are two names.
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
    const at = this.channels.findIndex((c) => c.channel_id === info.channel_id);
    this.channels = at < 0 ? [...this.channels, info] : this.channels.with(at, info);
    this.changed();
  }

  /** @param {string} channelId */
  remove(channelId) {
    this.channels = this.channels.filter((c) => c.channel_id !== channelId);
    this.changed();
  }

  /**
   * Sets a count we know better than the last list.
   * @param {string} channelId
   * @param {number} members
   */
  setCount(channelId, members) {
    const info = this.find(channelId);
    if (info && info.member_count !== members) {
      this.upsert({ ...info, member_count: members });
    }
  }
}
