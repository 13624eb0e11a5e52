package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Status is what came of a check.
type Status string

// The statuses: all is well; it works, but something should be mended; it does not work;
// it was not looked at, or there is nothing to look at.
const (
	Good    Status = "good"
	Warning Status = "warning"
	Failed  Status = "failed"
	Skipped Status = "skipped"
)

// Check is one thing that was looked at.
type Check struct {
	// Name says what, in a few words that stay the same: "Certificate".
	Name   string `json:"name"`
	Status Status `json:"status"`
	// Text says what was found, in half a sentence.
	Text string `json:"text"`
	// Advice are whole sentences that say what mends it; none when all is well.
	Advice []string `json:"advice,omitempty"`
}

// Report is what a Run has found.
type Report struct {
	// URL is the page's, after redirects.
	URL string `json:"url"`
	// Works says whether voice works from here, and Way how: "direct UDP" or "TURN over TLS",
	// whichever browsers would use; RTT is the round trip by it.
	Works bool          `json:"works"`
	Way   string        `json:"way,omitempty"`
	RTT   time.Duration `json:"-"`
	// Checks in the order in which they were made.
	Checks []Check `json:"checks"`
}

// Verdict is the report in one sentence.
func (r Report) Verdict() string {
	switch {
	case slices.ContainsFunc(r.Checks, func(c Check) bool { return c.Name == nameSignIn && c.Status == Failed }):
		return "Voice was not tried, for want of a way to sign in."
	case !r.Works:
		return "Voice cannot work from here."
	case r.Way == wayDirect:
		return fmt.Sprintf("Voice works from here: %s, %s.", r.Way, roundTrip(r.RTT))
	default:
		return fmt.Sprintf("Voice works from here, but only relayed: %s, %s.", r.Way, roundTrip(r.RTT))
	}
}

// MarshalJSON adds what is computed: verdict, and rtt_ms, which is null without a way.
func (r Report) MarshalJSON() ([]byte, error) {
	type plain Report // has no MarshalJSON
	var rtt *float64
	if r.Works {
		ms := float64(r.RTT) / float64(time.Millisecond)
		rtt = &ms
	}
	return json.Marshal(struct {
		plain

		RTT     *float64 `json:"rtt_ms"`
		Verdict string   `json:"verdict"`
	}{plain(r), rtt, r.Verdict()})
}

const (
	// lineWidth is how wide text is set, in characters: what every terminal shows.
	lineWidth = 80
	// nameWidth is the column of the names, in characters: the longest name.
	nameWidth = len("TURN over UDP 65535")
	// textIndent is in front of a check's text: mark, name and the gaps.
	textIndent = 2 + nameWidth + 2
)

// Escape codes of ECMA-48's colours.
const (
	green, yellow, red, dim, plain = "\x1b[32m", "\x1b[33m", "\x1b[31m", "\x1b[2m", "\x1b[0m"
)

// mark is the sign in front of a check.
func mark(s Status, colours bool) string {
	sign, colour := "–", dim
	switch s {
	case Good:
		sign, colour = "✓", green
	case Warning:
		sign, colour = "!", yellow
	case Failed:
		sign, colour = "✗", red
	case Skipped:
	}
	if !colours {
		return sign
	}
	return colour + sign + plain
}

// WriteCheck writes a check for a person, with colours for a terminal.
func WriteCheck(w io.Writer, c Check, colours bool) error {
	var page strings.Builder
	for i, line := range wrap(c.Text, lineWidth-textIndent) {
		if i == 0 {
			fmt.Fprintf(&page, "%s %-*s  %s\n", mark(c.Status, colours), nameWidth, c.Name, line)
		} else {
			fmt.Fprintf(&page, "%*s%s\n", textIndent, "", line)
		}
	}
	return write(w, page.String())
}

// WriteSummary writes what mends what is wrong, and the verdict.
func (r Report) WriteSummary(w io.Writer, colours bool) error {
	var page strings.Builder
	for _, c := range r.Checks {
		for i, line := range wrap(strings.Join(c.Advice, " "), lineWidth-2) {
			if i == 0 {
				fmt.Fprintf(&page, "\n%s %s\n", mark(c.Status, colours), c.Name)
			}
			page.WriteString("  " + line + "\n")
		}
	}
	page.WriteString("\n" + r.Verdict() + "\n")
	return write(w, page.String())
}

func write(w io.Writer, text string) error {
	if _, err := io.WriteString(w, text); err != nil {
		return fmt.Errorf("print the report: %w", err)
	}
	return nil
}

// wrap breaks text between words into lines of at most width characters, none for none.
func wrap(text string, width int) []string {
	var lines []string
	length := 0
	for word := range strings.FieldsSeq(text) {
		n := utf8.RuneCountInString(word)
		if len(lines) == 0 || length+1+n > width {
			lines, length = append(lines, word), n
			continue
		}
		lines[len(lines)-1] += " " + word
		length += 1 + n
	}
	return lines
}

// roundTrip writes a round trip in milliseconds as a person would.
func roundTrip(d time.Duration) string {
	if d < time.Millisecond {
		return "under 1 ms"
	}
	return fmt.Sprintf("%d ms", d.Round(time.Millisecond).Milliseconds())
}

// approximately writes a time span as a person would: in its largest unit.
func approximately(d time.Duration) string {
	for _, unit := range []struct {
		name string
		size time.Duration
	}{{"day", 24 * time.Hour}, {"hour", time.Hour}, {"minute", time.Minute}, {"second", time.Second}} {
		n := int64(d / unit.size)
		if n == 1 {
			return "1 " + unit.name
		}
		if n > 1 {
			return fmt.Sprintf("%d %ss", n, unit.name)
		}
	}
	return "less than a second"
}
