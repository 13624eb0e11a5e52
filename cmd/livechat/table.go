package main

import (
	"fmt"
	"os"
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// columnGap is between two columns of a table.
const columnGap = "  "

// table prints rows, whose columns stand below each other on a terminal, also with names in wide letters or of emoji.
func table(rows [][]string) error {
	if _, err := fmt.Fprint(os.Stdout, laidOut(rows)); err != nil {
		return fmt.Errorf("print the table: %w", err)
	}
	return nil
}

// laidOut sets rows in columns. The last cell of a row makes no column wider.
func laidOut(rows [][]string) string {
	var widths []int
	for _, row := range rows {
		for i := range len(row) - 1 {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], displayWidth(printable(row[i])))
		}
	}
	var text strings.Builder
	for _, row := range rows {
		for i, cell := range row {
			cell = printable(cell)
			text.WriteString(cell)
			if i < len(row)-1 {
				text.WriteString(strings.Repeat(" ", widths[i]-displayWidth(cell)) + columnGap)
			}
		}
		text.WriteString("\n")
	}
	return text.String()
}

const (
	zeroWidthJoiner    = '\u200d' // makes one emoji of several
	zeroWidthNonJoiner = '\u200c'
	emojiSelector      = '\ufe0f' // has what stands before it be drawn as an emoji
)

// printable is text that does nothing to a terminal but stand there: what people wrote may have control characters in it.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r == zeroWidthJoiner || r == zeroWidthNonJoiner || unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}

// displayWidth is how many columns of a terminal a text takes (UAX #11). A group of emoji that is joined to one counts as one; a terminal that
// draws them side by side is the exception by now.
func displayWidth(text string) int {
	total, last, joined := 0, 0, false
	for _, r := range text {
		n := runeWidth(r)
		switch {
		case joined || r >= '\U0001f3fb' && r <= '\U0001f3ff' && last == 2: // the latter are colours of the skin
			n = 0
		case r == emojiSelector && last == 1:
			n, last = 1, 2
		case n > 0:
			last = n
		}
		total, joined = total+n, r == zeroWidthJoiner && last == 2
	}
	return total
}

func runeWidth(r rune) int {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf), r >= '\u1160' && r <= '\u11ff': // the latter end a syllable of Hangul
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	default:
		return 1
	}
}
