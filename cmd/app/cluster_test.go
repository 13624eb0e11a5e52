package app

import (
	"fmt"
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

// Of several nodes that begin together one invites the first admin.
func TestOneNodeInvitesFirst(t *testing.T) {
	first := func(name string, peers ...string) string {
		first, known := Cluster{Name: name, Peers: peers}.first()
		return fmt.Sprint(first, " ", known)
	}
	three := []string{"n2=h:2", "n1=h:1", "n3=h:3"}
	require.Equal(t, "true true", first("n1", three...))
	require.Equal(t, "false true", first("n2", three...))
	require.Equal(t, "false true", first("n3", three...))
	require.Equal(t, "false false", first("n1"))
}
