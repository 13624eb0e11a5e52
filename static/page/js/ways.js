/**
 * The ways by which voice may go, and why one of them does not work.
 * @module
 */

import { Advice, fill } from './advice.js';

/**
 * Why the direct way does not work.
 * @param {import('./probe.js').Probed} found
 * @param {boolean} overUDP UDP as such gets through: the relay was reached by it
 * @returns {[string, ...string[]]} what was found, and what mends it
 */
export function directWords({ announced, port }, overUDP) {
  const where = announced.join(', ');
  const advice = [fill(Advice.UDP, { port })];
  if (!overUDP) {
    advice.push(Advice.UDP_HERE);
  }
  const host = location.hostname.replace(/^\[|\]$/g, '');
  if (isLoopback(host)) {
    advice.push(fill(Advice.FROM_ITSELF, { announced: where }));
  } else if (!announced.includes(host)) {
    advice.push(fill(Advice.ANNOUNCE, { announced: where, address: isAddress(host) ? host : 'ADDRESS' }));
  }
  return [`nothing comes back from ${where}, UDP port ${port}`, ...advice];
}

/**
 * Why a relay does not work.
 * @param {{name: string, found: import('./probe.js').Probed | null}} way
 * @param {URL} url
 * @returns {[string, ...string[]]} what was found, and what mends it
 */
export function relayWords({ name, found }, url) {
  const values = { port: portOf(url), url: url.href, transport: name.replace('TURN over ', '') };
  const shared = name !== 'TURN over UDP' && values.port === (location.port || (location.protocol === 'https:' ? '443' : '80'));
  const open = { UDP: Advice.TURN_UDP, TCP: Advice.TURN_TCP, TLS: Advice.TURN_TLS }[values.transport] ?? '';
  if (found?.allocated) {
    return ['nothing comes back through the relay', fill(Advice.TURN_SILENT, { ...values, port: found.port })];
  }
  if (found?.relayError === 401 || found?.relayError === 438) {
    return [`refused with ${found.relayError}`, fill(Advice.TURN_REFUSED, values)];
  }
  if (shared) {
    return ['the port answers, but not as a relay', fill(Advice.TURN_PAGE, values)];
  }
  return ['nothing comes back', fill(open, values)];
}

/**
 * The relays one by one, in the order in which browsers prefer them.
 * @param {RTCIceServer[]} servers
 * @returns {{name: string, url: URL, server: RTCIceServer}[]}
 */
export function relaysOf(servers) {
  const order = ['TURN over UDP', 'TURN over TCP', 'TURN over TLS'];
  return servers
    .flatMap((server) =>
      [server.urls].flat().map((text) => {
        const url = new URL(text);
        const udp = url.searchParams.get('transport') !== 'tcp';
        const name = url.protocol === 'turns:' ? 'TURN over TLS' : udp ? 'TURN over UDP' : 'TURN over TCP';
        return { name, url, server: { ...server, urls: [text] } };
      }),
    )
    .sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
}

/**
 * @param {URL} url of a relay: turn:host:port, which has its host in the path
 * @returns {string}
 */
export function portOf(url) {
  return /:(\d+)$/.exec(url.pathname)?.[1] ?? (url.protocol === 'turns:' ? '5349' : '3478');
}

/** @param {string} host */
function isLoopback(host) {
  return host === 'localhost' || host.endsWith('.localhost') || host === '::1' || host.startsWith('127.');
}

/** @param {string} host */
function isAddress(host) {
  return host.includes(':') || /^[\d.]+$/.test(host);
}
