package signaling

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Whoever sets the clock neither ends the time that a session waits for its client nor makes it longer.
func TestAbsenceIsOfTheMonotonicClock(t *testing.T) {
	s := newUser("ada", 1)
	s.gw = &Gateway{cfg: Config{ResumeWindow: time.Minute}, users: NewUserHub()}
	s.detach(s.conn)
	s.mu.Lock()
	defer s.mu.Unlock()
	require.False(t, s.ended)
	require.Contains(t, s.absence.since.String(), " m=")
	s.absence.end()
}
