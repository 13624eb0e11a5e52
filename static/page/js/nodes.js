/**
 * Which node of the server to go to when one's own is gone, as PROTOCOL.md says: each person has an order of their own, so that all are spread.
 * @module
 */

import { gatewayOf } from './entry.js';

/**
 * @param {string} userId
 * @param {string} url a node's, as the server says it
 * @returns {number} 32 bits of FNV-1a, and of that the finish of MurmurHash3
 */
export function nodeScore(userId, url) {
  let h = 2166136261;
  for (const byte of new TextEncoder().encode(`${userId}\n${url}`)) {
    h = Math.imul(h ^ byte, 16777619);
  }
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/**
 * @param {string} node the URL of its page
 * @returns {string} that of its gateway
 */
export function gatewayAt(node) {
  return gatewayOf(node.endsWith('/') ? node : `${node}/`).href;
}

/**
 * @param {string} userId
 * @param {string} gateway of one's own node
 * @param {string[]} nodes the URLs of the others
 * @param {boolean} own whether one's own may live; else it is the last
 * @returns {string[]} gateways, in the order in which to try them
 */
export function route(userId, gateway, nodes, own) {
  const others = [...nodes]
    .sort((a, b) => nodeScore(userId, b) - nodeScore(userId, a))
    .map(gatewayAt)
    .filter((other) => other !== gateway);
  return own ? [gateway, ...others] : [...others, gateway];
}
