/**
 * Reads a peer connection's statistics and tells how good the path is.
 *
 * Event: `quality`, a CustomEvent whose `detail` is a {@link Quality}.
 * @module
 */

/** How often quality is computed, in milliseconds: seldom enough not to flicker. */
const INTERVAL_MS = 2_000;

/**
 * @typedef {object} Quality
 * @property {number | null} rttMs round trip to the server
 * @property {number | null} lossPercent of packets, the worse of the two directions
 */

export class Meter extends EventTarget {
  #pc;
  #timer = 0;
  #busy = false;
  #counted = { lost: 0, received: 0 };

  /** @param {RTCPeerConnection} pc */
  constructor(pc) {
    super();
    this.#pc = pc;
    this.#timer = setInterval(() => this.#read(), INTERVAL_MS);
    this.#read();
  }

  stop() {
    clearInterval(this.#timer);
    this.#timer = 0;
  }

  async #read() {
    // A hidden page shows nothing, and a slow report must not pile up.
    if (this.#busy || document.hidden) {
      return;
    }
    this.#busy = true;
    try {
      const report = await this.#pc.getStats();
      if (this.#timer) {
        this.#quality(report);
      }
    } catch {
      // A closed connection has no statistics.
    } finally {
      this.#busy = false;
    }
  }

  /** @param {RTCStatsReport} report */
  #quality(report) {
    /** @type {Quality} */
    const quality = { rttMs: null, lossPercent: null };
    const counted = { lost: 0, received: 0 };
    let upstream = 0;
    report.forEach((stats) => {
      if (stats.type === 'candidate-pair' && stats.nominated && stats.currentRoundTripTime !== undefined) {
        quality.rttMs = Math.round(stats.currentRoundTripTime * 1000);
      } else if (stats.type === 'inbound-rtp') {
        counted.lost += stats.packetsLost ?? 0;
        counted.received += stats.packetsReceived ?? 0;
      } else if (stats.type === 'remote-inbound-rtp') {
        upstream = Math.max(upstream, (stats.fractionLost ?? 0) * 100);
      }
    });
    const lost = Math.max(0, counted.lost - this.#counted.lost);
    const received = Math.max(0, counted.received - this.#counted.received);
    this.#counted = counted;
    const downstream = lost + received > 0 ? (100 * lost) / (lost + received) : 0;
    quality.lossPercent = Math.round(Math.max(downstream, upstream));
    this.dispatchEvent(new CustomEvent('quality', { detail: quality }));
  }
}
