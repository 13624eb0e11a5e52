/**
 * Push to talk and push to mute. In a channel where everybody may talk it is each person's own choice: the microphone stays open
 * and warm, what is not to be heard does not leave the machine, and the server is told nothing of it, so that others see somebody who is
 * silent, not muted. Where one talks at a time, to press is to ask for the floor, and to let go is to give it back.
 *
 * Events: `change`; `vain` when one would talk and is muted; `told` when what one pressed for came to nothing, and there is nothing
 * to let go any more.
 * @module
 */

import { HoldToTalk } from './hold.js';
import { MODE_PTT } from './protocol.js';
import { Store } from './store.js';

/** How long one is still heard after the key was let go, in milliseconds: people let go with the last syllable. */
const TAIL_MS = 200;
/** The priority of an emergency. */
const EMERGENCY = 255;

export class Push extends Store {
  hold = new HoldToTalk();
  /** By which those talk who need not wait. */
  breakIn = new HoldToTalk();

  #call;
  #client;
  #choices;
  /** Where one talks at a time: what was said just before one let go is still on its way. */
  #tail = 0;

  /**
   * @param {import('./session.js').Session} session
   * @param {import('./choices.js').Choices} choices
   */
  constructor({ call, client, directory }, choices) {
    super();
    this.#call = call;
    this.#client = client;
    this.#choices = choices;
    this.directory = directory;
    for (const source of [call, client, choices]) {
      source.addEventListener(source === client ? 'state' : 'change', () => this.#follow());
    }
    this.hold.addEventListener('press', () => this.#onPress({}));
    this.breakIn.addEventListener('press', () => this.#onPress(this.#urgent));
    for (const held of [this.hold, this.breakIn]) {
      held.addEventListener('release', () => this.#onRelease());
    }
    call.floor.addEventListener('cue', (e) => this.#onCue(/** @type {CustomEvent} */ (e).detail));
    this.#follow();
  }

  /** How one talks where one is. @returns {import('./choices.js').TalkBy | 'floor'} */
  get by() {
    return this.#call.room?.mode === MODE_PTT ? 'floor' : this.#choices.get('talkBy');
  }

  /** Whether there is something to hold: one is in a channel, with a microphone, and not in its audience. */
  get offered() {
    const { room, talk, voice } = this.#call;
    return this.by !== 'open' && room !== null && !talk.listenOnly && !voice.suppressed;
  }

  /** @returns {'over' | 'priority' | 'emergency' | null} how one may talk while somebody else does, without waiting */
  get urgency() {
    const { floor, room } = this.#call;
    const waits = floor.standing === '' || floor.standing === 'queued';
    if (this.by !== 'floor' || !floor.holder || !(waits || this.breakIn.pressed)) {
      return null;
    }
    const info = this.directory.find(room?.channelId ?? null);
    if (info?.floor?.over && info.may?.includes('moderate')) {
      return floor.over ? null : 'over';
    }
    if (floor.priorityMax <= floor.holder.priority) {
      return null;
    }
    return floor.priorityMax === EMERGENCY ? 'emergency' : 'priority';
  }

  /** @returns {import('./floor.js').Wish} */
  get #urgent() {
    return this.urgency === 'over' ? { over: true } : { priority: this.#call.floor.priorityMax };
  }

  /** @param {import('./floor.js').Wish} wish where one talks at a time */
  #onPress(wish) {
    const { voice, floor } = this.#call;
    const muted = voice.silent || voice.held;
    if (this.by !== 'mute' && muted) {
      this.dispatchEvent(new CustomEvent('vain'));
    } else if (this.by === 'floor') {
      clearTimeout(this.#tail);
      this.#tail = 0;
      floor.request(wish, voice.tell());
    }
    this.#follow();
  }

  #onRelease() {
    const { floor } = this.#call;
    if (this.by === 'floor' && !this.hold.pressed && !this.breakIn.pressed) {
      if (floor.standing === 'granted') {
        this.#tail = setTimeout(() => this.#endTail(), TAIL_MS);
      }
      floor.release();
    }
    this.#follow();
  }

  #endTail() {
    this.#tail = 0;
    this.#follow();
  }

  /** @param {import('./tones.js').Tone} tone */
  #onCue(tone) {
    if (this.#choices.get('talkToggles') && (tone === 'denied' || tone === 'cut')) {
      this.dispatchEvent(new CustomEvent('told'));
      this.hold.release();
      this.breakIn.release();
    }
  }

  #follow() {
    const { hold, breakIn, by } = this;
    const { floor, here, media, moves, voice } = this.#call;
    hold.key = this.#choices.get('talkKey');
    const toggles = this.#choices.get('talkToggles');
    for (const held of [hold, breakIn]) {
      if (held.toggles !== toggles) {
        held.release();
        held.toggles = toggles;
      }
    }
    hold.tailMs = by === 'talk' ? TAIL_MS : 0;
    const reached = this.#client.state.name === 'ready' && media.state === 'connected';
    const may = this.offered && here !== null && reached;
    hold.enabled = may || (moves && hold.pressed); // who talks, talks on
    breakIn.enabled = (may || (moves && breakIn.pressed)) && by === 'floor';
    if (by === 'floor') {
      const heard = floor.standing === 'asking' || floor.standing === 'granted' || this.#tail !== 0;
      voice.setQuiet(!heard);
    } else {
      voice.setQuiet(by === 'talk' ? !hold.pressed : by === 'mute' && hold.pressed);
    }
    this.changed();
  }
}
