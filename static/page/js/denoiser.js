/**
 * Takes the noise out of a microphone by RNNoise, in an AudioWorklet: more of it, and of more kinds, than browsers do by themselves.
 * What it needs is loaded when it is used first (rnnoise/, which has the licences).
 * @module
 */

import { Store } from './store.js';

/** What RNNoise was trained for, in Hz; the browser makes it of what the device has. */
const SAMPLE_RATE = 48_000;
const PROCESSOR = '@sapphi-red/web-noise-suppressor/rnnoise';
const FILES = new URL('../rnnoise/', import.meta.url);
/** How long what it needs may take to come, in milliseconds: until then nobody suppresses the noise. */
const PATIENCE_MS = 15_000;

/** @type {Promise<ArrayBuffer> | null} */
let program = null;

/** @returns {Promise<ArrayBuffer>} RNNoise, which this browser can run */
function load() {
  program ??= (async () => {
    const response = await fetch(new URL('rnnoise.wasm', FILES), { signal: AbortSignal.timeout(PATIENCE_MS) });
    const bytes = await response.arrayBuffer();
    await WebAssembly.compile(bytes.slice(0)); // what fails inside of a worklet nobody hears of
    return bytes;
  })();
  program.catch(() => (program = null)); // it may be reached the next time
  return program;
}

/** @returns {Promise<never>} rejects when it has taken too long */
function late() {
  return new Promise((_, reject) => setTimeout(() => reject(new Error('it does not come')), PATIENCE_MS));
}

/**
 * @param {BaseAudioContext} context of 48 kHz
 * @returns {Promise<AudioWorkletNode>} what passes speech on, and noise not
 */
export async function denoiserNode(context) {
  const module = context.audioWorklet.addModule(new URL('worklet.js', FILES));
  const [wasmBinary] = await Promise.all([load(), Promise.race([module, late()])]);
  return new AudioWorkletNode(context, PROCESSOR, {
    channelCount: 1,
    channelCountMode: 'explicit',
    outputChannelCount: [1],
    processorOptions: { wasmBinary, maxChannels: 1 },
  });
}

/** A track without its noise. Event: `change` when {@link Denoiser#running} or {@link Denoiser#broken} changed. */
export class Denoiser extends Store {
  #context = new AudioContext({ sampleRate: SAMPLE_RATE, latencyHint: 'interactive' });
  #destination = new MediaStreamAudioDestinationNode(this.#context, { channelCount: 1, channelCountMode: 'explicit' });
  /** @type {AudioWorkletNode | null} */
  #node = null;
  /** It failed on its way, and nothing comes out any more. */
  broken = false;

  /**
   * @param {MediaStreamTrack} from stays its owner's
   * @returns {Promise<Denoiser>}
   * @throws {Error} where this browser cannot
   */
  static async of(from) {
    const denoiser = new Denoiser();
    try {
      await denoiser.#begin(from);
    } catch (err) {
      denoiser.stop();
      throw err;
    }
    return denoiser;
  }

  /** What is left of the sound. It ends when this is stopped. */
  get track() {
    return this.#destination.stream.getAudioTracks()[0];
  }

  /** Whether sound comes out. It does not before the first click on a page, or while the system holds sound back. */
  get running() {
    return this.#context.state === 'running' && !this.broken;
  }

  /** @param {MediaStreamTrack} from */
  async #begin(from) {
    const source = this.#context.createMediaStreamSource(new MediaStream([from]));
    this.#node = await denoiserNode(this.#context);
    this.#node.onprocessorerror = () => {
      this.broken = true;
      this.changed();
    };
    source.connect(this.#node).connect(this.#destination);
    this.#context.onstatechange = () => this.changed();
    const resume = () => this.#context.resume().catch(() => {});
    resume();
    for (const gesture of ['click', 'keydown']) {
      document.addEventListener(gesture, resume, { capture: true, signal: this.#stopped.signal });
    }
  }

  #stopped = new AbortController();

  stop() {
    this.#stopped.abort();
    this.#context.onstatechange = null;
    this.#node?.port.postMessage('destroy');
    this.track.stop();
    this.#context.close().catch(() => {});
  }
}
