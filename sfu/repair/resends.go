package repair

import "time"

const (
	// ResendWindow is how many of a stream's newest packets are sent again: as many as the
	// smallest replay window of an SRTP receiver has (RFC 3711 §3.3.2).
	ResendWindow = 64
	// maxResends is how often one packet is sent again. It bounds what a storm of NACKs can
	// make of a stream.
	maxResends = 3
	// resendSpacing is the least time between sending the same packet twice: requests
	// closer together were made of one loss.
	resendSpacing = 10 * time.Millisecond
)

// Resends limits how often the packets of one stream are sent again. The zero value has
// sent nothing.
type Resends [ResendWindow]struct {
	index int64
	times uint8
	at    time.Time
}

// Allow notes that a packet was asked for, by its index, which must be among the newest
// ResendWindow of the stream and not negative. first is true when it never was before, ok
// when it may be sent again now.
func (a *Resends) Allow(index int64, now time.Time) (first, ok bool) {
	e := &a[uint64(index)%ResendWindow] //nolint:gosec // not negative
	if e.times == 0 || e.index != index {
		e.index, e.times, e.at = index, 1, now
		return true, true
	}
	if e.times >= maxResends || now.Sub(e.at) < resendSpacing {
		return false, false
	}
	e.times++
	e.at = now
	return false, true
}
