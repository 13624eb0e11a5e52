package talk

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/client"
)

// TestFill fills gaps of all lengths after packets of all kinds, to the sample.
func TestFill(t *testing.T) {
	t.Parallel()
	for config := range byte(32) {
		for _, channels := range []byte{0, stereo} {
			for _, gap := range []int64{step, 3 * step, 4 * step, 7 * step, 38 * step, 100 * step, absence, absence + step, second, 7*second + 5*step} {
				total, packets := int64(0), [][]byte{}
				last, err := fill(config<<3|channels, gap, func(packet []byte) error {
					length := samples(client.OpusDuration(packet))
					require.Positive(t, length, "config %d: %x", config, packet)
					require.Equal(t, channels, packet[0]&stereo)
					total += length
					packets = append(packets, append([]byte(nil), packet...))
					return nil
				})
				require.NoError(t, err)
				require.Equal(t, gap, total, "config %d, %d samples", config, gap)
				require.Equal(t, packets[len(packets)-1][0], last)
				if first := packets[0][0] >> 3; gap >= frameSamples(config) {
					require.Equal(t, config, first, "it goes on as it was")
				}
			}
		}
	}
	// The example of RFC 7845, section 4.1: 95 ms after SILK of 20 ms.
	var packets [][]byte
	_, err := fill(9<<3, 38*step, func(packet []byte) error {
		packets = append(packets, packet)
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, [][]byte{{9<<3 | 3, 4}, {8 << 3}, {21 << 3}}, packets)
}
