/**
 * The ways by which voice may go, and why one of them does not work.
 * @module
 */

import { Advice, fill } from './advice.js';
import { phrases } from './language.js';
import { isLoopback } from './untried.js';

/** The error of a relay that could not be reached (W3C WebRTC, section 4.8.1.1). */
const NO_CONTACT = 701;

/**
 * Why the direct way does not work.
 * @param {import('./probe.js').Probed} found
 * @param {boolean} overUDP UDP as such gets through: the relay was reached by it
 * @returns {[string, ...string[]]} what was found, and what mends it
 */
export function directWords({ announced, port, untried }, overUDP) {
  const where = announced.join(', ');
  if (untried) {
    const advice = untried === 'loopback' ? fill(Advice.LOOPBACK, { announced: where, port }) : phrases.checkup[untried];
    return [phrases.checkup.untried(where), advice];
  }
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
  return [phrases.checkup.nothingFrom(where, port), ...advice];
}

/**
 * Why a relay does not work.
 * @param {{transport?: string, found: import('./probe.js').Probed | null}} way
 * @param {URL} url
 * @returns {[string, ...string[]]} what was found, and what mends it
 */
export function relayWords({ transport = '', found }, url) {
  const values = { port: portOf(url), url: url.href, transport };
  const shared = transport !== 'UDP' && values.port === (location.port || (location.protocol === 'https:' ? '443' : '80'));
  const open = { UDP: Advice.TURN_UDP, TCP: Advice.TURN_TCP, TLS: Advice.TURN_TLS }[transport] ?? '';
  if (found?.allocated) {
    return [phrases.checkup.nothingThrough, fill(Advice.TURN_SILENT, { ...values, port: found.port })];
  }
  if (found?.relayError === 401 || found?.relayError === 438) {
    return [phrases.checkup.refused(found.relayError), fill(Advice.TURN_REFUSED, values)];
  }
  const unreached = !found?.relayError || found.relayError === NO_CONTACT;
  if (unreached && isLoopback(hostOf(url)) && /\bFirefox\//.test(navigator.userAgent)) {
    return [phrases.checkup.untried(hostOf(url)), phrases.checkup.noLoopbackRelay];
  }
  if (shared) {
    return [phrases.checkup.noRelay, fill(Advice.TURN_PAGE, values)];
  }
  return [phrases.checkup.nothingBack, fill(open, values)];
}

/**
 * The relays one by one, in the order in which browsers prefer them.
 * @param {RTCIceServer[]} servers
 * @returns {{transport: 'UDP' | 'TCP' | 'TLS', url: URL, server: RTCIceServer}[]}
 */
export function relaysOf(servers) {
  const order = ['UDP', 'TCP', 'TLS'];
  return servers
    .flatMap((server) =>
      [server.urls].flat().map((text) => {
        const url = new URL(text);
        const udp = url.searchParams.get('transport') !== 'tcp';
        /** @type {'UDP' | 'TCP' | 'TLS'} */
        const transport = url.protocol === 'turns:' ? 'TLS' : udp ? 'UDP' : 'TCP';
        return { transport, url, server: { ...server, urls: [text] } };
      }),
    )
    .sort((a, b) => order.indexOf(a.transport) - order.indexOf(b.transport));
}

/**
 * @param {URL} url of a relay: turn:host:port, which has its host in the path
 * @returns {string}
 */
export function portOf(url) {
  return /:(\d+)$/.exec(url.pathname)?.[1] ?? (url.protocol === 'turns:' ? '5349' : '3478');
}

/** @param {URL} url of a relay */
function hostOf(url) {
  return url.pathname.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
}

/** @param {string} host */
function isAddress(host) {
  return host.includes(':') || /^[\d.]+$/.test(host);
}
