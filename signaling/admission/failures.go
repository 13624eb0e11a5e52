package admission

import "time"

const (
	// firstPause is how long who failed too often waits before the next try; each further failure doubles it, to
	// longestPause. After a pause without one it begins anew.
	firstPause   = time.Second
	longestPause = time.Minute
)

// failures are IDENTIFYs of an address that came to nothing. Some are nobody's fault: a token has expired, for everybody
// behind the address when the server has a new secret. Who goes on beyond that guesses.
type failures struct {
	bucket
	pause time.Duration
	until time.Duration
}

func (f *failures) wait(now time.Duration) time.Duration { return max(0, f.until-now) }

func (f *failures) note(now time.Duration, r Rule) {
	if f.bucket.wait(now, r, 1) == 0 {
		f.take(now, r, 1)
		return
	}
	if now >= f.until+longestPause {
		f.pause = 0
	}
	f.pause = min(max(firstPause, 2*f.pause), longestPause)
	f.until = now + f.pause
}
