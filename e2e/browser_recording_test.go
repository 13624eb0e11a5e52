package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/cmd/talk"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
)

// transcript is what a command says, for a test to read meanwhile.
type transcript struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (s *transcript) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.Write(text)
}

func (s *transcript) contains(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Contains(s.all.String(), text)
}

// decoded is what a browser makes of a recording.
type decoded struct {
	// Seconds is how long it is, by the decoder and by an <audio> element.
	Seconds float64 `json:"seconds"`
	Element float64 `json:"element"`
	// Loud says of each tenth of a second how loud it is, of full scale.
	Loud []float64 `json:"loud"`
}

// decodeRecording has a page decode a file and measure it.
const decodeRecording = `(async (base64) => {
	const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
	const audio = new Audio(URL.createObjectURL(new Blob([bytes], { type: 'audio/ogg' })));
	await new Promise((done, failed) => { audio.onloadedmetadata = done; audio.onerror = () => failed(new Error(audio.error.message)); });
	const buffer = await new OfflineAudioContext(1, 48000, 48000).decodeAudioData(bytes.buffer);
	const all = buffer.getChannelData(0), loud = [];
	for (let at = 0; at + 4800 <= all.length; at += 4800) {
		loud.push(Math.sqrt(all.slice(at, at + 4800).reduce((sum, s) => sum + s * s, 0) / 4800));
	}
	return { seconds: buffer.duration, element: audio.duration, loud };
})`

// TestBrowserPlaysRecording records a tone that begins twice, with a pause between, and has a browser decode it.
func TestBrowserPlaysRecording(t *testing.T) {
	b := startBrowser(t, "listener", 0)
	s := startServer(t, func(c *app.Config) { c.Secret = testSecret })
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	dir := t.TempDir()
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	heard := new(transcript)
	results := make(chan error, 2)
	recording, stop := context.WithCancel(ctx)
	running.Go(func() {
		results <- talk.Run(recording, talk.Options{
			URL: s.URL, Token: mint(t, testSecret, auth.Identity{UserID: "recorder", Grants: auth.Grants{Record: true}}), Record: dir, Out: heard, Notes: io.Discard,
		})
	})
	eventually(t, "the recorder is there", func() bool { return heard.contains("in Lobby") || heard.contains("in lobby") })
	begun := time.Now()
	in, out := io.Pipe()
	running.Go(func() {
		results <- talk.Run(ctx, talk.Options{URL: s.URL, Name: "Ada", Tone: 440, PTT: true, In: in, Out: io.Discard, Notes: io.Discard})
	})
	eventually(t, "Ada has come", func() bool { return heard.contains("Ada has come") })
	time.Sleep(300 * time.Millisecond)
	pressed := time.Since(begun).Seconds()
	for range 2 {
		_, err := io.WriteString(out, "\n")
		require.NoError(t, err)
		time.Sleep(time.Second)
		_, err = io.WriteString(out, "\n")
		require.NoError(t, err)
		time.Sleep(1500 * time.Millisecond)
	}
	stop()
	require.NoError(t, <-results)
	length := time.Since(begun).Seconds()
	files, err := filepath.Glob(filepath.Join(dir, "Ada *.opus"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	file, err := os.ReadFile(files[0])
	require.NoError(t, err)

	got := evaluate[decoded](b, fmt.Sprintf("%s(%q)", decodeRecording, base64.StdEncoding.EncodeToString(file)))
	told, err := json.Marshal(got)
	require.NoError(t, err)
	require.InDelta(t, length, got.Seconds, 4, "%s", told)
	require.InDelta(t, got.Seconds, got.Element, 0.1)
	// A machine that is busy may tear holes into a tone, but short ones.
	const pause = 8
	bursts, sounding, still, first := 0, 0, pause, 0
	for i, level := range got.Loud {
		if level < 0.01 {
			still++
			continue
		}
		if still >= pause {
			if bursts++; bursts == 1 {
				first = i
			}
		}
		sounding++
		still = 0
	}
	require.Equal(t, 2, bursts, "%s", told)
	require.GreaterOrEqual(t, sounding, 10, "%s", told)
	require.Greater(t, float64(first+1)/10, pressed, "nothing is heard before it was said")
}
