package admission

import "time"

// Meter counts what one connection does. Its methods belong to the connection's reader; Book.Allow, which the same reader
// calls, counts requests in it.
type Meter struct {
	rules    *rules
	began    time.Time
	requests bucket
	control  bucket
	bytes    bucket
	refusals bucket
	// welcome is when the connection may ask again, as it was told last.
	welcome time.Duration
}

// NewMeter returns a Meter for a new connection.
func (b *Book) NewMeter() *Meter { return &Meter{rules: &b.rules, began: b.began} }

// Control counts a control frame, which nothing can refuse, Bytes what came over the wire, and Refused a request that was refused,
// to come again after wait, although the connection had been told to wait. They report false when that is too much for any client
// that means well.
func (m *Meter) Control(now time.Time) bool { return m.count(&m.control, m.rules.control, now, 1) }

// Bytes is described at Control.
func (m *Meter) Bytes(now time.Time, n int) bool {
	return m.count(&m.bytes, m.rules.bytes, now, float64(n))
}

// Refused is described at Control. The longer the request was, the more it counts.
func (m *Meter) Refused(now time.Time, wait time.Duration, size int) bool {
	at := now.Sub(m.began)
	early := at < m.welcome
	m.welcome = at + wait
	return !early || m.count(&m.refusals, m.rules.refusals, now, 1+ForLength(size))
}

func (m *Meter) count(b *bucket, r Rule, now time.Time, cost float64) bool {
	at := now.Sub(m.began)
	if b.wait(at, r, cost) > 0 {
		return false
	}
	b.take(at, r, cost)
	return true
}
