package signaling

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// A client that has stopped reading cannot hold up the end: its socket is closed once the time is over.
func TestShutdownCutsOffWhoDoesNotRead(t *testing.T) {
	g, url := startGateway(t, nil)
	g.cfg.WriteTimeout = time.Hour // no other end of it
	identified(t, g, url, "mute")
	body, err := protocol.EncodeBody(protocol.OpMessageEvent, protocol.MessageEvent{Content: strings.Repeat("x", 64<<10)})
	require.NoError(t, err)
	session := g.users.Get("mute")
	conn := session.attached()
	require.Eventually(t, func() bool { // until the system takes no more, and then the outbox
		session.out.event(body)
		return conn.closed()
	}, time.Minute, time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	require.NoError(t, g.Shutdown(ctx))
	require.Error(t, ctx.Err(), "it was stuck until then")
}
