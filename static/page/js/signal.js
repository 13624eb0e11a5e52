/**
 * Whether anything comes out of a microphone. A headset whose switch is off, a device that the
 * system has muted, or the wrong one of two, gives no error: it gives zeros.
 * @module
 */

/** How often it is looked, in milliseconds: less than {@link WINDOW} lasts, so that nothing is missed. */
const INTERVAL_MS = 200;
/** Samples looked at at once: at least 340 ms. */
const WINDOW = 16_384;
/**
 * What is softer is no sound, of full scale: -120 dB, below the hiss of anything analogue even
 * after the browser has suppressed noise.
 */
const SOUND = 1e-6;
/** How long there must be nothing, in milliseconds. A wireless headset may take a second to begin. */
const PATIENCE_MS = 1_500;
/**
 * Whose zeros end by themselves may have a noise gate, which gives zeros between sentences. It
 * is believed longer each time, by this factor, up to this long.
 */
const PATIENCE_GROWTH = 8;
const MAX_PATIENCE_MS = 120_000;

/** @type {AudioContext | null} of all; browsers allow few */
let context = null;

/** What looks into tracks, which is running while a {@link Signal} looks. */
export function listening() {
  return (context ??= new AudioContext({ latencyHint: 'playback' }));
}

/** Looks at one track until it is stopped. Event: `change` when {@link Signal#silent} changed. */
export class Signal extends EventTarget {
  /** Nothing but zeros comes, and has for a while. */
  silent = false;

  #track;
  #source;
  #analyser;
  #samples = new Float32Array(WINDOW);
  #timer = 0;
  #patience = PATIENCE_MS;
  /** Since when there is nothing, and when it was looked last, as performance.now() counts. */
  #since = 0;
  #looked = 0;
  /** The context's clock at the last look; it stands still while the browser holds sound back. */
  #heardUntil = -1;

  /** @param {MediaStreamTrack} track */
  constructor(track) {
    super();
    this.#track = track;
    this.#source = listening().createMediaStreamSource(new MediaStream([track]));
    this.#analyser = new AnalyserNode(listening(), { fftSize: WINDOW });
    this.#source.connect(this.#analyser);
    this.#timer = setInterval(() => this.#look(), INTERVAL_MS);
  }

  stop() {
    clearInterval(this.#timer);
    this.#source.disconnect();
    // Until the next one looks; a context that runs costs a telephone its battery.
    context?.suspend().catch(() => {});
  }

  #look() {
    const now = performance.now();
    const { currentTime, state } = /** @type {AudioContext} */ (context);
    const looks = state === 'running' && currentTime > this.#heardUntil && this.#track.enabled && !this.#track.muted;
    this.#heardUntil = currentTime;
    if (state !== 'running') {
      // Until the first click, or for as long as somebody is on the telephone.
      context?.resume().catch(() => {});
    }
    // A machine that slept, or a track that was switched off, begins anew.
    if (!looks || now - this.#looked > PATIENCE_MS) {
      this.#since = now;
    }
    this.#looked = now;
    if (!looks) {
      this.#set(false);
      return;
    }
    this.#analyser.getFloatTimeDomainData(this.#samples);
    const sound = this.#samples.findLastIndex((s) => Math.abs(s) > SOUND);
    if (sound >= 0) {
      // Not since now, but since the end of the sound.
      this.#since = now - ((WINDOW - 1 - sound) / /** @type {AudioContext} */ (context).sampleRate) * 1_000;
      if (this.silent) {
        this.#patience = Math.min(this.#patience * PATIENCE_GROWTH, MAX_PATIENCE_MS);
      }
      this.#set(false);
    } else if (now - this.#since >= this.#patience) {
      this.#set(true);
    }
  }

  /** @param {boolean} silent */
  #set(silent) {
    if (silent !== this.silent) {
      this.silent = silent;
      this.dispatchEvent(new CustomEvent('change'));
    }
  }
}
