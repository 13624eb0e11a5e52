/**
 * Push to talk and push to mute, each person's own choice in a channel where everybody may talk. The microphone stays open
 * and warm; what is not to be heard does not leave the machine. The server is told nothing of it: others see somebody who is
 * silent, not muted.
 *
 * Events: `change`; `vain` when one would talk and is muted.
 * @module
 */

import { HoldToTalk } from './hold.js';
import { Store } from './store.js';

/** How long one is still heard after the key was let go, in milliseconds: people let go with the last syllable. */
const TAIL_MS = 200;

/** The mode of channels where the server says whose turn it is. */
const FLOOR_MODE = 'ptt';

export class Push extends Store {
  hold = new HoldToTalk();

  #call;
  #client;
  #choices;

  /**
   * @param {import('./session.js').Session} session
   * @param {import('./choices.js').Choices} choices
   */
  constructor({ call, client }, choices) {
    super();
    this.#call = call;
    this.#client = client;
    this.#choices = choices;
    for (const source of [call, client, choices]) {
      source.addEventListener(source === client ? 'state' : 'change', () => this.#follow());
    }
    this.hold.addEventListener('press', () => this.#onPress());
    this.hold.addEventListener('release', () => this.#follow());
    this.#follow();
  }

  /** How one talks where one is. @returns {import('./choices.js').TalkBy} */
  get by() {
    return this.#call.room?.mode === FLOOR_MODE ? 'open' : this.#choices.get('talkBy');
  }

  /** Whether there is something to hold: one is in a channel, with a microphone, and not in its audience. */
  get offered() {
    const { room, talk, voice } = this.#call;
    return this.by !== 'open' && room !== null && !talk.listenOnly && !voice.suppressed;
  }

  #onPress() {
    const { voice } = this.#call;
    if (this.by === 'talk' && (voice.silent || voice.held)) {
      this.dispatchEvent(new CustomEvent('vain'));
    }
    this.#follow();
  }

  #follow() {
    const { hold, by } = this;
    hold.key = this.#choices.get('talkKey');
    if (hold.toggles !== this.#choices.get('talkToggles')) {
      hold.release();
      hold.toggles = !hold.toggles;
    }
    hold.tailMs = by === 'talk' ? TAIL_MS : 0;
    const reached = this.#client.state.name === 'ready' && this.#call.media.state === 'connected';
    hold.enabled = this.offered && this.#call.here !== null && reached;
    this.#call.voice.setQuiet(by === 'talk' ? !hold.pressed : by === 'mute' && hold.pressed);
    this.changed();
  }
}
