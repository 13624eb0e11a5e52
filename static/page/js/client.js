/**
 * The session at the signalling gateway. It outlives its connections: when one breaks, another is opened after a random
 * back-off and takes the session over by RESUME, with nothing lost and nothing done twice, so that nobody else here
 * notices. Only where the session is gone, a new one is begun. It knows nothing of channels, voice or the screen.
 *
 * Events, all CustomEvents:
 *  - `state`: {@link Client#state} changed, or the session ended, and {@link Client#ready} is null;
 *  - `ready`: a new session stands; `detail` is READY's payload;
 *  - `resumed`: the session has a connection again; `detail.floor` is that of the channel, where there is one;
 *  - `event`: a server event; `detail` is `{op, d}`.
 * @module
 */

import { ABNORMAL, Connection } from './connection.js';
import { siteRefusal } from './entry.js';
import { gatewayAt, route } from './nodes.js';
import { CloseCode, ConnectionLostError, ErrorCode, FEATURE_NODES, Op, VERSION, endsSession, mayReconnect } from './protocol.js';
import { Requests } from './requests.js';
import { Retry } from './retry.js';

/** The first opcode of an event; replies begin with ACK, beyond them. */
const FIRST_EVENT = 100;
/** A connection that stood this long counts as a success: the back-off starts anew. */
const STABLE_MS = 10_000;
/** The first try waits up to this long, and each while the session waits for us up to that long. */
const FIRST_PAUSE_MS = 250;
const RESUME_PAUSE_MS = 1_000;
/** What a server asks for is a wish, and it may be mad. */
const MAX_ASKED_PAUSE_MS = 30_000;
/** How long another node may take until it speaks, and one's own that was lost, unless it took longer before; in milliseconds. */
const NODE_PATIENCE_MS = 2_000;
const OWN_PATIENCE_MS = 500;
/** A try this old is given up for another one when there is news of the network, in milliseconds. */
const STALE_TRY_MS = 1_000;
/** How long signing in for a session apart may take, in milliseconds. */
const IDENTIFY_TIMEOUT_MS = 10_000;

/**
 * - `connecting`, `waiting`: there is no connection; whether there is a session, {@link Client#ready} says.
 * @typedef {object} ClientState
 * @property {'idle' | 'connecting' | 'ready' | 'waiting' | 'stopped'} name
 * @property {number} [code] the close code that led to `waiting` or `stopped`
 * @property {string} [reason] the server's words beside the code
 * @property {number} [until] in `stopped` by a ban: when it ends, as Date.now() counts; absent for good
 * @property {string} [refusal] in `waiting`: why the server refuses this page
 * @property {number} [retryAt] in `waiting`: when the next try starts, as Date.now() counts
 */

export class Client extends EventTarget {
  /** @type {ClientState} */
  state = { name: 'idle' };
  /** @type {import('./protocol.js').Ready | null} READY of the session that stands, with or without a connection */
  ready = null;

  /** Of the gateway of the node that has the session. */
  #url;
  #device;
  #token = '';
  /** What the server has, as it said last. @type {string[]} */
  #features = [];
  /** The node sees too few of the others, so that nothing is kept and nobody gets a floor. */
  alone = false;
  /** One is going to another node, while all that is here goes on. */
  #moves = false;
  /** @type {Connection | null} */
  #connection = null;
  /** By which the session is resumed: the newest; '' when it cannot be. */
  #resumeToken = '';
  /** Number of the last event of this session. */
  #seen = 0;
  /** For the case that the node dies: the others, and by which one goes on there. @type {string[]} */
  #nodes = [];
  #ticket = '';
  /** Where it is tried next, before one begins anew. @type {string[]} */
  #route = [];
  #userId = '';
  /** How long the connection to the node took to open. */
  #openedIn = 0;
  /** What this page can that not all clients can. @type {string[]} */
  #can = [];
  #requests = new Requests((op, d, id) => this.#write(op, d, id));
  #retry = new Retry(() => this.#connect(), FIRST_PAUSE_MS);
  /**
   * How long the server, which knows how many come, wants us to wait once it has ended; null for as chance will have it.
   * @type {number | null}
   */
  #askedPauseMs = null;
  /** Since when there is no connection, as performance.now() counts. */
  #awaySince = 0;
  #stableTimer = 0;

  /**
   * @param {string | URL} url of the gateway
   * @param {string} [device] a word by which the server knows the device again
   */
  constructor(url, device) {
    super();
    this.#url = String(url);
    this.#device = device;
  }

  /** The server's name and version as HELLO gave it. */
  get server() {
    return this.#connection?.hello?.server ?? '';
  }

  /** Whether a session that has just ended did so because one goes on at another node, so that its voice may go on until there is another one. */
  get moves() {
    return this.#moves;
  }

  /** Round trip of the last heartbeat in milliseconds, or null before the first. */
  get rttMs() {
    return this.#connection?.rttMs ?? null;
  }

  /** When the last frame came on the connection that there is, as performance.now() counts; 0 for none. */
  get heardAt() {
    return this.#connection?.heardAt ?? 0;
  }

  /**
   * Asks the server for a sign of life, which {@link Client#heardAt} tells.
   * @returns {boolean} whether there is a connection to ask on
   */
  beat() {
    if (this.state.name === 'ready') {
      this.#connection?.beat();
    }
    return this.state.name === 'ready';
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

  /**
   * @param {string} token by which the next session is begun
   */
  use(token) {
    this.#token = token;
  }

  /**
   * @param {string} feature
   * @returns {boolean} whether the server has it
   */
  has(feature) {
    return this.#features.includes(feature);
  }

  /** @param {string} feature of this page, which the server is told of with the next session */
  can(feature) {
    this.#can.push(feature);
  }

  /** Tries at once instead of waiting out the back-off. Also leaves `stopped`. */
  retryNow() {
    if (this.state.name === 'waiting' || this.state.name === 'stopped') {
      this.#retry.now();
    }
  }

  /**
   * There is news of the network, or of time having passed: makes sure that the connection lives, or tries at once to
   * get one.
   */
  look() {
    const connection = this.#connection;
    if (this.state.name === 'ready') {
      connection?.check();
    } else if (this.state.name === 'waiting' || (connection && performance.now() - connection.since > STALE_TRY_MS)) {
      this.#retry.now();
    }
  }

  /**
   * Waits until the server has answered, over another connection if this one seems to be as dead as something else.
   * @throws {ConnectionLostError}
   */
  async reach() {
    this.#connection?.suspect();
    await this.request(Op.HEARTBEAT, { s: this.#seen });
  }

  /** Says farewell, which ends the session, and stays away. */
  stop() {
    this.#detach(CloseCode.NORMAL);
    this.#forget(true);
    this.#askedPauseMs = null;
    this.#setState({ name: 'idle' });
  }

  /**
   * Sends a request and waits for its one reply, if need be for longer than the connection lasts. Without a session it
   * fails at once.
   * @param {number} op
   * @param {object} [d]
   * @returns {Promise<any>} ACK's `data`, or the payload of the op's own reply
   * @throws {RequestError | ConnectionLostError}
   */
  request(op, d = {}) {
    if (!this.ready) {
      return Promise.reject(new ConnectionLostError(false));
    }
    return this.#requests.make(op, d);
  }

  /**
   * @param {number} op
   * @param {object} d
   * @param {string} id
   * @returns {boolean} whether there is a connection of the session
   */
  #write(op, d, id) {
    const connected = this.state.name === 'ready';
    if (connected) {
      this.#connection?.send(op, d, id);
    }
    return connected;
  }

  #connect() {
    this.#detach(CloseCode.GIVEN_UP);
    const url = this.#route.shift() ?? this.#url;
    const owner = {
      seen: () => this.#seen,
      receive: (/** @type {import('./connection.js').Frame} */ frame) => this.#receive(connection, frame),
      broken: (/** @type {number} */ code, /** @type {string} */ reason) => this.#broken(connection, code, reason),
    };
    const own = Math.max(OWN_PATIENCE_MS, this.#openedIn);
    const patience = url === this.#url ? Math.min(own, NODE_PATIENCE_MS) : NODE_PATIENCE_MS;
    const connection = new Connection(url, owner, this.#nodes.length > 0 ? patience : undefined);
    this.#connection = connection;
    this.#setState({ name: 'connecting' });
  }

  /**
   * Lets the connection go, if there is one.
   * @param {number} code
   */
  #detach(code) {
    this.#retry.cancel();
    clearTimeout(this.#stableTimer);
    this.#connection?.close(code);
    this.#connection = null;
  }

  /**
   * The session is over.
   * @param {boolean} all whether there will be no other one
   */
  #forget(all) {
    this.ready = null;
    this.#ticket = all ? '' : this.#ticket;
    this.#nodes = all ? [] : this.#nodes;
    this.#resumeToken = '';
    this.#seen = 0;
    this.#requests.fail(all);
  }

  /**
   * A connection ended: decide whether and when to come back, and as whom.
   * @param {Connection} connection
   * @param {number} code
   * @param {string} reason
   * @param {number} [until] when one is let in again, as Date.now() counts
   */
  #broken(connection, code, reason, until) {
    const opened = connection.hello !== null;
    const lost = this.state.name === 'ready';
    if (lost) {
      this.#awaySince = performance.now();
    }
    const final = !mayReconnect(code);
    this.#detach(final ? CloseCode.NORMAL : CloseCode.GIVEN_UP);
    if (final || !this.#resumeToken || endsSession(code)) {
      this.#forget(final);
    }
    if (final) {
      this.#setState({ name: 'stopped', code, reason, until });
      return;
    }
    this.#plan(code, opened, lost);
    this.#setState({ name: 'waiting', code, reason, retryAt: this.#retry.at ?? 0 });
    if (!opened && code === ABNORMAL && !this.#awaited) {
      this.#askForRefusal();
    }
  }

  /**
   * Plans the next try.
   * @param {number} code
   * @param {boolean} opened whether the connection was open before it ended
   * @param {boolean} lost whether there was a session on it
   */
  #plan(code, opened, lost) {
    if (this.#nodes.length > 0) {
      this.#planRoute(code, lost);
      return;
    }
    const asked = this.#askedPauseMs;
    this.#askedPauseMs = null;
    if (asked !== null) {
      // It went on purpose: how often it failed before says nothing.
      this.#retry.succeeded();
      this.#retry.in(Math.min(Math.max(asked, 0), MAX_ASKED_PAUSE_MS));
      return;
    }
    if (opened && code === CloseCode.GIVEN_UP) {
      // It died by itself, in silence: the server has nothing to do with it.
      this.#retry.in(0);
      return;
    }
    this.#retry.later(this.#awaited ? RESUME_PAUSE_MS : undefined);
  }

  /**
   * Plans the next try where there are other nodes: they come one after the other, and one's own first unless it said that it goes.
   * @param {number} code
   * @param {boolean} lost whether there was a session
   */
  #planRoute(code, lost) {
    this.#askedPauseMs = null;
    if (!lost && this.#route.length > 0) {
      this.#retry.in(0);
      return;
    }
    const goes = code === CloseCode.RESTARTING || code === CloseCode.DRAINING;
    this.#route = route(this.#userId, this.#url, this.#nodes, !lost || !goes);
    this.#retry.later(this.#awaited ? RESUME_PAUSE_MS : undefined);
  }

  /**
   * Goes to another node, since one's own asks for it. The session here waits, and voice goes on, until there is one.
   * @param {Connection} from which may be another by now
   * @param {string} url the node's
   */
  #move(from, url) {
    if (this.#connection === from) {
      this.#moves = true;
      this.#awaySince = performance.now();
      this.#route = route(this.#userId, this.#url, this.#nodes, false);
      this.#route.unshift(gatewayAt(url));
      this.#connect();
    }
  }

  /** Whether the server still waits for us to resume the session. */
  get #awaited() {
    return this.ready !== null && performance.now() - this.#awaySince < this.ready.resume_window_ms;
  }

  async #askForRefusal() {
    const waiting = this.state;
    const refusal = await siteRefusal(this.#url);
    if (refusal && this.state === waiting) {
      this.#setState({ ...waiting, refusal });
    }
  }

  /**
   * @param {Connection} connection
   * @param {import('./connection.js').Frame} frame
   */
  #receive(connection, { op, id, s, d = {} }) {
    switch (op) {
      case Op.HELLO:
        this.#introduce(connection, d);
        return;
      case Op.READY:
        this.#begin(connection, d);
        return;
      case Op.RESUMED:
        this.#goOn(connection, d);
        return;
      case Op.INVALID_SESSION:
        this.#forget(false);
        this.#setState({ name: 'connecting' });
        this.#identify(connection);
        return;
    }
    if (op === Op.ALIVE) {
      this.#learn(d);
    } else if (op === Op.RECONNECT && d.url) {
      setTimeout(() => this.#move(connection, d.url), d.after_ms);
    } else if (op === Op.ERROR && id === undefined && this.state.name === 'connecting' && d.code === ErrorCode.REJOIN) {
      this.#ticket = '';
      this.#identify(connection);
    } else if (op === Op.ERROR && id === undefined && this.state.name === 'connecting') {
      this.#refused(connection, d);
    } else if (id !== undefined) {
      this.#requests.settle(op, id, d);
    } else if (op === Op.RECONNECT || (op >= FIRST_EVENT && op < Op.ACK)) {
      this.#seen = s ?? this.#seen; // what may be left out is not numbered
      this.#askedPauseMs = op === Op.RECONNECT ? d.after_ms : this.#askedPauseMs;
      this.dispatchEvent(new CustomEvent('event', { detail: { op, d } }));
    }
  }

  /**
   * Says who we are: the one of the session that stands, or anybody.
   * @param {Connection} connection
   * @param {import('./connection.js').Hello} hello
   */
  #introduce(connection, hello) {
    this.#features = hello.features ?? [];
    if (!hello.v.includes(VERSION)) {
      this.#broken(connection, CloseCode.VERSION, 'unsupported protocol version');
    } else if (this.ready && this.#resumeToken && connection.url === this.#url) {
      const { session_id } = this.ready;
      connection.send(Op.RESUME, { v: VERSION, session_id, resume_token: this.#resumeToken, s: this.#seen });
    } else {
      this.#identify(connection);
    }
  }

  /** @param {Connection} connection */
  #identify(connection) {
    const rejoin = this.has(FEATURE_NODES) && this.#ticket ? this.#ticket : undefined;
    connection.send(Op.IDENTIFY, { token: this.#token, v: VERSION, client: 'web/1', device: this.#device, features: this.#can, rejoin });
  }

  /** @param {{nodes?: string[], rejoin?: {ticket: string}, alone?: boolean}} d what is to be known of the nodes; what is absent stays */
  #learn({ nodes, rejoin, alone }) {
    this.#nodes = nodes ?? this.#nodes;
    this.#ticket = rejoin?.ticket ?? this.#ticket;
    if (alone !== undefined && alone !== this.alone) {
      this.alone = alone;
      this.dispatchEvent(new CustomEvent('state'));
    }
  }

  /**
   * The server closes with 4004 or 4012 by itself, but a lost close frame must not turn a refusal into endless tries.
   * @param {Connection} connection
   * @param {{op: number, code: number, reason: string, retry_after_ms?: number}} d
   */
  #refused(connection, { code, reason, retry_after_ms }) {
    const version = code === ErrorCode.UNSUPPORTED_VERSION;
    const refused = code === ErrorCode.INVALID_TOKEN || code === ErrorCode.NAME_TAKEN;
    const banned = code === ErrorCode.BANNED;
    const close = version ? CloseCode.VERSION : banned ? CloseCode.BANNED : refused ? CloseCode.AUTH_FAILED : ABNORMAL;
    this.#broken(connection, close, reason, banned && retry_after_ms ? Date.now() + retry_after_ms : undefined);
  }

  /**
   * A new session stands.
   * @param {Connection} connection
   * @param {import('./protocol.js').Ready} ready
   */
  #begin(connection, ready) {
    if (this.ready) { // at another node
      this.#forget(false);
      this.#setState({ name: 'connecting' });
    }
    this.ready = ready;
    this.#url = connection.url;
    this.#userId = ready.user_id;
    this.#learn({ nodes: [], alone: false, ...ready });
    this.#resumeToken = ready.resume_token ?? '';
    this.#stand(connection);
    this.dispatchEvent(new CustomEvent('ready', { detail: ready }));
  }

  /**
   * The session goes on where it broke. The server carries out each request once, however often it comes.
   * @param {Connection} connection
   * @param {{resume_token: string, ice_servers: RTCIceServer[], floor?: import('./protocol.js').Floor}} resumed
   */
  #goOn(connection, { resume_token, ice_servers, floor }) {
    if (!this.ready) {
      return;
    }
    this.#resumeToken = resume_token;
    this.ready.ice_servers = ice_servers;
    this.#stand(connection);
    // Says that RESUMED has arrived: from then on the token before it is worth nothing.
    connection.beat();
    this.dispatchEvent(new CustomEvent('resumed', { detail: { floor } }));
  }

  /** @param {Connection} connection on which the session stands now */
  #stand(connection) {
    connection.stand();
    this.#moves = false;
    this.#openedIn = connection.openedIn;
    this.#route = [];
    this.state = { name: 'ready' };
    this.#requests.repeat();
    this.#stableTimer = setTimeout(() => this.#retry.succeeded(), STABLE_MS);
    this.#setState(this.state);
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
 * @param {string} [device]
 * @returns {Promise<Client>} with a session that stands; stop it
 */
export function identified(gateway, token, device) {
  const client = new Client(gateway, device);
  return new Promise((resolve, reject) => {
    const giveUp = () => {
      client.stop();
      reject(new Error('the connection was opened and then lost'));
    };
    const timer = setTimeout(giveUp, IDENTIFY_TIMEOUT_MS);
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
