package floor

import (
	"fmt"
	"strings"
	"time"
)

// epoch is when all tests begin.
//
//nolint:gochecknoglobals // a constant in all but the language
var epoch = time.Unix(1_000_000, 0)

// at is some time after epoch.
func at(after time.Duration) time.Time { return epoch.Add(after) }

// show writes effects as a line: who#grant, p for priority.
func show(effects []Effect) string {
	shown := make([]string, len(effects))
	for i, effect := range effects {
		shown[i] = showOne(effect)
	}
	return strings.Join(shown, "; ")
}

func showOne(effect Effect) string {
	grant := func(g Grant) string { return fmt.Sprintf("%s#%d p%d", g.User, g.ID, g.Priority) }
	switch e := effect.(type) {
	case Open:
		return "open " + e.User
	case Shut:
		return "shut " + e.User
	case Granted:
		if e.Again {
			return "again " + grant(e.Grant)
		}
		return "granted " + grant(e.Grant)
	case Taken:
		return "taken " + grant(e.Grant)
	case Idle:
		return "idle"
	case Revoked:
		text := fmt.Sprintf("revoked %s#%d %s", e.User, e.ID, showCause(e.Cause))
		if e.By != "" {
			text += " by " + e.By
		}
		if e.Grace != 0 {
			text += " in " + e.Grace.String()
		}
		return text
	case Denied:
		return "denied " + e.User + " " + showCause(e.Cause)
	case Queued:
		return fmt.Sprintf("queued %s %d/%d p%d", e.User, e.Position, e.Size, e.Priority)
	case Released:
		return "released " + e.User
	case Pong:
		return fmt.Sprintf("pong %s#%d %v", e.User, e.ID, e.Left)
	case Stale:
		return "stale " + e.User
	default:
		return fmt.Sprintf("%T", effect)
	}
}

func showCause(cause Cause) string {
	switch cause {
	case CauseBusy:
		return "busy"
	case CauseQueueFull:
		return "full"
	case CauseEnded:
		return "ended"
	case CauseTooLong:
		return "too long"
	case CauseForbidden:
		return "forbidden"
	case CausePreempted:
		return "pre-empted"
	case CauseModerator:
		return "moderator"
	case CauseSilent:
		return "silent"
	default:
		return fmt.Sprint("cause ", int(cause))
	}
}
