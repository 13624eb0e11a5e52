package forwardtest

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// recordingTB keeps failures instead of failing.
type recordingTB struct{ failures []string }

func (*recordingTB) Helper() {}

func (r *recordingTB) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func header(seq uint16, ts, csrc uint32, marker bool) []byte {
	b := make([]byte, 16)
	b[0], b[1] = 0x81, 111
	if marker {
		b[1] |= 0x80
	}
	binary.BigEndian.PutUint16(b[2:], seq)
	binary.BigEndian.PutUint32(b[4:], ts)
	binary.BigEndian.PutUint32(b[8:], 0x5107)
	binary.BigEndian.PutUint32(b[12:], csrc)
	return b
}

func TestCheckerFindsWhatBreaksAStream(t *testing.T) {
	const a, b = 0xa, 0xb
	start := header(100, 0, a, true)
	tests := map[string]struct {
		headers [][]byte
		payload func(i int) string // by default different for every packet
		want    string             // part of the first failure; empty for none
	}{
		"contiguous":            {headers: [][]byte{start, header(101, 960, a, false)}},
		"gap and late packet":   {headers: [][]byte{start, header(103, 2880, a, false), header(102, 1920, a, false)}},
		"switch":                {headers: [][]byte{start, header(101, 960, b, true), header(102, 1920, a, true)}},
		"wrap":                  {headers: [][]byte{header(32767, 0, a, true), header(65000, 960, a, false), header(10, 1920, a, false)}},
		"timestamp wrap":        {headers: [][]byte{header(1, 1<<32-10, a, true), header(2, 950, a, false), header(3, 2000, b, true)}},
		"same bytes again":      {headers: [][]byte{start, start}, payload: func(int) string { return "x" }},
		"same index, other":     {headers: [][]byte{start, start}, want: "index used before"},
		"same index, marker":    {headers: [][]byte{start, header(100, 0, a, false)}, payload: func(int) string { return "x" }, want: "index used before"},
		"first number too high": {headers: [][]byte{header(1<<15, 0, a, true)}, want: "below 2^15"},
		"before the first":      {headers: [][]byte{start, header(99, 0, a, false)}, want: "before the switch"},
		"before index 0":        {headers: [][]byte{header(0, 0, a, true), header(65535, 0, a, false)}, want: "before the switch"},
		"jump of half":          {headers: [][]byte{header(1, 0, a, true), header(1+1<<15, 960, a, false)}, want: "away from the highest"},
		"gap at a switch":       {headers: [][]byte{start, header(102, 960, b, true)}, want: "want index 101"},
		"late old publisher":    {headers: [][]byte{start, header(102, 1920, a, false), header(101, 960, b, true)}, want: "want index 103"},
		"no frame at a switch":  {headers: [][]byte{start, header(101, 959, b, true)}, want: "less than a frame"},
		"backwards at a switch": {headers: [][]byte{start, header(101, 1<<32-960, b, true)}, want: "less than a frame"},
		"no marker at a switch": {headers: [][]byte{start, header(101, 960, b, false)}, want: "no marker"},
		"late over a switch":    {headers: [][]byte{start, header(103, 2880, a, false), header(104, 3840, b, true), header(102, 1920, b, false)}, want: "before the switch"},
		"timestamp over a switch": {
			headers: [][]byte{start, header(101, 9600, b, true), header(103, 11520, b, false), header(102, 9599, b, false)},
			want:    "timestamp from before",
		},
		"timestamp back":        {headers: [][]byte{header(1, 0, b, true), header(2, 9600, b, false), header(3, 9599, b, false)}, want: "number moves by 1"},
		"late with later stamp": {headers: [][]byte{start, header(102, 1920, a, false), header(101, 1921, a, false)}, want: "number moves by -1"},
		"no CSRC":               {headers: [][]byte{append([]byte{0x80}, start[1:]...)}, want: "want 16 bytes"},
		"short":                 {headers: [][]byte{start[:12]}, want: "want 16 bytes"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			tb := &recordingTB{}
			checker := NewChecker(tb, 0, nil)
			for i, h := range test.headers {
				payload := fmt.Sprint("payload ", i)
				if test.payload != nil {
					payload = test.payload(i)
				}
				if err := checker.WriteRTP(nil, h, []byte(payload)); err != nil {
					t.Fatal(err)
				}
			}
			switch {
			case test.want == "" && len(tb.failures) != 0:
				t.Errorf("unexpected failures: %q", tb.failures)
			case test.want != "" && (len(tb.failures) == 0 || !strings.Contains(tb.failures[0], test.want)):
				t.Errorf("got failures %q, want one with %q", tb.failures, test.want)
			}
		})
	}
}

func TestCheckerStats(t *testing.T) {
	checker := NewChecker(t, 0, nil)
	for _, h := range [][]byte{
		header(7, 0, 1, true),
		header(10, 2880, 1, false),
		header(9, 1920, 1, false),
		header(11, 3840, 2, true),
		header(11, 3840, 2, true),
	} {
		_ = checker.WriteRTP(nil, h, []byte("12345"))
	}
	want := Stats{
		Packets: 5, Octets: 25, Repeats: 1, Switches: 2, Gaps: 1,
		First: 7, Highest: 11, Timestamp: 3840, CSRC: 2,
	}
	if got := checker.Stats(0x5107); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := checker.Stats(1); got != (Stats{}) {
		t.Errorf("got %+v of an SSRC never seen", got)
	}
}

// TestEstimator compares with the definition: of the three candidates around the highest
// index, the one closest to it.
func TestEstimator(t *testing.T) {
	random := rand.New(rand.NewPCG(3711, 1))
	var e Estimator
	highest := e.Next(20_000)
	for range 200_000 {
		// Away from exactly half, where the definition leaves a tie.
		index := max(highest+random.Int64N(half-1)*2-half+2, 0)
		if got := e.Next(uint16(index)); got != index {
			t.Fatalf("after %d: got index %d, want %d", highest, got, index)
		}
		highest = max(highest, index)
	}
	if highest < 10<<16 {
		t.Errorf("only came to index %d: no wraps tested", highest)
	}
}

func TestEstimatorLosesTrack(t *testing.T) {
	var e Estimator
	e.Next(100)
	if got := e.Next(100 + half + 1); got >= 0 {
		t.Errorf("a jump over half: got index %d, want one before the first rollover", got)
	}
	e = Estimator{}
	e.Next(65_535)
	if got := e.Next(0); got != 1<<16 {
		t.Errorf("got index %d after a wrap, want %d", got, 1<<16)
	}
	if got := e.Next(65_534); got != 65_534 {
		t.Errorf("got index %d for a late packet, want 65534", got)
	}
}
