package wire

import (
	"crypto/cipher"
	"fmt"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/rtp"
	"github.com/stretchr/testify/require"
)

// TestStreamIsHeardFromWhereverItIsJoined: what comes first may have wrapped already, when all before it was lost.
func TestStreamIsHeardFromWhereverItIsJoined(t *testing.T) {
	for name, id := range profiles() {
		for _, heard := range []uint64{
			65535,
			65536,
			65540,  // began at 65530 and lost the first ten
			100000, // joined long after, in the upper half again
			131070,
		} {
			t.Run(fmt.Sprintf("%s/%d", name, heard), func(t *testing.T) {
				x := newInside(t, id)
				for _, ssrc := range []uint32{7, 8} { // and so is the second stream
					seal := sealer(t, x, ssrc, heard)
					for i := heard; i < heard+3; i++ {
						plain, sealed := seal(i)
						got, err := x.in.unprotect(x.suite, sealed, time.Now())
						require.NoError(t, err, "index %d", i)
						require.Equal(t, plain, got)
						require.Equal(t, i, x.in.streams[ssrc].highest)
					}
				}
			})
		}
	}
}

// sealer returns a client's stream, which has sent all packets before one with this index.
func sealer(tb testing.TB, x *inside, ssrc uint32, before uint64) func(index uint64) (plain, sealed []byte) {
	tb.Helper()
	x.oracle.write.SetROC(ssrc, rollovers(before))
	return func(index uint64) (plain, sealed []byte) {
		h := header(index)
		h.SSRC = ssrc
		plain = rtpPacket(tb, h, fmt.Appendf(nil, "payload %d", index))
		sealed, err := x.oracle.write.EncryptRTP(nil, plain, nil)
		require.NoError(tb, err)
		return plain, sealed
	}
}

// countingAEAD counts how often it is asked to open.
type countingAEAD struct {
	cipher.AEAD

	opened int
}

func (c *countingAEAD) Open(dst, nonce, sealed, extra []byte) ([]byte, error) {
	c.opened++
	return c.AEAD.Open(dst, nonce, sealed, extra)
}

// TestForgeriesDoNotCostDouble floods with packets of made-up streams. Each is decrypted once, but for a few; and a real
// stream that needs a second look is heard when the flood is over.
func TestForgeriesDoNotCostDouble(t *testing.T) {
	x := newInside(t, dtls.SRTP_AEAD_AES_128_GCM)
	count := &countingAEAD{AEAD: x.suite.aead}
	x.suite.aead = count
	const flood = 1000
	now := time.Now()
	for ssrc := range uint32(flood) {
		forged := rtpPacket(t, rtp.Header{SSRC: ssrc, SequenceNumber: 3}, make([]byte, benchPayload))
		_, err := x.in.unprotect(x.suite, forged, now)
		require.ErrorIs(t, err, ErrAuth)
	}
	require.Equal(t, flood+rolloverGuesses, count.opened)
	require.Empty(t, x.in.streams)

	seal := sealer(t, x, 7, 65540)
	_, sealed := seal(65540)
	_, err := x.in.unprotect(x.suite, sealed, now.Add(guessInterval/2))
	require.ErrorIs(t, err, ErrAuth)
	plain, sealed := seal(65541)
	got, err := x.in.unprotect(x.suite, sealed, now.Add(guessInterval))
	require.NoError(t, err)
	require.Equal(t, plain, got)
}
