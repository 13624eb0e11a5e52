package cluster

import (
	"slices"
	"time"
)

const (
	// clockApart is how far two clocks may be apart before it is said, and before the one that is off is set right: far more than NTP leaves.
	clockApart = 2 * time.Second
	// clockWindow is for how long what a beat says of its node's clock counts: longer than beats are late, while nobody has waited for them.
	clockWindow = 2 * time.Second
	// mostApart bounds what is forgiven of clocks that are apart.
	mostApart = 24 * time.Hour
)

// clocks are a decision about what time it is, without a clock: that of most of the nodes, whatever this one's clock says. All clocks are compared by what
// they showed at one moment, which the monotonic clock tells; so it does not matter when the clock of this node is set meanwhile. Its guard is its
// station's.
type clocks struct {
	// began is that moment.
	began time.Time
	// right is what clocks showed then that are right; zero: this node's is, or it was never known which are.
	right time.Time
	// agreed is whether it is known which clocks are right, whoever of them is there now.
	agreed bool
	// apart is how far clocks were apart at most.
	apart time.Duration
}

// then returns what a clock that shows is now showed when it began.
func (c *clocks) then(is, now time.Time) time.Time {
	if c.began.IsZero() {
		c.began = now
	}
	return is.Round(0).Add(-now.Sub(c.began))
}

// settle decides with what the clocks of the others showed when it began; most says of how many nodes they are most. Too few to tell leave it at what
// was.
func (c *clocks) settle(now time.Time, all []time.Time, most func(count int) bool) {
	own := c.then(now, now)
	all = append(all, own)
	slices.SortFunc(all, time.Time.Compare)
	for _, ends := range []time.Time{all[0], all[len(all)-1]} {
		c.apart = min(max(c.apart, own.Sub(ends).Abs()), mostApart)
	}
	middle, together := all[(len(all)-1)/2], 0
	for _, one := range all {
		if one.Sub(middle).Abs() <= clockApart {
			together++
		}
	}
	if !most(together) {
		return
	}
	c.agreed, c.right = true, middle
	if own.Sub(middle).Abs() <= clockApart {
		c.right = time.Time{}
	}
}

// time returns what time it is.
func (c *clocks) time(now time.Time) time.Time {
	if c.right.IsZero() {
		return now
	}
	return c.right.Add(now.Sub(c.began))
}

// off returns how far this node's clock is ahead of the right time; 0: it is right, or nobody can tell.
func (c *clocks) off(now time.Time) time.Duration {
	if c.right.IsZero() {
		return 0
	}
	return now.Round(0).Sub(c.time(now))
}

// forgiven returns how far clocks may be apart of nodes whose word counts here: as far as they were, until it is known which are right.
func (c *clocks) forgiven() time.Duration {
	if c.agreed {
		return 0
	}
	return c.apart
}

// reckoned is what another node's clock showed when it began, as far as its beats say. What a beat takes makes the clock look behind, so the furthest
// ahead of the last ones counts.
type reckoned struct {
	is, was time.Time // of this clockWindow, and the one before it
	since   time.Time // when this one began
}

func (r *reckoned) note(now, showed time.Time) {
	switch {
	case r.since.IsZero():
		r.is, r.was, r.since = showed, showed, now
	case now.Sub(r.since) >= clockWindow:
		r.is, r.was, r.since = showed, r.is, now
	case showed.After(r.is):
		r.is = showed
	}
}

func (r *reckoned) showed() time.Time {
	if r.was.After(r.is) {
		return r.was
	}
	return r.is
}

// Now returns what time it is: by the clock of most nodes, should this one's be off. Then it is no reading of the monotonic clock.
func (c *Cluster) Now() time.Time { return c.timeAt(time.Now()) }

// Apart returns how far the clocks of nodes may be apart whose word counts here: 0 when it is known which are right.
func (c *Cluster) Apart() time.Duration { return c.forgiven() }
