//go:build !race

package relay

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu/forward"
	"github.com/mini-livechat/mini-livechat/sfu/wire"
)

// kept has the last packet that a slot wrote.
type kept struct{ packet []byte }

func (k *kept) WriteRTP(_ forward.Batch, header, payload []byte) error {
	k.packet = append(append(k.packet[:0], header...), payload...)
	return nil
}

// Neither end of a link allocates for a packet. The race detector allocates by itself, hence the build tag.
func TestAllocsLink(t *testing.T) {
	b := newBus(t)
	alpha, beta := newNode(t, b, "alpha", "1"), newNode(t, b, "beta", "1")
	ann := alpha.enter("ann")
	beta.listen(alpha.id, "ann")
	beta.relay.Want("hall", 4, nil)
	meet(t, alpha, beta)
	awaitLines(t, beta, 1)

	out := alpha.engine.NewBatch()
	ann.packet.Payload = make([]byte, 100)
	before := alpha.relay.Links()[0].PacketsOut
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		ann.now = ann.now.Add(frame)
		ann.packet.SequenceNumber++
		ann.packet.Timestamp += 960
		fanout, _ := ann.source.Prepare(&ann.packet, ann.now)
		fanout.Send(out, ann.packet.Payload)
		out.Flush()
	}), "sending")
	require.GreaterOrEqual(t, alpha.relay.Links()[0].PacketsOut-before, int64(1001), "beta may ask for some again")

	// What comes in, as the wire hands it over.
	k := new(kept)
	slot, err := forward.NewSlot(forward.SlotConfig{SSRC: firstSSRC, PayloadType: opusType, REDPayloadType: redType, LevelID: levelID}, k)
	require.NoError(t, err)
	slot.Open()
	slot.SetRedundancy(1)
	slot.Assign(ann.source)
	ann.source.SetSlots([]*forward.Slot{slot})
	link, in := beta.relay.link(alpha.id), beta.engine.NewBatch()
	link.ins()[0].in.Source().SetSlots(nil) // a loop's batch has room for a fan-out, which allocates nothing either; this one has none
	at, received := time.Now(), beta.relay.Links()[0].PacketsIn
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		at = at.Add(frame)
		ann.now = ann.now.Add(frame)
		ann.packet.SequenceNumber++
		ann.packet.Timestamp += 960
		fanout, _ := ann.source.Prepare(&ann.packet, ann.now)
		fanout.Send(nil, ann.packet.Payload)
		link.OnRTP(in, nil, k.packet, at)
	}), "receiving")
	require.GreaterOrEqual(t, beta.relay.Links()[0].PacketsIn-received, int64(1001))
}

var _ wire.Receiver = (*Link)(nil)
