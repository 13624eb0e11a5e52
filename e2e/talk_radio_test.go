package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/client"
)

// Who has the floor keeps it for longer than the server would wait for a ping, and who waits for it waits on, while the WebSockets of
// both break again and again.
func TestTalkFloorOutlivesItsWebSocket(t *testing.T) {
	verifyNoLeaks(t)
	const kept = 8 * time.Second
	s := startServer(t, func(cfg *app.Config) {
		cfg.Channels, cfg.Floor.PingTimeout = []string{app.DefaultRadio}, kept
	})
	var adas, bos scissors
	ada := arrive(t, s, "ada", adas.plug, roomy).join("radio").talk()
	bo := arrive(t, s, "bo", bos.plug, roomy).join("radio").talk()

	grant, err := ada.call.Floor().Acquire(soon(t), client.FloorRequest{})
	require.NoError(t, err)
	bo.hears(ada)
	type answer struct {
		grant *client.Grant
		err   error
	}
	got := make(chan answer, 1)
	go func() {
		var one answer
		one.grant, one.err = bo.call.Floor().Acquire(soon(t), client.FloorRequest{})
		got <- one
	}()
	for began := time.Now(); time.Since(began) < kept+time.Second; time.Sleep(kept / 4) {
		adas.cut()
		bos.cut()
	}
	require.NoError(t, grant.Err())
	eventually(t, "bo waits for ada", func() bool {
		state := bo.call.Floor().State()
		return state.Holder != nil && state.Holder.UserID == ada.UserID() && state.Position == 1
	})
	require.Zero(t, ada.heardFrom(bo))

	adas.cut()
	require.NoError(t, grant.Release(soon(t)))
	one := <-got
	require.NoError(t, one.err)
	ada.hears(bo)
	bo.hearsNot(ada, func() { ada.hears(bo) })
	require.NoError(t, one.grant.Err())
}
