package porttest

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFree(t *testing.T) {
	if len(ports()) == 0 {
		t.Skip("this system does not say which ports are in use")
	}
	seen := make(map[string]bool)
	for range each - 1 {
		port := Free(t)
		require.False(t, seen[port], "%s comes twice", port)
		seen[port] = true
	}
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp4", Addr(t))
	require.NoError(t, err)
	defer taken.Close()
	for range each {
		require.NotEqual(t, taken.Addr().String(), Addr(t))
	}
}
