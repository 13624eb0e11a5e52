package sfu

import (
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/floor"
)

// FloorSettings are how the floor of a channel is given. Values can be compared.
type FloorSettings struct {
	// Talk is the longest time of one grant, 0 for no end; Pause is how long nobody has the floor after it; Queue is how many may
	// wait. Each is as the server has it by default when it is -1.
	Talk, Pause time.Duration
	Queue       int
	// CutIn: everybody interrupts everybody. Over: moderators may speak beside who has the floor.
	CutIn, Over bool
}

// FloorByDefault are the settings of a channel that says nothing else.
func FloorByDefault() FloorSettings { return FloorSettings{Talk: -1, Pause: -1, Queue: -1} }

// config returns the settings, with what they leave open filled in.
func (s FloorSettings) config(byDefault floor.Config) floor.Config {
	config := byDefault
	if s.Talk >= 0 {
		config.MaxTalk = s.Talk
		config.Warn = min(config.Warn, s.Talk/3)
	}
	if s.Pause >= 0 {
		config.Pause = s.Pause
	}
	if s.Queue >= 0 {
		config.Queue = s.Queue
	}
	config.CutIn = s.CutIn
	return config
}

// FloorGrant is who has the floor.
type FloorGrant struct {
	UserID, Name string
	ID           uint64
	Priority     uint8
	// Since and Until are of the monotonic clock too; Until is zero where there is no end, and Warn is how long before it the holder is told.
	Since, Until time.Time
	Warn         time.Duration
	// Ping is how long the floor is kept for a holder who does not ping, 0 for ever.
	Ping time.Duration
	// Over: it is not the floor but leave to speak over it.
	Over bool
}

// FloorPlace is where somebody waits for the floor: Position, from 1, of Size.
type FloorPlace struct {
	Position, Size int
	Priority       uint8
}

// FloorState is a channel's floor: who has it, nil for nobody, who speaks over it, and how many wait.
type FloorState struct {
	Holder, Over *FloorGrant
	Waiting      int
}

// FloorRequest asks for the floor.
type FloorRequest struct {
	// Priority is what the member may ask for, 255 an emergency.
	Priority uint8
	// Queue: the member waits where it cannot have the floor at once.
	Queue bool
	// Over asks to speak beside who has the floor.
	Over bool
}

// FloorAnswer is what became of a FloorRequest: one of the two is set.
type FloorAnswer struct {
	Grant *FloorGrant
	Place *FloorPlace
}
