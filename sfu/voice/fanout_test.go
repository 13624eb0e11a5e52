package voice

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu/forward"
	"github.com/mini-livechat/mini-livechat/sfu/rtp"
	"github.com/mini-livechat/mini-livechat/sfu/wire"
)

// panicking is a writer that fails as badly as it can.
type panicking struct{}

func (panicking) WriteRTP(forward.Batch, []byte, []byte) error { panic("writer") }

// TestPanicInALaneEndsTheJob: the talker's next packets do not wait for it for ever.
func TestPanicInALaneEndsTheJob(t *testing.T) {
	engine, err := wire.Listen(wire.Config{Addrs: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}})
	require.NoError(t, err)
	defer engine.Close()
	source := forward.NewSource()
	slot, err := forward.NewSlot(forward.RandomSlotConfig(1, 111, 0), panicking{})
	require.NoError(t, err)
	slot.Open()
	slot.Assign(source)
	source.SetSlots([]*forward.Slot{slot})
	fanout, ok := source.Prepare(&rtp.Packet{SSRC: 1, Payload: []byte("x")}, time.Now())
	require.True(t, ok)
	lone := new(In)
	job := lone.newFanoutJob(fanout, []byte("x"))
	require.Panics(t, func() { job.Step(engine.NewBatch(), 1) })
	require.Zero(t, lone.Waiting())
	require.NotPanics(t, func() { slot.Stats() }, "nor is the slot locked")
}
