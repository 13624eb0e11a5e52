package app

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/cluster"
)

// How far clocks are apart is by the worst of them, ahead or behind, within reason.
func TestClocksApart(t *testing.T) {
	t.Parallel()
	require.Zero(t, clocksApart(nil))
	all := []cluster.Report{{}, {Clock: time.Minute}, {Clock: -time.Hour}}
	require.Equal(t, time.Hour, clocksApart(all))
	all[0].Clock = 400 * time.Hour
	require.Equal(t, mostApart, clocksApart(all))
}
