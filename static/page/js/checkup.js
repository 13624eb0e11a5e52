/**
 * The connection check: what `livechat doctor` looks at, as far as a browser can, from
 * where the person is.
 *
 * Events: `change`.
 * @module
 */

import { EntryError, requestGuestToken, siteRefusal } from './account.js';
import { Advice, fill } from './advice.js';
import { identified } from './client.js';
import { microphonePolicy } from './policy.js';
import { probe } from './probe.js';
import { Op } from './protocol.js';
import { Store } from './store.js';
import { directWords, portOf, relayWords, relaysOf } from './ways.js';
import { milliseconds, span } from './words/common.js';
import { siteRefused } from './words/entry.js';
import { conditionWords, microphoneWords } from './words/voice.js';

/** How long the server may take to answer, in milliseconds. */
const ANSWER_TIMEOUT_MS = 5_000;
/** How far clocks may be apart: what nobody notices, and tokens forgive. */
const CLOCK_SKEW_MS = 60_000;
/** How many relays are tried; a session has no more probes (PROTOCOL.md, "Probe"). */
const MAX_RELAYS = 6;
/** How this guest is called in the server's log; others do not see it. */
const GUEST_NAME = 'Connection check';

/**
 * - `busy`: being looked at;
 * - `good`: all is well;
 * - `warning`: it works, but something should be mended;
 * - `failed`: it does not work;
 * - `skipped`: not looked at, or nothing to look at.
 * @typedef {'busy' | 'good' | 'warning' | 'failed' | 'skipped'} CheckStatus
 */

/**
 * @typedef {object} Check
 * @property {string} name
 * @property {CheckStatus} status
 * @property {string} text what was found, in half a sentence
 * @property {string[]} advice whole sentences that say what mends it
 */

/**
 * A way for voice.
 * @typedef {object} Way
 * @property {string} name "direct UDP", "TURN over TLS"
 * @property {Check} check
 * @property {import('./probe.js').Probed | null} found null while it is tried, or when it could not be
 * @property {URL} [url] the relay's
 */

export class Checkup extends Store {
  /** @type {Check[]} in the order in which they are made */
  checks = [];
  running = false;
  /** @type {{tone: CheckStatus, text: string}} what comes of it all */
  verdict = { tone: 'busy', text: '' };

  #session;
  #gateway;
  #microphone = false;

  /**
   * @param {import('./session.js').Session} session whose connection is used if it stands
   * @param {URL} gateway
   */
  constructor(session, gateway) {
    super();
    this.#session = session;
    this.#gateway = gateway;
  }

  /** Checks everything, unless it is at it. */
  async run() {
    if (this.running) {
      return;
    }
    this.running = true;
    this.checks = [];
    this.verdict = { tone: 'busy', text: 'Checking…' };
    this.changed();
    try {
      this.verdict = await this.#examine();
    } catch (err) {
      this.verdict = { tone: 'failed', text: `The check itself went wrong: ${/** @type {Error} */ (err).message}.` };
    }
    this.running = false;
    this.changed();
  }

  /** @returns {string} the report in plain text, to send to whoever runs the server */
  get report() {
    const marks = { busy: '…', good: '✓', warning: '!', failed: '✗', skipped: '–' };
    const lines = this.checks.flatMap(({ name, status, text, advice }) => [
      `${marks[status]} ${name}: ${text}`,
      ...advice.map((line) => `    ${line}`),
    ]);
    return [`${location.origin}, ${new Date().toISOString()}`, navigator.userAgent, ...lines, this.verdict.text].join('\n');
  }

  /** @returns {Promise<Checkup['verdict']>} */
  async #examine() {
    this.#checkSecurity();
    await this.#checkMicrophone();
    const reached = (await this.#checkServer()) && (await this.#checkWebSocket());
    if (!reached) {
      return this.#conclude(null);
    }
    const signedIn = await this.#signIn();
    if (!signedIn) {
      return { tone: 'failed', text: 'Voice was not tried, for want of a way to sign in.' };
    }
    const { client, leave } = signedIn;
    try {
      return this.#conclude(await this.#checkWays(client));
    } finally {
      leave();
    }
  }

  /**
   * @param {Way | null} way that browsers would use
   * @returns {Checkup['verdict']}
   */
  #conclude(way) {
    if (!way) {
      return { tone: 'failed', text: 'Voice cannot work from here.' };
    }
    const how = `${way.name}${inTime(way.found)}`;
    if (!this.#microphone) {
      return { tone: 'warning', text: `You can listen from here but not talk: ${how}.` };
    }
    return way.url
      ? { tone: 'warning', text: `Voice works from here, but only relayed: ${how}.` }
      : { tone: 'good', text: `Voice works from here: ${how}.` };
  }

  /**
   * @param {string} name
   * @returns {Check} that is being made
   */
  #begin(name) {
    /** @type {Check} */
    const check = { name, status: 'busy', text: '', advice: [] };
    this.checks.push(check);
    this.changed();
    return check;
  }

  /**
   * @param {Check} check
   * @param {CheckStatus} status
   * @param {string} text
   * @param {...string} advice
   */
  #end(check, status, text, ...advice) {
    Object.assign(check, { status, text, advice });
    this.changed();
    return status !== 'failed';
  }

  #checkSecurity() {
    const check = this.#begin('HTTPS');
    if (!window.isSecureContext) {
      this.#end(check, 'warning', 'plain HTTP: browsers can listen but not talk', Advice.INSECURE);
    } else if (location.protocol === 'https:') {
      this.#end(check, 'good', 'the page is secure');
    } else {
      this.#end(check, 'good', 'not needed on this machine');
    }
  }

  /** Looks without asking: the browser's question belongs to joining. */
  async #checkMicrophone() {
    const check = this.#begin('Microphone');
    this.#microphone = false;
    if (!window.isSecureContext) {
      this.#end(check, 'skipped', 'browsers give none to this page');
      return;
    }
    if (!navigator.mediaDevices?.getUserMedia) {
      const { title, text } = microphoneWords('unsupported');
      this.#end(check, 'warning', lowered(title), text);
      return;
    }
    const policy = await microphonePolicy();
    if (policy) {
      this.#end(check, 'warning', 'the page’s headers forbid it', fill(Advice.POLICY, { header: policy }));
      return;
    }
    const unheard = conditionWords(this.#session.call.talk.unheard);
    if (unheard) {
      this.#end(check, 'warning', 'nothing comes from it', unheard.text);
      return;
    }
    // Not every browser tells.
    const permission = await navigator.permissions
      ?.query({ name: /** @type {PermissionName} */ ('microphone') })
      .catch(() => null);
    const devices = await navigator.mediaDevices.enumerateDevices().catch(() => []);
    if (permission?.state === 'denied') {
      const { title, text } = microphoneWords('denied');
      this.#end(check, 'warning', lowered(title), text);
    } else if (!devices.some((d) => d.kind === 'audioinput')) {
      const { title, text } = microphoneWords('missing');
      this.#end(check, 'warning', lowered(title), text);
    } else {
      this.#microphone = true;
      const asks = permission?.state === 'prompt';
      this.#end(check, 'good', asks ? 'there is one; the browser will ask when you join' : 'there is one, and it is allowed');
    }
  }

  /** @returns {Promise<boolean>} whether the server answers */
  async #checkServer() {
    const check = this.#begin('Server');
    const begin = performance.now();
    const before = Date.now();
    /** @type {Response} */
    let response;
    try {
      response = await fetch(document.baseURI, {
        method: 'HEAD',
        cache: 'no-store',
        signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
      });
    } catch {
      return this.#end(
        check,
        'failed',
        `${location.host} does not answer`,
        'Are you on the network, and is the server running? Then something between here and there is closed.',
      );
    }
    const took = performance.now() - begin;
    if (!response.ok) {
      return this.#end(
        check,
        'failed',
        `it answers with status ${response.status}`,
        'If there is a reverse proxy in front of the server, it does not reach it. Is the server running?',
      );
    }
    this.#end(check, 'good', `${location.host} answers in ${milliseconds(took)}`);
    this.#checkClock(Date.parse(response.headers.get('Date') ?? ''), before);
    return true;
  }

  /**
   * @param {number} date by the server's clock; NaN when it did not say
   * @param {number} before when it was asked
   */
  #checkClock(date, before) {
    const check = this.#begin('Clock');
    // Some time between before and now.
    const skew = before - date > CLOCK_SKEW_MS ? before - date : Math.min(0, Date.now() - date);
    if (Number.isNaN(date)) {
      this.#end(check, 'skipped', 'the server does not say what time it is');
    } else if (Math.abs(skew) > CLOCK_SKEW_MS) {
      const direction = skew > 0 ? 'ahead of' : 'behind';
      this.#end(check, 'warning', `${span(Math.abs(skew))} ${direction} the server’s`, Advice.CLOCK);
    } else {
      this.#end(check, 'good', 'right, compared with the server’s');
    }
  }

  /** @returns {Promise<boolean>} whether one opens and the server speaks on it */
  async #checkWebSocket() {
    const check = this.#begin('WebSocket');
    const begin = performance.now();
    const ws = new WebSocket(this.#gateway);
    let opened = false;
    /** @type {{server?: string} | null} */
    const hello = await new Promise((resolve) => {
      const timer = setTimeout(() => resolve(null), ANSWER_TIMEOUT_MS);
      ws.onopen = () => {
        opened = true;
      };
      ws.onmessage = (e) => {
        clearTimeout(timer);
        resolve(helloOf(e.data));
      };
      ws.onclose = () => {
        clearTimeout(timer);
        resolve(null);
      };
    });
    ws.onmessage = null;
    ws.onclose = null;
    ws.close();
    const refusal = hello || opened ? '' : await siteRefusal(this.#gateway);
    if (refusal) {
      return this.#end(check, 'failed', 'the server does not accept this page’s address', siteRefused(refusal));
    }
    if (!hello) {
      return this.#end(check, 'failed', opened ? 'it opens, but the server does not speak' : 'it does not open', Advice.WEBSOCKET);
    }
    return this.#end(check, 'good', `${hello.server || 'open'}, in ${milliseconds(performance.now() - begin)}`);
  }

  /**
   * Uses the session that stands, or comes in as a guest.
   * @returns {Promise<{client: import('./client.js').Client, leave: () => void} | null>}
   */
  async #signIn() {
    const { client } = this.#session;
    const check = this.#begin('Sign-in');
    if (client.state.name === 'ready') {
      this.#end(check, 'good', `as ${this.#session.me?.name ?? 'yourself'}`);
      return { client, leave: () => {} };
    }
    try {
      const { token } = await requestGuestToken(GUEST_NAME);
      const guest = await identified(this.#gateway, token);
      this.#end(check, 'good', 'as a guest');
      return { client: guest, leave: () => guest.stop() };
    } catch (err) {
      if (err instanceof EntryError && err.guestsRefused) {
        this.#end(check, 'failed', 'guests are not allowed', `${Advice.NO_GUESTS} Sign in first, then check again.`);
      } else {
        this.#end(check, 'failed', /** @type {Error} */ (err).message, 'Try again in a moment.');
      }
      return null;
    }
  }

  // Ways for voice.

  /**
   * @param {import('./client.js').Client} client
   * @returns {Promise<Way | null>} the one that browsers would use
   */
  async #checkWays(client) {
    if (typeof RTCPeerConnection === 'undefined') {
      this.#end(this.#begin('Voice'), 'failed', 'this browser has no WebRTC', 'It is too old, or this feature is switched off. Another browser will do.');
      return null;
    }
    const offered = relaysOf(client.ready?.ice_servers ?? []);
    const relays = offered.slice(0, MAX_RELAYS);
    /** @type {Way[]} */
    const ways = [
      { name: 'direct UDP', check: this.#begin('Voice over UDP'), found: null },
      ...relays.map(({ name, url }) => ({ name, url, check: this.#begin(`${name} ${portOf(url)}`), found: null })),
    ];
    await Promise.all(
      ways.map(async (way, i) => {
        try {
          way.found = await probe(client, i === 0 ? undefined : relays[i - 1].server);
        } catch (err) {
          this.#end(way.check, 'failed', `not tried: ${/** @type {Error} */ (err).message}`, 'Try again in a moment.');
          return;
        }
        if (way.found.connected) {
          this.#end(way.check, 'good', `it works${inTime(way.found)}`);
        }
      }),
    );
    const working = ways.find((way) => way.found?.connected) ?? null;
    const overUDP = ways.some((way) => way.found?.connected && way.name === 'TURN over UDP');
    for (const way of ways) {
      if (way.found && !way.found.connected) {
        // Somebody else may need a way that one does well without.
        this.#end(way.check, working ? 'warning' : 'failed', ...(way.url ? relayWords(way, way.url) : directWords(way.found, overUDP)));
      }
    }
    this.#missing(offered);
    return working;
  }

  /** @param {{name: string}[]} relays */
  #missing(relays) {
    if (relays.length === 0) {
      this.#end(this.#begin('TURN'), 'warning', 'not offered', Advice.NO_TURN);
    } else if (relays.length > MAX_RELAYS) {
      this.#end(this.#begin('TURN'), 'skipped', `${relays.length - MAX_RELAYS} more relays, which are not tried`);
    } else if (!relays.some(({ name }) => name === 'TURN over TLS')) {
      const check = this.#begin('TURN over TLS');
      if (location.protocol === 'https:') {
        this.#end(check, 'warning', 'not offered', Advice.NO_TURN_TLS);
      } else {
        this.#end(check, 'skipped', 'not offered, for want of a certificate');
      }
    }
  }
}

/**
 * @param {unknown} data of a WebSocket's first message
 * @returns {{server?: string} | null} HELLO
 */
function helloOf(data) {
  try {
    const frame = JSON.parse(String(data));
    return frame.op === Op.HELLO ? (frame.d ?? {}) : null;
  } catch {
    return null;
  }
}

/**
 * @param {import('./probe.js').Probed | null} found
 * @returns {string} the round trip, if it is known, to go on with
 */
function inTime(found) {
  return found === null || found.rttMs === null ? '' : `, ${milliseconds(found.rttMs)}`;
}

/**
 * @param {string} title
 * @returns {string} to go on in the middle of a line
 */
function lowered(title) {
  return title.charAt(0).toLowerCase() + title.slice(1);
}
