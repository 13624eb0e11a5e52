package bench

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseScenarios(t *testing.T) {
	t.Parallel()
	want := []Scenario{{Conference, 1, 20}, {Rooms, 30, 4}, {Join, 1, 3}}
	for _, args := range [][]string{
		{"conference", "20", "rooms", "30x4", "join", "3"},
		{"conference 20", "rooms 30x4", "join 3"},
		{"conference 20 rooms", " 30x4  join 3"},
	} {
		got, err := ParseScenarios(args)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, s := range want {
		again, err := ParseScenarios([]string{s.String()})
		require.NoError(t, err)
		require.Equal(t, []Scenario{s}, again)
	}
	for args, want := range map[string][]Scenario{
		"floor":           {{Turns, 1, defaultPresses}},
		"floor 7 floor":   {{Turns, 1, 7}, {Turns, 1, defaultPresses}},
		"floor idle 3":    {{Turns, 1, defaultPresses}, {Idle, 1, 3}},
		"idle 3 floor 20": {{Idle, 1, 3}, {Turns, 1, 20}},
	} {
		got, err := ParseScenarios([]string{args})
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for args, says := range map[string]string{
		"floor 0":           "at least 1",
		"floor floors":      "lacks its size",
		"":                  "none is given",
		"conference":        "lacks its size",
		"conference 1":      "at least 2",
		"conference x":      "at least 2",
		"fanout 0":          "at least 1",
		"fanout -5":         "at least 1",
		"rooms 30":          "channels x people",
		"rooms 0x4":         "channels x people",
		"rooms 3x1":         "at least 2",
		"rooms 999999x9999": "at most 8000",
		"idle 8001":         "at most 8000",
		"crowd 19":          "at least 20",
		"karaoke 5":         "none of fanout",
		"20 conference":     "none of fanout",
	} {
		_, err := ParseScenarios([]string{args})
		require.ErrorIs(t, err, ErrScenario, args)
		require.ErrorContains(t, err, says, args)
	}
}

// flow is how many packets come out of a room for one round of its talkers.
func (p *plan) flow() (talkers, out float64) {
	for _, m := range p.members {
		if m.talks {
			talkers++
			out += p.fanout[m.room]
		}
	}
	return talkers, out
}

func TestPlans(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		scenario           string
		slots              int // asked for
		members, present   int
		rooms, wantSlots   int
		wantTalkers, wantO float64
	}{
		{"fanout 200", 0, 201, 201, 1, 8, 1, 200},
		{"conference 20", 0, 20, 20, 1, 19, 20, 380},
		{"conference 20", 4, 20, 20, 1, 4, 20, 80},
		{"conference 50", 0, 50, 50, 1, 32, 50, 50 * 32},
		{"rooms 30x4", 0, 120, 120, 30, 8, 120, 360},
		{"crowd 200", 0, 200, 200, 1, 8, 20, 200 * 8},
		{"crowd 20", 0, 20, 20, 1, 8, 2, 2*1 + 18*2},
		{"idle 9", 0, 9, 9, 1, 8, 0, 0},
		{"join 3", 0, 12, 10, 1, 9, 9, 9 * 8},
		{"storm 60", 0, 66, 66, 3, 8, 3, 3},
		{"chat 2000", 0, 60, 60, 41, 19, 20, 380},
	} {
		scenarios, err := ParseScenarios([]string{test.scenario})
		require.NoError(t, err)
		p := scenarios[0].plan(test.slots)
		require.Len(t, p.members, test.members, test.scenario)
		require.Equal(t, test.present, p.participants(), test.scenario)
		require.Equal(t, test.rooms, p.rooms(), test.scenario)
		require.Equal(t, test.wantSlots, p.slots, test.scenario)
		talkers, out := p.flow()
		require.InDelta(t, test.wantTalkers, talkers, 0, test.scenario)
		require.InDelta(t, test.wantO, out, 1e-6, test.scenario)
		for i, m := range p.members {
			require.LessOrEqual(t, len(m.hears), p.slots)
			require.NotContains(t, m.hears, i, "nobody hears themselves")
			for _, talker := range m.hears {
				require.True(t, p.members[talker].talks)
				require.Equal(t, m.room, p.members[talker].room)
			}
		}
	}
}

// Figures are medians of runs, and held against their bars; of what was not measured nothing is said.
func TestTurnsFigures(t *testing.T) {
	t.Parallel()
	runs := []map[string][]float64{
		{press: {10, 20, 200}, after: {0}, revoking: {1, 19.9}},
		{press: {10, 30, 200}, revoking: {20}},
		{press: {10, 29, 200}, revoking: {2, 3}},
	}
	r := summariseTurns(Scenario{Kind: Turns, N: 3}, runs)
	require.Equal(t, "floor 3", r.Scenario)
	figures := make(map[string]TurnsFigure)
	for _, f := range r.Figures {
		require.NotContains(t, figures, f.Name)
		figures[f.Name] = f
	}
	met, missed := new(true), new(false)
	require.Equal(t, TurnsFigure{
		Name: "press_to_packet_p50", Unit: "ms", Value: 29, Least: 20, Largest: 30, Bar: 30, Met: met, Samples: 3,
	}, figures["press_to_packet_p50"])
	require.Equal(t, missed, figures["press_to_packet_p99"].Met)
	require.Equal(t, met, figures["revoke_to_last_packet_p95"].Met)
	require.Equal(t, Value(19.9), figures["revoke_to_last_packet_p95"].Value)
	require.Equal(t, TurnsFigure{Name: after, Largest: 1, Met: met}, figures[after])
	require.Equal(t, Value(300), figures["bad_press_to_grant_p95"].Bar)
	unmeasured := figures["press_to_grant_p50"]
	require.True(t, unmeasured.Value.Missing())
	require.Equal(t, missed, unmeasured.Met)

	raw, err := json.Marshal(r)
	require.NoError(t, err)
	require.Contains(t, string(raw), `{"name":"press_to_packet_p50","unit":"ms","value":29,"least":20,"largest":30,"bar":30,"met":true,"samples":3}`)
	var page bytes.Buffer
	require.NoError(t, writeTurns(&page, r, 3, "here"))
	require.Contains(t, page.String(), "here\nfloor 3\n")
	require.Contains(t, page.String(), "200.0 ms  (200.0 to 200.0)   bar < 80 ms, MISSED\n")
	require.Contains(t, page.String(), "0  (0 to 1)   bar 0\n")
}

func TestHistogram(t *testing.T) {
	t.Parallel()
	var h histogram
	require.Zero(t, h.quantile(0.5))
	random := rand.New(rand.NewPCG(1, 2))
	all := make([]time.Duration, 0, 20_000)
	for range cap(all) {
		d := time.Duration(math.Exp(random.Float64() * 25)) // up to 72 s
		all = append(all, d)
		h.add(d)
	}
	slices.Sort(all)
	require.EqualValues(t, len(all), h.count())
	require.Equal(t, all[len(all)-1], h.largest())
	for _, q := range []float64{0, 0.01, 0.5, 0.95, 0.99, 1} {
		exact := all[int(q*float64(len(all)-1))]
		require.InDelta(t, float64(exact), float64(h.quantile(q)), 1+float64(exact)/100, "q=%g", q)
	}

	var odd histogram
	odd.add(-time.Second)
	odd.add(math.MaxInt64)
	require.Zero(t, odd.quantile(0))
	require.EqualValues(t, 2, odd.count())
	last := -1
	for d := time.Duration(1); d > 0 && d < 1<<41; d += d/50 + 1 {
		require.GreaterOrEqual(t, bucket(d), last)
		last = bucket(d)
		require.InEpsilon(t, float64(min(d, 1<<40)), float64(middle(last)), 0.02)
	}
}

func TestHistogramDoesNotAllocate(t *testing.T) {
	var h histogram
	require.Zero(t, testing.AllocsPerRun(1000, func() { h.add(123 * time.Microsecond) }))
}

func TestFrames(t *testing.T) {
	t.Parallel()
	sizes := map[int]int{}
	for n := range uint64(1010) {
		sizes[frameSize(3, n)]++
	}
	require.Len(t, sizes, maxFrameBytes-minFrameBytes+1)
	for size, count := range sizes {
		require.Equal(t, 10, count, size)
		require.GreaterOrEqual(t, size, minFrameBytes)
		require.LessOrEqual(t, size, maxFrameBytes)
	}
	b := make([]byte, minFrameBytes)
	putFrame(b, 12345*time.Microsecond, 2)
	at, node, ok := parseFrame(b)
	require.True(t, ok)
	require.Equal(t, 12345*time.Microsecond, at)
	require.EqualValues(t, 2, node)
	_, _, ok = parseFrame([]byte("somebody else's voice"))
	require.False(t, ok)
}

func TestSummaryTakesMedians(t *testing.T) {
	t.Parallel()
	runs := make([]Result, 0, 3)
	for _, us := range []float64{12, 10, 30} {
		r := newResult(Scenario{Conference, 1, 20}, 20)
		r.Server.CPUPerPacket, r.RatioFloor = Value(us), Value(us/10)
		runs = append(runs, r)
	}
	runs[0].Join.P50 = 40 // of this run only
	s := summarise(runs)
	require.Equal(t, 3, s.Runs)
	require.InDelta(t, 12, float64(s.Median.Server.CPUPerPacket), 0)
	require.InDelta(t, 10, float64(s.Min.Server.CPUPerPacket), 0)
	require.InDelta(t, 30, float64(s.Max.Server.CPUPerPacket), 0)
	require.InDelta(t, 1.2, float64(s.Median.RatioFloor), 1e-9)
	require.InDelta(t, 40, float64(s.Median.Join.P50), 0)
	require.True(t, s.Median.Latency.P50.Missing())
	require.InDelta(t, 11, float64(summarise(runs[:2]).Median.Server.CPUPerPacket), 0)
}

func TestJSON(t *testing.T) {
	t.Parallel()
	r := newResult(Scenario{Fanout, 1, 2}, 3)
	r.ForwardedPPS, r.Server.RSS, r.Loss = 99.987654321, 24_760_320, 0
	data, err := json.Marshal(r)
	require.NoError(t, err)
	require.Equal(t, `{"scenario":"fanout 2","participants":3,"seconds":null,"forwarded_pps":99.988,"expected_pps":null,"loss":0,`+
		`"latency_ms":{"p50":null,"p95":null,"p99":null,"max":null},"join_ms":{"p50":null,"p99":null},`+
		`"chat":{"ack_ms_p50":null,"ack_ms_p99":null,"quiet_us_per_packet":null,"quiet_latency_ms_p99":null,"cores":null,`+
		`"sync_ms_p50":null,"sync_ms_p99":null,"history_ms_p99":null,"search_ms_p99":null,"reading_rss_bytes":null,"idle_rss_bytes":null},`+
		`"server":{"cpu_cores":null,"cpu_us_per_packet":null,"user_us":null,"sys_us":null,"rss_bytes":24760320,`+
		`"rss_bytes_per_participant":null,"goroutines":null,"gc_pause_ms_max":null},`+
		`"floor_us_per_packet":null,"reference_us_per_packet":null,"ratio_floor":null,"ratio_reference":null}`, string(data))
	var back Result
	require.NoError(t, json.Unmarshal(data, &back))
	require.InDelta(t, 99.988, float64(back.ForwardedPPS), 0)
	require.True(t, back.RatioFloor.Missing())
}

func TestTable(t *testing.T) {
	t.Parallel()
	r := newResult(Scenario{Conference, 1, 20}, 20)
	r.Server.CPUPerPacket, r.RatioFloor, r.Loss = 6.9, 1.1, 0.00012
	other := r
	other.Server.CPUPerPacket = 8
	summary := summarise([]Result{r, other})
	summary.Notes = []string{"it rained"}
	var out bytes.Buffer
	require.NoError(t, writeRow(&out, summary, true, "the machine\n"))
	require.NoError(t, writeFoot(&out, foot, []Summary{summary}))
	text := out.String()
	require.True(t, strings.HasPrefix(text, "the machine\n\n"), text)
	for _, want := range []string{"conference 20", "0.012%", "7.45", "6.90", "8.00", "1.10", "–", "least", "largest", "conference 20: it rained."} {
		require.Contains(t, text, want)
	}
	require.NotContains(t, text, "NaN")
	for line := range strings.Lines(text) {
		require.LessOrEqual(t, len([]rune(line)), 140, line)
	}
}

// Everybody is spread over the nodes, those who talk and those who do not, and the plan of the server that is alone stays what it is.
func TestSpread(t *testing.T) {
	t.Parallel()
	one := Scenario{Crowd, 1, 60}.plan(0)
	three := one.spread(3)
	talk := map[uint8]int{}
	for _, m := range three.members {
		if m.talks {
			talk[m.node]++
		}
	}
	require.Equal(t, map[uint8]int{0: 2, 1: 2, 2: 2}, talk)
	for node := range 3 {
		require.Equal(t, 20, three.people(node))
	}
	require.Equal(t, 60, one.people(0))
	running := Scenario{Join, 1, 100}.plan(0)
	running = running.spread(3)
	require.Equal(t, 3, running.people(0), "who comes one after the other is there one at a time")
}

// A server that is alone is given as many people as a node has, who hear as many others.
func TestPartOfANode(t *testing.T) {
	t.Parallel()
	for whole, part := range map[string]string{
		"fanout 600": "fanout 200", "crowd 600": "crowd 200", "rooms 31x4": "rooms 10x4", "conference 120": "conference 40",
		"fanout 2": "", "crowd 180": "", "rooms 2x4": "", "conference 12": "", "idle 600": "", "join 600": "", "storm 600": "", "chat 600": "",
	} {
		s, err := ParseScenarios([]string{whole})
		require.NoError(t, err)
		everybody := s[0].plan(0)
		one, ok := everybody.part(3)
		require.Equal(t, part != "", ok, whole)
		if ok {
			require.Equal(t, part, one.String())
			spread := everybody.spread(3)
			require.InDelta(t, spread.people(0), one.people(0), 2, whole)
			require.InDelta(t, spread.people(2), one.people(0), 2, whole)
		}
	}
}

// What nodes took is summed up like the rest, without the runs having anything in common, and has rows of its own.
func TestTableOfACluster(t *testing.T) {
	t.Parallel()
	run := func(us float64) Result {
		one, all := newResult(Scenario{Crowd, 1, 60}, 60), newResult(Scenario{Crowd, 1, 60}, 60)
		one.Server.CPUPerPacket, all.Server.CPUPerPacket = 5, Value(us)
		all.Between = &Between{Nodes: make([]Node, 2)}
		for _, v := range all.Between.figures() {
			*v = missing()
		}
		all.Between.RelayedBound, all.Between.Nodes[1].CPUPerPacket = 8, Value(us)
		alike := newResult(Scenario{Crowd, 1, 30}, 30)
		alike.Server.CPUPerPacket, one.Alike = 2*Value(us), &alike
		all.compare(&one)
		one.Cluster = &all
		return one
	}
	summary := summarise([]Result{run(6), run(5), run(10)})
	between := summary.Median.Cluster.Between
	require.InDelta(t, 1.2, float64(between.RatioOne), 1e-9)
	require.InDelta(t, 1.2, float64(between.Nodes[1].RatioOne), 1e-9)
	require.True(t, between.Nodes[0].RatioOne.Missing())
	require.True(t, between.Nodes[0].RatioAlike.Missing())
	require.InDelta(t, 0.5, float64(between.RatioAlike), 1e-9)
	require.InDelta(t, 0.5, float64(between.Nodes[1].RatioAlike), 1e-9)
	require.InDelta(t, 12, float64(summary.Median.Alike.Server.CPUPerPacket), 1e-9)
	require.InDelta(t, 10, float64(summary.Min.Alike.Server.CPUPerPacket), 1e-9)
	require.InDelta(t, 10, float64(summary.Max.Cluster.Between.Nodes[1].CPUPerPacket), 0)
	var out bytes.Buffer
	require.NoError(t, writeRow(&out, summary, true, "the machine\n"))
	require.NoError(t, writeFoot(&out, foot, []Summary{summary}))
	for _, want := range []string{"crowd 60", " on 2 nodes", "node 2", "6.00", "10.00", "1.20 times one node's", " crowd 30", "12.00", "0.50 times that of crowd 30"} {
		require.Contains(t, out.String(), want)
	}
	require.NotContains(t, out.String(), "NaN")
	for line := range strings.Lines(out.String()) {
		require.LessOrEqual(t, len([]rune(line)), 140, line)
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	good := DefaultOptions()
	good.Scenarios = []Scenario{{Fanout, 1, 1}}
	require.NoError(t, good.validate())
	for name, spoil := range map[string]func(*Options){
		"scenario": func(o *Options) { o.Scenarios = nil },
		"duration": func(o *Options) { o.Duration = 0 },
		"long":     func(o *Options) { o.Duration = time.Hour },
		"warmup":   func(o *Options) { o.Warmup = -1 },
		"runs":     func(o *Options) { o.Runs = 0 },
		"slots":    func(o *Options) { o.Slots = 33 },
		"one node": func(o *Options) { o.Nodes = 1 },
		"nodes":    func(o *Options) { o.Nodes = maxNodes + 1 },
		"whose":    func(o *Options) { o.Nodes, o.URL = 3, "http://127.0.0.1" },
		"by turns": func(o *Options) { o.Nodes, o.Scenarios = 3, []Scenario{{Turns, 1, 2}} },
	} {
		bad := good
		spoil(&bad)
		require.Error(t, bad.validate(), name)
	}
}
