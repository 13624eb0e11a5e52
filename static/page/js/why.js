/**
 * Why somebody is not heard: what this page knows of how it plays them, and what the server finds of all the rest. It also
 * answers the server where an operator looks for the same.
 * @module
 */

import { ConnectionLostError, FEATURE_PLAYBACK, FEATURE_WHY, Op, requestPatiently } from './protocol.js';

/** How long is looked at what arrives of somebody, in milliseconds. */
const LOOK_MS = 1_000;

/** @typedef {import('./protocol.js').PlaybackState} PlaybackState */
/** @typedef {import('./protocol.js').WhyFound} WhyFound */

export class Why {
  #client;
  #media;

  /**
   * @param {import('./client.js').Client} client
   * @param {import('./media.js').Media} media
   */
  constructor(client, media) {
    this.#client = client;
    this.#media = media;
    client.can(FEATURE_PLAYBACK);
    client.addEventListener('event', (e) => {
      const { op, d } = /** @type {CustomEvent} */ (e).detail;
      if (op === Op.PLAYBACK_WANTED) {
        this.#answer(d);
      }
    });
  }

  /** Whether the server can be asked. */
  get available() {
    return this.#client.has(FEATURE_WHY);
  }

  /**
   * Asks why somebody is not heard. It takes a second, in which they should talk.
   * @param {string} userId
   * @returns {Promise<WhyFound>} the first link that is broken on the way of their voice
   * @throws {import('./protocol.js').RequestError | ConnectionLostError}
   */
  async ask(userId) {
    const playback = await this.playback(userId);
    return requestPatiently(this.#client, Op.WHY, { user_id: userId, playback });
  }

  /**
   * @param {string} userId
   * @returns {Promise<PlaybackState>} how this page plays somebody
   */
  async playback(userId) {
    const { playback, slots } = this.#media;
    const slot = slots.find((s) => s.userId === userId);
    const before = slot && (await counted(slot.receiver));
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    /** @type {PlaybackState} */
    const told = { sound: playback.sound, person_volume: this.#media.volumeOf(userId) };
    if (slot && before && slot.userId === userId) {
      told.playing = !slot.audio.paused;
      const now = await counted(slot.receiver);
      const samples = now.samples - before.samples;
      told.over_ms = Math.round(now.at - before.at);
      told.packets = Math.max(0, now.packets - before.packets);
      told.lost = Math.max(0, now.lost - before.lost);
      told.concealed = samples > 0 ? Math.min(1, Math.max(0, (now.concealed - before.concealed) / samples)) : undefined;
      told.level = now.level;
    }
    return told;
  }

  /** @param {{ask_id: string, user_id: string}} d */
  async #answer({ ask_id, user_id }) {
    try {
      await this.#client.request(Op.PLAYBACK, { ask_id, playback: await this.playback(user_id) });
    } catch (err) {
      if (!(err instanceof ConnectionLostError)) {
        console.warn('how somebody is played was not told', err); // the operator does without
      }
    }
  }
}

/**
 * @param {RTCRtpReceiver} receiver
 * @returns {Promise<{at: number, packets: number, lost: number, samples: number, concealed: number, level?: number}>} what arrived
 *   so far; what stands in for silence is not counted as concealed
 */
async function counted(receiver) {
  const sum = { at: performance.now(), packets: 0, lost: 0, samples: 0, concealed: 0, level: /** @type {number | undefined} */ (undefined) };
  (await receiver.getStats()).forEach((stats) => {
    if (stats.type === 'inbound-rtp') {
      sum.packets += stats.packetsReceived ?? 0;
      sum.lost += stats.packetsLost ?? 0;
      sum.samples += stats.totalSamplesReceived ?? 0;
      sum.concealed += (stats.concealedSamples ?? 0) - (stats.silentConcealedSamples ?? 0);
      sum.level = stats.audioLevel;
    }
  });
  return sum;
}
