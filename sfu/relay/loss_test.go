package relay

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestLossBetweenNodesIsMended: a fifth of all packets is lost both ways, and nearly all are heard, by redundancy and by being asked for.
func TestLossBetweenNodesIsMended(t *testing.T) {
	const packets = 250
	b := newBus(t)
	alpha, beta := newNode(t, b, "alpha", "1"), newNode(t, b, "beta", "1")
	ann := alpha.enter("ann")
	in, h := beta.listen(alpha.id, "ann")
	beta.relay.Want("hall", 4, nil)
	way := newWay(t, alpha, beta, 0.2)
	way.meet(t)
	awaitLines(t, beta, 1)
	out, ticker := alpha.engine.NewBatch(), time.NewTicker(10*time.Millisecond)
	defer ticker.Stop()
	for range packets {
		<-ticker.C
		ann.say(out, 20)
	}
	// On a busy machine what is asked for comes too late: then it is only redundancy, of which there is little at first.
	require.Eventually(t, func() bool { return len(h.numbers()) >= packets*90/100 }, patience, poll, "nearly all to be heard")
	numbers := make(map[uint16]int)
	heard := h.numbers() // Once: more may still come while they are counted.
	for _, number := range heard {
		numbers[number]++
	}
	require.Len(t, numbers, len(heard), "each once")
	stats := in.Source().Stats()
	require.Positive(t, stats.Recovered, "some out of redundancy")
	require.Positive(t, way.lostSoFar())
	t.Logf("heard %d of %d; %d out of redundancy, %d asked for and come, %d lost on the way", len(numbers), packets, stats.Recovered, stats.Restored, way.lostSoFar())
	require.Eventually(t, func() bool {
		a, b := alpha.relay.Links()[0], beta.relay.Links()[0]
		return a.LossOut > 0 && b.LostIn > 0
	}, patience, poll, "both ends to know of the loss")
}
