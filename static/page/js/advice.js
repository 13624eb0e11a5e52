/**
 * What mends a connection, in the words of `livechat doctor` (cmd/doctor/words.go; a test
 * compares them). {names} stand for values.
 * @module
 */

/** @type {Record<string, string>} */
export const Advice = Object.freeze({
  INSECURE:
    'Browsers give no microphone to a page that came over plain HTTP. Give the server a certificate with ' +
    '--domain=NAME, or --tls-cert and --tls-key, or put a reverse proxy with HTTPS in front of it; then open the page by https://.',
  POLICY:
    'The page came with the header {header}, so browsers refuse it the microphone whatever people allow. ' +
    'The server sends no such header: change it where it is added, most often at a reverse proxy, to ' +
    'Permissions-Policy: microphone=(self), or take it away there.',
  WEBSOCKET:
    'Something between here and the server, most often a reverse proxy, does not let WebSockets through. ' +
    'Let it pass the Upgrade and Connection headers on /ws, and leave Host as it is.',
  CLOCK: 'Set the clock that is wrong, for instance with timedatectl set-ntp true: certificates and tokens go by the time.',
  UDP:
    'Allow UDP port {port} in to the server: in its firewall, at its provider, and forwarded by its router if it ' +
    'is behind one. The port is that of --udp.',
  UDP_HERE: 'If other networks get through, it is this one that blocks UDP.',
  ANNOUNCE:
    'The server tells clients to send voice to {announced}. If that is not its address on the internet, ' +
    'start it with --announce={address}.',
  FROM_ITSELF:
    'That this machine does not reach itself by {announced} says little about others, because many ' +
    'routers do not lead back in. Check from another machine.',
  TURN_UDP: 'For the relay over UDP, allow UDP port {port} in to the server. The port is that of --turn-udp.',
  TURN_TCP: 'For the relay over TCP, allow TCP port {port} in to the server. The port is that of --turn-tcp.',
  TURN_PAGE:
    'The relay over {transport} shares port {port} with the page, but something there lets only HTTP through, ' +
    'such as a reverse proxy. Let clients reach the server itself on that port.',
  TURN_TLS: 'For the relay over TLS, allow TCP port {port} in to the server. The port is that of --https.',
  TURN_REFUSED: "The relay at {url} refused its own server's credentials. Is that address another server's?",
  TURN_SILENT:
    "The relay at {url} works but does not reach the media port. Its server's own firewall must let it " +
    'send to UDP port {port} of the same machine.',
  NO_TURN:
    'The server offers no relay, so people whose network blocks UDP cannot talk. Start it without --no-turn, ' +
    "and allow TURN's ports in.",
  NO_TURN_TLS:
    'The server offers no relay over TLS, so people whose network lets only HTTPS through cannot talk. Give it ' +
    'a certificate of its own: --domain=NAME, or --tls-cert and --tls-key.',
  NO_GUESTS: 'The server admits nobody without a token, so this check needs one.',
});

/**
 * Puts values in the place of {names}.
 * @param {string} text
 * @param {Record<string, string>} values
 * @returns {string}
 */
export function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}
