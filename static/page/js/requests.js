/**
 * Requests that wait for their reply, if need be for longer than the connection lasts over which they went.
 * @module
 */

import { ConnectionLostError, Op, RequestError, outlivesSession } from './protocol.js';

/**
 * @typedef {object} Pending
 * @property {number} op
 * @property {object} d
 * @property {boolean} sent whether a connection of the session took it
 * @property {(d: any) => void} resolve
 * @property {(err: Error) => void} reject
 */

export class Requests {
  /** By id, in the order in which they were made. @type {Map<string, Pending>} */
  #pending = new Map();
  /** Of all sessions: no id is ever used twice. */
  #lastId = 0;
  #write;

  /** @param {(op: number, d: object, id: string) => boolean} write false when there is no connection to write to */
  constructor(write) {
    this.#write = write;
  }

  /**
   * @param {number} op
   * @param {object} d
   * @returns {Promise<any>} ACK's `data`, or the payload of the op's own reply
   */
  make(op, d) {
    return new Promise((resolve, reject) => {
      const id = `r${++this.#lastId}`;
      this.#pending.set(id, { op, d, sent: this.#write(op, d, id), resolve, reject });
    });
  }

  /** Writes all again, since there is another connection. The server carries out each once, however often it comes. */
  repeat() {
    for (const [id, pending] of this.#pending) {
      pending.sent = this.#write(pending.op, pending.d, id);
    }
  }

  /**
   * Takes a reply. One that nobody waits for had come before.
   * @param {number} op
   * @param {string} id
   * @param {any} d
   */
  settle(op, id, d) {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (op === Op.ERROR) {
      pending?.reject(new RequestError(d));
    } else {
      pending?.resolve(op === Op.ACK ? (d.data ?? {}) : d);
    }
  }

  /**
   * The session is over. Requests that may have been carried out fail, as do those that make no sense in another one.
   * @param {boolean} all whether there will be no other one
   */
  fail(all) {
    for (const [id, { op, sent, reject }] of this.#pending) {
      if (all || !outlivesSession(op, sent)) {
        this.#pending.delete(id);
        reject(new ConnectionLostError(sent));
      }
    }
  }
}
