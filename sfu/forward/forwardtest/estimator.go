package forwardtest

// Estimator guesses the SRTP packet index from sequence numbers exactly as a receiver
// does, RFC 3711 §3.3.1 and appendix A. The zero value is a receiver before its first
// packet, which takes the rollover counter for 0. Not safe for concurrent use.
type Estimator struct {
	started bool
	// roc is the rollover counter, highest the highest sequence number under it (s_l).
	roc     int64
	highest uint16
}

// half is 2^15, the distance at which the guess turns over.
const half = 1 << 15

// Next returns the 48-bit index a receiver takes this sequence number to have, and
// remembers it as authenticated. A negative index means the receiver places the packet
// before the first rollover counter: it cannot decrypt it.
func (e *Estimator) Next(seq uint16) int64 {
	if !e.started {
		e.started = true
		e.highest = seq
		return int64(seq)
	}
	number, highest := int64(seq), int64(e.highest)
	roc := e.roc
	switch {
	case highest < half && number-highest > half:
		roc--
	case highest >= half && highest-half > number:
		roc++
	}
	if roc > e.roc || roc == e.roc && seq > e.highest {
		e.roc, e.highest = roc, seq
	}
	return roc<<16 | number
}
