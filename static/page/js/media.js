/**
 * Voice: one RTCPeerConnection a channel, the microphone that feeds it and what plays it. The page offers one sending line and a fixed number of
 * receiving ones; after the answer people come and go without further negotiation,
 * because SLOT_MAP says who is heard on which line.
 *
 * Events:
 *  - `state`: {@link Media#state} changed;
 *  - `quality`: see meter.js.
 * @module
 */

import { Meter } from './meter.js';
import { Playback } from './playback.js';
import { candidatesOf, untriedOf } from './untried.js';

/** How long finding a path to the server, or another one, may take, in milliseconds. */
const CONNECT_TIMEOUT_MS = 20_000;
/** How long a connection is kept that another one is to follow, in milliseconds: the server ends it then. */
const HAND_OVER_MS = 4_000;

/**
 * - `idle`: no connection;
 * - `connecting`: negotiating, then looking for a path to the server;
 * - `connected`: voice flows;
 * - `unstable`: the path broke; another one may be found, see path.js;
 * - `failed`: it gave up; only a new connection helps.
 * @typedef {'idle' | 'connecting' | 'connected' | 'unstable' | 'failed'} MediaState
 */

/**
 * One receiving line.
 * @typedef {object} MediaSlot
 * @property {number} slot counts from 0
 * @property {string | null} mid the line's a=mid; null before the offer is made
 * @property {string | null} userId who is heard here, as SLOT_MAP says
 * @property {number} ssrc of that person's microphone, as SLOT_MAP says; 0 for unknown
 * @property {MediaStream} stream what is heard
 * @property {RTCRtpReceiver} receiver
 * @property {RTCRtpTransceiver} transceiver
 * @property {HTMLAudioElement} audio plays the stream
 */

/** @type {Record<RTCPeerConnectionState, MediaState>} */
const STATES = {
  new: 'connecting',
  connecting: 'connecting',
  connected: 'connected',
  disconnected: 'unstable',
  failed: 'failed',
  closed: 'idle',
};

export class Media extends EventTarget {
  /** @type {MediaState} */
  state = 'idle';
  /** Whether this connection was ever up; tells a blocked network from a lost one. */
  everConnected = false;
  /** @type {MediaSlot[]} */
  slots = [];

  /** How loud somebody is heard; 1 is as they are. @type {(userId: string) => number} */
  volumeOf = () => 1;

  /** @type {RTCPeerConnection | null} */
  #pc = null;
  /** @type {RTCRtpSender | null} */
  #sender = null;
  #connectTimer = 0;
  /** What carries voice until the next connection does. @type {{pc: RTCPeerConnection, slots: MediaSlot[], timer: number} | null} */
  #former = null;

  /**
   * @param {HTMLElement} host where the audio elements live
   * @param {import('./microphone.js').Microphone} microphone
   */
  constructor(host, microphone) {
    super();
    this.playback = new Playback(host);
    this.microphone = microphone;
    this.meter = new Meter();
    this.meter.addEventListener('quality', (e) => {
      this.dispatchEvent(new CustomEvent('quality', { detail: /** @type {CustomEvent} */ (e).detail }));
    });
    microphone.addEventListener('exchange', () => this.replaceMicrophone());
  }

  /**
   * Puts a microphone opened anew on the line of the one that went away.
   * @returns {Promise<boolean>} false when there is no such line, so that only joining
   *   again helps
   */
  async replaceMicrophone() {
    if (!this.#sender || !this.microphone.track) {
      return false;
    }
    await this.#sender.replaceTrack(this.microphone.track);
    return true;
  }

  /**
   * Starts a new peer connection and describes it.
   * @param {number} slotCount receiving lines
   * @param {RTCIceServer[]} iceServers
   * @param {boolean} talks whether there is a line for the microphone, open or to be opened
   * @returns {Promise<string>} the SDP offer
   */
  async offer(slotCount, iceServers, talks) {
    this.#end();
    const pc = new RTCPeerConnection({ iceServers, bundlePolicy: 'max-bundle' });
    this.#pc = pc;
    this.everConnected = false;
    this.#setState('connecting');
    pc.onconnectionstatechange = () => this.#follow(pc);
    if (talks) {
      const mine = pc.addTransceiver(this.microphone.track ?? 'audio', { direction: 'sendonly' });
      this.#sender = mine.sender;
      preferRedundancy(mine);
    }
    for (let slot = 0; slot < slotCount; slot++) {
      this.slots.push(this.#addSlot(pc, slot));
    }
    await setOffer(pc, this.microphone.processing);
    for (const slot of this.slots) {
      slot.mid = slot.transceiver.mid;
    }
    return pc.localDescription?.sdp ?? '';
  }

  /**
   * Gives the connection other ICE servers; they count from its next look for a path on.
   * @param {RTCIceServer[]} iceServers
   */
  setIceServers(iceServers) {
    if (this.#pc) {
      this.#pc.setConfiguration({ ...this.#pc.getConfiguration(), iceServers });
    }
  }

  /**
   * @param {string} sdp the server's answer to the last offer
   */
  async accept(sdp) {
    const pc = this.#pc;
    if (!pc) {
      return;
    }
    this.meter.start(pc);
    // Browsers differ in when they give up, and some never do.
    this.#connectTimer = setTimeout(() => this.#setState('failed'), CONNECT_TIMEOUT_MS);
    await pc.setRemoteDescription({ type: 'answer', sdp });
  }

  /**
   * Moves the connection to another path (RFC 8445, section 9). Lines, sources and keys stay as they are. Not to be called
   * again before it returned.
   * @param {(offer: string) => Promise<string>} negotiate gives the offer to the server and returns the answer
   * @throws {Error} what negotiate threw; then nothing has changed
   */
  async restart(negotiate) {
    const pc = this.#pc;
    if (!pc || !this.everConnected) {
      return;
    }
    pc.restartIce();
    await setOffer(pc, this.microphone.processing);
    try {
      const sdp = await negotiate(pc.localDescription?.sdp ?? '');
      await pc.setRemoteDescription({ type: 'answer', sdp });
    } catch (err) {
      if (pc.signalingState === 'have-local-offer') {
        await pc.setLocalDescription({ type: 'rollback' });
      }
      throw err;
    }
    if (this.state === 'unstable') {
      this.#connectTimer ||= setTimeout(() => this.#setState('failed'), CONNECT_TIMEOUT_MS);
    }
  }

  /**
   * @returns {number} when the last packet with sound was played, as performance.now() counts; 0 for none in the last seconds. It costs
   *   next to nothing, other than statistics.
   */
  heardAt() {
    const sources = this.slots.flatMap(({ receiver }) => receiver.getSynchronizationSources());
    const newest = Math.max(0, ...sources.map(({ timestamp }) => timestamp));
    // Some browsers count from the beginning of the page.
    return newest > performance.timeOrigin ? newest - performance.timeOrigin : newest;
  }

  /** @returns {Promise<number>} how many packets came */
  async received() {
    let received = 0;
    (await this.statistics()).forEach((stats) => {
      received += stats.type === 'inbound-rtp' ? (stats.packetsReceived ?? 0) : 0;
    });
    return received;
  }

  /**
   * @param {import('./protocol.js').Slot[]} slots who is heard on which line
   */
  assign(slots) {
    const byMid = new Map(slots.map((s) => [s.mid, s]));
    for (const slot of this.slots) {
      const told = byMid.get(slot.mid ?? '');
      slot.userId = told?.user_id ?? null;
      slot.ssrc = told?.ssrc ?? 0;
    }
    this.applyVolumes();
  }

  /** Has everybody be as loud as they are to be. */
  applyVolumes() {
    for (const slot of this.slots) {
      this.playback.setVolume(slot.audio, slot.userId === null ? 1 : this.volumeOf(slot.userId));
    }
  }

  /**
   * @param {string} userId
   * @returns {boolean} whether a line is given to this person
   */
  hears(userId) {
    return this.slots.some((slot) => slot.userId === userId);
  }

  /** Ends the connection. The microphone stays open for the next one. */
  close() {
    this.#endFormer();
    this.#end();
  }

  /** Ends the connection as far as anybody sees, but has it carry voice until the next one does. */
  handOver() {
    if (this.#pc && this.state === 'connected') {
      this.#endFormer();
      this.#pc.onconnectionstatechange = null;
      this.#former = { pc: this.#pc, slots: this.slots, timer: setTimeout(() => this.#endFormer(), HAND_OVER_MS) };
      this.#pc = null;
      this.slots = [];
    }
    this.#end();
  }

  #endFormer() {
    if (this.#former) {
      const { pc, slots, timer } = this.#former;
      this.#former = null;
      clearTimeout(timer);
      this.#release(pc, slots);
    }
  }

  #end() {
    this.#stopWaiting();
    this.meter.stop();
    if (this.#pc) {
      this.#release(this.#pc, this.slots);
    }
    this.#pc = null;
    this.#sender = null;
    this.slots = [];
    this.#setState('idle');
  }

  /**
   * @param {RTCPeerConnection} pc
   * @param {MediaSlot[]} slots its lines
   */
  #release(pc, slots) {
    pc.onconnectionstatechange = null;
    pc.close();
    for (const slot of slots) {
      this.playback.remove(slot.audio);
    }
  }

  /** @param {Set<string>} speaking user ids of who speaks, so that they must be heard */
  expect(speaking) {
    for (const slot of this.slots) {
      this.playback.expect(slot.audio, this.state === 'connected' && speaking.has(slot.userId ?? ''));
    }
  }

  /** @returns {Promise<RTCStatsReport>} of the connection; empty without one */
  async statistics() {
    return this.#pc?.getStats() ?? new Map();
  }

  /** @returns {Promise<import('./untried.js').Untried | null>} why the browser did not even try to reach the server, where that is so */
  async untried() {
    const { announced } = candidatesOf(this.answer);
    return untriedOf(await this.statistics(), announced);
  }

  /** @returns {string} the server's answer in force; empty without one */
  get answer() {
    return this.#pc?.remoteDescription?.sdp ?? '';
  }

  /**
   * @param {RTCPeerConnection} pc
   * @param {number} slot
   * @returns {MediaSlot}
   */
  #addSlot(pc, slot) {
    const transceiver = pc.addTransceiver('audio', { direction: 'recvonly' });
    preferRedundancy(transceiver);
    const { receiver } = transceiver;
    const stream = new MediaStream([receiver.track]);
    const audio = this.playback.add(stream);
    return { slot, mid: null, userId: null, ssrc: 0, stream, receiver, transceiver, audio };
  }

  /** @param {RTCPeerConnection} pc */
  #follow(pc) {
    let state = STATES[pc.connectionState];
    if (this.everConnected) {
      if (state === 'connecting') {
        return; // looking for another path while there is one
      }
      if (state === 'failed' && !['connected', 'completed'].includes(pc.iceConnectionState)) {
        state = 'unstable'; // nothing but the path is lost
      }
    }
    if (state === 'connected' || state === 'failed') {
      this.#stopWaiting();
      this.#endFormer();
    }
    this.everConnected ||= state === 'connected';
    this.#setState(state);
  }

  #stopWaiting() {
    clearTimeout(this.#connectTimer);
    this.#connectTimer = 0;
  }

  /** @param {MediaState} state */
  #setState(state) {
    if (state !== this.state) {
      this.state = state;
      this.dispatchEvent(new CustomEvent('state'));
    }
  }
}

/**
 * Offers Opus, and before it Opus with redundancy (RFC 2198), which makes the browser send
 * that. The server carries nothing else, and an offer with the browser's whole list is four
 * times as long.
 * @param {RTCRtpTransceiver} transceiver
 */
function preferRedundancy(transceiver) {
  const codecs = RTCRtpReceiver.getCapabilities?.('audio')?.codecs ?? [];
  const wanted = ['audio/red', 'audio/opus'].flatMap(
    (type) => codecs.filter((codec) => codec.mimeType.toLowerCase() === type),
  );
  if (wanted.some((codec) => codec.mimeType.toLowerCase() === 'audio/opus')) {
    transceiver.setCodecPreferences?.(wanted);
  }
}

/**
 * Offers negative acknowledgements (RFC 4585) for Opus, which browsers can but do not offer
 * of themselves.
 * @param {string} sdp
 * @returns {string}
 */
function withNack(sdp) {
  return sdp.replace(/^a=rtpmap:(\d+) opus\/48000\/2\r\n/gim, '$&a=rtcp-fb:$1 nack\r\n');
}

/**
 * Asks, on the line that sends, not to stop sending where it is quiet (RFC 7587), which is
 * right for a voice and cuts music.
 * @param {string} sdp
 * @returns {string}
 */
function withoutPauses(sdp) {
  return sdp.split(/^(?=m=)/m).map((line) => {
    const opus = /^a=rtpmap:(\d+) opus\/48000\/2\r\n/im.exec(line)?.[1];
    return /^a=sendonly\r\n/m.test(line) ? line.replace(`a=fmtp:${opus} `, '$&usedtx=0;') : line;
  }).join('');
}

/**
 * Sets the offer with NACK and, for music, without pauses; or as it was made in a browser
 * that minds.
 * @param {RTCPeerConnection} pc
 * @param {boolean} voice whether the microphone is made fit for speech, not for music
 */
async function setOffer(pc, voice) {
  const offer = await pc.createOffer();
  const nack = withNack(offer.sdp ?? '');
  const sdp = voice ? nack : withoutPauses(nack);
  try {
    await pc.setLocalDescription({ type: 'offer', sdp });
  } catch {
    await pc.setLocalDescription(offer);
  }
}
