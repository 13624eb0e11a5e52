package sfu

import (
	"runtime/debug"
	"time"
)

// Journal is told what the operator of the server may want to know. Its methods may be
// called from any goroutine. They must not call back into this package.
type Journal interface {
	// MediaEnded: a member is out of its channel because its media connection ended. err
	// is why, nil for a path that fell silent.
	MediaEnded(userID, channelID string, cause LeaveCause, err error)
	// MediaSilent: nothing authentic has come of a member's media for some seconds, or, with
	// lost false, something comes again.
	MediaSilent(userID, channelID string, lost bool)
	// FloorGranted: somebody got the floor, after having waited for so long.
	FloorGranted(waited time.Duration)
	// Panicked: a fault of the server's own was contained; during says in what.
	Panicked(during string, value any, stack []byte)
}

// contain is deferred around what must not end more than itself: a panic is told and ends
// here.
func contain(journal Journal, during string) {
	if value := recover(); value != nil {
		journal.Panicked(during, value, debug.Stack())
	}
}

// careful is a Notifier whose panics lose one event and end nothing. What is told has
// happened already, so whoever tells it goes on.
type careful struct {
	notifier Notifier
	journal  Journal
}

func (n careful) Notify(userIDs []string, except string, event Event) {
	defer contain(n.journal, "telling members")
	n.notifier.Notify(userIDs, except, event)
}

func (n careful) NotifyAll(except string, event Event) {
	defer contain(n.journal, "telling everybody")
	n.notifier.NotifyAll(except, event)
}

func (n careful) tell(all []news) {
	for _, one := range all {
		if one.everyone {
			n.NotifyAll(one.except, one.event)
		} else {
			n.Notify(one.to, one.except, one.event)
		}
	}
}
