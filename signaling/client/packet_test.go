package client

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/stretchr/testify/require"
)

func TestSlotQueueKeepsTheNewest(t *testing.T) {
	t.Parallel()
	call := &Call{slotBuffer: 3, over: make(chan struct{})}
	s := newSlot(call, 0, "0")
	r := &receiver{bySSRC: map[uint32]*Slot{5: s}, now: time.Now}
	in := r.buffer(1, 5)
	for seq := uint16(65534); seq != 4; seq++ { // wraps; 65534 65535 0 1 2 3
		if seq == 0 {
			continue // lost
		}
		raw, err := (&rtp.Packet{
			Header: rtp.Header{Version: 2, SSRC: 5, PayloadType: opusPayloadType, SequenceNumber: seq}, Payload: []byte{byte(seq)},
		}).Marshal()
		require.NoError(t, err)
		_, err = in.Write(raw)
		require.NoError(t, err)
	}
	require.Equal(t, SlotStats{Received: 5, Lost: 1, Dropped: 2}, s.Stats())
	_, _ = in.Write([]byte{1, 2}) // not RTP
	buf := make([]byte, 100)
	for seq := uint16(1); seq < 4; seq++ {
		n, info, err := s.ReadOpus(t.Context(), buf)
		require.NoError(t, err)
		require.Equal(t, seq, info.Sequence)
		require.Equal(t, []byte{byte(seq)}, buf[:n])
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := s.ReadRTP(ctx, buf)
	require.ErrorIs(t, err, context.Canceled)

	raw, _ := (&rtp.Packet{Header: rtp.Header{Version: 2, SSRC: 5, PayloadType: opusPayloadType}, Payload: []byte{9, 9}}).Marshal()
	_, _ = in.Write(raw)
	n, info, err := s.ReadRTP(t.Context(), buf)
	require.NoError(t, err)
	require.Equal(t, raw, buf[:n])
	require.Equal(t, uint32(5), info.SSRC)
	_, _ = in.Write(raw) // a duplicate
	raw[3] = 4
	_, _ = in.Write(raw)
	require.Equal(t, SlotStats{Received: 7, Dropped: 2}, s.Stats())
	_, _, err = s.ReadOpus(t.Context(), buf[:1])
	require.ErrorIs(t, err, io.ErrShortBuffer)

	_, _ = r.buffer(1, 6).Write(raw)
	require.Equal(t, uint64(1), r.strangers.Load())
}

func TestMicrophoneTimestamps(t *testing.T) {
	t.Parallel()
	pc, err := testEngine(t).peerConnection(nil, nil, (&receiver{}).buffer)
	require.NoError(t, err)
	t.Cleanup(func() { pc.Close() })
	m := &microphone{userID: "ada"}
	require.NoError(t, m.attach(pc))
	require.NotZero(t, m.ssrc.Load())
	base, seq := m.header.Timestamp, m.header.SequenceNumber
	start := time.Now()
	steps := []struct {
		at, length time.Duration // sent at, holding
		ticks      uint32        // since the first
		marker     bool
	}{
		{0, 20 * time.Millisecond, 0, true},
		{35 * time.Millisecond, 20 * time.Millisecond, 960, false}, // late, not paused
		{36 * time.Millisecond, 60 * time.Millisecond, 1920, false},
		{60 * time.Millisecond, 0, 4800, false}, // 20 ms, as the packet says
		{5 * time.Second, 2500 * time.Microsecond, 4800 + 4940*48, true},
		{5001 * time.Millisecond, 0, 4800 + 4940*48 + 120, false},
	}
	for i, step := range steps {
		require.NoError(t, m.write(start.Add(step.at), opusFrame(1), step.length, noLevel))
		require.Equal(t, step.ticks, m.header.Timestamp-base, "step %d", i)
		require.Equal(t, uint16(i), m.header.SequenceNumber-seq)
		require.Equal(t, step.marker, m.header.Marker)
	}
	for _, bad := range [][]byte{nil, make([]byte, maxOpusFrameBytes+1), {3}} {
		require.ErrorIs(t, m.write(start, bad, 0, noLevel), ErrFrame)
	}
	require.ErrorIs(t, m.write(start, opusFrame(1), time.Second, noLevel), ErrFrame)
	require.ErrorIs(t, m.write(start, opusFrame(1), 0, 128), ErrFrame)
}

// Levels go out once the answer has taken the header extension, and only with frames of
// which the level is known.
func TestMicrophoneLevels(t *testing.T) {
	t.Parallel()
	pc, err := testEngine(t).peerConnection(nil, nil, (&receiver{}).buffer)
	require.NoError(t, err)
	t.Cleanup(func() { pc.Close() })
	m := &microphone{userID: "ada"}
	require.NoError(t, m.attach(pc))
	sent := func(level int) []byte {
		require.NoError(t, m.write(time.Now(), opusFrame(1), 0, level))
		data, err := m.header.Marshal()
		require.NoError(t, err)
		var h rtp.Header
		_, err = h.Unmarshal(data)
		require.NoError(t, err)
		return h.GetExtension(3)
	}
	require.Nil(t, sent(20), "not negotiated")
	m.sendLevels(3)
	require.Equal(t, []byte{20}, sent(20))
	require.Nil(t, sent(noLevel))
	require.Equal(t, []byte{0}, sent(0))
	require.Equal(t, []byte{127}, sent(127))
	require.ErrorIs(t, m.write(time.Now(), opusFrame(1), 0, 128), ErrFrame)
}

// FuzzReceive feeds a slot whatever a server may send inside valid SRTP.
func FuzzReceive(f *testing.F) {
	padded, err := (&rtp.Packet{
		Header:  rtp.Header{Version: 2, SSRC: 5, PayloadType: opusPayloadType, CSRC: []uint32{9}, Padding: true, PaddingSize: 4},
		Payload: []byte{1, 2, 3},
	}).Marshal()
	require.NoError(f, err)
	f.Add(padded)
	f.Add([]byte{0x9f, 111, 0, 1})
	f.Fuzz(func(t *testing.T, packet []byte) {
		s := newSlot(&Call{slotBuffer: 1, over: make(chan struct{})}, 0, "0")
		r := &receiver{byMID: map[string]*Slot{"": s}, midID: 1, now: time.Now}
		n, err := r.buffer(1, 5).Write(packet)
		require.NoError(t, err)
		require.Equal(t, len(packet), n)
		if s.count == 0 {
			return
		}
		n, _, err = s.ReadOpus(t.Context(), make([]byte, 1<<16))
		require.NoError(t, err)
		require.Less(t, n, len(packet))
	})
}
