package talk

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/thesyncim/gopus"

	"github.com/mini-livechat/mini-livechat/signaling/client"
)

// opened is a gate that is open.
func opened() *gate {
	g := newGate()
	g.set(true)
	return g
}

// TestTone decodes what is made of a tone, and looks how much of it is one.
func TestTone(t *testing.T) {
	t.Parallel()
	s, err := openSource(&Options{Tone: 500})
	require.NoError(t, err)
	decoder, err := gopus.NewDecoder(gopus.DefaultDecoderConfig(second, 1))
	require.NoError(t, err)
	sound := []float32{}
	for range 50 {
		frame, level, err := s.next(t.Context(), opened())
		require.NoError(t, err)
		require.Equal(t, frameLength, client.OpusDuration(frame))
		require.Equal(t, 17, level, "a fifth of the loudest square")
		pcm := make([]float32, 960)
		n, err := decoder.Decode(frame, pcm)
		require.NoError(t, err)
		sound = append(sound, pcm[:n]...)
	}
	sound = sound[len(sound)/2:] // when the encoder has settled
	in, all, re, im := 0.0, 0.0, 0.0, 0.0
	for i, v := range sound {
		sin, cos := math.Sincos(2 * math.Pi * 500 * float64(i) / second)
		re, im, all = re+cos*float64(v), im+sin*float64(v), all+float64(v*v)
	}
	in = 2 * (re*re + im*im) / float64(len(sound))
	require.Greater(t, in/all, 0.99, "it is a tone of 500 Hz and little else")
	require.InDelta(t, toneAmplitude, math.Sqrt(2*all/float64(len(sound))), 0.02)
}

// TestPCM takes samples of all rates, and ends with them.
func TestPCM(t *testing.T) {
	t.Parallel()
	for _, rate := range rates() {
		for _, channels := range []int{1, 2} {
			samples := make([]byte, 2*channels*rate/10+2) // and one more, which is filled up
			for i := range samples {
				samples[i] = byte(i * i >> 4)
			}
			o := Options{PCM: true, PCMRate: rate, PCMChannels: channels, In: bytes.NewReader(samples)}
			require.NoError(t, o.Validate())
			s, err := openSource(&o)
			require.NoError(t, err)
			total := time.Duration(0)
			for {
				frame, level, err := s.next(t.Context(), opened())
				if errors.Is(err, io.EOF) {
					break
				}
				require.NoError(t, err)
				require.Less(t, level, 127)
				require.Equal(t, channels == 2, frame[0]&stereo != 0)
				total += client.OpusDuration(frame)
			}
			require.Equal(t, 120*time.Millisecond, total, "%d Hz", rate)
		}
	}
	require.Equal(t, 127, loudness(make([]int16, 960)))
	require.Equal(t, 0, loudness([]int16{math.MinInt16, math.MaxInt16}))
}

// TestPCMPasses: what comes while one does not talk is gone, as fast as time is.
func TestPCMPasses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := Options{PCM: true, PCMRate: 8000, PCMChannels: 1, In: bytes.NewReader(make([]byte, 16000))}
		s, err := openSource(&o)
		require.NoError(t, err)
		g := newGate()
		start := time.Now()
		time.AfterFunc(505*time.Millisecond, func() { g.set(true) })
		frames := 0
		for {
			_, _, err := s.next(t.Context(), g)
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err)
			frames++
		}
		require.Equal(t, 505*time.Millisecond, time.Since(start))
		require.Equal(t, 24, frames, "of 50")
	})
}

func TestBrokenFiles(t *testing.T) {
	t.Parallel()
	whole := new(bytes.Buffer)
	w, err := client.NewOggOpusWriter(whole, 1, 1)
	require.NoError(t, err)
	for range 100 {
		require.NoError(t, w.WriteOpus(silence))
	}
	require.NoError(t, w.Close())
	flipped := bytes.Clone(whole.Bytes())
	flipped[len(flipped)-5] ^= 1
	for name, test := range map[string]struct {
		file []byte
		says string
	}{
		"empty":         {nil, "ends before its sound begins"},
		"no Ogg":        {[]byte(strings.Repeat("RIFF", 100)), "not a sound Ogg stream"},
		"no Opus":       {bytes.ReplaceAll(whole.Bytes(), []byte("OpusHead"), []byte("\x01vorbis.")), "not a sound Ogg stream"},
		"half a header": {whole.Bytes()[:50], "ends before its sound begins"},
		"cut off":       {whole.Bytes()[:whole.Len()-3], "unexpected EOF"},
		"bits flipped":  {flipped, "checksum"},
		"5.1":           {headed(t, 6, 1), "6 channels, mapping family 1; make it stereo: ffmpeg -i IN -ac 2"},
		"ambisonic":     {headed(t, 2, 2), "mapping family 2"},
		"no channels":   {headed(t, 0, 0), "0 channels"},
		"three":         {headed(t, 3, 0), "3 channels"},
	} {
		path := filepath.Join(t.TempDir(), "broken.opus")
		require.NoError(t, os.WriteFile(path, test.file, 0o600))
		err := func() error {
			s, err := openSource(&Options{Play: path})
			if err != nil {
				return err
			}
			defer s.close()
			for {
				if _, _, err := s.next(context.Background(), opened()); err != nil {
					return err
				}
			}
		}()
		require.ErrorContains(t, err, test.says, name)
		require.ErrorContains(t, err, "broken.opus", name)
	}
}

// headed is a file whose first page says how many channels it has, in which family, and is sound.
func headed(t *testing.T, channels, family byte) []byte {
	t.Helper()
	file := new(bytes.Buffer)
	_, err := client.NewOggOpusWriter(file, 1, 1)
	require.NoError(t, err)
	const begins, length = 28, 19 // behind a page's header and one lacing value
	page := file.Bytes()[:begins+length]
	head := page[begins:]
	require.Equal(t, "OpusHead", string(head[:8]))
	head[9], head[18] = channels, family
	const checksum = 22 // RFC 3533, section 6
	binary.LittleEndian.PutUint32(page[checksum:], 0)
	crc := uint32(0)
	for _, b := range page {
		crc ^= uint32(b) << 24
		for range 8 {
			carry := crc >> 31
			crc = crc<<1 ^ carry*0x04c11db7
		}
	}
	binary.LittleEndian.PutUint32(page[checksum:], crc)
	return file.Bytes()
}
