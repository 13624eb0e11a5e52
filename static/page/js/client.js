/**
 * The signalling client: one WebSocket at a time, kept alive by heartbeats and opened
 * again after a random back-off. It knows nothing of channels, voice or the screen.
 *
 * Events, all CustomEvents:
 *  - `state`: the connection's state changed; read {@link Client#state}.
 *  - `ready`: a new session stands; `detail` is READY's payload.
 *  - `event`: a server event; `detail` is `{op, d}`.
 * @module
 */

import { siteRefusal } from './account.js';
import { CloseCode, ConnectionLostError, ErrorCode, Op, RequestError, VERSION, mayReconnect } from './protocol.js';
import { Retry } from './retry.js';

/** How long the server may take from our dialling to READY, in milliseconds. */
const CONNECT_TIMEOUT_MS = 10_000;
/** How long a request may go unanswered before the connection counts as dead. */
const REQUEST_TIMEOUT_MS = 15_000;
/** A connection that stood this long counts as a success: the back-off starts anew. */
const STABLE_MS = 10_000;
/** The code a close has when no close frame arrived (RFC 6455, section 7.1.5). */
const ABNORMAL = 1006;

/**
 * @typedef {object} ClientState
 * @property {'idle' | 'connecting' | 'ready' | 'waiting' | 'stopped'} name
 * @property {number} [code] the close code that led to `waiting` or `stopped`
 * @property {string} [reason] the server's words beside the code
 * @property {string} [refusal] in `waiting`: why the server refuses this page
 * @property {number} [retryAt] in `waiting`: when the next try starts, as Date.now() counts
 * @property {boolean} [again] in `connecting`: this is not the first try
 */

/**
 * @typedef {object} Pending
 * @property {(d: any) => void} resolve
 * @property {(err: Error) => void} reject
 * @property {number} timer
 */

export class Client extends EventTarget {
  /** @type {ClientState} */
  state = { name: 'idle' };
  /** @type {import('./protocol.js').Ready | null} READY of the session that stands */
  ready = null;
  /** The server's name and version as HELLO gave it. */
  server = '';
  /** Round trip of the last heartbeat in milliseconds, or null before the first. */
  /** @type {number | null} */
  rttMs = null;

  #url;
  #token = '';
  /** @type {WebSocket | null} */
  #ws = null;
  /** @type {Map<string, Pending>} */
  #pending = new Map();
  /** Whether the server has spoken on {@link #ws}. */
  #greeted = false;
  #lastId = 0;
  /** Number of the last event of this session. */
  #lastEvent = 0;
  #retry = new Retry(() => this.#connect());
  #connectTimer = 0;
  #heartbeatTimer = 0;
  #stableTimer = 0;

  /** @param {string | URL} url of the gateway */
  constructor(url) {
    super();
    this.#url = url;
  }

  /**
   * Connects, and stays connected until {@link stop} or a close code that forbids it.
   * @param {string} token
   */
  start(token) {
    this.stop();
    this.#token = token;
    this.#retry.succeeded();
    this.#connect();
  }

  /** Tries at once instead of waiting out the back-off. Also leaves `stopped`. */
  retryNow() {
    if (this.state.name === 'waiting' || this.state.name === 'stopped') {
      this.#connect();
    }
  }

  /** Closes the connection and stays away. */
  stop() {
    this.#detach(1000);
    this.#setState({ name: 'idle' });
  }

  /**
   * Sends a request and waits for its one reply.
   * @param {number} op
   * @param {object} [d]
   * @returns {Promise<any>} ACK's `data`, or the payload of the op's own reply
   * @throws {RequestError | ConnectionLostError}
   */
  request(op, d = {}) {
    const ws = this.#ws;
    const identifying = op === Op.IDENTIFY && this.state.name === 'connecting';
    if (!ws || (this.state.name !== 'ready' && !identifying)) {
      return Promise.reject(new ConnectionLostError());
    }
    const id = `r${++this.#lastId}`;
    return new Promise((resolve, reject) => {
      // Every request gets exactly one reply, so silence means the connection is dead
      // even though the socket has not noticed.
      const timer = setTimeout(() => this.#lost(ABNORMAL, 'no reply'), REQUEST_TIMEOUT_MS);
      this.#pending.set(id, { resolve, reject, timer });
      ws.send(JSON.stringify({ op, id, d }));
    });
  }

  #connect() {
    this.#detach();
    this.#setState({ name: 'connecting', again: this.#retry.failedBefore });
    this.#greeted = false;
    const ws = new WebSocket(this.#url);
    this.#ws = ws;
    this.#connectTimer = setTimeout(() => this.#lost(ABNORMAL, 'no answer'), CONNECT_TIMEOUT_MS);
    ws.onmessage = (e) => this.#receive(e.data);
    ws.onclose = (e) => this.#lost(e.code, e.reason);
  }

  /**
   * Forgets the socket. Its late events must not reach a newer one, so the handlers go
   * first.
   * @param {number} [code]
   */
  #detach(code) {
    this.#retry.cancel();
    clearTimeout(this.#connectTimer);
    clearTimeout(this.#stableTimer);
    clearInterval(this.#heartbeatTimer);
    const ws = this.#ws;
    this.#ws = null;
    this.ready = null;
    if (ws) {
      ws.onmessage = null;
      ws.onclose = null;
      ws.close(code);
    }
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const p of pending) {
      clearTimeout(p.timer);
      p.reject(new ConnectionLostError());
    }
  }

  /**
   * The connection ended: decide whether and when to come back.
   * @param {number} code
   * @param {string} reason
   */
  #lost(code, reason) {
    const unopened = code === ABNORMAL && !this.#greeted;
    this.#detach();
    if (!mayReconnect(code)) {
      this.#setState({ name: 'stopped', code, reason });
      return;
    }
    this.#retry.later();
    /** @type {ClientState} */
    const waiting = { name: 'waiting', code, reason, retryAt: this.#retry.at ?? 0 };
    this.#setState(waiting);
    if (unopened) {
      siteRefusal(this.#url).then((refusal) => {
        if (refusal && this.state === waiting) {
          this.#setState({ ...waiting, refusal });
        }
      });
    }
  }

  /** @param {string} text */
  #receive(text) {
    /** @type {{op: number, id?: string, s?: number, d?: any}} */
    let frame;
    try {
      frame = JSON.parse(text);
    } catch {
      console.warn('livechat: the server sent a frame that is not JSON');
      return;
    }
    const d = frame.d ?? {};
    if (frame.op === Op.HELLO) {
      this.#identify(d);
    } else if (frame.id !== undefined) {
      this.#settle(frame.op, frame.id, d);
    } else if (frame.s !== undefined) {
      this.#lastEvent = frame.s;
      this.dispatchEvent(new CustomEvent('event', { detail: { op: frame.op, d } }));
    } else if (frame.op >= 100 && frame.op < Op.ACK) {
      // Droppable events are not numbered.
      this.dispatchEvent(new CustomEvent('event', { detail: { op: frame.op, d } }));
    }
  }

  /**
   * @param {number} op
   * @param {string} id
   * @param {any} d
   */
  #settle(op, id, d) {
    const pending = this.#pending.get(id);
    if (!pending) {
      return;
    }
    this.#pending.delete(id);
    clearTimeout(pending.timer);
    if (op === Op.ERROR) {
      pending.reject(new RequestError(d));
    } else {
      pending.resolve(op === Op.ACK ? (d.data ?? {}) : d);
    }
  }

  /** @param {{heartbeat_interval: number, v: number[], server: string}} hello */
  async #identify(hello) {
    this.#greeted = true;
    this.server = String(hello.server ?? '');
    if (!hello.v.includes(VERSION)) {
      this.#lost(CloseCode.VERSION, 'unsupported protocol version');
      return;
    }
    this.#lastEvent = 0;
    try {
      const ready = await this.request(Op.IDENTIFY, { token: this.#token, v: VERSION, client: 'web/1' });
      clearTimeout(this.#connectTimer);
      this.ready = ready;
      this.#setState({ name: 'ready' });
      this.#stableTimer = setTimeout(() => this.#retry.succeeded(), STABLE_MS);
      this.#startHeartbeat(hello.heartbeat_interval);
      this.dispatchEvent(new CustomEvent('ready', { detail: ready }));
    } catch (err) {
      // The server closes with 4004 or 4012 by itself, but a lost close frame must not
      // turn a refusal into endless tries.
      if (err instanceof RequestError) {
        const version = err.code === ErrorCode.UNSUPPORTED_VERSION;
        const refused = version || err.code === ErrorCode.INVALID_TOKEN;
        this.#lost(version ? CloseCode.VERSION : refused ? CloseCode.AUTH_FAILED : ABNORMAL, err.reason);
      }
    }
  }

  /** @param {number} intervalMs */
  #startHeartbeat(intervalMs) {
    this.#heartbeatTimer = setInterval(async () => {
      const sent = performance.now();
      try {
        await this.request(Op.HEARTBEAT, { s: this.#lastEvent });
        this.rttMs = Math.round(performance.now() - sent);
      } catch {
        // The connection's end is told by the state.
      }
    }, intervalMs);
  }

  /** @param {ClientState} state */
  #setState(state) {
    if (state.name === 'idle' && this.state.name === 'idle') {
      return;
    }
    this.state = state;
    this.dispatchEvent(new CustomEvent('state'));
  }
}

/**
 * Connects once, for a session apart from the page's own.
 * @param {URL} gateway
 * @param {string} token
 * @returns {Promise<Client>} with a session that stands; stop it
 */
export function identified(gateway, token) {
  const client = new Client(gateway);
  return new Promise((resolve, reject) => {
    const giveUp = () => {
      client.stop();
      reject(new Error('the connection was opened and then lost'));
    };
    const timer = setTimeout(giveUp, CONNECT_TIMEOUT_MS);
    client.addEventListener('ready', () => {
      clearTimeout(timer);
      resolve(client);
    });
    client.addEventListener('state', () => {
      if (client.state.name === 'waiting' || client.state.name === 'stopped') {
        clearTimeout(timer);
        giveUp();
      }
    });
    client.start(token);
  });
}
