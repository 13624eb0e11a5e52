package voice

import (
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/bounded"
)

// What of a talker goes on, whatever its sender does: a packet multiplies with those who hear it. The most demanding voice is Opus at
// 510 kbit/s, its highest (RFC 7587, section 7.1), which is 63,750 bytes a second; and 400 packets a second, in its shortest frames of
// 2.5 ms (RFC 6716, section 2.1.4).
const (
	// talkerPackets and talkerBytes are what goes on to the listeners of a talker's Opus a second, taken out of redundancy or
	// not: a quarter more than the most demanding voice, for clocks that run fast.
	talkerPackets = 500
	talkerBytes   = 80_000
	// talkerBurst is how much of these may come at once: what a network held back for a second.
	talkerBurst = time.Second
	// maxOpus is the largest payload of Opus that goes on, in bytes: its largest frame (RFC 6716, section 3.2.1), a datagram
	// of 1,307 bytes. Packets of several frames that exceed it would not pass every path.
	maxOpus = 1275
	// Takeover is how long a stream's SSRC must be silent before another one may take its place, as after a change of the encoder. Of
	// two at once the first is heard.
	Takeover = time.Second
)

//nolint:gochecknoglobals // constants
var (
	packetRate = bounded.PerSecond(talkerPackets, talkerBurst)
	byteRate   = bounded.PerSecond(talkerBytes, talkerBurst)
)
