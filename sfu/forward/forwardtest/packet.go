package forwardtest

import "fmt"

// packet is what a Checker reads from a header.
type packet struct {
	ssrc   uint32
	index  int64
	ts     uint32
	csrc   uint32
	marker bool
	// advance is how far ts lies from that of the highest index before.
	advance int64
}

// String names a packet in failures.
func (p packet) String() string {
	return fmt.Sprintf("SSRC %08x index %d (number %d) timestamp %d CSRC %08x",
		p.ssrc, p.index, uint16(p.index), p.ts, p.csrc) //nolint:gosec // the low 16 bits were sent
}
