/**
 * Reads a peer connection's statistics a few times a second and tells who is speaking
 * and how good the path is. Statistics rather than an AudioContext: they need no
 * permission to start, cost no audio thread, and one report answers both questions.
 *
 * Events, both CustomEvents:
 *  - `levels`: `detail` is a {@link Levels};
 *  - `quality`: `detail` is a {@link Quality}.
 * @module
 */

/** How often levels are read, in milliseconds: fast enough to look immediate. */
const INTERVAL_MS = 200;
/** Quality is computed over this many readings, so that the number does not flicker. */
const QUALITY_EVERY = 10;
/** Root mean square of the samples, of 1: about −42 dBFS, above a quiet room. */
const SPEAKING_RMS = 0.008;

/**
 * @typedef {object} Levels
 * @property {number} own root mean square of what the microphone picks up, 0 to 1
 * @property {Map<string, number>} received the same by track id of each receiving line
 */

/**
 * @typedef {object} Quality
 * @property {number | null} rttMs round trip to the server
 * @property {number | null} lossPercent of packets, the worse of the two directions
 */

/**
 * @param {number} rms
 * @returns {boolean}
 */
export function isSpeech(rms) {
  return rms >= SPEAKING_RMS;
}

export class Meter extends EventTarget {
  #pc;
  #timer = 0;
  #busy = false;
  #round = 0;
  /** @type {Map<string, {energy: number, duration: number}>} last totals by stats id */
  #totals = new Map();
  #counted = { lost: 0, received: 0 };

  /** @param {RTCPeerConnection} pc */
  constructor(pc) {
    super();
    this.#pc = pc;
    this.#timer = setInterval(() => this.#read(), INTERVAL_MS);
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
        this.#levels(report);
        if (this.#round++ % QUALITY_EVERY === 0) {
          this.#quality(report);
        }
      }
    } catch {
      // A closed connection has no statistics.
    } finally {
      this.#busy = false;
    }
  }

  /** @param {RTCStatsReport} report */
  #levels(report) {
    /** @type {Levels} */
    const levels = { own: 0, received: new Map() };
    report.forEach((stats) => {
      if (stats.kind !== 'audio') {
        return;
      }
      if (stats.type === 'media-source') {
        levels.own = this.#rms(stats);
      } else if (stats.type === 'inbound-rtp') {
        levels.received.set(stats.trackIdentifier, this.#rms(stats));
      }
    });
    this.dispatchEvent(new CustomEvent('levels', { detail: levels }));
  }

  /**
   * The level since the last reading from the running totals (W3C webrtc-stats,
   * totalAudioEnergy), or the momentary level where a browser has no totals.
   * @param {any} stats
   * @returns {number}
   */
  #rms(stats) {
    if (stats.totalAudioEnergy === undefined) {
      return stats.audioLevel ?? 0;
    }
    const now = { energy: stats.totalAudioEnergy, duration: stats.totalSamplesDuration };
    const last = this.#totals.get(stats.id);
    this.#totals.set(stats.id, now);
    if (!last || now.duration <= last.duration) {
      return 0;
    }
    return Math.sqrt(Math.max(0, now.energy - last.energy) / (now.duration - last.duration));
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
