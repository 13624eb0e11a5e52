package floor

import "time"

// Effect is something to be done; one of the types below. They are carried out in the order in which they are returned: nobody is told
// of a grant before the gate is open, nor of an end before it is shut.
type Effect interface{ isEffect() }

// Open lets the packets of somebody pass, and of nobody else.
type Open struct{ User string }

// Shut holds back the packets of who had the floor. When it is done, none passes any more.
type Shut struct{ User string }

// Grant is who has the floor, and how.
type Grant struct {
	User     string
	ID       uint64 // from 1, never used again on the same floor
	Priority uint8
	Since    time.Time
	Until    time.Time // zero for as long as they like
}

// Granted tells the user that they have the floor (Floor Granted). With Again they had it before: they asked once more.
type Granted struct {
	Grant
	Again bool
}

// Taken tells all others who has the floor, or that their priority is another one now (Floor Taken).
type Taken struct{ Grant }

// Idle tells everybody that nobody has the floor (Floor Idle).
type Idle struct{}

// Revoked tells the user that the floor was taken from them, or will be when Grace has passed (Floor Revoke).
type Revoked struct {
	Grant
	Cause Cause
	By    string // with CauseModerator
	Grace time.Duration
}

// Denied tells the user that they do not get what they asked for, now or when they waited (Floor Deny).
type Denied struct {
	User  string
	Cause Cause
}

// Queued tells the user that they wait, or at which place they do from now on (Floor Queue Position Info).
type Queued struct {
	User     string
	Position int // from 1
	Size     int
	Priority uint8
}

// Released answers a Release that took effect.
type Released struct{ User string }

// Pong answers a Ping. Left is how long the user may still talk, 0 for as long as they like.
type Pong struct {
	User string
	ID   uint64
	Left time.Duration
}

// Stale answers what is of no grant that the user has.
type Stale struct{ User string }

func (Open) isEffect()     {}
func (Shut) isEffect()     {}
func (Granted) isEffect()  {}
func (Taken) isEffect()    {}
func (Idle) isEffect()     {}
func (Revoked) isEffect()  {}
func (Denied) isEffect()   {}
func (Queued) isEffect()   {}
func (Released) isEffect() {}
func (Pong) isEffect()     {}
func (Stale) isEffect()    {}

// Cause is why somebody has not, or no more, what they asked for. The numbers are those of TS 24.380, sections 8.2.6.2 (Floor
// Deny) and 8.2.10.2 (Floor Revoke), as far as these have them.
type Cause int

// Causes of a Denied.
const (
	// CauseBusy: another one has permission (#1).
	CauseBusy Cause = 1
	// CauseQueueFull: the queue is full (#7), perhaps since one of more priority came.
	CauseQueueFull Cause = 7
	// CauseEnded: nobody gets the floor any more, or who waited can talk no more (#255, other reason).
	CauseEnded Cause = 255
)

// Causes of a Revoked.
const (
	// CauseTooLong: the media burst is too long (#2).
	CauseTooLong Cause = 2
	// CauseForbidden: no permission to send a media burst any more (#3).
	CauseForbidden Cause = 3
	// CausePreempted: somebody pre-empted it (#4).
	CausePreempted Cause = 4
	// CauseModerator: a moderator took it back.
	CauseModerator Cause = 100
	// CauseSilent: there was no ping in time.
	CauseSilent Cause = 101
	// CauseLost: who decides cannot be reached any more, or the holder cannot.
	CauseLost Cause = 102
)
