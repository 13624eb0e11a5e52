/**
 * One WebSocket to the gateway, from the moment it is dialled until it ends: frames in and out,
 * heartbeats, and finding out that it is dead although it has not noticed. It knows nothing of
 * sessions.
 * @module
 */

import { CloseCode, FEATURE_NODES, FEATURE_RESUME, Op } from './protocol.js';

/** The code a close has when no close frame arrived (RFC 6455, section 7.1.5). */
export const ABNORMAL = 1006;

/** How long the server may take from our dialling until a session stands, in milliseconds. */
const CONNECT_TIMEOUT_MS = 10_000;
/**
 * How long nothing may come while an answer is due. Another connection costs little where it takes the session over;
 * where it would cost the session, more patience is called for.
 */
const PATIENCE_MS = 5_000;
const LONG_PATIENCE_MS = 15_000;
/**
 * The same when the connection may be dead, and when something else on the same way is. A network on which it took longer to
 * be opened gets as much.
 */
const CHECK_MS = 2_000;
const SUSPECT_MS = 400;

/** How long nothing may come of one of several nodes, which gives a sign of life every second, and how often that is looked at. */
const ALIVE_MS = 2_000;
const LOOK_MS = 500;

/** What answers a request. */
const REPLIES = new Set(/** @type {number[]} */ ([Op.HEARTBEAT_ACK, Op.READY, Op.RESUMED, Op.INVALID_SESSION, Op.ACK, Op.ERROR]));

/**
 * @typedef {object} Frame
 * @property {number} op
 * @property {string} [id]
 * @property {number} [s]
 * @property {any} [d]
 */

/**
 * @typedef {object} Hello
 * @property {number} heartbeat_interval
 * @property {number[]} v
 * @property {string} server
 * @property {string[]} [features]
 */

export class Connection {
  /** @type {Hello | null} what the server said first; null before that */
  hello = null;
  /** Round trip of the last heartbeat in milliseconds, or null before the first. */
  /** @type {number | null} */
  rttMs = null;
  /** When it was dialled, as performance.now() counts, and how long it then took until the server spoke. */
  since = performance.now();
  /** When the last frame came, as performance.now() counts; 0 before the first. */
  heardAt = 0;
  openedIn = 0;

  #ws;
  #owner;
  /** Runs out when the connection is dead. */
  #deadline = 0;
  #due = Infinity;
  /** Requests on this connection without a reply. */
  #owed = 0;
  /** When heartbeats without an answer were sent. @type {number[]} */
  #beats = [];
  /** How long an answer may take while a check is not answered yet; 0 when there is none. */
  #doubt = 0;
  #heart = 0;
  #watch = 0;
  #standing = false;

  /**
   * Dials. Its owner is told of each frame, and once of the end, unless that was its own doing.
   * @param {string} url of the gateway
   * @param {{seen: () => number, receive: (frame: Frame) => void, broken: (code: number, reason: string) => void}} owner
   *   seen is the number of the last event
   * @param {number} [patience] how long the server may take until HELLO, in milliseconds
   */
  constructor(url, owner, patience = CONNECT_TIMEOUT_MS) {
    this.url = url;
    this.#owner = owner;
    this.#ws = new WebSocket(url);
    this.#expire(patience);
    this.#ws.onmessage = (e) => this.#receive(e.data);
    this.#ws.onclose = (e) => this.#end(e.code, e.reason);
  }

  /** Whether a session on this connection outlives it. */
  get resumes() {
    return this.hello?.features?.includes(FEATURE_RESUME) ?? false;
  }

  /**
   * @param {number} op
   * @param {object} d
   * @param {string} [id]
   */
  send(op, d, id) {
    this.#ws.send(JSON.stringify({ op, id, d }));
    if (this.#standing) {
      this.#owed++;
      this.#expire(this.#patience);
    }
  }

  /** A session stands on it: from now on heartbeats are sent. */
  stand() {
    this.#standing = true;
    clearTimeout(this.#deadline);
    this.#due = Infinity;
    const interval = this.hello?.heartbeat_interval ?? 0;
    const next = () => {
      this.#heart = setTimeout(next, interval);
      this.beat();
    };
    // The first when chance has it, so that those who came together do not beat together.
    this.#heart = setTimeout(next, Math.random() * interval);
    if (this.hello?.features?.includes(FEATURE_NODES)) {
      this.#look(performance.now());
    }
  }

  /**
   * Ends it when nothing has come for too long. One who looks late has slept, and what came meanwhile may wait to be read.
   * @param {number} before when it was looked at last
   */
  #look(before) {
    const now = performance.now();
    if (now - this.heardAt > ALIVE_MS && now - before < 2 * LOOK_MS) {
      this.#end(CloseCode.GIVEN_UP, 'no sign of life');
    } else {
      this.#watch = setTimeout(() => this.#look(now), LOOK_MS);
    }
  }

  /** Tells the server that we are here, and what we have seen. */
  beat() {
    this.#beats.push(performance.now());
    this.send(Op.HEARTBEAT, { s: this.#owner.seen() });
  }

  /** Makes sure that it lives: if not, its owner will soon be told. */
  check() {
    this.#check(CHECK_MS);
  }

  /** The same with less patience: something else on the same way is dead. */
  suspect() {
    this.#check(Math.min(Math.max(SUSPECT_MS, this.openedIn), CHECK_MS));
  }

  /** @param {number} ms how long the answer may take */
  #check(ms) {
    if (this.#standing && this.resumes) {
      this.#doubt = ms;
      this.beat();
    }
  }

  /**
   * Ends it. Its owner hears no more of it.
   * @param {number} code 1000 says farewell to the session, too
   */
  close(code) {
    clearTimeout(this.#deadline);
    clearTimeout(this.#heart);
    clearTimeout(this.#watch);
    this.#ws.onmessage = null;
    this.#ws.onclose = null;
    this.#ws.close(code);
  }

  get #patience() {
    return this.#doubt || (this.resumes ? PATIENCE_MS : LONG_PATIENCE_MS);
  }

  /**
   * Takes the connection for dead after so long, unless it does already sooner.
   * @param {number} ms
   */
  #expire(ms) {
    const due = performance.now() + ms;
    if (due < this.#due) {
      clearTimeout(this.#deadline);
      this.#due = due;
      this.#deadline = setTimeout(() => this.#end(CloseCode.GIVEN_UP, 'no answer'), ms);
    }
  }

  /** @param {string} text */
  #receive(text) {
    /** @type {Frame} */
    let frame;
    try {
      frame = JSON.parse(text);
    } catch {
      console.warn('livechat: the server sent a frame that is not JSON');
      return;
    }
    this.heardAt = performance.now();
    if (frame.op === Op.HELLO) {
      this.hello = frame.d;
      this.openedIn = performance.now() - this.since;
      clearTimeout(this.#deadline);
      this.#due = Infinity;
      this.#expire(CONNECT_TIMEOUT_MS);
    } else if (this.#standing) {
      this.#settle(frame);
    }
    this.#owner.receive(frame);
  }

  /** @param {Frame} frame a sign of life, and perhaps an answer */
  #settle(frame) {
    if (frame.op === Op.HEARTBEAT_ACK && frame.id === undefined) {
      this.rttMs = Math.round(performance.now() - (this.#beats.shift() ?? NaN));
      this.#doubt = this.#beats.length > 0 ? this.#doubt : 0;
    }
    if (REPLIES.has(frame.op)) {
      this.#owed--;
    }
    clearTimeout(this.#deadline);
    this.#due = Infinity;
    if (this.#owed > 0) {
      this.#expire(this.#patience);
    }
  }

  /**
   * @param {number} code
   * @param {string} reason
   */
  #end(code, reason) {
    this.close(CloseCode.GIVEN_UP);
    this.#owner.broken(code, reason);
  }
}
