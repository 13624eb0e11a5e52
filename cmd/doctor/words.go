package doctor

import "strings"

// Sentences that say what mends it, with {names} for values. The page's connection check
// says the same (static/page/js/languages/en.js); a test compares them.
const (
	wordsInsecure = "Browsers give no microphone to a page that came over plain HTTP. Give the server a certificate with " +
		"--domain=NAME, or --tls-cert and --tls-key, or put a reverse proxy with HTTPS in front of it; then open the page by https://."
	wordsPolicy = "The page came with the header {header}, so browsers refuse it the microphone whatever people allow. " +
		"The server sends no such header: change it where it is added, most often at a reverse proxy, to " +
		"Permissions-Policy: microphone=(self), or take it away there."
	wordsWebSocket = "Something between here and the server, most often a reverse proxy, does not let WebSockets through. " +
		"Let it pass the Upgrade and Connection headers on /ws, and leave Host as it is."
	wordsClock = "Set the clock that is wrong, for instance with timedatectl set-ntp true: certificates and tokens go by the time."
	wordsUDP   = "Allow UDP port {port} in to the server: in its firewall, at its provider, and forwarded by its router if it " +
		"is behind one. The port is that of --udp."
	wordsUDPHere  = "If other networks get through, it is this one that blocks UDP."
	wordsAnnounce = "The server tells clients to send voice to {announced}. If that is not its address on the internet, " +
		"start it with --announce={address}."
	wordsAnnounceFound = "Start the server with --announce={address}, where it does answer."
	wordsLoopback      = "Firefox takes no loopback address for voice, and the server tells clients of no other than {announced}. " +
		"Start it with --udp={port}, the port alone, and without --announce."
	wordsFromItself = "That this machine does not reach itself by {announced} says little about others, because many " +
		"routers do not lead back in. Check from another machine."
	wordsTURNUDP  = "For the relay over UDP, allow UDP port {port} in to the server. The port is that of --turn-udp."
	wordsTURNTCP  = "For the relay over TCP, allow TCP port {port} in to the server. The port is that of --turn-tcp."
	wordsTURNPage = "The relay over {transport} shares port {port} with the page, but something there lets only HTTP through, " +
		"such as a reverse proxy. Let clients reach the server itself on that port."
	wordsTURNTLS     = "For the relay over TLS, allow TCP port {port} in to the server. The port is that of --https."
	wordsTURNRefused = "The relay at {url} refused its own server's credentials. Is that address another server's?"
	wordsTURNSilent  = "The relay at {url} works but does not reach the media port. Its server's own firewall must let it " +
		"send to UDP port {port} of the same machine."
	wordsNoTURN = "The server offers no relay, so people whose network blocks UDP cannot talk. Start it without --no-turn, " +
		"and allow TURN's ports in."
	wordsNoTURNTLS = "The server offers no relay over TLS, so people whose network lets only HTTPS through cannot talk. Give it " +
		"a certificate of its own: --domain=NAME, or --tls-cert and --tls-key."
	wordsNoGuests = "The server admits nobody without a token, so this check needs one."
)

// fill puts values in the place of {names}: fill(text, "port", "10000").
func fill(text string, pairs ...string) string {
	for i := 0; i+1 < len(pairs); i += 2 {
		text = strings.ReplaceAll(text, "{"+pairs[i]+"}", pairs[i+1])
	}
	return text
}
