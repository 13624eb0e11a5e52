package bench

import (
	"encoding/binary"
	"time"
)

const (
	// packetInterval is the time between two packets of a talker: 50 a second.
	packetInterval = 20 * time.Millisecond
	// packetTicks is the same on the RTP clock of Opus.
	packetTicks = 960
	// minFrameBytes and maxFrameBytes bound a packet's payload: Opus voice at 24 to 64
	// kbit/s.
	minFrameBytes, maxFrameBytes = 60, 160
	// frameTOC is the first byte of an Opus packet that holds 20 ms (RFC 6716, section
	// 3.1), which is what the payload claims to be.
	frameTOC = 0x78
	// frameMagic, behind it, tells the load generator's packets from others.
	frameMagic = 0x62656e63
	frameBytes = 1 + 4 + 8 + 1
	// bufferBytes holds any packet there is: none is larger than an Ethernet frame.
	bufferBytes = 1500
)

// frameSize is the payload of a talker's packet n: every size is equally frequent, and
// every run sends the same ones.
func frameSize(talker, n uint64) int {
	const span = maxFrameBytes - minFrameBytes + 1 // prime to the step below
	return minFrameBytes + int((n*37+talker*11)%span)
}

// putFrame writes when a packet is sent, and from which node.
func putFrame(b []byte, sentAt time.Duration, node uint8) {
	b[0] = frameTOC
	binary.BigEndian.PutUint32(b[1:], frameMagic)
	binary.BigEndian.PutUint64(b[5:], uint64(sentAt)) //nolint:gosec // not negative
	b[13] = node
}

func parseFrame(b []byte) (sentAt time.Duration, node uint8, ok bool) {
	if len(b) < frameBytes || binary.BigEndian.Uint32(b[1:]) != frameMagic {
		return 0, 0, false
	}
	return time.Duration(binary.BigEndian.Uint64(b[5:])), b[13], true //nolint:gosec // as it was put
}
