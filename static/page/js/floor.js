/**
 * The floor of a channel where one talks at a time: who has it, and one's own way to it. It follows what the server says, asks for it
 * and gives it back; what is pressed for that, and what is seen and heard of it, is others' business.
 *
 * Events: `change`; `cue` when there is something to hear of it, `detail` is which.
 * @module
 */

import { ConnectionLostError, ErrorCode, Op, RequestError } from './protocol.js';
import { Store } from './store.js';

/** How often the server hears that one still talks, at least, in milliseconds. */
const PING_MS = 2_000;
/** Which part of the time after which the server takes one for gone. */
const PING_PART = 3;

/**
 * - `asking`: there is no answer yet;
 * - `granted`: one is heard;
 * - `queued`: one waits;
 * - `denied`, `cut`: one got it not, or has it no more, and has not let go yet; {@link Floor#cause} says why.
 * @typedef {'' | 'asking' | 'granted' | 'queued' | 'denied' | 'cut'} Standing
 */

/** What there is to hear of the floor. @typedef {'granted' | 'queued' | 'denied' | 'taken' | 'idle' | 'warning' | 'cut'} Cue */

/**
 * @typedef {object} Wish how one asks
 * @property {number} [priority]
 * @property {boolean} [over] beside who has it
 */

export class Floor extends Store {
  /** Whether there is one. */
  there = false;
  /** Who else has it. @type {import('./protocol.js').FloorHolder | null} */
  holder = null;
  /** Who else speaks over it. @type {import('./protocol.js').FloorHolder | null} */
  over = null;
  /** The highest priority with which one may ask. */
  priorityMax = 0;
  /** @type {Standing} */
  standing = '';
  /** Why one was denied it, or cut. */
  cause = '';
  /** By whom, if a moderator cut one. */
  by = '';
  /** One's own grant. @type {import('./protocol.js').FloorGranted | null} */
  grant = null;
  /** When one is cut, as performance.now() counts; null for never. @type {number | null} */
  until = null;
  /** The end is near: the server has said so. */
  warned = false;
  /** At which place one waits, and of how many. */
  position = 0;
  size = 0;

  #client;
  /** Counts presses, so that an answer to one that is over is known. */
  #press = 0;
  #pings = 0;
  /** How one asked. @type {Wish} */
  #wish = {};

  /** @param {import('./client.js').Client} client */
  constructor(client) {
    super();
    this.#client = client;
  }

  /**
   * One is in another channel, or comes back to one.
   * @param {import('./protocol.js').Floor | undefined} floor as the server tells of it; undefined where all may talk at once
   */
  begin(floor) {
    this.#drop('');
    this.there = floor !== undefined;
    this.holder = floor?.holder ?? null;
    this.over = floor?.over ?? null;
    this.priorityMax = floor?.priority_max ?? 0;
    this.changed();
  }

  /**
   * The session goes on, and this is how things stand.
   * @param {import('./protocol.js').Floor | undefined} floor
   * @param {string | undefined} myId
   */
  resume(floor, myId) {
    if (!floor || !this.there) {
      return;
    }
    this.#look(floor, myId);
    if (floor.grant && this.grant?.grant_id === floor.grant.grant_id) {
      this.until = floor.grant.left_ms === undefined ? null : performance.now() + floor.grant.left_ms;
    } else if (!floor.grant && this.standing === 'granted') {
      this.#drop('');
    }
    this.changed();
  }

  /**
   * @param {import('./protocol.js').Floor} floor
   * @param {string | undefined} myId
   */
  #look(floor, myId) {
    const others = (/** @type {import('./protocol.js').FloorHolder | undefined} */ one) => (one && one.user_id !== myId ? one : null);
    this.holder = others(floor.holder);
    this.over = others(floor.over);
    this.priorityMax = floor.priority_max;
  }

  /** Whether one has it, or waits. */
  get wanted() {
    return this.standing === 'granted' || this.standing === 'queued' || this.standing === 'asking';
  }

  /**
   * One is in the channel at another node, which was asked to let what one has of the floor be kept.
   * @param {import('./protocol.js').Floor | undefined} floor
   * @param {string} myId
   */
  goOn(floor, myId) {
    if (!floor || !this.there) {
      this.begin(floor);
      return;
    }
    const { wanted, grant } = this;
    this.#look(floor, myId);
    if (floor.grant && wanted) {
      this.#granted(floor.grant);
    } else if (floor.position && wanted) {
      this.#queue(floor.position, floor.size ?? 0);
    } else if (floor.grant || floor.position) { // one has let go meanwhile
      this.#client.request(Op.FLOOR_RELEASE).catch(() => {});
    } else if (grant) { // a node that has just begun may be yet to hear of it
      this.#stillTalk(grant.grant_id, 'unreachable');
    } else if (wanted) {
      this.request(this.#wish, Promise.resolve());
    }
    this.changed();
  }

  /** How long one may still talk, in seconds, rounded up; null for as long as one likes. */
  get leftS() {
    return this.until === null ? null : Math.max(Math.ceil((this.until - performance.now()) / 1000), 0);
  }

  /**
   * @param {Wish} wish
   * @param {Promise<void>} told when the server knows what it has to know first, such as that one is not muted any more
   */
  async request(wish, told) {
    const press = ++this.#press;
    this.#wish = wish;
    this.#drop('asking');
    this.changed();
    try {
      await told;
      if (press !== this.#press) {
        return;
      }
      const got = await this.#client.request(Op.FLOOR_REQUEST, wish);
      if (press !== this.#press) {
        return;
      }
      if (got.state === 'queued') {
        this.#queue(got.position, got.size);
        this.#cue('queued');
      }
      this.changed();
    } catch (err) {
      const back = err instanceof ConnectionLostError && this.#client.ready !== null; // and one is told how it stands
      if (press === this.#press && !back) {
        this.#refuse(/** @type {Error} */ (err));
      }
    }
  }

  /** Gives it back, or one's place, or takes a request back that has no answer yet. */
  release() {
    this.#press++;
    const { wanted, grant } = this;
    this.#drop('');
    this.changed();
    if (wanted) {
      // Refused where it was taken meanwhile: then there is nothing to give back.
      this.#client.request(Op.FLOOR_RELEASE, grant ? { grant_id: grant.grant_id } : {}).catch(() => {});
    }
  }

  /**
   * Takes what the server tells.
   * @param {number} op
   * @param {any} d
   * @returns {boolean} whether it is of the floor
   */
  apply(op, d) {
    switch (op) {
      case Op.FLOOR_GRANTED:
        this.#granted(d);
        break;
      case Op.FLOOR_DENY:
        this.#end('denied', d.cause);
        break;
      case Op.FLOOR_TAKEN:
        this.#taken(d);
        break;
      case Op.FLOOR_IDLE:
        this.#idle(d.over ?? false);
        break;
      case Op.FLOOR_REVOKE:
        this.#revoked(d);
        break;
      case Op.FLOOR_QUEUE_POS_INFO:
        if (this.standing === 'queued') {
          this.#queue(d.position, d.size);
        }
        break;
      default:
        return false;
    }
    this.changed();
    return true;
  }

  /** @param {import('./protocol.js').FloorGranted} grant */
  #granted(grant) {
    if (this.standing === '' || this.standing === 'cut' || this.standing === 'denied') {
      // One has let go meanwhile: what was asked before that is on its way to be given back.
      this.#client.request(Op.FLOOR_RELEASE, { grant_id: grant.grant_id }).catch(() => {});
      return;
    }
    const again = this.grant?.grant_id === grant.grant_id;
    this.standing = 'granted';
    this.grant = grant;
    this.until = grant.left_ms === undefined ? null : performance.now() + grant.left_ms;
    if (!grant.over) {
      this.holder = null;
    }
    if (!again) {
      this.warned = false;
      this.#ping(grant);
      this.#cue('granted');
    }
  }

  /** @param {import('./protocol.js').FloorHolder & {over?: boolean}} taken */
  #taken(taken) {
    const before = taken.over ? this.over : this.holder;
    if (taken.over) {
      this.over = taken;
    } else {
      this.holder = taken;
    }
    if (before?.user_id !== taken.user_id && this.standing !== 'queued') {
      this.#cue('taken');
    }
  }

  /** @param {boolean} over */
  #idle(over) {
    const other = over ? this.over : this.holder;
    if (over) {
      this.over = null;
    } else {
      this.holder = null;
    }
    if (other) {
      this.#cue('idle');
    }
  }

  /** @param {{grant_id: number, cause: string, grace_ms?: number, by_name?: string}} d */
  #revoked({ grant_id, cause, grace_ms, by_name }) {
    if (grant_id !== this.grant?.grant_id) {
      return;
    }
    if (grace_ms) {
      this.warned = true;
      this.until = performance.now() + grace_ms;
      this.#cue('warning');
    } else {
      this.by = by_name ?? '';
      this.#end('cut', cause);
    }
  }

  /** @param {Error} err */
  #refuse(err) {
    const code = err instanceof RequestError ? err.code : 0;
    /** @type {Map<number, string>} */
    const causes = new Map([[ErrorCode.FLOOR_DENIED, 'busy'], [ErrorCode.FLOOR_QUEUE_FULL, 'queue_full'], [ErrorCode.RATE_LIMITED, 'often'],
      [ErrorCode.UNSETTLED, 'unsettled']]);
    this.#end('denied', causes.get(code) ?? 'failed');
    this.changed();
  }

  /**
   * @param {'denied' | 'cut'} standing
   * @param {string} cause
   */
  #end(standing, cause) {
    const { by } = this;
    this.#drop(standing);
    this.cause = cause;
    this.by = by;
    this.#cue(standing);
  }

  /**
   * @param {number} position
   * @param {number} size
   */
  #queue(position, size) {
    this.standing = 'queued';
    this.position = position;
    this.size = size;
  }

  /**
   * One has neither floor nor place.
   * @param {Standing} standing
   */
  #drop(standing) {
    clearInterval(this.#pings);
    this.standing = standing;
    this.grant = null;
    this.until = null;
    this.warned = false;
    this.cause = '';
    this.by = '';
    this.position = 0;
    this.size = 0;
  }

  /** @param {import('./protocol.js').FloorGranted} grant */
  #ping({ grant_id, ping_timeout_ms }) {
    clearInterval(this.#pings);
    if (!ping_timeout_ms) {
      return;
    }
    this.#pings = setInterval(() => this.#stillTalk(grant_id, 'no_ping'), Math.min(PING_MS, ping_timeout_ms / PING_PART));
  }

  /**
   * Says that one still talks.
   * @param {number} grant_id
   * @param {string} cause why one does not, if the server says so
   */
  #stillTalk(grant_id, cause) {
    this.#client.request(Op.FLOOR_PING, { grant_id }).catch((err) => {
      if (this.grant?.grant_id === grant_id && err instanceof RequestError && err.code === ErrorCode.NOT_HOLDER) {
        this.#end('cut', cause);
        this.changed();
      }
    });
  }

  /** @param {Cue} cue */
  #cue(cue) {
    this.dispatchEvent(new CustomEvent('cue', { detail: cue }));
  }
}
