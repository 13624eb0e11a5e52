/**
 * The connection check: what `livechat doctor` looks at, as far as a browser can, from
 * where the person is.
 *
 * Events: `change`.
 * @module
 */

import { EntryError, memory, requestGuestToken, siteRefusal } from './account.js';
import { Advice, fill } from './advice.js';
import { identified } from './client.js';
import { phrases } from './language.js';
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
 * @property {'UDP' | 'TCP' | 'TLS'} [transport] to the relay
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
    this.verdict = { tone: 'busy', text: phrases.checkup.checking };
    this.changed();
    try {
      this.verdict = await this.#examine();
    } catch (err) {
      this.verdict = { tone: 'failed', text: phrases.checkup.wentWrong(/** @type {Error} */ (err).message) };
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
      return { tone: 'failed', text: phrases.checkup.noSignIn };
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
      return { tone: 'failed', text: phrases.checkup.noVoice };
    }
    const how = `${way.name}${inTime(way.found)}`;
    if (!this.#microphone) {
      return { tone: 'warning', text: phrases.checkup.listenOnly(how) };
    }
    return way.url
      ? { tone: 'warning', text: phrases.checkup.relayed(how) }
      : { tone: 'good', text: phrases.checkup.works(how) };
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
    const check = this.#begin(phrases.checkup.https);
    if (!window.isSecureContext) {
      this.#end(check, 'warning', phrases.checkup.plainHTTP, Advice.INSECURE);
    } else if (location.protocol === 'https:') {
      this.#end(check, 'good', phrases.checkup.secure);
    } else {
      this.#end(check, 'good', phrases.checkup.notNeeded);
    }
  }

  /** Looks without asking: the browser's question belongs to joining. */
  async #checkMicrophone() {
    const check = this.#begin(phrases.preferences.microphone);
    this.#microphone = false;
    if (!window.isSecureContext) {
      this.#end(check, 'skipped', phrases.checkup.noneGiven);
      return;
    }
    if (!navigator.mediaDevices?.getUserMedia) {
      const { title, text } = microphoneWords('unsupported');
      this.#end(check, 'warning', lowered(title), text);
      return;
    }
    const policy = await microphonePolicy();
    if (policy) {
      this.#end(check, 'warning', phrases.checkup.headersForbid, fill(Advice.POLICY, { header: policy }));
      return;
    }
    const unheard = conditionWords(this.#session.call.talk.unheard);
    if (unheard) {
      this.#end(check, 'warning', phrases.checkup.nothingComes, unheard.text);
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
      this.#end(check, 'good', asks ? phrases.checkup.willAsk : phrases.checkup.allowed);
    }
  }

  /** @returns {Promise<boolean>} whether the server answers */
  async #checkServer() {
    const check = this.#begin(phrases.checkup.server);
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
        phrases.checkup.noAnswer(location.host),
        phrases.checkup.noAnswerAdvice,
      );
    }
    const took = performance.now() - begin;
    if (!response.ok) {
      return this.#end(
        check,
        'failed',
        phrases.checkup.status(response.status),
        phrases.checkup.statusAdvice,
      );
    }
    this.#end(check, 'good', phrases.checkup.answers(location.host, milliseconds(took)));
    this.#checkClock(Date.parse(response.headers.get('Date') ?? ''), before);
    return true;
  }

  /**
   * @param {number} date by the server's clock; NaN when it did not say
   * @param {number} before when it was asked
   */
  #checkClock(date, before) {
    const check = this.#begin(phrases.checkup.clock);
    // Some time between before and now.
    const skew = before - date > CLOCK_SKEW_MS ? before - date : Math.min(0, Date.now() - date);
    if (Number.isNaN(date)) {
      this.#end(check, 'skipped', phrases.checkup.noClock);
    } else if (Math.abs(skew) > CLOCK_SKEW_MS) {
      const off = span(Math.abs(skew));
      this.#end(check, 'warning', skew > 0 ? phrases.checkup.ahead(off) : phrases.checkup.behind(off), Advice.CLOCK);
    } else {
      this.#end(check, 'good', phrases.checkup.right);
    }
  }

  /** @returns {Promise<boolean>} whether one opens and the server speaks on it */
  async #checkWebSocket() {
    const check = this.#begin(phrases.checkup.webSocket);
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
      return this.#end(check, 'failed', phrases.checkup.siteRefused, siteRefused(refusal));
    }
    if (!hello) {
      return this.#end(check, 'failed', opened ? phrases.checkup.mute : phrases.checkup.closed, Advice.WEBSOCKET);
    }
    return this.#end(check, 'good', phrases.checkup.opens(hello.server ?? '', milliseconds(performance.now() - begin)));
  }

  /**
   * Uses the session that stands, or comes in as a guest.
   * @returns {Promise<{client: import('./client.js').Client, leave: () => void} | null>}
   */
  async #signIn() {
    const { client } = this.#session;
    const check = this.#begin(phrases.checkup.signIn);
    if (client.state.name === 'ready') {
      this.#end(check, 'good', this.#session.me ? phrases.checkup.as(this.#session.me.name) : phrases.checkup.asYourself);
      return { client, leave: () => {} };
    }
    try {
      const { token } = await requestGuestToken(GUEST_NAME);
      const guest = await identified(this.#gateway, token, memory.device);
      this.#end(check, 'good', phrases.checkup.asGuest);
      return { client: guest, leave: () => guest.stop() };
    } catch (err) {
      if (err instanceof EntryError && err.guestsRefused) {
        this.#end(check, 'failed', phrases.checkup.noGuests, Advice.NO_GUESTS, phrases.checkup.signInFirst);
      } else {
        this.#end(check, 'failed', /** @type {Error} */ (err).message, phrases.checkup.later);
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
      this.#end(this.#begin(phrases.checkup.voice), 'failed', phrases.checkup.noWebRTC, phrases.microphone.unsupported.text);
      return null;
    }
    const offered = relaysOf(client.ready?.ice_servers ?? []);
    const relays = offered.slice(0, MAX_RELAYS);
    /** @type {Way[]} */
    const ways = [
      { name: phrases.checkup.direct, check: this.#begin(phrases.checkup.overUDP), found: null },
      ...relays.map(({ transport, url }) => {
        const name = phrases.checkup.turn(transport);
        return { name, transport, url, check: this.#begin(`${name} ${portOf(url)}`), found: null };
      }),
    ];
    await Promise.all(
      ways.map(async (way, i) => {
        try {
          way.found = await probe(client, i === 0 ? undefined : relays[i - 1].server);
        } catch (err) {
          this.#end(way.check, 'failed', phrases.checkup.notTried(/** @type {Error} */ (err).message), phrases.checkup.later);
          return;
        }
        if (way.found.connected) {
          this.#end(way.check, 'good', phrases.checkup.itWorks(inTime(way.found)));
        }
      }),
    );
    const working = ways.find((way) => way.found?.connected) ?? null;
    const overUDP = ways.some((way) => way.found?.connected && way.transport === 'UDP');
    for (const way of ways) {
      if (way.found && !way.found.connected) {
        // Somebody else may need a way that one does well without.
        this.#end(way.check, working ? 'warning' : 'failed', ...(way.url ? relayWords(way, way.url) : directWords(way.found, overUDP)));
      }
    }
    this.#missing(offered);
    return working;
  }

  /** @param {{transport: string}[]} relays */
  #missing(relays) {
    if (relays.length === 0) {
      this.#end(this.#begin(phrases.checkup.anyTurn), 'warning', phrases.checkup.notOffered, Advice.NO_TURN);
    } else if (relays.length > MAX_RELAYS) {
      this.#end(this.#begin(phrases.checkup.anyTurn), 'skipped', phrases.checkup.moreRelays(relays.length - MAX_RELAYS));
    } else if (!relays.some(({ transport }) => transport === 'TLS')) {
      const check = this.#begin(phrases.checkup.turn('TLS'));
      if (location.protocol === 'https:') {
        this.#end(check, 'warning', phrases.checkup.notOffered, Advice.NO_TURN_TLS);
      } else {
        this.#end(check, 'skipped', phrases.checkup.noCertificate);
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
  return found === null || found.rttMs === null ? '' : phrases.checkup.inTime(milliseconds(found.rttMs));
}

/**
 * @param {string} title
 * @returns {string} to go on in the middle of a line
 */
function lowered(title) {
  return title.charAt(0).toLowerCase() + title.slice(1);
}
