package peer

import (
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/bounded"
	"github.com/mini-livechat/mini-livechat/sfu/wire"
)

// What a client may send. All of it follows from what the most demanding voice and the worst network make; what goes beyond
// is dropped and counted by reason (Dropped). A talker's packets multiply with those who hear them, so they are bounded
// twice: all that comes, before it is decrypted, and what goes on to the listeners, by sfu/voice. How many SSRCs there may be is bounded
// by wire (maxSSRCs, 128), since each costs a replay window; one too many ends the connection (ErrTooManyStreams).
//
// The most demanding voice is Opus at 510 kbit/s, its highest (RFC 7587, section 7.1), which is 63,750 bytes a second; and
// 400 packets a second, in its shortest frames of 2.5 ms (RFC 6716, section 2.1.4).
const (
	// intakePackets and intakeBytes are what is decrypted of a client's SRTP a second. Packets: 400, and half as many again
	// that are asked for on a network that loses a third of them. Bytes: 63,750 of Opus, as much of redundancy (RED with one
	// block of such; of voices at a quarter of it, four), half as much again asked for, and 50 of headers for each of 100
	// packets.
	intakePackets = 600
	intakeBytes   = 200_000
	// intakeBurst is how much of these may come at once: what a network held back for a second.
	intakeBurst = time.Second

	// nacksPerSecond is how many packets a client may ask for: two thirds of what 32 slots carry at 50 packets a second.
	// nackBurst is how many of them at once: 256, which is half a millisecond of the loop, and 160 ms of 32 slots.
	nacksPerSecond = 1000
	nackBurst      = 256 * time.Millisecond
	// rtcpPerSecond is how many compound packets are decrypted of a client: as many as it may ask packets for, each on its
	// own. rtcpBurst is how many of them at once, after a stall: 256.
	rtcpPerSecond = nacksPerSecond
	rtcpBurst     = nackBurst

	// checksPerSecond is how many ICE checks of a client are answered, each of which costs ten times what a packet of voice
	// does. A full agent paces them 50 ms apart (RFC 8445, section 14.2) while it connects; one that tries eight pairs five
	// times a second makes 40, and some of these at once in a restart.
	checksPerSecond = 250
	// dtlsPerSecond is how many datagrams of DTLS are taken of a client once the handshake is over: a flight that was lost, and
	// a goodbye.
	dtlsPerSecond = 50
)

//nolint:gochecknoglobals // constants
var (
	// intake is what of a client is looked at.
	intake = wire.Intake{
		Packets:   bounded.PerSecond(intakePackets, intakeBurst),
		Bytes:     bounded.PerSecond(intakeBytes, intakeBurst),
		Compounds: bounded.PerSecond(rtcpPerSecond, rtcpBurst),
		Checks:    bounded.PerSecond(checksPerSecond, time.Second),
		Datagrams: bounded.PerSecond(dtlsPerSecond, time.Second),
	}
	nackRate = bounded.PerSecond(nacksPerSecond, nackBurst)
)
