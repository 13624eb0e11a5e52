package talk

import "time"

const (
	// hold is how long a packet waits before it is written: the time for those before it to be repaired or put in order, for the clock
	// below to settle, and for what is known of who talks to come.
	hold = time.Second
	// settling is over how long the quickest packet says by how much the others are late.
	settling = 3 * time.Second
	// pause is how long nothing came when a voice may have stopped its clock meanwhile, and jump by how much it then is behind.
	pause = 200 * time.Millisecond
	jump  = 100 * time.Millisecond
)

// clock translates one stream's RTP timestamps into the time since the recording began, both in samples. A packet comes late, never
// early: so the one that was least late of the last settling says how the two clocks stand, also when they run at different
// rates. (The lower envelope of delays, as in RFC 5905's clock filter.) It is not safe for concurrent use.
type clock struct {
	started  bool
	last     uint32 // the newest timestamp
	extended int64  // and without its wrapping
	heard    int64
	delays   []delay // rising in both; the first is what counts
}

// delay is by how much a packet came after its timestamp.
type delay struct{ at, by int64 }

// arrives takes a packet that came at a time, and returns its timestamp without its wrapping.
func (c *clock) arrives(at int64, timestamp uint32) int64 {
	if !c.started {
		c.started, c.last, c.extended = true, timestamp, int64(timestamp)
	}
	ahead := int64(int32(timestamp - c.last)) //nolint:gosec // RFC 1982's arithmetic
	extended := c.extended + ahead
	if ahead > 0 {
		c.last, c.extended = timestamp, extended
	}
	late := delay{at: at, by: at - extended}
	if len(c.delays) > 0 && at-c.heard > samples(pause) && late.by-c.delays[0].by > samples(jump) {
		c.delays = c.delays[:0]
	}
	for len(c.delays) > 0 && c.delays[len(c.delays)-1].by >= late.by {
		c.delays = c.delays[:len(c.delays)-1]
	}
	c.delays = append(c.delays, late)
	for c.delays[0].at < at-samples(settling) {
		c.delays = c.delays[1:]
	}
	c.heard = at
	return extended
}

// stands returns where on the recording's clock a timestamp stands.
func (c *clock) stands(extended int64) int64 { return extended + c.delays[0].by }

func samples(d time.Duration) int64 { return int64(d) * second / int64(time.Second) }
