//go:build !race

package voice

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu/forward"
	"github.com/mini-livechat/mini-livechat/sfu/rtp"
	"github.com/mini-livechat/mini-livechat/sfu/wire"
)

type discard struct{}

func (discard) WriteRTP(forward.Batch, []byte, []byte) error { return nil }

// A packet that goes by a lane allocates nothing either. The race detector allocates by itself, hence the build tag.
func TestAllocsFanOutJob(t *testing.T) {
	engine, err := wire.Listen(wire.Config{Addrs: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}})
	require.NoError(t, err)
	defer engine.Close()
	for _, n := range []int{1, 10, 100} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			source := forward.NewSource()
			slots := make([]*forward.Slot, n)
			for i := range slots {
				slot, err := forward.NewSlot(forward.RandomSlotConfig(uint32(i), 111, 0), discard{})
				require.NoError(t, err)
				slot.Assign(source)
				slot.Open()
				slots[i] = slot
			}
			source.SetSlots(slots)
			out, now, talker := engine.NewBatch(), time.Now(), new(In)
			p := &rtp.Packet{SSRC: 1, Payload: make([]byte, 100)}
			require.Zero(t, testing.AllocsPerRun(1000, func() {
				now = now.Add(20 * time.Millisecond)
				p.SequenceNumber++
				p.Timestamp += 960
				fanout, _ := source.Prepare(p, now)
				for job := talker.newFanoutJob(fanout, p.Payload); job.Step(out, 64); { // as a lane does
					continue
				}
			}))
			require.EqualValues(t, 1001, slots[n-1].Stats().Packets)
		})
	}
}
