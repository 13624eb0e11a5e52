package peer

import "time"

// Observer is told what happens seldom enough to be counted one by one. Its methods may be called from any goroutine, and must not block.
type Observer interface {
	// Reported: a report says how many packets were lost, 0 to 1, and how much they jittered, on the way from a client (up) or to it.
	Reported(up bool, loss float64, jitter time.Duration)
	// RoundTrip: a report tells how long there and back takes.
	RoundTrip(took time.Duration)
	// Connected: the first check came so long after the answer, and DTLS was done so long after that.
	Connected(ice, dtls time.Duration)
	// Heard: the microphone's first packet came so long after DTLS was done.
	Heard(took time.Duration)
}

// unobserved is an Observer that counts nothing.
type unobserved struct{}

func (unobserved) Reported(bool, float64, time.Duration)  {}
func (unobserved) RoundTrip(time.Duration)                {}
func (unobserved) Connected(time.Duration, time.Duration) {}
func (unobserved) Heard(time.Duration)                    {}
