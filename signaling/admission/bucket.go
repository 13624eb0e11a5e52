package admission

import (
	"math"
	"time"
)

// hair is what is too little to be refused for: what rounding makes of who waited as long as it was told.
const hair = 1e-6

// Rule is how much of something may be done: so much at once, and so much a second from then on. The zero Rule bounds
// nothing.
type Rule struct{ PerSecond, AtOnce float64 }

func (r Rule) none() bool { return r.AtOnce == 0 }

// bucket is what was used of a rule and is not made up for yet. The zero value is one of which nothing was used.
type bucket struct {
	used float64
	at   time.Duration // when that was, since the beginning of the Book
}

// settle makes up for what the time since has given back. A time before the last one is taken for that.
func (b *bucket) settle(now time.Duration, r Rule) {
	if passed := now - b.at; passed > 0 {
		b.used = max(0, b.used-r.PerSecond*passed.Seconds())
		b.at = now
	}
}

// empty reports whether all that was used is made up for, at so much a second.
func (b *bucket) empty(now time.Duration, perSecond float64) bool {
	return b.used <= perSecond*max(0, now-b.at).Seconds()
}

// wait returns how long it takes until so much may be done; 0 is now. More than may be done at once is done when nothing
// was before.
func (b *bucket) wait(now time.Duration, r Rule, cost float64) time.Duration {
	if r.none() {
		return 0
	}
	b.settle(now, r)
	over := b.used + min(cost, r.AtOnce) - r.AtOnce
	if over <= hair {
		return 0
	}
	return time.Duration(math.Ceil(over / r.PerSecond * float64(time.Second)))
}

// take notes what is done. It may be more than the rule has, of which there is an end all the same: who did it once
// waits for no more than twice as long as to do everything at once.
func (b *bucket) take(now time.Duration, r Rule, cost float64) {
	if r.none() {
		return
	}
	b.settle(now, r)
	b.used = min(b.used+cost, 2*r.AtOnce)
}
