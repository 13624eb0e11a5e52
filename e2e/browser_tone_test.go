package e2e

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// toneFile writes a WAV file with a sine of so many Hz. It holds whole periods, so that
// playing it in a loop makes no clicks.
func toneFile(t *testing.T, hz int) string {
	t.Helper()
	const (
		rate      = 48_000
		length    = 4 * rate // samples
		amplitude = 0.4 * math.MaxInt16
	)
	samples := make([]int16, length)
	for i := range samples {
		samples[i] = int16(amplitude * math.Sin(2*math.Pi*float64(hz)*float64(i)/rate))
	}
	return wavFile(t, fmt.Sprintf("tone-%d.wav", hz), samples)
}

// wavFile writes a WAV file of 48,000 samples a second.
func wavFile(t *testing.T, name string, samples []int16) string {
	t.Helper()
	const rate = 48_000
	length := len(samples)
	// The canonical 44 bytes in front of 16-bit mono PCM.
	var wav bytes.Buffer
	for _, part := range []any{
		[]byte("RIFF"), uint32(36 + 2*length),
		[]byte("WAVEfmt "), uint32(16), uint16(1), uint16(1),
		uint32(rate), uint32(2 * rate), uint16(2), uint16(16), []byte("data"), uint32(2 * length), samples,
	} {
		require.NoError(t, binary.Write(&wav, binary.LittleEndian, part))
	}
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, wav.Bytes(), 0o600))
	return path
}

const (
	// heardDB and silentDB bound the loudness of a tone, of full scale: what is heard
	// arrives at about -16, silence is below -100. Between the two nothing is decided.
	heardDB  = -45
	silentDB = -70
)

// listenScript measures tones in what each slot receives. One analyser a stream, kept by
// the stream, because a slot's stream changes with its connection.
const listenScript = `(() => {
	const context = window.toneContext ??= new AudioContext();
	const analysers = window.toneAnalysers ??= new WeakMap();
	const tones = %s;
	return livechat.media.slots.map(({ stream, userId }) => {
		let analyser = analysers.get(stream);
		if (!analyser) {
			analyser = new AnalyserNode(context, { fftSize: 8192, smoothingTimeConstant: 0, minDecibels: -120 });
			context.createMediaStreamSource(stream).connect(analyser);
			analysers.set(stream, analyser);
		}
		const bins = new Float32Array(analyser.frequencyBinCount);
		analyser.getFloatFrequencyData(bins);
		const width = context.sampleRate / analyser.fftSize;
		const level = (hz) => {
			const at = Math.round(hz / width);
			return Math.max(-200, ...bins.subarray(at - 2, at + 3));
		};
		return { user: userId ?? '', levels: tones.map(level) };
	});
})()`

// heardSlot is what one slot receives.
type heardSlot struct {
	User string `json:"user"`
	// Levels of the asked tones in decibels of full scale.
	Levels []float64 `json:"levels"`
}

// hears waits until b hears exactly the tones of the others out of all: each of theirs on
// the slot that says so, and on no slot anything else.
func (b *participant) hears(all []*participant, others ...*participant) {
	b.t.Helper()
	tones := make([]string, len(all))
	owners := make(map[string]string, len(all)) // user id → name
	for i, one := range all {
		tones[i] = strconv.Itoa(one.tone)
	}
	want := make(map[string]bool, len(others))
	for _, one := range others {
		want[one.name] = true
		owners[one.userID()] = one.name
	}
	script := fmt.Sprintf(listenScript, "["+strings.Join(tones, ",")+"]")
	var slots []heardSlot
	fits := func() bool {
		slots = evaluate[[]heardSlot](b, script)
		found := make(map[string]bool, len(others))
		for _, slot := range slots {
			for i, level := range slot.Levels {
				switch name := all[i].name; {
				case level >= heardDB && want[name] && owners[slot.User] == name:
					found[name] = true
				case level > silentDB:
					return false
				}
			}
		}
		return len(found) == len(want)
	}
	deadline := time.Now().Add(browserPatience)
	// Twice in a row, further apart than the analyser's window is long.
	for again := false; ; {
		fit := fits()
		if fit && again {
			return
		}
		again = fit
		if time.Now().After(deadline) {
			b.fatalf("does not hear exactly %v; tones %v, slots %+v", want, tones, slots)
		}
		time.Sleep(200 * time.Millisecond)
	}
}
