package admission

import "time"

// Meter counts what one connection does. Its methods belong to the connection's reader; Book.Allow, which the same reader
// calls, counts requests in it.
type Meter struct {
	rules    *rules
	began    time.Time
	requests bucket
	frames   bucket
	bytes    bucket
	refusals bucket
	// welcome is when the connection may ask again, as it was told last.
	welcome time.Duration
}

// NewMeter returns a Meter for a new connection.
func (b *Book) NewMeter() *Meter { return &Meter{rules: &b.rules, began: b.began} }

// Frame counts a frame of any kind, Bytes what came over the wire, and Refused a request that was refused, to come again after
// wait, although the connection had been told to wait. They report false when that is too much for any client that means well.
func (m *Meter) Frame(now time.Time) bool { return m.count(&m.frames, m.rules.frames, now, 1) }

// Bytes is described at Frame.
func (m *Meter) Bytes(now time.Time, n int) bool {
	return m.count(&m.bytes, m.rules.bytes, now, float64(n))
}

// Refused is described at Frame.
func (m *Meter) Refused(now time.Time, wait time.Duration) bool {
	at := now.Sub(m.began)
	early := at < m.welcome
	m.welcome = at + wait
	return !early || m.count(&m.refusals, m.rules.refusals, now, 1)
}

func (m *Meter) count(b *bucket, r Rule, now time.Time, cost float64) bool {
	at := now.Sub(m.began)
	if b.wait(at, r, cost) > 0 {
		return false
	}
	b.take(at, r, cost)
	return true
}
