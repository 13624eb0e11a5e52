package bench

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

var errFull = errors.New("it is full")

// hopeless lets the first few members join, says that it is full to the next, and has all others wait.
type hopeless struct {
	gen  *generator
	good int
}

func (t *hopeless) open(context.Context, *generator, *plan) error { return nil }
func (t *hopeless) processes() []*process                         { return nil }
func (t *hopeless) close()                                        {}

func (t *hopeless) join(ctx context.Context, i int) (participant, time.Duration, error) {
	switch {
	case i < t.good:
		return participant{leg: &leg{gen: t.gen, heard: make(chan struct{})}, leave: func() {}}, 0, nil
	case i == t.good:
		return participant{}, 0, errFull
	default:
		<-ctx.Done()
		return participant{}, 0, ctx.Err()
	}
}

// hopelessly is a measurement in which only so many of the scenario's people can join.
func hopelessly(s Scenario, good int) *measurement {
	p, gen := s.plan(0), &generator{}
	return newMeasurement(Options{}, &p, &hopeless{gen, good}, gen, func(string, ...any) {})
}

// Joining ends, whoever cannot, and has said who did not; those who talk do so again.
func TestJoiningEnds(t *testing.T) {
	t.Parallel()
	const people, good = 600, 30 // none of whom hears anything
	synctest.Test(t, func(t *testing.T) {
		m, began := hopelessly(Scenario{Crowd, 1, people}, good), time.Now()
		require.NoError(t, m.ramp(t.Context()))
		require.LessOrEqual(t, time.Since(began), rampTimeout+people*rampEach)
		require.Equal(t, good, m.here())
		require.NotContains(t, m.failed, errSilence, "who cannot hear since all are silent need not")
		require.Len(t, m.failed, people-good)
		require.Contains(t, m.failed, errFull)
		require.Contains(t, m.failed, errNoTime)
		require.Greater(t, m.loud, rampWidth, "the first, and who waits to hear them")
		require.LessOrEqual(t, m.loud, 2*rampWidth, "the first may be some, who came before they knew of each other")
		require.False(t, m.gen.hush.Load())
		require.Len(t, m.gen.sending(), good)

		var n notes
		n.take(RoleServer, m, Result{})
		require.Len(t, n.unreached, 1)
		require.Contains(t, n.unreached[0], "570 of 600 did not join the server")
		require.Contains(t, n.lines(), n.unreached[0])
		require.Contains(t, n.lines(), fmt.Sprintf("after 20s only %d had joined, and the others did in silence", m.loud))

		m = hopelessly(Scenario{Crowd, 1, people}, 0)
		require.ErrorIs(t, m.ramp(t.Context()), errFull, "nobody")

		const come = 100
		m, began = hopelessly(Scenario{Join, 1, come}, runningChannel-1), time.Now()
		m.joins = []float64{1}
		require.ErrorIs(t, m.oneByOne(t.Context()), errFull)
		require.LessOrEqual(t, time.Since(began), joinsTimeout+come*joinsEach)
		require.Len(t, m.failed, come)
	})
}

// Nobody waits for long for those who do not leave.
func TestLeavingEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, began, let := hopelessly(Scenario{Conference, 1, 2}, 0), time.Now(), make(chan struct{})
		defer close(let)
		m.present = []participant{{leave: func() {}}, {leave: func() { <-let }}}
		m.leave()
		require.Equal(t, leaveTimeout, time.Since(began))
		var n notes
		n.take(RoleServer, m, Result{})
		require.Contains(t, n.lines(), "1 had not left the server after 20s")
		require.Empty(t, n.unreached, "the figures are what they should be nevertheless")
	})
}
