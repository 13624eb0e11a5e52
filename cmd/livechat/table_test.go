package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDisplayWidth(t *testing.T) {
	t.Parallel()
	for text, columns := range map[string]int{
		"": 0, "Ada": 3, "Zoë": 3, "Zoe\u0308": 3, "민준": 4, "\u1106\u1175\u11ab": 2, "世界": 4, "ｶﾅ": 2, "ＡＢ": 4, "שלום": 4, "नमस्ते": 4,
		"👍": 2, "👍🏽": 2, "👨‍👩‍👧": 2, "❤\ufe0f": 2, "❤": 1, "🇰🇷": 2, "a👍b": 4, "Оля": 3, "…": 1,
	} {
		require.Equal(t, columns, displayWidth(text), "%q", text)
	}
}

// TestTablesAreAligned: whatever people are called, the columns stand below each other, and nothing is done to the terminal.
func TestTablesAreAligned(t *testing.T) {
	t.Parallel()
	text := laidOut([][]string{
		{"NAME", "ROLE", "ID"},
		{"Ada", "admin", "a"},
		{"민준👍", "member", "b"},
		{"Zoe\u0308", "", "c"},
		{"\x1b[31mred\x07\u202e\n", "guest", "a longer one\x9b"},
		{},
		{"alone and wider than all the others"},
	})
	require.Equal(t, strings.Join([]string{
		"NAME         ROLE    ID",
		"Ada          admin   a",
		"민준👍       member  b",
		"Zoe\u0308                  c",
		"\ufffd[31mred\ufffd\ufffd\ufffd  guest   a longer one\ufffd",
		"",
		"alone and wider than all the others",
		"",
	}, "\n"), text)
}
