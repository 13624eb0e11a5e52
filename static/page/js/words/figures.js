/**
 * Words about the figures of a call.
 * @module
 */

import { phrases } from '../language.js';
import { digits } from '../report.js';
import { milliseconds } from './common.js';

const says = phrases.figures;

/** @type {Record<import('../report.js').FigureName, string>} */
export const FIGURE_WORDS = {
  rttMs: says.byChecks,
  reportedRttMs: says.byReports,
  concealed: says.ofSound,
  lostIn: says.aboutAtFirst,
  leftIn: says.afterAsking,
  lostOut: says.atFirst,
  againOut: says.sentAgain,
  jitterInMs: says.toYou,
  jitterOutMs: says.fromYou,
  kbitIn: says.toYou,
  kbitOut: says.fromYou,
  bufferMs: says.ofEach,
};

/**
 * @param {import('../figures.js').Figure} value
 * @param {string} unit
 * @returns {string}
 */
export function figureWords(value, unit) {
  return value === null ? says.notTold : value === undefined ? says.nothing : `${digits(value)} ${unit}`;
}

/**
 * @param {{least: number, middle: number, most: number} | null} range
 * @returns {string} how a figure was in the last minutes
 */
export function rangeWords(range) {
  if (!range) {
    return '';
  }
  const [least, middle, most] = [range.least, range.middle, range.most].map(digits);
  return least === most ? says.always(least) : says.range(least, middle, most);
}

/**
 * @param {import('../figures.js').Facts | null} facts
 * @returns {string} by which way voice goes
 */
export function wayWords(facts) {
  const family = facts?.family ?? '?';
  switch (facts?.way) {
    case 'direct':
      return says.direct(family);
    case 'udp':
      return says.relayed('UDP', family);
    case 'tcp':
      return says.relayed('TCP', family);
    case 'tls':
      return says.relayed('TLS', family);
    default:
      return says.noWay;
  }
}

/**
 * @param {number | null} ms
 * @returns {string} how long messages take, which go another way than voice
 */
export function signallingWords(ms) {
  return ms === null ? says.unmeasured : says.thereAndBack(milliseconds(ms));
}

/**
 * @param {import('../figures.js').Facts | null} facts
 * @param {boolean} redundant whether packets carry what was said before once more
 * @returns {string}
 */
export function codecWords(facts, redundant) {
  const codec = (facts?.codecOut ?? facts?.codecIn)?.replace('audio/', '').split(' ').slice(0, 2).join(' ');
  return !codec ? says.noCodec : redundant ? says.redundant(codec) : codec;
}
