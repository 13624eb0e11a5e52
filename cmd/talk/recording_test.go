package talk

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/client"
)

// said is a packet of the made-up call: when it was said, when it came, and how.
type said struct {
	by   string
	at   time.Duration
	came time.Duration
	info client.PacketInfo
	opus []byte
}

const (
	networkDelay = 30 * time.Millisecond
	mark         = 0xa5 // begins what is in a packet of the made-up call
)

// talks makes up what one person says in a call: for a few seconds, then nothing for some, from a clock that is wrong by drift, over a
// network that loses and delays. Every few minutes they are heard on another slot, or come back with another source.
func talks(rng *rand.Rand, by string, toc byte, length time.Duration, drift float64) []said {
	frame := client.OpusDuration([]byte{toc})
	var all []said
	info := client.PacketInfo{UserID: by, SSRC: rng.Uint32(), CSRC: rng.Uint32()}
	base, number := rng.Uint32(), uint32(0)
	moves := time.Duration(0)
	for at := 100 * time.Millisecond; at < length; {
		until := at + time.Duration(1+rng.IntN(20))*time.Second
		for ; at < until && at < length; at += frame { // by their own clock
			number++
			if rng.IntN(20) == 0 {
				continue // lost
			}
			when := time.Duration(float64(at) * (1 + drift))
			opus := binary.BigEndian.AppendUint32([]byte{toc, mark, by[0]}, number)
			info.Timestamp = base + uint32(samples(at))
			late := time.Duration(rng.ExpFloat64() * float64(4*time.Millisecond))
			if rng.IntN(200) == 0 {
				late += 150 * time.Millisecond // asked for again
			}
			all = append(all, said{by: by, at: when, came: when + networkDelay + late, info: info, opus: opus})
		}
		switch rng.IntN(3) {
		case 0:
			at += frame * time.Duration(rng.IntN(20)) // a breath
		case 1:
			for n := rng.IntN(40); n > 0; n-- { // silent, with a sign of life every 400 ms
				at += 400 * time.Millisecond / frame * frame
				number++
				when := time.Duration(float64(at) * (1 + drift))
				info.Timestamp = base + uint32(samples(at))
				opus := binary.BigEndian.AppendUint32([]byte{toc, mark, by[0]}, number)
				all = append(all, said{by: by, at: when, came: when + networkDelay, info: info, opus: opus})
			}
			at += frame
		default:
			at += frame * time.Duration(rng.IntN(3000)) // muted, up to a minute
		}
		if at-moves > 3*time.Minute {
			moves = at
			info.SSRC, base = rng.Uint32(), rng.Uint32()
			if rng.IntN(2) == 0 {
				info.CSRC = rng.Uint32()
			}
		}
	}
	return slices.DeleteFunc(all, func(s said) bool { return s.at > length })
}

// placed says where in a file each packet of the made-up call stands, and how long the file is.
func placed(t *testing.T, file []byte) (at map[uint32]time.Duration, length time.Duration) {
	t.Helper()
	r, err := client.NewOggOpus(bytes.NewReader(file))
	require.NoError(t, err)
	at = map[uint32]time.Duration{}
	for {
		packet, err := r.Next()
		if errors.Is(err, io.EOF) {
			return at, length
		}
		require.NoError(t, err)
		if len(packet) == 7 && packet[1] == mark {
			at[binary.BigEndian.Uint32(packet[3:])] = length
		}
		d := client.OpusDuration(packet)
		require.Positive(t, d)
		length += d
	}
}

// record has a recording take what was said, in the order in which it came, and returns the files.
func record(t *testing.T, all []said, end time.Duration) map[string]*bytes.Buffer {
	t.Helper()
	slices.SortStableFunc(all, func(a, b said) int { return int(a.came - b.came) })
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	files := map[string]*bytes.Buffer{}
	r := newRecording(start, func(userID string, channels int) (*client.OggOpusWriter, error) {
		files[userID] = new(bytes.Buffer)
		return client.NewOggOpusWriter(files[userID], 1, channels)
	})
	next := time.Duration(0)
	for _, s := range all {
		for ; next < s.came; next += 200 * time.Millisecond {
			require.NoError(t, r.write(start.Add(next)))
		}
		r.add(start.Add(s.came), s.info, s.opus)
	}
	require.NoError(t, r.finish(start.Add(end)))
	require.Zero(t, r.lost)
	return files
}

// TestRecordingKeepsTime records half an hour of two people with pauses, losses, clocks that are wrong in different directions, frames of different
// lengths, and changes of slot and source: all through it what was said at one time stands at one time.
func TestRecordingKeepsTime(t *testing.T) {
	t.Parallel()
	const length = 30 * time.Minute
	rng := rand.New(rand.NewPCG(1, 2))
	ada := talks(rng, "ada", 9<<3, length, 120e-6)  // SILK, 20 ms
	bo := talks(rng, "bo", 31<<3|4, length, -80e-6) // CELT, 20 ms, stereo
	cy := talks(rng, "cy", 11<<3, length, 50e-6)    // SILK, 60 ms
	all := slices.Concat(ada, bo, cy)
	end := length + time.Second
	files := record(t, all, end)
	require.Len(t, files, 3)
	for by, file := range files {
		at, total := placed(t, file.Bytes())
		require.InDelta(t, end.Seconds(), total.Seconds(), 0.0025, "all tracks end at the same time")
		worst, last, missed, count := time.Duration(0), time.Duration(0), 0, 0
		for _, s := range all {
			if s.by != by {
				continue
			}
			count++
			position, ok := at[binary.BigEndian.Uint32(s.opus[3:])]
			if !ok {
				missed++
				continue
			}
			last = position - s.at - networkDelay
			worst = max(worst, last.Abs())
		}
		t.Logf("%s: %d packets, %d of them left out; beside their place by %s at most, and by %s at the end", by, count, missed, worst, last)
		require.LessOrEqual(t, worst, 10*time.Millisecond, "so that two are within 20 ms")
		require.Less(t, missed, count/200)
	}
	require.Equal(t, []int{1, 2, 1}, []int{channels(files["ada"]), channels(files["bo"]), channels(files["cy"])})
}

func channels(file *bytes.Buffer) int {
	return int(file.Bytes()[bytes.Index(file.Bytes(), []byte("OpusHead"))+9])
}

// steadily makes up who never pauses, as music does not.
func steadily(by string, length time.Duration, drift float64) []said {
	var all []said
	for n := uint32(1); time.Duration(n)*20*time.Millisecond < length; n++ {
		at := time.Duration(n) * 20 * time.Millisecond
		when := time.Duration(float64(at) * (1 + drift))
		info := client.PacketInfo{UserID: by, SSRC: 1, CSRC: uint32(by[0]), Timestamp: n * 960}
		opus := binary.BigEndian.AppendUint32([]byte{31 << 3, mark, by[0]}, n)
		all = append(all, said{by: by, at: when, came: when + networkDelay, info: info, opus: opus})
	}
	return all
}

// TestRecordingOfMusic has no pause in which wrong clocks could be put right.
func TestRecordingOfMusic(t *testing.T) {
	t.Parallel()
	const length = 3 * time.Minute
	fast, slow := steadily("fast", length, -200e-6), steadily("slow", length, 200e-6)
	files := record(t, slices.Concat(fast, slow), length+time.Second)
	for _, all := range [][]said{fast, slow} {
		at, _ := placed(t, files[all[0].by].Bytes())
		for _, s := range all {
			if position, ok := at[binary.BigEndian.Uint32(s.opus[3:])]; ok {
				require.InDelta(t, (s.at + networkDelay).Seconds(), position.Seconds(), 0.01)
			}
		}
		require.Greater(t, len(at), len(all)*999/1000)
	}
}

// TestRecordingPlaces has single packets come in odd ways.
func TestRecordingPlaces(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	packet := func(n byte) []byte { return []byte{31 << 3, mark, 'a', 0, 0, 0, n} }
	heard := func(n byte, came time.Duration, timestamp time.Duration, info client.PacketInfo) said {
		info.Timestamp = uint32(samples(timestamp))
		return said{came: came, info: info, opus: packet(n)}
	}
	ada := client.PacketInfo{UserID: "ada", SSRC: 1, CSRC: 7}
	unknown := client.PacketInfo{SSRC: 1, CSRC: 7}
	other := client.PacketInfo{UserID: "ada", SSRC: 2, CSRC: 7}
	for name, test := range map[string]struct {
		all  []said
		want map[uint32]time.Duration
	}{
		"before it is known whose it is": {
			[]said{heard(1, 500*ms, 0, unknown), heard(2, 520*ms, 20*ms, ada)},
			map[uint32]time.Duration{1: 500 * ms, 2: 520 * ms},
		},
		"out of order": {
			[]said{heard(2, 520*ms, 20*ms, ada), heard(1, 530*ms, 0, ada), heard(3, 540*ms, 40*ms, ada)},
			map[uint32]time.Duration{1: 500 * ms, 2: 520 * ms, 3: 540 * ms},
		},
		"what was said before one had a slot, at once": {
			[]said{heard(1, 900*ms, 0, ada), heard(2, 900*ms, 20*ms, ada), heard(3, 900*ms, 40*ms, ada), heard(4, 920*ms, 60*ms, ada)},
			map[uint32]time.Duration{1: 860 * ms, 2: 880 * ms, 3: 900 * ms, 4: 920 * ms},
		},
		"the same again on another slot": {
			[]said{heard(1, 500*ms, 0, ada), heard(9, 501*ms, 800*ms, other), heard(2, 521*ms, 820*ms, other)},
			map[uint32]time.Duration{1: 500 * ms, 2: 520 * ms},
		},
		"a clock that stood still in a pause": {
			[]said{heard(1, 500*ms, 0, ada), heard(2, 3000*ms, 20*ms, ada), heard(3, 3020*ms, 40*ms, ada)},
			map[uint32]time.Duration{1: 500 * ms, 2: 3000 * ms, 3: 3020 * ms},
		},
		"a clock that jumps ahead": {
			[]said{heard(1, 500*ms, 0, ada), heard(2, 520*ms, 20*time.Second, ada), heard(3, 540*ms, 20*time.Second+20*ms, ada)},
			map[uint32]time.Duration{2: 520 * ms, 3: 540 * ms},
		},
		"not Opus": {
			[]said{heard(1, 500*ms, 0, ada), {came: 510 * ms, info: ada}, {came: 515 * ms, info: ada, opus: []byte{3}}},
			map[uint32]time.Duration{1: 500 * ms},
		},
	} {
		files := record(t, test.all, 5*time.Second)
		require.Len(t, files, 1, name)
		at, total := placed(t, files["ada"].Bytes())
		for n, want := range test.want {
			require.InDelta(t, want.Seconds(), at[n].Seconds(), 0.0025, "%s: %d of %v", name, n, at)
		}
		require.LessOrEqual(t, len(test.want)-len(at), 0, name)
		require.InDelta(t, 5, total.Seconds(), 0.0025, name)
	}
}

// TestRecordingEndsTogether is ended while one talks and the other does not.
func TestRecordingEndsTogether(t *testing.T) {
	t.Parallel()
	all := append(steadily("ada", time.Second, 0), steadily("bo", 500*time.Millisecond, 0)...)
	for _, end := range []time.Duration{1010, 1011, 1017, 1025} {
		files := record(t, slices.Clone(all), end*time.Millisecond)
		_, ada := placed(t, files["ada"].Bytes())
		_, bo := placed(t, files["bo"].Bytes())
		require.Equal(t, ada, bo, "ended after %d ms", end)
		require.Greater(t, ada, end*time.Millisecond, "what ada was saying is whole")
	}
}

// TestRecordingOfNobody forgets what nobody is known to have said, and makes no file of it.
func TestRecordingOfNobody(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	r := newRecording(start, nil)
	for n := range 500 {
		at := start.Add(time.Duration(n) * 20 * time.Millisecond)
		r.add(at, client.PacketInfo{SSRC: 1, CSRC: 2, Timestamp: uint32(n) * 960}, []byte{31 << 3, 0})
		require.NoError(t, r.write(at))
	}
	require.Less(t, len(r.voices[origin{1, 2}].held), 300)
	require.NoError(t, r.finish(start.Add(10*time.Second)))
	require.Equal(t, 500, r.lost)
}

// TestRecordingThatDoesNotFit fails once, and leaves what is written.
func TestRecordingThatDoesNotFit(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	small := &smallDisk{left: 1500}
	r := newRecording(start, func(_ string, channels int) (*client.OggOpusWriter, error) {
		return client.NewOggOpusWriter(small, 1, channels)
	})
	var err error
	for _, s := range steadily("ada", time.Minute, 0) {
		r.add(start.Add(s.came), s.info, s.opus)
		if err = r.write(start.Add(s.came)); err != nil {
			break
		}
	}
	require.ErrorIs(t, err, io.ErrShortWrite)
	r.abandon()
	at, _ := placed(t, small.Bytes())
	require.NotEmpty(t, at)
}

type smallDisk struct {
	bytes.Buffer

	left int
}

func (d *smallDisk) Write(page []byte) (int, error) {
	if d.left -= len(page); d.left < 0 {
		return 0, io.ErrShortWrite
	}
	return d.Buffer.Write(page)
}
