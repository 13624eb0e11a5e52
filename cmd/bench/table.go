package bench

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// column is one of the table's: two lines of title and what stands below.
type column struct {
	title [2]string
	width int
	value func(*Result) string
	// spread says that with several runs the least and largest are of interest.
	spread bool
}

const (
	kibibyte = 1 << 10
	mebibyte = 1 << 20
)

func columns() []column {
	return []column{
		{title: [2]string{"", "scenario"}, width: 14, value: func(r *Result) string { return r.Scenario }},
		{title: [2]string{"packets/s", "forwarded"}, width: 10, value: func(r *Result) string { return decimals(r.ForwardedPPS, 0) }},
		{title: [2]string{"", "loss"}, width: 8, value: func(r *Result) string { return percent(r.Loss) }},
		{title: [2]string{"latency, ms", "p50"}, width: 6, value: func(r *Result) string { return decimals(r.Latency.P50, 2) }},
		{title: [2]string{"", "p99"}, width: 7, spread: true, value: func(r *Result) string { return decimals(r.Latency.P99, 2) }},
		{title: [2]string{"join, ms", "p50"}, width: 7, spread: true, value: func(r *Result) string { return decimals(r.Join.P50, 1) }},
		{title: [2]string{"", "p99"}, width: 7, value: func(r *Result) string { return decimals(r.Join.P99, 1) }},
		{title: [2]string{"CPU", "cores"}, width: 6, value: func(r *Result) string { return decimals(r.Server.CPUCores, 3) }},
		{title: [2]string{"µs a", "packet"}, width: 7, spread: true, value: func(r *Result) string { return decimals(r.Server.CPUPerPacket, 2) }},
		{title: [2]string{"µs", "floor"}, width: 7, spread: true, value: func(r *Result) string { return decimals(r.FloorUS, 2) }},
		{title: [2]string{"µs", "pion"}, width: 7, spread: true, value: func(r *Result) string { return decimals(r.ReferenceUS, 2) }},
		{title: [2]string{"ratio", "floor"}, width: 6, spread: true, value: func(r *Result) string { return decimals(r.RatioFloor, 2) }},
		{title: [2]string{"", "pion"}, width: 6, spread: true, value: func(r *Result) string { return decimals(r.RatioReference, 2) }},
		{title: [2]string{"memory", "MiB"}, width: 7, value: func(r *Result) string { return decimals(r.Server.RSS/mebibyte, 1) }},
		{title: [2]string{"KiB a", "person"}, width: 7, value: func(r *Result) string { return decimals(r.Server.RSSPerParticipant/kibibyte, 0) }},
	}
}

// absent stands for what was not measured.
const absent = "–"

func decimals(v Value, digits int) string {
	if v.Missing() {
		return absent
	}
	return strconv.FormatFloat(float64(v), 'f', digits, 64)
}

func percent(v Value) string {
	if v.Missing() {
		return absent
	}
	return decimals(v*100, 3) + "%"
}

// writeRow writes one scenario, and in front of the first where the figures come from and
// the titles.
func writeRow(out io.Writer, s Summary, first bool, heading string) error {
	var page strings.Builder
	cols := columns()
	line := func(cell func(i int, c column) string) {
		var row strings.Builder
		for i, c := range cols {
			text := cell(i, c)
			pad := strings.Repeat(" ", max(c.width-utf8.RuneCountInString(text), 0))
			if i == 0 {
				row.WriteString(text + pad)
			} else {
				row.WriteString(" " + pad + text)
			}
		}
		page.WriteString(strings.TrimRight(row.String(), " ") + "\n")
	}
	if first {
		page.WriteString(heading + "\n")
		line(func(_ int, c column) string { return c.title[0] })
		line(func(_ int, c column) string { return c.title[1] })
	}
	rows := func(name string, median, least, most *Result) {
		line(func(i int, c column) string {
			if i == 0 {
				return name
			}
			return c.value(median)
		})
		if s.Runs == 1 {
			return
		}
		for _, edge := range []struct {
			name string
			of   *Result
		}{{"  least", least}, {"  largest", most}} {
			line(func(i int, c column) string {
				switch {
				case i == 0:
					return edge.name
				case c.spread && c.value(edge.of) != absent:
					return c.value(edge.of)
				default:
					return ""
				}
			})
		}
	}
	rows(s.Median.Scenario, &s.Median, &s.Min, &s.Max)
	if alike := s.Median.Alike; alike != nil {
		rows(" "+alike.Scenario, alike, s.Min.Alike, s.Max.Alike)
	}
	if all := s.Median.Cluster; all != nil {
		rows(fmt.Sprintf(" on %d nodes", len(all.Between.Nodes)), all, s.Min.Cluster, s.Max.Cluster)
	}
	_, err := io.WriteString(out, page.String())
	return err
}

const foot = `
CPU and memory are the server's. "floor" is what the system calls and ciphers cost
alone, "pion" a textbook SFU of pion's parts, both on this machine in the same run;
a ratio is the server's CPU time for a forwarded packet divided by theirs.
`

// writeFoot writes the notes, and if there is an explanation, that in front of them and what there is of nodes.
func writeFoot(out io.Writer, explanation string, summaries []Summary) error {
	var page strings.Builder
	page.WriteString(explanation)
	if explanation != "" {
		writeClusters(&page, summaries)
	}
	for _, s := range summaries {
		if len(s.Notes) > 0 {
			fmt.Fprintf(&page, "%s: %s.\n", s.Median.Scenario, strings.Join(s.Notes, "; "))
		}
	}
	_, err := io.WriteString(out, page.String())
	return err
}
