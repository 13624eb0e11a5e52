package app

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
)

// A server that is alone runs nothing of what others need.
func TestAloneRunsNoNATS(t *testing.T) {
	t.Parallel()
	cfg := Default()
	cfg.HTTP, cfg.UDP, cfg.Metrics, cfg.TURN, cfg.Data = "127.0.0.1:0", "127.0.0.1:0", "", false, t.TempDir()
	a, err := New(cfg, zap.NewNop())
	require.NoError(t, err)
	defer func() { require.NoError(t, a.Close()) }()
	require.Nil(t, a.nodes)
	require.Nil(t, a.cfg.Nodes)
	require.NoError(t, a.alone())
	stacks := make([]byte, 8<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	require.Contains(t, string(stacks), "sfu/wire", "it does run")
	require.NotContains(t, string(stacks), "nats-io")
	require.NotContains(t, string(stacks), "signaling/cluster")
}
