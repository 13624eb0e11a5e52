package bench

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"time"
)

// Value is a figure that may be missing, which JSON writes as null.
type Value float64

// missing is a figure that was not measured, or that the scenario does not have.
func missing() Value { return Value(math.NaN()) }

// Missing reports whether the figure is not there.
func (v Value) Missing() bool { return math.IsNaN(float64(v)) }

// significant is how many digits are written: more than any measurement here is worth.
const significant = 5

// MarshalJSON writes a number or null.
func (v Value) MarshalJSON() ([]byte, error) {
	if v.Missing() || math.IsInf(float64(v), 0) {
		return []byte("null"), nil
	}
	if v == Value(math.Trunc(float64(v))) && math.Abs(float64(v)) < 1e15 {
		return strconv.AppendInt(nil, int64(v), 10), nil
	}
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(float64(v), 'g', significant, 64), 64)
	if err != nil {
		return nil, err
	}
	return json.Marshal(rounded)
}

// UnmarshalJSON reads a number or null.
func (v *Value) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		*v = missing()
		return nil
	}
	return json.Unmarshal(data, (*float64)(v))
}

// Result is what was measured of one scenario: of each figure the median over the runs.
// Missing figures are null: those of a server that is not ours, those for which nothing
// was forwarded.
type Result struct {
	Scenario string `json:"scenario"`
	// Participants is how many people were there.
	Participants int `json:"participants"`
	// Seconds is how long a measurement took.
	Seconds Value `json:"seconds"`
	// ForwardedPPS is how many packets a second arrived during the measurement, at all
	// listeners together; ExpectedPPS how many were sent that should.
	ForwardedPPS Value `json:"forwarded_pps"`
	ExpectedPPS  Value `json:"expected_pps"`
	// Loss is the fraction of the expected packets that did not arrive, not even within
	// half a second after the measurement.
	Loss Value `json:"loss"`
	// Latency is from the sending to the receiving participant.
	Latency Latency `json:"latency_ms"`
	// Join is from the opening of the WebSocket to the first packet heard, for those who
	// came when somebody was talking.
	Join JoinTime `json:"join_ms"`
	// Beside is what is known only of Chat, of which the other figures are those of a call beside messages, without the CPU time
	// of these.
	Beside Beside `json:"chat"`
	Server Server `json:"server"`
	// FloorUS and ReferenceUS are CPU time in µs for each forwarded packet.
	FloorUS     Value `json:"floor_us_per_packet"`
	ReferenceUS Value `json:"reference_us_per_packet"`
	// RatioFloor and RatioReference are the server's CPU time for a packet divided by
	// theirs in the same run.
	RatioFloor     Value `json:"ratio_floor"`
	RatioReference Value `json:"ratio_reference"`
	// Alike is a server that is alone with as much to do as one of the nodes of Cluster, whose people it has: measured in the same run, if
	// there is such a scenario.
	Alike *Result `json:"alike,omitempty"`
	// Cluster is the same scenario with everybody spread over Options.Nodes nodes, in the same run: what is the server's is of all of
	// them together.
	Cluster *Result `json:"cluster,omitempty"`
	// Between is what only a Cluster has.
	Between *Between `json:"between,omitempty"`
}

// Between is what is known of nodes that are one server.
type Between struct {
	// RatioOne is their CPU time for a packet, of all together, divided by that of the server that is alone.
	RatioOne Value `json:"ratio_one_node"`
	// RatioAlike is the same divided by that of Result.Alike: what it costs to be one of several.
	RatioAlike Value `json:"ratio_alike"`
	// Same and Across are the latencies between people of the same node and of two, and AcrossMore the difference of their p50.
	Same       Latency `json:"same_node_latency_ms"`
	Across     Latency `json:"across_nodes_latency_ms"`
	AcrossMore Value   `json:"across_more_ms_p50"`
	// RelayedBound is how many streams of one channel a node may send to the others: K to each.
	RelayedBound Value  `json:"relayed_streams_bound"`
	Nodes        []Node `json:"nodes"`
}

// Node is one of them.
type Node struct {
	People int `json:"people"`
	// ForwardedPPS are the packets a second that arrived at its people.
	ForwardedPPS Value `json:"forwarded_pps"`
	CPUCores     Value `json:"cpu_cores"`
	// CPUPerPacket is CPU time in µs for each of these packets, whatever the node relays beside, RatioOne that divided by that of the
	// server that is alone and has everybody, and RatioAlike by that of the one that is alone and has as many people as this node.
	CPUPerPacket Value `json:"cpu_us_per_packet"`
	RatioOne     Value `json:"ratio_one_node"`
	RatioAlike   Value `json:"ratio_alike"`
	// Relayed are the streams that it sends to other nodes, RelayedMost of one channel, and RelayedPPS their packets a second.
	Relayed     Value `json:"relayed_streams"`
	RelayedMost Value `json:"relayed_streams_of_a_channel"`
	RelayedPPS  Value `json:"relayed_pps"`
}

// quantiles reads a histogram.
func (l *Latency) quantiles(h *histogram) {
	if h.count() == 0 {
		return
	}
	for q, v := range map[float64]*Value{0.5: &l.P50, 0.95: &l.P95, 0.99: &l.P99} {
		*v = Value(milliseconds(h.quantile(q)))
	}
	l.Max = Value(milliseconds(h.largest()))
}

func (l *Latency) figures() []*Value { return []*Value{&l.P50, &l.P95, &l.P99, &l.Max} }

func (b *Between) figures() []*Value {
	list := append([]*Value{&b.RatioOne, &b.RatioAlike, &b.AcrossMore, &b.RelayedBound}, append(b.Same.figures(), b.Across.figures()...)...)
	for i := range b.Nodes {
		n := &b.Nodes[i]
		list = append(list, &n.ForwardedPPS, &n.CPUCores, &n.CPUPerPacket, &n.RatioOne, &n.RatioAlike, &n.Relayed, &n.RelayedMost, &n.RelayedPPS)
	}
	return list
}

// Latency is in milliseconds.
type Latency struct {
	P50 Value `json:"p50"`
	P95 Value `json:"p95"`
	P99 Value `json:"p99"`
	Max Value `json:"max"`
}

// JoinTime is in milliseconds.
type JoinTime struct {
	P50 Value `json:"p50"`
	P99 Value `json:"p99"`
}

// Beside is about messages beside a call.
type Beside struct {
	// AckP50 and AckP99 are from when a message was due to its ACK, in milliseconds.
	AckP50 Value `json:"ack_ms_p50"`
	AckP99 Value `json:"ack_ms_p99"`
	// QuietUS and QuietP99 are CPU time for a packet, and the latency, without messages.
	QuietUS  Value `json:"quiet_us_per_packet"`
	QuietP99 Value `json:"quiet_latency_ms_p99"`
	// Cores is what messages take without a call.
	Cores Value `json:"cores"`
	// SyncP50 and SyncP99 are how long the bare disk takes to have 32 KiB written and synced, in milliseconds.
	SyncP50 Value `json:"sync_ms_p50"`
	SyncP99 Value `json:"sync_ms_p99"`
	// HistoryP99 and SearchP99 are how long people wait who read and search, in milliseconds; ReadRSS is the server's resident memory then,
	// in bytes, and IdleRSS before anybody came.
	HistoryP99 Value `json:"history_ms_p99"`
	SearchP99  Value `json:"search_ms_p99"`
	ReadRSS    Value `json:"reading_rss_bytes"`
	IdleRSS    Value `json:"idle_rss_bytes"`
}

// Server is what the server's process used.
type Server struct {
	// CPUCores is CPU time divided by time.
	CPUCores Value `json:"cpu_cores"`
	// CPUPerPacket is CPU time in µs for each forwarded packet, of which UserUS were spent
	// in the program and SysUS in the kernel.
	CPUPerPacket Value `json:"cpu_us_per_packet"`
	UserUS       Value `json:"user_us"`
	SysUS        Value `json:"sys_us"`
	// RSS is the resident memory at the end of the measurement, in bytes, and
	// RSSPerParticipant what it has grown by since nobody was there, for each.
	RSS               Value `json:"rss_bytes"`
	RSSPerParticipant Value `json:"rss_bytes_per_participant"`
	Goroutines        Value `json:"goroutines"`
	// GCPauseMax is the longest stop of the program by its garbage collector, in ms.
	GCPauseMax Value `json:"gc_pause_ms_max"`
}

// figures lists every figure of r, so that runs can be summed up field by field.
func (r *Result) figures() []*Value {
	s := &r.Server
	list := []*Value{
		&r.Seconds, &r.ForwardedPPS, &r.ExpectedPPS, &r.Loss,
		&r.Latency.P50, &r.Latency.P95, &r.Latency.P99, &r.Latency.Max, &r.Join.P50, &r.Join.P99,
		&r.Beside.AckP50, &r.Beside.AckP99, &r.Beside.QuietUS, &r.Beside.QuietP99, &r.Beside.Cores,
		&r.Beside.SyncP50, &r.Beside.SyncP99, &r.Beside.HistoryP99, &r.Beside.SearchP99, &r.Beside.ReadRSS, &r.Beside.IdleRSS,
		&s.CPUCores, &s.CPUPerPacket, &s.UserUS, &s.SysUS, &s.RSS, &s.RSSPerParticipant, &s.Goroutines, &s.GCPauseMax,
		&r.FloorUS, &r.ReferenceUS, &r.RatioFloor, &r.RatioReference,
	}
	if r.Between != nil {
		list = append(list, r.Between.figures()...)
	}
	for _, other := range []*Result{r.Alike, r.Cluster} {
		if other != nil {
			list = append(list, other.figures()...)
		}
	}
	return list
}

// clone returns a copy that has nothing in common with r.
func (r *Result) clone() Result {
	c := *r
	if r.Between != nil {
		between := *r.Between
		between.Nodes = slices.Clone(between.Nodes)
		c.Between = &between
	}
	for _, other := range []**Result{&c.Alike, &c.Cluster} {
		if *other != nil {
			cloned := (*other).clone()
			*other = &cloned
		}
	}
	return c
}

// newResult has no figures yet.
func newResult(s Scenario, participants int) Result {
	r := Result{Scenario: s.String(), Participants: participants}
	for _, v := range r.figures() {
		*v = missing()
	}
	return r
}

// Summary is the outcome of one scenario: the medians over its runs, and the least and
// largest of each figure.
type Summary struct {
	Median, Min, Max Result

	Runs int
	// Notes say what a reader of the figures should know.
	Notes []string
	// Unreached are those of them for which the figures are not of what was asked for: who did not join.
	Unreached []string
}

// summarise takes at least one run.
func summarise(runs []Result) Summary {
	s := Summary{Median: runs[0].clone(), Min: runs[0].clone(), Max: runs[0].clone(), Runs: len(runs)}
	mid, least, most := s.Median.figures(), s.Min.figures(), s.Max.figures()
	for i := range mid {
		var values []float64
		for r := range runs {
			if v := *runs[r].figures()[i]; !v.Missing() {
				values = append(values, float64(v))
			}
		}
		if len(values) == 0 {
			continue
		}
		slices.Sort(values)
		*mid[i], *least[i], *most[i] = Value(median(values)), Value(values[0]), Value(values[len(values)-1])
	}
	return s
}

// median is that of a sorted list that is not empty.
func median(sorted []float64) float64 {
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

// quantile is the value below which the fraction q of a sorted list lies, or missing.
func quantile(sorted []float64, q float64) Value {
	if len(sorted) == 0 {
		return missing()
	}
	return Value(sorted[min(int(q*float64(len(sorted))), len(sorted)-1)])
}

// per divides, unless there is nothing to divide by.
func per(v, by Value) Value {
	if by.Missing() || by == 0 {
		return missing()
	}
	return v / by
}

// compare puts a cluster beside the server that is alone, measured in the same run, with everybody and with the people of a node.
func (r *Result) compare(one *Result) {
	everybody, alike := one.Server.CPUPerPacket, missing()
	if one.Alike != nil {
		alike = one.Alike.Server.CPUPerPacket
	}
	b := r.Between
	b.RatioOne, b.RatioAlike = per(r.Server.CPUPerPacket, everybody), per(r.Server.CPUPerPacket, alike)
	for i := range b.Nodes {
		n := &b.Nodes[i]
		n.RatioOne, n.RatioAlike = per(n.CPUPerPacket, everybody), per(n.CPUPerPacket, alike)
	}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
