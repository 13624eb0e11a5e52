package floor

import (
	"errors"
	"fmt"
	"time"
)

// Limits of a Config.
const (
	// MaxTalk is the most that Config.MaxTalk may be.
	MaxTalk = time.Hour
	// MaxPause is the most that Config.Pause may be.
	MaxPause = time.Minute
	// MaxQueue is the most that Config.Queue may be.
	MaxQueue = 100
)

// Values of Defaults.
const (
	// DefaultTalk is a burst that nobody needs to be cut in, and short enough for a button that is stuck.
	DefaultTalk = 30 * time.Second
	// DefaultWarn leaves time for a last sentence.
	DefaultWarn = 5 * time.Second
	// DefaultPing is how long a grant outlives its client: three pings of 2 s.
	DefaultPing = 6 * time.Second
	// DefaultTail is how long the last syllable takes: its frame, a round trip, and a repeated packet.
	DefaultTail = 250 * time.Millisecond
	// DefaultQueue is how many wait.
	DefaultQueue = 10
)

// ErrConfig means that a Config makes no sense; test with errors.Is.
var ErrConfig = errors.New("invalid floor configuration")

// Config is how a floor is given. Values can be compared. The zero value lets everybody talk for as long as they like, and nobody wait.
type Config struct {
	// MaxTalk is the longest time of one grant, 0 for no end. Warn is how long before its end the holder is told.
	MaxTalk, Warn time.Duration
	// Ping is how long after its last ping a holder loses the floor, 0 for never.
	Ping time.Duration
	// Tail is how long after a release packets still pass.
	Tail time.Duration
	// Pause is how long after that nobody has the floor.
	Pause time.Duration
	// Queue is how many may wait.
	Queue int
	// CutIn: everybody interrupts everybody.
	CutIn bool
}

// Defaults is the configuration of a channel that says nothing else.
func Defaults() Config {
	return Config{MaxTalk: DefaultTalk, Warn: DefaultWarn, Ping: DefaultPing, Tail: DefaultTail, Queue: DefaultQueue}
}

// Validate reports what makes no sense; the error wraps ErrConfig and names the field.
func (c Config) Validate() error {
	for _, d := range []struct {
		name     string
		is, most time.Duration
	}{
		{"MaxTalk", c.MaxTalk, MaxTalk},
		{"Warn", c.Warn, MaxTalk},
		{"Ping", c.Ping, MaxTalk},
		{"Tail", c.Tail, MaxPause},
		{"Pause", c.Pause, MaxPause},
	} {
		if d.is < 0 || d.is > d.most {
			return fmt.Errorf("%w: %s is %v, want 0 to %v", ErrConfig, d.name, d.is, d.most)
		}
	}
	if c.MaxTalk > 0 && c.Warn >= c.MaxTalk {
		return fmt.Errorf("%w: Warn is %v, want less than MaxTalk, %v", ErrConfig, c.Warn, c.MaxTalk)
	}
	if c.Queue < 0 || c.Queue > MaxQueue {
		return fmt.Errorf("%w: Queue is %d, want 0 to %d", ErrConfig, c.Queue, MaxQueue)
	}
	return nil
}
