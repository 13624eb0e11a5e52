package client

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// granules returns the granule position of each page, and which flags the last one has.
func granules(t *testing.T, file []byte) (positions []int64, flags byte) {
	t.Helper()
	for n := uint32(0); len(file) > 0; n++ {
		require.Equal(t, n, binary.LittleEndian.Uint32(file[18:]), "pages are numbered")
		positions = append(positions, int64(binary.LittleEndian.Uint64(file[6:])))
		flags = file[5]
		size := oggHeaderLen + int(file[26])
		for _, s := range file[oggHeaderLen:size] {
			size += int(s)
		}
		file = file[size:]
	}
	return positions, flags
}

func TestOggOpusWriter(t *testing.T) {
	t.Parallel()
	out := new(bytes.Buffer)
	w, err := NewOggOpusWriter(out, 7, 2, "TITLE=Ada")
	require.NoError(t, err)
	require.Contains(t, out.String(), "TITLE=Ada")
	want := make([][]byte, 0, 120)
	for n := range 120 { // of 20 ms, one of them large
		packet := append([]byte{31 << 3}, make([]byte, n)...)
		if n == 60 {
			packet = append(packet, make([]byte, 1200)...)
		}
		want = append(want, packet)
		require.NoError(t, w.WriteOpus(packet))
	}
	require.ErrorIs(t, w.WriteOpus(nil), ErrFrame)
	require.Equal(t, 2400*time.Millisecond, w.Written())
	whole := out.Len()
	require.NoError(t, w.Close())
	require.Error(t, w.WriteOpus(want[0]))

	positions, flags := granules(t, out.Bytes())
	require.Equal(t, []int64{0, 0, 48000, 96000, 115200}, positions)
	require.Equal(t, byte(oggLast), flags)

	for _, end := range []int{whole, out.Len()} { // also where the writing just stopped
		r, err := NewOggOpus(bytes.NewReader(out.Bytes()[:end]))
		require.NoError(t, err)
		n := 0
		for ; ; n++ {
			packet, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err)
			require.Equal(t, want[n], packet)
		}
		require.Equal(t, map[bool]int{true: 100, false: 120}[end == whole], n)
	}

	full := &OggOpusWriter{out: refusing{}}
	full.add(want[0])
	require.ErrorIs(t, full.Close(), io.ErrShortWrite)
	require.ErrorIs(t, full.WriteOpus(want[0]), io.ErrShortWrite)
}

type refusing struct{}

func (refusing) Write([]byte) (int, error) { return 0, io.ErrShortWrite }
