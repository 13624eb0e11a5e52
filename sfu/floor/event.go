package floor

import "time"

// Event is something that happened; one of the types below. Who is named by the id that the caller has for them.
type Event interface{ isEvent() }

// Request asks for the floor. Of who has it already it is answered with the same grant, and of who waits with their place; in both
// cases a higher priority counts from then on, and a lower one does not.
type Request struct {
	User     string
	Priority uint8
	// Queue says that the user waits where they cannot have the floor at once; else they are denied it.
	Queue bool
}

// Release gives back the floor, or a place in the queue. Grant is the id of the grant that is meant, 0 for whatever the user has; that of
// another one is stale and changes nothing.
type Release struct {
	User  string
	Grant uint64
}

// Ping says that the holder is still there. That of another grant is stale and changes nothing.
type Ping struct {
	User  string
	Grant uint64
}

// Leave says that somebody can talk no more: out of the channel, muted, gone. Whoever it is loses floor and place at once.
type Leave struct{ User string }

// Revoke takes the floor from whoever has it, and at once; By says who did. Grant is the id of the grant that is meant, 0 for any.
type Revoke struct {
	By    string
	Grant uint64
}

// Clear takes the floor from whoever has it and denies it to all who wait.
type Clear struct{}

// Suspend takes the floor from whoever has it, by CauseLost, and gives it to nobody until then. Who waits, waits on.
type Suspend struct{ Until time.Time }

// Tick says that it is later.
type Tick struct{}

func (Request) isEvent() {}
func (Release) isEvent() {}
func (Ping) isEvent()    {}
func (Leave) isEvent()   {}
func (Revoke) isEvent()  {}
func (Clear) isEvent()   {}
func (Suspend) isEvent() {}
func (Tick) isEvent()    {}
