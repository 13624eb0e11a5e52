package e2e

import (
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The tests named TestSurvive measure what calls make of what happens to networks and servers, and print it; see `make
// survive`.

// survivals is how often what is measured by its length happens.
const survivals = 40

// survives skips a test that only `make survive` runs.
func survives(t *testing.T) {
	t.Helper()
	if os.Getenv("LIVECHAT_SURVIVE") == "" {
		t.Skip("see make survive")
	}
}

// below prints how long something took, and wants 95 % of it to have taken less than the limit.
func below(t *testing.T, what string, took []time.Duration, limit time.Duration) {
	t.Helper()
	slices.Sort(took)
	p95 := took[len(took)*95/100]
	t.Logf("%s: median %v, p95 %v, longest %v of %d; wanted: p95 below %v", what, took[len(took)/2].Round(time.Millisecond),
		p95.Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond), len(took), limit)
	require.Less(t, p95, limit, what)
}
