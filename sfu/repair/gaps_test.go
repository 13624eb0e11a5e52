package repair

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func at(ms int) time.Time { return time.Unix(1e9, 0).Add(time.Duration(ms) * time.Millisecond) }

// arrive lets packets come at once and returns what is asked for.
func arrive(g *Gaps, now time.Time, numbers ...uint16) []uint16 {
	for _, seq := range numbers {
		g.Receive(seq, now)
	}
	return g.Due(now, nil)
}

func TestGapsAskForWhatIsMissing(t *testing.T) {
	var g Gaps
	steps := []struct {
		ms   int
		in   []uint16
		want []uint16
	}{
		{0, []uint16{65_533}, nil},
		{20, []uint16{65_534}, nil},
		{40, []uint16{1}, []uint16{65_535, 0}},
		{50, []uint16{1}, nil},              // a duplicate
		{60, []uint16{2}, nil},              // a round trip is not over
		{80, []uint16{0}, []uint16{65_535}}, // the answer, after 40 ms
		{85, []uint16{3}, nil},
		{100, []uint16{4}, nil},
		{125, []uint16{8}, []uint16{65_535, 5, 6, 7}},
		{130, []uint16{65_535, 6, 6}, nil},
		{165, []uint16{9}, []uint16{5, 7}},
		{400, []uint16{10}, nil}, // too late for these
		{420, []uint16{12}, []uint16{11}},
		{440, []uint16{13 + 64}, nil}, // an interruption
		{460, []uint16{13 + 66}, []uint16{13 + 65}},
		{480, []uint16{10, 65_000}, nil},
		{500, []uint16{13 + 68}, []uint16{13 + 65, 13 + 67}},
	}
	for _, step := range steps {
		if got := arrive(&g, at(step.ms), step.in...); !slices.Equal(got, step.want) {
			t.Fatalf("at %d ms: asks for %v, want %v", step.ms, got, step.want)
		}
	}
	g.Reset()
	if got := arrive(&g, at(540), 40_004); got != nil || !g.Complete() {
		t.Errorf("asks for %v after a reset", got)
	}
}

func TestGapsPace(t *testing.T) {
	for _, test := range []struct {
		rtt  time.Duration
		want []int // when the lost packet is asked for
	}{
		{0, []int{20, 120, 220}},
		{100 * time.Millisecond, []int{20, 120, 220}},
		{time.Millisecond, []int{20, 40, 60, 80, 100}},
		{45 * time.Millisecond, []int{20, 80, 140, 200}},
		{time.Second, []int{20}},
	} {
		var g Gaps
		g.SetRTT(test.rtt)
		arrive(&g, at(0), 1)
		var got []int
		for ms := 20; ms < 500; ms += 20 {
			for range arrive(&g, at(ms), uint16(2+ms/20)) {
				got = append(got, ms)
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("round trip %v: asked at %v, want %v", test.rtt, got, test.want)
		}
	}
}

func TestGapsReceiveTellsAnswers(t *testing.T) {
	var g Gaps
	g.SetRTT(40 * time.Millisecond)
	arrive(&g, at(0), 1, 4, 6)
	for _, test := range []struct {
		ms   int
		seq  uint16
		want bool
	}{
		{29, 2, false}, // overtaken
		{30, 3, true},
		{31, 3, false}, // again
		{32, 7, false},
		{33, 5, true},
	} {
		if got := g.Receive(test.seq, at(test.ms)); got != test.want {
			t.Errorf("packet %d: got %v", test.seq, got)
		}
	}
	var idle Gaps
	arrive(&idle, at(0), 1)
	idle.Receive(3, at(1))
	if idle.Receive(2, at(1)) {
		t.Error("an answer before it was asked for")
	}
}

func TestGapsLacks(t *testing.T) {
	var g Gaps
	if g.Lacks(1, 2) {
		t.Error("lacks something before it began")
	}
	arrive(&g, at(0), 65_530, 65_533)
	for _, test := range []struct {
		seq, newer uint16
		want       bool
	}{
		{65_531, 65_533, true},
		{65_532, 65_534, true},
		{65_530, 65_534, false}, // received
		{65_529, 65_534, false}, // before the first
		{65_533, 65_534, false},
		{65_534, 65_535, true},
		{65_535, 1, true},
		{1, 1, false},
		{2, 1, false},
		{65_534, 61, true},
		{65_534, 62, false}, // an interruption
	} {
		if got := g.Lacks(test.seq, test.newer); got != test.want {
			t.Errorf("packet %d, before %d: got %v", test.seq, test.newer, got)
		}
	}
}

// TestGapsOnALossyLink: over all kinds of links, what is asked for is just what is missing
// of the newest 64 packets, at once when it is noticed, and not too often.
func TestGapsOnALossyLink(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 4585))
		var g Gaps
		here, asked := map[uint16]bool{}, map[uint16]int{}
		highest := uint16(65_000)
		arrive(&g, at(0), highest)
		here[highest] = true
		for ms := 20; ms < 60_000; ms += 20 {
			next := highest + 1 + uint16(random.IntN(int(1+seed)))
			for n := highest + 1; n != next+1; n++ {
				delete(here, n) // of the last round through the numbers
				delete(asked, n)
			}
			fresh := next - highest - 1
			in := []uint16{next}
			if random.IntN(3) == 0 {
				in = append(in, next-uint16(random.IntN(70)))
			}
			highest = next
			for _, n := range in {
				here[n] = true
			}
			got := arrive(&g, at(ms), in...)
			for i := range fresh {
				if n := highest - 1 - i; i < maxMissing-1 && !here[n] && !slices.Contains(got, n) {
					t.Fatalf("seed %d, %d ms: %d is missing, asks for %v", seed, ms, n, got)
				}
			}
			for _, n := range got {
				asked[n]++
				if here[n] || highest-n >= maxMissing || asked[n] > maxRequests {
					t.Fatalf("seed %d, %d ms: asks for %d of up to %d the %dth time, here: %v", seed, ms, n, highest, asked[n], here[n])
				}
			}
		}
	}
}

func TestAnswers(t *testing.T) {
	var a Resends
	for _, test := range []struct {
		ms        int
		index     int64
		first, ok bool
	}{
		{0, 0, true, true},
		{0, 1, true, true},
		{9, 0, false, false}, // of the same loss
		{10, 0, false, true},
		{20, 0, false, true},
		{500, 0, false, false}, // often enough
		{500, 1, false, true},
		{500, ResendWindow, true, true}, // in the place of 0
		{501, ResendWindow, false, false},
	} {
		if first, ok := a.Allow(test.index, at(test.ms)); first != test.first || ok != test.ok {
			t.Errorf("at %d ms, packet %d: got %v, %v", test.ms, test.index, first, ok)
		}
	}
}

func TestDepth(t *testing.T) {
	for name, test := range map[string]struct {
		reports []float64
		want    int
	}{
		"before any report":           {nil, 1},
		"no loss":                     {[]float64{0}, 0},
		"hardly any":                  {[]float64{0.009}, 0},
		"a little":                    {[]float64{0.01}, 1},
		"some":                        {[]float64{0.03}, 2},
		"one in ten":                  {[]float64{0.1}, 3},
		"all":                         {[]float64{1}, 3},
		"suddenly":                    {[]float64{0, 0, 0, 0.05}, 2},
		"better, but just now":        {[]float64{0.1, 0}, 2},
		"better for a while":          {[]float64{0.1, 0, 0, 0, 0}, 2},
		"better for a long while":     {[]float64{0.1, 0, 0, 0, 0, 0, 0, 0}, 1},
		"better and all is forgotten": {[]float64{0.1, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 0},
	} {
		var d Depth
		for _, loss := range test.reports {
			d.Report(loss)
		}
		if got := d.Blocks(); got != test.want {
			t.Errorf("%s: got %d at loss %v, want %d", name, got, d.Loss(), test.want)
		}
	}
}

// TestGapsOverdue: what should have come is asked for before anything shows that it was
// sent, and not again as soon as that does show.
func TestGapsOverdue(t *testing.T) {
	var g Gaps
	if got := g.Overdue(at(0), 3, nil); got != nil {
		t.Errorf("asks for %v before anything came", got)
	}
	arrive(&g, at(0), 65_533)
	for _, step := range []struct {
		ms, n int
		want  []uint16
	}{
		{50, 2, []uint16{65_534, 65_535}},
		{100, 4, []uint16{0, 1}},
		{150, 4, []uint16{65_534, 65_535}}, // a round trip later
		{160, 100, []uint16{2, 3, 4, 5}},
	} {
		if got := g.Overdue(at(step.ms), step.n, nil); !slices.Equal(got, step.want) {
			t.Fatalf("at %d ms: asks for %v, want %v", step.ms, got, step.want)
		}
	}
	if got := arrive(&g, at(170), 65_535); got != nil { // an answer; 65_534 was asked for
		t.Errorf("asks for %v", got)
	}
	if got := arrive(&g, at(180), 6); !slices.Equal(got, nil) {
		t.Errorf("asks for %v, all of which were asked for", got)
	}
	if got := arrive(&g, at(200), 7); !slices.Equal(got, []uint16{0, 1}) {
		t.Errorf("asks for %v", got)
	}
	if !g.Receive(65_534, at(210)) {
		t.Error("not known as an answer")
	}
}
