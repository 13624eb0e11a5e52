package wire

import (
	"net/netip"
	"runtime"
	"testing"
	"weak"

	"github.com/pion/dtls/v3"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu/rtp"
)

// TestNothingHoldsAnEndpointThatIsGone: an endpoint is some ten kilobytes, and the engine outlives them all. What was sent
// last, in the batches of loops, lanes and others, may not keep any.
func TestNothingHoldsAnEndpointThatIsGone(t *testing.T) {
	e := startEngine(t, Config{})
	const peers = 3 * sendBatch
	b := e.NewBatch()
	gone := make([]weak.Pointer[Endpoint], peers)
	func() {
		for i := range gone {
			ep, _ := boundEndpoint(t, e, nil, netip.AddrPortFrom(loopback().Addr(), uint16(i+2000)), dtls.SRTP_AEAD_AES_128_GCM)
			gone[i] = weak.Make(ep)
			require.NoError(t, ep.Sender(7).WriteRTP(b, headerBytes(t, 1), make([]byte, benchPayload)))
			require.True(t, b.Defer(uint32(i), &greeting{to: ep}))
		}
		b.Flush()
		require.Eventually(t, func() bool { return e.Stats().Sent+e.Stats().SendFailed == 2*peers }, pollTimeout, tick)
		for _, p := range gone {
			p.Value().Close()
		}
	}()
	kept := func() (n int) {
		runtime.GC()
		for _, p := range gone {
			if p.Value() != nil {
				n++
			}
		}
		return n
	}
	require.Eventually(t, func() bool { return kept() == 0 }, pollTimeout, tick, "endpoints are kept")
	for i := range e.table.shards {
		require.Nil(t, e.table.shards[i].Load(), "shard %d", i)
	}
	runtime.KeepAlive(b)
}

// greeting is a job that sends one packet.
type greeting struct{ to *Endpoint }

func (g *greeting) Step(b *Batch, _ int) bool {
	h := [rtp.FixedLen]byte{0: 0x80, 3: 1, 11: 8}
	_ = g.to.Sender(8).WriteRTP(b, h[:], []byte("hello"))
	return false
}

func (g *greeting) Drop() {}
