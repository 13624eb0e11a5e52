package signaling

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A client that has stopped reading cannot hold up the end: its socket is closed once the time is over.
func TestShutdownCutsOffWhoDoesNotRead(t *testing.T) {
	g, url := startGateway(t, nil)
	g.cfg.WriteTimeout = time.Hour // no other end of it
	identified(t, g, url, "mute")
	stuff(t, g.users.Get("mute"))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	require.NoError(t, g.Shutdown(ctx))
	require.Error(t, ctx.Err(), "it was stuck until then")
}
