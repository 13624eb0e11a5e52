package app

import (
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/floor"
)

// Floor is how the floor is given in channels of mode ptt that say nothing else.
type Floor struct {
	// Talk is the longest time of one grant; 0: no end. Warn is how long before it the talker is told.
	Talk time.Duration `placeholder:"TIME" group:"floor" help:"Longest time that one may talk at a stretch; 0 for no end."`
	Warn time.Duration `placeholder:"TIME" group:"floor" help:"How long before that ends the talker is warned; at most a third of it."`
	// PingTimeout is how long somebody has the floor whose client is gone.
	PingTimeout time.Duration `placeholder:"TIME" group:"floor" help:"How long the floor is kept for one whose client says nothing more; it says so every 2 s."`
	// Tail is how long after a release one is still heard.
	Tail time.Duration `placeholder:"TIME" group:"floor" help:"How long after the button is let go one is still heard, so that the last syllable is whole."`
	// Pause is how long nobody has the floor after that.
	Pause time.Duration `placeholder:"TIME" group:"floor" help:"How long after that the floor is nobody's."`
	// Queue is how many may wait.
	Queue int `placeholder:"N" group:"floor" help:"How many may wait for the floor."`
}

// minPingTimeout is two pings, of which one may be lost.
const minPingTimeout = 4 * time.Second

// defaultFloor is what floor says.
func defaultFloor() Floor {
	d := floor.Defaults()
	return Floor{Talk: d.MaxTalk, Warn: d.Warn, PingTimeout: d.Ping, Tail: d.Tail, Pause: d.Pause, Queue: d.Queue}
}

// config is what the channels are given.
func (f Floor) config() floor.Config {
	c := floor.Config{MaxTalk: f.Talk, Warn: f.Warn, Ping: f.PingTimeout, Tail: f.Tail, Pause: f.Pause, Queue: f.Queue}
	if f.Talk > 0 {
		c.Warn = min(c.Warn, f.Talk/3)
	}
	return c
}

// check notes what is wrong.
func (f Floor) check(v *mistakes) {
	if f.Talk != 0 {
		v.duration("floor-talk", f.Talk, time.Second, floor.MaxTalk)
	}
	v.duration("floor-warn", f.Warn, 0, floor.MaxTalk)
	v.duration("floor-ping-timeout", f.PingTimeout, minPingTimeout, floor.MaxTalk)
	v.duration("floor-tail", f.Tail, 0, floor.MaxPause)
	v.duration("floor-pause", f.Pause, 0, floor.MaxPause)
	if f.Queue < 0 || f.Queue > floor.MaxQueue {
		v.bad("floor-queue", f.Queue, "must be 0 to %d", floor.MaxQueue)
	}
}
