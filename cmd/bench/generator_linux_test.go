package bench

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAllocsLoadGenerator sends packets from one leg to another, with the two loops' own code.
func TestAllocsLoadGenerator(t *testing.T) {
	g, err := newGenerator(netip.MustParseAddr("127.0.0.1"))
	require.NoError(t, err)
	g.stop.Store(true) // this test takes the place of the loops
	g.wg.Wait()
	defer g.close()
	talk, listen := newTestLeg(t, g), newTestLeg(t, g)
	key, salt := masterKeys(t)
	sealer, err := newMasterCrypter(key, salt)
	require.NoError(t, err)
	opener, err := newMasterCrypter(key, salt)
	require.NoError(t, err)
	talk.sealer.Store(sealer)
	talk.remote.Store(newSockaddr(listen.addr))
	listen.opener.Store(opener)
	listen.counted.Store(true)
	g.measure()

	one, batch := &talker{leg: talk, ssrc: 7, share: 1000}, newInbound(legBatch)
	const runs = 1000
	require.Zero(t, testing.AllocsPerRun(runs, func() {
		g.sendOne(one, g.now())
		listen.drain(batch)
	}))
	require.EqualValues(t, runs+1, g.latency.count(), "all arrived, and one more to warm up")
	require.Zero(t, g.forged.Load())
}

func newTestLeg(t *testing.T, g *generator) *leg {
	t.Helper()
	l, err := g.newLeg()
	require.NoError(t, err)
	return l
}

func TestNotesTellOfFewerSlots(t *testing.T) {
	t.Parallel()
	few := notes{slots: 8, wanted: 11}
	require.Contains(t, few.lines(), "everybody heard 8 others, not 11, since that server allows no more")
	require.NotContains(t, strings.Join((&notes{}).lines(), " "), "heard")
}
