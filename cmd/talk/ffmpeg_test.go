package talk

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/thesyncim/gopus"

	"github.com/mini-livechat/mini-livechat/signaling/client"
)

// claps makes up half an hour of somebody who claps every ten seconds, by a clock of their own, and sends silence in between, or nothing.
func claps(t *testing.T, by string, drift float64, between bool, length time.Duration) []said {
	t.Helper()
	e, err := newEncoder(second, 1)
	require.NoError(t, err)
	require.NoError(t, e.opus.SetMode(gopus.EncoderModeCELT)) // after another mode a decoder is late with a clap
	clap, still := &tone{encoder: e, hertz: 1000}, slices.Clone(e.pcm)
	var all []said
	for n := uint32(1); ; n++ {
		at := time.Duration(n) * frameLength // by their clock
		when := time.Duration(float64(at) * (1 + drift))
		if when > length {
			return all
		}
		sounds := when%(10*time.Second) < 200*time.Millisecond
		if soon := when%(10*time.Second) > 9900*time.Millisecond; !sounds && !soon && !between {
			continue // it is silent before it claps, as a room is before a word
		}
		var frame []byte
		if sounds {
			frame, _, err = clap.next(t.Context(), opened())
		} else {
			copy(e.pcm, still)
			frame, _, err = e.encode()
		}
		require.NoError(t, err)
		info := client.PacketInfo{UserID: by, SSRC: uint32(by[0]), CSRC: 1, Timestamp: uint32(samples(at))}
		all = append(all, said{by: by, at: when, came: when + networkDelay, info: info, opus: slices.Clone(frame)})
	}
}

// TestRecordingByFFmpeg has other people's program say how long the tracks of half an hour are, and decode them: both clap at the same time, from
// the beginning to the end.
func TestRecordingByFFmpeg(t *testing.T) {
	if os.Getenv("LIVECHAT_FFMPEG") == "" {
		t.Skip("make recording runs this")
	}
	const length = 30 * time.Minute
	end := length + time.Second
	files := record(t, slices.Concat(claps(t, "ada", 120e-6, true, length), claps(t, "bo", -80e-6, false, length)), end)
	heard := map[string][]time.Duration{}
	for by, file := range files {
		path := filepath.Join(t.TempDir(), by+".opus")
		require.NoError(t, os.WriteFile(path, file.Bytes(), 0o600))
		told, err := exec.CommandContext(t.Context(), "ffprobe", "-v", "warning", "-show_entries", "format=duration", "-of", "csv=p=0", path).CombinedOutput()
		require.NoError(t, err, string(told))
		seconds, err := strconv.ParseFloat(strings.TrimSpace(string(told)), 64)
		require.NoError(t, err, "ffprobe complains: %s", told)
		require.InDelta(t, end.Seconds(), seconds, 0.02)

		decode := exec.CommandContext(t.Context(), "ffmpeg", "-v", "warning", "-c:a", "libopus", "-i", path, "-f", "s16le", "-ac", "1", "-ar", "48000", "-")
		complaints := new(bytes.Buffer)
		decode.Stderr = complaints
		pcm, err := decode.Output()
		require.NoError(t, err, complaints)
		require.Empty(t, complaints.String())
		quiet := 0
		for i := 0; i+1 < len(pcm); i += 2 {
			loud := int16(binary.LittleEndian.Uint16(pcm[i:]))
			if max(loud, -loud) < 1500 {
				quiet++
				continue
			}
			if quiet > second {
				heard[by] = append(heard[by], time.Duration(i/2)*time.Second/second)
			}
			quiet = 0
		}
	}
	require.Len(t, heard["ada"], len(heard["bo"]))
	worst := time.Duration(0)
	for i, at := range heard["ada"] {
		worst = max(worst, (at - heard["bo"][i]).Abs())
	}
	last := len(heard["ada"]) - 1
	t.Logf("%d claps; the two tracks differ by %s at most, by %s at the end, at %s", last+1, worst, heard["ada"][last]-heard["bo"][last], heard["ada"][last])
	require.Greater(t, heard["ada"][last], length-15*time.Second)
	require.LessOrEqual(t, worst, 20*time.Millisecond+frameLength, "each claps with a frame of their own, which begins up to its length after the other's")
}
