package signaling

import "time"

// Observer is told what happens seldom enough to be counted one by one. Its methods may be called from any goroutine, and must not block.
type Observer interface {
	// Joined: a CHANNEL_JOIN was answered after so long, its media negotiated.
	Joined(took time.Duration)
	// Resumed: a session got another connection.
	Resumed()
	// FloorGranted: somebody got the floor, after having waited for so long.
	FloorGranted(waited time.Duration)
}

// unobserved is an Observer that counts nothing.
type unobserved struct{}

func (unobserved) Joined(time.Duration)       {}
func (unobserved) Resumed()                   {}
func (unobserved) FloorGranted(time.Duration) {}
