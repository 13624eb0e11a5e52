/**
 * Media connections that belong to no channel: whether voice gets through, and by which
 * way. Each is made by MEDIA_PROBE; nobody else notices.
 * @module
 */

import { Op } from './protocol.js';
import { candidatesOf, untriedOf } from './untried.js';

/** How long a way may take to connect, in milliseconds. */
const CONNECT_TIMEOUT_MS = 5_000;

/**
 * @typedef {object} Probed
 * @property {boolean} connected voice would flow: ICE and DTLS are through
 * @property {number | null} rttMs of the path in use, if it is known
 * @property {string[]} announced addresses at which the server says it is
 * @property {string} port of these
 * @property {import('./untried.js').Untried | null} untried why nothing was tried, where that is so
 * @property {boolean} allocated a relay gave us an address
 * @property {number} relayError the relay's error (RFC 8656, section 19), 701 for no contact, 0 for none
 */

/**
 * Tries one way: the direct one, or through one relay and nothing else.
 * @param {{request: (op: number, d: object) => Promise<any>}} client identified
 * @param {RTCIceServer} [relay] with one URL
 * @returns {Promise<Probed>}
 * @throws {Error} when it could not even be tried
 */
export async function probe(client, relay) {
  const pc = new RTCPeerConnection({
    iceServers: relay ? [relay] : [],
    iceTransportPolicy: relay ? 'relay' : 'all',
    bundlePolicy: 'max-bundle',
  });
  /** @type {Probed} */
  const found = { connected: false, rttMs: null, announced: [], port: '', untried: null, allocated: false, relayError: 0 };
  pc.onicecandidate = ({ candidate }) => {
    found.allocated ||= candidate?.type === 'relay';
  };
  pc.onicecandidateerror = (e) => {
    found.relayError = e.errorCode;
  };
  try {
    pc.addTransceiver('audio', { direction: 'recvonly' });
    await pc.setLocalDescription();
    const offer = pc.localDescription?.sdp ?? '';
    const { sdp_answer: sdp } = await client.request(Op.MEDIA_PROBE, { sdp_offer: offer });
    Object.assign(found, candidatesOf(sdp));
    await pc.setRemoteDescription({ type: 'answer', sdp });
    found.connected = await connected(pc);
    found.rttMs = found.connected ? await roundTrip(pc) : null;
    found.untried = found.connected || relay ? null : untriedOf(await pc.getStats(), found.announced);
  } finally {
    pc.onicecandidate = null;
    pc.onicecandidateerror = null;
    pc.close();
  }
  return found;
}

/**
 * @param {RTCPeerConnection} pc
 * @returns {Promise<boolean>} false when it took too long, or the browser gave up
 */
function connected(pc) {
  return new Promise((resolve) => {
    const done = (/** @type {boolean} */ well) => {
      clearTimeout(timer);
      pc.onconnectionstatechange = null;
      resolve(well);
    };
    const timer = setTimeout(() => done(false), CONNECT_TIMEOUT_MS);
    const look = () => {
      if (pc.connectionState === 'connected' || pc.connectionState === 'failed') {
        done(pc.connectionState === 'connected');
      }
    };
    pc.onconnectionstatechange = look;
    look();
  });
}

/**
 * @param {RTCPeerConnection} pc
 * @returns {Promise<number | null>} in milliseconds
 */
async function roundTrip(pc) {
  const stats = await pc.getStats();
  /** @type {number | null} */
  let least = null;
  // Of relays the pair in use is not yet marked as such at this moment; there are no others
  // that work.
  stats.forEach((s) => {
    if (s.type === 'candidate-pair' && s.state === 'succeeded' && typeof s.currentRoundTripTime === 'number') {
      least = Math.min(least ?? Infinity, s.currentRoundTripTime * 1000);
    }
  });
  return least;
}
