/**
 * Reads a peer connection's statistics and keeps what the call was like in the last minutes, also across connections.
 *
 * Events: `quality`, a CustomEvent whose `detail` is a {@link Quality}; each time that there is another sample.
 * @module
 */

import { countersOf, factsOf, sampleOf } from './figures.js';

/** How often it is read, in milliseconds: seldom enough not to flicker. */
export const INTERVAL_MS = 2_000;
/** For how long samples are kept, in milliseconds. */
export const KEPT_MS = 300_000;

/**
 * @typedef {object} Quality
 * @property {number | null} rttMs round trip to the server
 * @property {number | null} lossPercent of packets, the worse of the two directions
 */

export class Meter extends EventTarget {
  /** The oldest first. @type {import('./figures.js').Sample[]} */
  samples = [];
  /** Of the connection that was read last. @type {import('./figures.js').Facts | null} */
  facts = null;

  /** @type {RTCPeerConnection | null} */
  #pc = null;
  #timer = 0;
  #busy = false;
  /** @type {import('./figures.js').Counters | null} */
  #counters = null;

  /** @param {RTCPeerConnection} pc to be read from now on */
  start(pc) {
    this.stop();
    this.#pc = pc;
    this.#timer = setInterval(() => this.#read(), INTERVAL_MS);
    this.#read();
  }

  stop() {
    clearInterval(this.#timer);
    this.#pc = null;
    this.#counters = null;
  }

  async #read() {
    const pc = this.#pc;
    // A hidden page shows nothing, and a slow report must not pile up.
    if (this.#busy || document.hidden || !pc) {
      return;
    }
    this.#busy = true;
    try {
      const report = await pc.getStats();
      if (pc === this.#pc) {
        this.#take(report);
      }
    } catch {
      // A closed connection has no statistics.
    } finally {
      this.#busy = false;
    }
  }

  /** @param {RTCStatsReport} report */
  #take(report) {
    const counters = countersOf(report, performance.now());
    const before = this.#counters;
    this.#counters = counters;
    this.facts = factsOf(report);
    if (!before || counters.at - before.at > 2 * INTERVAL_MS) {
      return; // of what was meanwhile nothing is known moment by moment
    }
    const sample = sampleOf(report, counters, before);
    this.samples = [...this.samples.filter(({ at }) => sample.at - at < KEPT_MS), sample];
    const { rttMs, reportedRttMs, leftIn, lostOut } = sample;
    const rtt = rttMs ?? reportedRttMs ?? null;
    /** @type {Quality} */
    const quality = { rttMs: rtt === null ? null : Math.round(rtt), lossPercent: Math.round(Math.max(leftIn ?? 0, lostOut ?? 0)) };
    this.dispatchEvent(new CustomEvent('quality', { detail: quality }));
  }
}
