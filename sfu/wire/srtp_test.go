package wire

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/rtp"
	"github.com/stretchr/testify/require"
)

// inside is an endpoint's SRTP without sockets.
type inside struct {
	in     inbound
	suite  *suite
	sender *Sender
	batch  *Batch
	oracle oracle
}

// newInside makes one; what its sender writes stays in its batch.
func newInside(tb testing.TB, id dtls.SRTPProtectionProfile) *inside {
	tb.Helper()
	keys, o := testKeys(tb, id)
	e := &Engine{}
	g := &socketGroup{addr: loopback()}
	e.groups = []*socketGroup{g}
	ep := e.NewEndpoint(nil)
	in, err := derive(keys.m.profile, &keys.m.inbound)
	require.NoError(tb, err)
	require.NoError(tb, ep.setKeys(keys))
	d, err := newDest(ep, g, netip.MustParseAddrPort("127.0.0.1:9"), netip.Addr{})
	require.NoError(tb, err)
	ep.dest.Store(d)
	return &inside{suite: in, sender: ep.Sender(7), batch: e.newBatch(0), oracle: o}
}

// protect returns the packet as it would leave.
func (x *inside) protect(header, payload []byte) ([]byte, error) {
	from := x.batch.used
	err := x.sender.WriteRTP(x.batch, header, payload)
	out := append([]byte(nil), x.batch.arena[from:x.batch.used]...)
	if x.batch.used != from {
		x.batch.vecs[0].n, x.batch.used, x.batch.queued = 0, 0, 0
	}
	return out, err
}

// sequences are the orders of packets that SRTP has to live with, as 48-bit indexes.
func sequences() map[string][]uint64 {
	rng := rand.New(rand.NewPCG(1, 2))
	plain := func(from, n uint64) []uint64 {
		out := make([]uint64, 0, n)
		for i := range n {
			out = append(out, from+i)
		}
		return out
	}
	wraps := []uint64{}
	for i := uint64(0); i < 5<<16; i += 997 {
		wraps = append(wraps, i)
	}
	reordered := plain(65000, 2000)
	for block := range slices.Chunk(reordered, resendWindow/2) {
		rng.Shuffle(len(block), func(i, j int) { block[i], block[j] = block[j], block[i] })
	}
	return map[string][]uint64{
		"in order":           plain(0, 300),
		"across a wrap":      plain(65500, 200),
		"many wraps":         wraps,
		"reordered":          reordered,
		"around a wrap":      {65530, 65535, 65537, 65534, 65536, 65538, 65533},
		"gap below half":     {10, 10 + 32767, 10 + 2*32767, 10 + 3*32767},
		"start in the upper": plain(40000, 10),
	}
}

func TestUnprotectWhatPionProtects(t *testing.T) {
	for name, id := range profiles() {
		for order, indexes := range sequences() {
			t.Run(name+"/"+order, func(t *testing.T) {
				x := newInside(t, id)
				// pion's sender must go in order to know the rollovers; the network then reorders.
				sorted, sealed := map[uint64][]byte{}, map[uint64][]byte{}
				for _, index := range slices.Sorted(slices.Values(indexes)) {
					raw := rtpPacket(t, header(index), fmt.Appendf(nil, "payload %d", index))
					out, err := x.oracle.write.EncryptRTP(nil, raw, nil)
					require.NoError(t, err)
					sorted[index], sealed[index] = raw, out
				}
				for _, index := range indexes {
					in := append([]byte(nil), sealed[index]...)
					got, err := x.in.unprotect(x.suite, in, time.Now())
					require.NoError(t, err, "index %d", index)
					require.Equal(t, sorted[index], got)

					_, err = x.in.unprotect(x.suite, append([]byte(nil), sealed[index]...), time.Now())
					require.ErrorIs(t, err, ErrReplay, "index %d again", index)
				}
			})
		}
	}
}

func TestPionUnprotectsWhatWeProtect(t *testing.T) {
	for name, id := range profiles() {
		for order, indexes := range sequences() {
			t.Run(name+"/"+order, func(t *testing.T) {
				x := newInside(t, id)
				for _, index := range indexes {
					if order == "around a wrap" && index == 65530 {
						// so that reordering stays behind a known highest
						_, _ = x.protect(headerBytes(t, 65529), []byte("first"))
					}
					payload := fmt.Appendf(nil, "payload %d", index)
					h := headerBytes(t, index)
					sealed, err := x.protect(h, payload)
					require.NoError(t, err, "index %d", index)
					got, err := x.oracle.read.DecryptRTP(nil, sealed, nil)
					require.NoError(t, err, "index %d", index)
					require.Equal(t, append(append([]byte(nil), h...), payload...), got)
				}
			})
		}
	}
}

// header has CSRCs and an extension on some packets, since both count as authenticated but not encrypted.
func header(index uint64) rtp.Header {
	h := rtp.Header{
		Version: 2, SSRC: 7, PayloadType: 111, SequenceNumber: uint16(index), Timestamp: uint32(index) * 960,
		Marker: index%5 == 0,
	}
	if index%3 == 0 {
		h.CSRC = []uint32{1, 2}
	}
	if index%2 == 0 {
		_ = h.SetExtension(1, []byte{byte(index)})
	}
	return h
}

func headerBytes(tb testing.TB, index uint64) []byte {
	tb.Helper()
	raw, err := header(index).Marshal()
	require.NoError(tb, err)
	return raw
}

func TestForgeriesLeaveNoTrace(t *testing.T) {
	for name, id := range profiles() {
		t.Run(name, func(t *testing.T) {
			x := newInside(t, id)
			seal := func(seq uint64) []byte {
				out, err := x.oracle.write.EncryptRTP(nil, rtpPacket(t, header(seq), []byte("payload")), nil)
				require.NoError(t, err)
				return out
			}
			good := seal(1)
			for i := range good {
				if i == 0 || i == 12 { // version, extension profile: may not parse
					continue
				}
				bad := append([]byte(nil), good...)
				bad[i] ^= 0x10
				_, err := x.in.unprotect(x.suite, bad, time.Now())
				require.Error(t, err, "byte %d", i)
			}
			require.Empty(t, x.in.streams, "a forged packet made a stream")
			_, err := x.in.unprotect(x.suite, append([]byte(nil), good...), time.Now())
			require.NoError(t, err)

			// A forgery far ahead must not move the window.
			bad := seal(2)
			binary.BigEndian.PutUint16(bad[2:], 30000)
			_, err = x.in.unprotect(x.suite, bad, time.Now())
			require.ErrorIs(t, err, ErrAuth)
			_, err = x.in.unprotect(x.suite, seal(3), time.Now())
			require.NoError(t, err)
			for n := range good {
				_, err = x.in.unprotect(x.suite, append([]byte(nil), good[:n]...), time.Now())
				require.Error(t, err, "cut to %d", n)
			}
		})
	}
}

func TestStreamsAreCapped(t *testing.T) {
	x := newInside(t, dtls.SRTP_AEAD_AES_128_GCM)
	send := func(ssrc uint32) error {
		raw := rtpPacket(t, rtp.Header{SSRC: ssrc, SequenceNumber: 1}, []byte("x"))
		sealed, err := x.oracle.write.EncryptRTP(nil, raw, nil)
		require.NoError(t, err)
		_, err = x.in.unprotect(x.suite, sealed, time.Now())
		return err
	}
	for ssrc := range uint32(maxSSRCs) {
		require.NoError(t, send(ssrc))
	}
	require.ErrorIs(t, send(maxSSRCs), ErrTooManySSRCs)
	require.Len(t, x.in.streams, maxSSRCs)
}

func TestOldPacketsAreRefused(t *testing.T) {
	x := newInside(t, dtls.SRTP_AEAD_AES_128_GCM)
	sealed := make([][]byte, 0, replayWindow+1)
	for i := range uint64(replayWindow + 1) {
		out, err := x.oracle.write.EncryptRTP(nil, rtpPacket(t, header(i), []byte("x")), nil)
		require.NoError(t, err)
		sealed = append(sealed, out)
	}
	_, err := x.in.unprotect(x.suite, sealed[replayWindow], time.Now())
	require.NoError(t, err)
	_, err = x.in.unprotect(x.suite, sealed[0], time.Now())
	require.ErrorIs(t, err, ErrReplay)
	_, err = x.in.unprotect(x.suite, sealed[1], time.Now())
	require.NoError(t, err, "the oldest inside the window")
}

func TestWindowAgainstModel(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		w, seen := &window{}, map[uint64]bool{}
		at := uint64(rng.IntN(1 << 17))
		w.highest = at
		highest := at
		for range 2000 {
			switch rng.IntN(10) {
			case 0:
				at = highest + uint64(rng.IntN(3000))
			case 1, 2:
				at = highest - min(highest, uint64(rng.IntN(2*replayWindow)))
			default:
				at = highest + uint64(rng.IntN(4))
			}
			want := at > highest || (highest-at < replayWindow && !seen[at])
			require.Equal(t, want, w.fresh(at), "index %d, highest %d", at, highest)
			if want {
				w.mark(at)
				seen[at], highest = true, max(highest, at)
			}
		}
	}
}

// TestIndexIsNeverReused throws random orders at a Sender and checks what leaves: an index goes out with one content only.
func TestIndexIsNeverReused(t *testing.T) {
	for name, id := range profiles() {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(5, 6))
			x := newInside(t, id)
			sent := map[uint64]string{}
			at, refused, repeated := uint64(0), 0, 0
			for i := range 20000 {
				switch rng.IntN(20) {
				case 0:
					at += uint64(rng.IntN(40000)) // over half the space: may be taken for the past
				case 1, 2, 3:
					at -= min(at, uint64(rng.IntN(3*resendWindow)))
				default:
					at++
				}
				content := fmt.Sprint("content ", i)
				if was, ok := sent[at]; ok && rng.IntN(2) == 0 {
					content = was // a repetition
				}
				sealed, err := x.protect(headerBytes(t, at), []byte(content))
				if err != nil {
					require.ErrorIs(t, err, ErrIndexReused)
					require.Empty(t, sealed)
					refused++
					continue
				}
				at = x.sender.indexOf(uint16(at)) // what the Sender took it for
				if was, ok := sent[at]; ok {
					require.Equal(t, was, content, "index %d used for two packets", at)
					repeated++
				}
				sent[at] = content
			}
			require.NotZero(t, refused)
			require.NotZero(t, repeated)
			require.EqualValues(t, refused, x.sender.ep.Stats().IndexReused)
		})
	}
}

// indexOf is where a sequence number just sent lies: at or just behind the highest index.
func (s *Sender) indexOf(seq uint16) uint64 { return s.highest - uint64(uint16(s.highest)-seq) }

func TestSenderRefusesBadInput(t *testing.T) {
	x := newInside(t, dtls.SRTP_AEAD_AES_128_GCM)
	h := headerBytes(t, 1)
	_, err := x.protect(h[:8], nil)
	require.ErrorIs(t, err, ErrBadPacket)
	other := append([]byte(nil), h...)
	other[11]++
	_, err = x.protect(other, nil)
	require.ErrorIs(t, err, ErrBadPacket, "another SSRC would share this one's indexes")
	_, err = x.protect(h, make([]byte, packetBuffer))
	require.ErrorIs(t, err, ErrTooLong)
	x.sender.ep.Close()
	_, err = x.protect(h, nil)
	require.ErrorIs(t, err, ErrNotReady)
}

func TestSameSSRCIsSameSender(t *testing.T) {
	ep := (&Engine{}).NewEndpoint(nil)
	require.Same(t, ep.Sender(1), ep.Sender(1))
	require.NotSame(t, ep.Sender(1), ep.Sender(2))
}

func TestEstimateIndex(t *testing.T) {
	for _, c := range []struct{ highest, want uint64 }{
		{0, 1},
		{0, 65535}, // nothing came before the start
		{65535, 65536},
		{65536, 65535},
		{70000, 70001},
		{131071, 131072},
		{1 << 47, 1<<47 + 1},
		{5<<16 + 100, 4<<16 + 65000},
		{5<<16 + 65000, 6<<16 + 100},
		{5<<16 + 100, 5<<16 + 100 + 1<<15}, // the tie goes to the same rollover count
		{5<<16 + 40000, 5<<16 + 40000 - 1<<15},
	} {
		require.Equal(t, c.want, estimateIndex(c.highest, uint16(c.want)), "after %d", c.highest)
	}
}
