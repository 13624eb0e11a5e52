package client

import (
	"bytes"
	"encoding/binary"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestOpusDuration(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	for _, test := range []struct {
		packet []byte
		want   time.Duration
	}{
		{nil, 0},
		{[]byte{0 << 3}, 10 * ms},
		{[]byte{3 << 3}, 60 * ms},
		{[]byte{11<<3 | 1}, 120 * ms},
		{[]byte{12 << 3}, 10 * ms},
		{[]byte{15<<3 | 2}, 40 * ms},
		{[]byte{16 << 3}, 2500 * time.Microsecond},
		{[]byte{31 << 3}, 20 * ms},
		{[]byte{31<<3 | 3, 6}, 120 * ms},
		{[]byte{31<<3 | 3, 7}, 0}, // 140 ms
		{[]byte{31<<3 | 3}, 0},
		{[]byte{31<<3 | 3, 0}, 0},
	} {
		require.Equal(t, test.want, OpusDuration(test.packet), "%v", test.packet)
	}
}

// oggPage writes a page; a packet with cont set goes on in the next page.
func oggPage(serial uint32, lacing []byte, body []byte) []byte {
	page := append([]byte("OggS"), 0, 0)
	page = append(page, make([]byte, 8)...) // granule position
	page = binary.LittleEndian.AppendUint32(page, serial)
	page = append(page, make([]byte, 8)...) // page number, which is not looked at, and checksum
	page = append(page, byte(len(lacing)))
	page = append(append(page, lacing...), body...)
	binary.LittleEndian.PutUint32(page[oggChecksum:], oggCRC(page))
	return page
}

func TestOggReader(t *testing.T) {
	t.Parallel()
	long := bytes.Repeat([]byte{7}, 255+255+10)
	stream := slicesJoin(
		oggPage(1, []byte{4}, []byte("head")),
		oggPage(2, []byte{3}, []byte("xxx")),                                   // another stream
		oggPage(1, []byte{1, 2, 0, 255}, append([]byte("abb"), long[:255]...)), // three packets, one begun
		oggPage(1, []byte{255, 10}, long[255:]),
		oggPage(1, []byte{255, 0}, long[:255]), // a packet of exactly 255
	)
	read := func(in []byte) (packets []string, err error) {
		ogg := newOggReader(bytes.NewReader(in))
		for {
			p, err := ogg.next()
			if err != nil {
				return packets, err
			}
			packets = append(packets, string(p))
		}
	}
	packets, err := read(stream)
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, []string{"head", "a", "bb", "", string(long), string(long[:255])}, packets)

	for cut := 1; cut < len(stream); cut++ {
		_, err = read(stream[:cut])
		require.Error(t, err)
	}
	_, err = read([]byte("this is not an Ogg stream at all"))
	require.ErrorIs(t, err, ErrOgg)

	for i := range stream { // a bit has flipped
		stream[i] ^= 4
		_, err = read(stream)
		require.NotErrorIs(t, err, io.EOF, i)
		stream[i] ^= 4
	}

	// A huge packet is cut off, not kept.
	huge := bytes.Repeat(oggPage(1, bytes.Repeat([]byte{255}, 255), make([]byte, 255*255)), 400)
	ogg := newOggReader(bytes.NewReader(append(huge, oggPage(1, []byte{0}, nil)...)))
	p, err := ogg.next()
	require.NoError(t, err)
	require.LessOrEqual(t, len(p), maxOggPacketBytes)
}

// FuzzOgg reads files of strangers.
func FuzzOgg(f *testing.F) {
	f.Add(oggPage(1, []byte{255, 3, 0}, make([]byte, 258)))
	f.Add([]byte("OggS"))
	f.Fuzz(func(t *testing.T, file []byte) {
		ogg := newOggReader(bytes.NewReader(file))
		for {
			packet, err := ogg.next()
			if err != nil {
				return
			}
			require.LessOrEqual(t, len(packet), min(len(file), maxOggPacketBytes))
			require.LessOrEqual(t, OpusDuration(packet), maxOpusDuration)
		}
	})
}

func slicesJoin(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func TestWhoIsHeard(t *testing.T) {
	t.Parallel()
	// Each step is a slot map ("map bo") or a packet and whom it should be attributed to.
	type step struct {
		at   time.Duration
		user string
		csrc uint32 // 0: a slot map
		none bool   // a packet without a CSRC
		ssrc uint32 // in the slot map
	}
	const ms, s = time.Millisecond, time.Second
	tests := map[string][]step{
		"map first":       {{0, "bo", 0, false, 0}, {5 * ms, "bo", 1, false, 0}, {9 * s, "bo", 1, false, 0}},
		"packet first":    {{0, "", 1, false, 0}, {5 * ms, "bo", 0, false, 0}, {6 * ms, "bo", 1, false, 0}},
		"without a CSRC":  {{0, "bo", 0, false, 0}, {1, "bo", 0, true, 0}},
		"nobody":          {{0, "", 0, true, 0}},
		"new talker, map": {{0, "bo", 0, false, 0}, {1, "bo", 1, false, 0}, {2 * s, "cy", 0, false, 0}, {2*s + 1, "cy", 2, false, 0}},
		"new talker, packet first": {
			{0, "bo", 0, false, 0},
			{1, "bo", 1, false, 0},
			{2 * s, "", 2, false, 0},
			{2*s + 20*ms, "", 2, false, 0},
			{2*s + 30*ms, "cy", 0, false, 0},
			{2*s + 40*ms, "cy", 2, false, 0},
		},
		"straggler": {
			{0, "bo", 0, false, 0},
			{1, "bo", 1, false, 0},
			{2 * s, "cy", 0, false, 0},
			{2*s + 1, "bo", 1, false, 0},
			{2*s + 2, "cy", 2, false, 0},
		},
		"emptied, then reused by the same user with another source": {
			{0, "bo", 0, false, 0},
			{1, "bo", 1, false, 0},
			{2 * s, "", 0, false, 0},
			{3 * s, "bo", 0, false, 0},
			{3*s + 1, "bo", 5, false, 0},
			{9 * s, "bo", 5, false, 0},
		},
		"same source under another name": { // one user's SSRC is another's by chance
			{0, "bo", 0, false, 0}, {1, "bo", 1, false, 0}, {2 * s, "cy", 0, false, 0}, {9 * s, "cy", 1, false, 0},
		},
		"a straggler taken for the new talker heals": {
			{0, "bo", 0, false, 0}, {1 * s, "cy", 0, false, 0}, {1*s + 1, "cy", 1, false, 0}, // in truth bo's
			{1*s + 5*ms, "", 2, false, 0}, {3 * s, "cy", 2, false, 0}, {3*s + 1, "cy", 2, false, 0},
		},
		"told by the map": {
			{0, "bo", 0, false, 1},
			{1, "bo", 1, false, 0},
			{2 * s, "cy", 0, false, 2},
			{2*s + 1, "bo", 1, false, 0}, // a straggler
			{2*s + 2, "cy", 2, false, 0},
			{2*s + 3, "", 3, false, 0}, // ahead of the map
			{2*s + 4, "cy", 2, false, 0},
			{2*s + 5, "dan", 0, false, 3},
			{2*s + 6, "dan", 3, false, 0},
			{2*s + 7, "", 2, false, 0},
		},
		"told late by the map": {
			{0, "bo", 0, false, 0},
			{1, "bo", 1, false, 0},
			{2, "bo", 0, false, 1},
			{3, "bo", 1, false, 0},
			{4, "bo", 0, false, 9}, // another microphone
			{5, "bo", 9, false, 0},
		},
	}
	for name, steps := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			call := &Call{}
			slot := newSlot(call, 0, "0")
			for i, st := range steps {
				now := start.Add(st.at)
				if st.csrc == 0 && !st.none {
					slot.assign(st.user, st.ssrc, now)
					continue
				}
				got := slot.binding.resolve(st.csrc, slot.occupant.Load(), func() time.Time { return now })
				require.Equal(t, st.user, got, "step %d", i)
			}
		})
	}
}
