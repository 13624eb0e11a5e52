/**
 * Mute and deafen: what the person chose; how microphone and sound are doing; and telling the
 * server until it knows.
 *
 * Events: `change`; `told` when the server took note, with its answer; `refused` when it
 * did not, with the error.
 * @module
 */

import { ConnectionLostError, Op, requestPatiently } from './protocol.js';
import { Store } from './store.js';

/** What a server that was told nothing takes for given. */
const UNTOLD = JSON.stringify({ self_mute: false, self_deaf: false, mic: 'ok', sound: 'ok' });

export class Voice extends Store {
  /** Chosen by the person. Deafening mutes too, without touching this choice. */
  muted = false;
  deaf = false;
  /** A moderator lets nobody hear the person, whatever they choose. */
  held = false;
  /** The channel lets nobody hear the person: they are in its audience. */
  suppressed = false;
  /** Nothing is to be heard just now, since the person holds no key, or holds one. To others they are silent, not muted. */
  quiet = false;

  #client;
  #media;
  /** What the server knows. It forgets with the session. */
  #told = UNTOLD;
  /** @type {Promise<void> | null} */
  #telling = null;

  /**
   * @param {import('./client.js').Client} client
   * @param {import('./media.js').Media} media
   */
  constructor(client, media) {
    super();
    this.#client = client;
    this.#media = media;
    media.microphone.addEventListener('change', () => this.#tellSoon());
    media.playback.addEventListener('change', () => this.#tellSoon());
  }

  /** Whether nothing of what the person says is to be heard. */
  get silent() {
    return this.muted || this.deaf;
  }

  /** @param {boolean} muted */
  setMuted(muted) {
    // To speak is to listen again.
    this.#set(muted, muted && this.deaf);
  }

  /** @param {boolean} deaf */
  setDeaf(deaf) {
    this.#set(this.muted, deaf);
  }

  /** @param {boolean} held */
  hold(held) {
    if (held !== this.held) {
      this.held = held;
      this.#set(this.muted, this.deaf);
    }
  }

  /** @param {boolean} suppressed */
  suppress(suppressed) {
    if (suppressed !== this.suppressed) {
      this.suppressed = suppressed;
      this.#open();
      this.changed();
    }
  }

  /** @param {boolean} quiet */
  setQuiet(quiet) {
    if (quiet !== this.quiet) {
      this.quiet = quiet;
      this.#open();
      this.changed();
    }
  }

  /**
   * Here at once, at the server as soon as it can be told.
   * @param {boolean} muted
   * @param {boolean} deaf
   */
  #set(muted, deaf) {
    this.muted = muted;
    this.deaf = deaf;
    // The server stops a silent person's audio whatever arrives; this keeps it from
    // leaving the machine in the first place.
    this.#open();
    this.#media.playback.setDeaf(deaf);
    this.changed();
    this.#tellSoon();
  }

  #open() {
    this.#media.microphone.enable(!this.silent && !this.held && !this.suppressed && !this.quiet);
  }

  async #tellSoon() {
    try {
      await this.tell();
    } catch (err) {
      // After a lost connection the next session is told before it joins anything.
      if (!(err instanceof ConnectionLostError)) {
        this.dispatchEvent(new CustomEvent('refused', { detail: err }));
      }
    }
  }

  /** A new session knows of neither. */
  forget() {
    this.#told = UNTOLD;
  }

  /**
   * Tells the server what it does not know yet; returns when it does.
   * @returns {Promise<void>}
   * @throws {RequestError | ConnectionLostError}
   */
  tell() {
    this.#telling ??= this.#tellAll().finally(() => {
      this.#telling = null;
    });
    return this.#telling;
  }

  async #tellAll() {
    for (;;) {
      const { microphone, playback } = this.#media;
      // To be heard again is refused while a moderator does not let one be.
      const self_mute = this.held && !this.silent ? undefined : this.silent;
      const wish = { self_mute, self_deaf: this.deaf, mic: microphone.condition, sound: playback.sound };
      const text = JSON.stringify(wish);
      if (text === this.#told) {
        return;
      }
      const state = await requestPatiently(this.#client, Op.VOICE_STATE, wish);
      this.#told = text;
      this.dispatchEvent(new CustomEvent('told', { detail: state }));
    }
  }
}
