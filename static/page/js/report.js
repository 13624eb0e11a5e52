/**
 * Which figures of a call there are to see, and a report of them in plain text to put into a bug report. It is in English and by
 * the terms of WebRTC's statistics, whatever the page's language, and has nothing in it that is secret: no name, no token, no
 * address but the server's.
 * @module
 */

import { KEPT_MS } from './meter.js';

/** @typedef {import('./figures.js').Figure} Figure */
/** @typedef {Exclude<keyof import('./figures.js').Sample, 'at'>} FigureName */
/** @typedef {'rtt' | 'lossIn' | 'lossOut' | 'concealed' | 'jitter' | 'buffer' | 'bitrate'} Topic */

/**
 * What is drawn together: its unit, what the graph's upper edge stands for at least, and each figure with the terms it is made of.
 * @type {{topic: Topic, unit: 'ms' | '%' | 'kbit/s', edge: number, figures: [FigureName, string][]}[]}
 */
export const TOPICS = [
  { topic: 'rtt', unit: 'ms', edge: 50, figures: [['rttMs', 'currentRoundTripTime'], ['reportedRttMs', 'roundTripTime']] },
  { topic: 'concealed', unit: '%', edge: 5, figures: [['concealed', 'concealedSamples']] },
  { topic: 'lossIn', unit: '%', edge: 5, figures: [['lostIn', 'packetsLost + nackCount'], ['leftIn', 'packetsLost']] },
  { topic: 'lossOut', unit: '%', edge: 5, figures: [['lostOut', 'fractionLost'], ['againOut', 'retransmittedPacketsSent']] },
  { topic: 'jitter', unit: 'ms', edge: 20, figures: [['jitterInMs', 'jitter'], ['jitterOutMs', 'jitter']] },
  { topic: 'bitrate', unit: 'kbit/s', edge: 50, figures: [['kbitIn', 'bytesReceived'], ['kbitOut', 'bytesSent']] },
  { topic: 'buffer', unit: 'ms', edge: 100, figures: [['bufferMs', 'jitterBufferDelay']] },
];

/** Rows of the report's table have so long a stretch each, in milliseconds. */
const ROW_MS = 60_000;

/**
 * @param {number} value
 * @returns {string} with as many digits as say something
 */
export function digits(value) {
  return value < 10 ? String(Math.round(value * 10) / 10) : String(Math.round(value));
}

/**
 * @param {import('./figures.js').Sample[]} samples
 * @param {FigureName} name
 * @returns {{least: number, middle: number, most: number} | null} null when there are none
 */
export function rangeOf(samples, name) {
  const values = samples.map((sample) => sample[name]).filter((value) => typeof value === 'number').sort((a, b) => a - b);
  return values.length === 0 ? null : { least: values[0], middle: values[values.length >> 1], most: values[values.length - 1] };
}

/**
 * @param {string} sdp an answer
 * @returns {string} what it takes against loss
 */
function repairsOf(sdp) {
  const has = (/** @type {RegExp} */ re) => (re.test(sdp) ? 'yes' : 'no');
  return `RED ${has(/^a=rtpmap:\d+ red\//m)}, NACK ${has(/^a=rtcp-fb:\S+ nack\b/m)}, FEC ${has(/useinbandfec=1/)}, DTX ${has(/usedtx=1/)}`;
}

/**
 * @param {import('./session.js').Session} session
 * @returns {string}
 */
export function reportOf({ client, call }) {
  const { media, voice, microphone } = call;
  const { samples, facts } = media.meter;
  const now = performance.now();
  const yes = (/** @type {boolean} */ is) => (is ? 'yes' : 'no');
  const last = samples.at(-1);
  const say = (/** @type {Figure} */ value) => (value === null ? 'not told' : value === undefined ? '-' : digits(value));
  const named = TOPICS.flatMap(({ unit, figures }) => figures.map(([name, term]) => ({ name, term, unit })));
  const current = named.map(({ name, term, unit }) => {
    const range = rangeOf(samples, name);
    const spread = range ? `; least ${digits(range.least)}, median ${digits(range.middle)}, most ${digits(range.most)}` : '';
    return `  ${name} (${term}), ${unit}: ${say(last?.[name])}${spread}`;
  });
  const rows = [];
  for (let from = KEPT_MS; from > 0; from -= ROW_MS) {
    const some = samples.filter(({ at }) => now - at <= from && now - at > from - ROW_MS);
    const cells = named.map(({ name }) => {
      const range = rangeOf(some, name);
      return range ? `${name} ${digits(range.middle)}/${digits(range.most)}` : '';
    });
    rows.push(`  ${from / 1_000} s ago, ${some.length} samples: ${cells.filter(Boolean).join(', ') || '-'}`);
  }
  return [
    'Mini LiveChat connection report',
    `${location.origin}, ${new Date().toISOString()}`,
    navigator.userAgent,
    `server: ${client.server || 'not told'}; signalling: ${client.state.name}, round trip ${client.rttMs ?? '-'} ms`,
    `voice: ${media.state}, path: ${facts?.way ?? 'none'}, ${facts?.family ?? ''} to ${facts?.server || '-'}, network: ${facts?.network ?? 'not told'}`,
    `ICE: ${facts?.ice ?? 'not told'}, path changes: ${facts?.pathChanges ?? 'not told'}, DTLS: ${facts?.dtls ?? 'not told'}`,
    `codec out: ${facts?.codecOut ?? '-'}; in: ${facts?.codecIn ?? '-'}; ${repairsOf(media.answer)}`,
    `microphone: ${microphone.condition}, listening only: ${yes(call.talk.listenOnly)}, muted: ${yes(voice.muted)}, deaf: ${yes(voice.deaf)}, ` +
      `muted by a moderator: ${yes(voice.held)}, in the audience: ${yes(voice.suppressed)}`,
    `sound: ${media.playback.sound}, lines: ${media.slots.length}, in use: ${media.slots.filter((slot) => slot.userId !== null).length}`,
    'now, and in the last 5 minutes:',
    ...current,
    'minute by minute, median/most:',
    ...rows,
  ].join('\n');
}
