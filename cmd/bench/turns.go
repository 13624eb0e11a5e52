package bench

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// TurnsResult is what was measured of a Turns scenario.
type TurnsResult struct {
	Scenario string        `json:"scenario"`
	Figures  []TurnsFigure `json:"figures"`
	// Notes say what a reader of the figures should know.
	Notes []string `json:"-"`
}

// TurnsFigure is one figure of it: the median over the runs, beside the bar that it is to stay below.
type TurnsFigure struct {
	Name string `json:"name"`
	// Unit is "ms", or "" for a count.
	Unit  string `json:"unit"`
	Value Value  `json:"value"`
	// Least and Largest are over the runs.
	Least   Value `json:"least"`
	Largest Value `json:"largest"`
	// Bar is missing for what is only of interest. Met says whether the value is below it; a count, not above.
	Bar Value `json:"bar"`
	Met *bool `json:"met"`
	// Samples is how many the figure of a run is of.
	Samples int `json:"samples"`
}

// turnsRow is a figure as planned: a quantile of what was measured under a name, or how many there were.
type turnsRow struct {
	of       string
	quantile float64
	bar      Value
	what     string
	heading  string // above it
	as       string // its name, where the quantile does not tell it from another
}

// turnsRows are all figures, in the order of the table.
func turnsRows() []turnsRow {
	const median, all = 0.5, 0.95
	none := missing()
	return []turnsRow{
		{press, median, 30, "press to the first packet at a listener, p50", "a talker's packets come every 20 ms:", ""},
		{press, 0.99, 80, "the same, p99", "", ""},
		{grant, median, 3, "press to grant, p50", "", ""},
		{joining, median, none, "CHANNEL_JOIN to the first packet, p50", "", ""},
		{joining, all, 150, "the same, 95 %", "", ""},
		{preempting, median, 5, "hand-over by pre-emption, p50", "a talker's packets come every 2.5 ms:", ""},
		{preempting, all, none, "the same, 95 %", "", ""},
		{queueing, median, 5, "hand-over to who waited, p50", "", ""},
		{queueing, all, none, "the same, 95 %", "", ""},
		{revoking, median, none, "revoke to the last packet at a listener, p50", "", ""},
		{revoking, all, 20, "the same, 95 %", "", ""},
		{after, counted, 0, "packets that were sent after it and heard", "", ""},
		{preempting20, median, none, "hand-over by pre-emption, p50", "and every 20 ms again, of which a hand-over is most:", ""},
		{queueing20, median, none, "hand-over to who waited, p50", "", ""},
		{badGrant, median, none, "press to grant, p50", "every client's network loses 20 % of the media and takes 100 ms there and back:", ""},
		{badGrant, all, 300, "the same, 95 % (TS 22.179, KPI 1)", "", ""},
		{badPress, all, none, "press to the first packet at a listener, 95 %", "", ""},
		{badListening, median, none, "a member who was deaf hears, p50", "", ""},
		{badListening, all, 150, "the same, 95 % (TS 22.179, KPI 4a: not encrypted)", "", ""},
		{badListening, all, 350, "the same, 95 % (TS 22.179, KPI 4b: encrypted)", "", "_p95_encrypted"},
		{badJoining, median, none, "CHANNEL_JOIN to the first packet, p50", "", ""},
		{badJoining, all, none, "the same, 95 %", "", ""},
	}
}

// What is measured, each by its name. counted in place of a quantile is how many.
const (
	press        = "press_to_packet"
	grant        = "press_to_grant"
	joining      = "join_to_packet"
	preempting   = "handover_preempted"
	queueing     = "handover_queued"
	revoking     = "revoke_to_last_packet"
	after        = "packets_after_revoke"
	preempting20 = "handover_preempted_20ms"
	queueing20   = "handover_queued_20ms"
	badGrant     = "bad_press_to_grant"
	badPress     = "bad_press_to_packet"
	badListening = "bad_undeaf_to_packet"
	badJoining   = "bad_join_to_packet"

	counted = -1
)

// summariseTurns takes what was measured in each run, in milliseconds, by name.
func summariseTurns(s Scenario, runs []map[string][]float64) TurnsResult {
	r := TurnsResult{Scenario: s.String()}
	for _, row := range turnsRows() {
		f := TurnsFigure{Name: row.name(), Unit: "ms", Bar: row.bar, Value: missing(), Least: missing(), Largest: missing()}
		var values []float64
		for _, samples := range runs {
			list := slices.Sorted(slices.Values(samples[row.of]))
			f.Samples = len(list)
			switch {
			case row.quantile == counted:
				values = append(values, float64(len(list)))
			case len(list) > 0:
				values = append(values, float64(quantile(list, row.quantile)))
			}
		}
		if slices.Sort(values); len(values) > 0 {
			f.Value, f.Least, f.Largest = Value(median(values)), Value(values[0]), Value(values[len(values)-1])
		}
		if row.quantile == counted {
			f.Unit = ""
		}
		if !row.bar.Missing() {
			f.Met = new(f.Value < row.bar || f.Value == row.bar && row.quantile == counted)
		}
		r.Figures = append(r.Figures, f)
	}
	return r
}

func (r turnsRow) name() string {
	switch {
	case r.as != "":
		return r.of + r.as
	case r.quantile == counted:
		return r.of
	default:
		return fmt.Sprintf("%s_p%.0f", r.of, 100*r.quantile)
	}
}

const turnsFoot = `
A hand-over is from the last packet of one talker to the first of the next, at a
listener, so it waits for a packet to be due. On a release the former talker is
heard for the tail first. Late are the WebSockets, too, but nothing of them is lost.
`

// writeTurns writes the table.
func writeTurns(out io.Writer, r TurnsResult, runs int, heading string) error {
	var page strings.Builder
	page.WriteString(heading + "\n" + r.Scenario + "\n")
	for i, row := range turnsRows() {
		f := r.Figures[i]
		if row.heading != "" {
			page.WriteString("\n" + row.heading + "\n")
		}
		digits, unit := 1, " ms"
		if f.Unit == "" {
			digits, unit = 0, ""
		}
		value := decimals(f.Value, digits) + unit
		fmt.Fprintf(&page, "  %s%s %12s", row.what, strings.Repeat(" ", max(50-utf8.RuneCountInString(row.what), 0)), value)
		if runs > 1 {
			fmt.Fprintf(&page, "  (%s to %s)", decimals(f.Least, digits), decimals(f.Largest, digits))
		}
		switch {
		case f.Met == nil:
		case row.quantile == counted:
			page.WriteString("   bar 0")
		default:
			fmt.Fprintf(&page, "   bar < %s ms", decimals(f.Bar, 0))
		}
		if f.Met != nil && !*f.Met {
			page.WriteString(", MISSED")
		}
		page.WriteString("\n")
	}
	page.WriteString(turnsFoot)
	if len(r.Notes) > 0 {
		fmt.Fprintf(&page, "%s: %s.\n", r.Scenario, strings.Join(r.Notes, "; "))
	}
	_, err := io.WriteString(out, page.String())
	return err
}
