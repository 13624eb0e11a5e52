/**
 * Why a browser did not even try to reach the server: then no firewall has to do with it.
 * @module
 */

/**
 * - `loopback`: the server names only loopback addresses, and this browser uses none for voice, as Firefox;
 * - `walled`: this browser has no address of its own for voice, as where an extension or a setting keeps WebRTC off the network;
 * - `apart`: it has, but none from which the server's could be reached, as with IPv4 on one side and IPv6 on the other.
 * @typedef {'loopback' | 'walled' | 'apart'} Untried
 */

/**
 * @param {RTCStatsReport} report of a connection that found no path
 * @param {string[]} announced the server's addresses
 * @returns {Untried | null} null when something was tried
 */
export function untriedOf(report, announced) {
  const types = new Set([...report.values()].map(({ type }) => type));
  if (types.has('candidate-pair') || announced.length === 0) {
    return null;
  }
  if (!types.has('local-candidate')) {
    return 'walled';
  }
  return announced.every(isLoopback) ? 'loopback' : 'apart';
}

/**
 * @param {string} sdp an answer
 * @returns {{announced: string[], port: string}} the server's addresses for voice
 */
export function candidatesOf(sdp) {
  // foundation component transport priority address port (RFC 8839, section 5.1)
  const found = [...sdp.matchAll(/^a=candidate:\S+ \d+ \S+ \d+ (\S+) (\d+)/gm)];
  return { announced: found.map((m) => m[1]), port: [...new Set(found.map((m) => m[2]))].join(' and ') };
}

/**
 * @param {string} host a name or an address
 * @returns {boolean} whether it is always this machine
 */
export function isLoopback(host) {
  return host === 'localhost' || host.endsWith('.localhost') || host === '::1' || host.startsWith('127.');
}
