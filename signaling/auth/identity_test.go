package auth_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/auth"
)

func TestCleanName(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ in, want, says string }{
		"plain":                 {in: "Ada", want: "Ada"},
		"trimmed":               {in: "\t Ada Lovelace \u3000\n", want: "Ada Lovelace"},
		"longest":               {in: strings.Repeat("👋", 64), want: strings.Repeat("👋", 64)},
		"Korean":                {in: "김민수", want: "김민수"},
		"Arabic":                {in: "عبد الله", want: "عبد الله"},
		"Persian with ZWNJ":     {in: "علی\u200cرضا", want: "علی\u200cرضا"},
		"family emoji":          {in: "👩‍👩‍👧", want: "👩‍👩‍👧"},
		"heart with a selector": {in: "I ❤️ Go", want: "I ❤️ Go"},
		"rainbow flag":          {in: "🏳️‍🌈", want: "🏳️‍🌈"},
		"keycap":                {in: "Nr 1️⃣", want: "Nr 1️⃣"},
		"combining accent":      {in: "Zoe\u0308", want: "Zoe\u0308"},
		"markup is just text":   {in: "<b>Ada</b>", want: "<b>Ada</b>"},

		"empty":                {in: "", says: "empty"},
		"only spaces":          {in: " \t\u00a0", says: "empty"},
		"too long":             {in: strings.Repeat("é", 65), says: "65 characters, at most 64"},
		"invalid UTF-8":        {in: "A\xff", says: "UTF-8"},
		"NUL":                  {in: "A\x00a", says: "U+0000"},
		"escape":               {in: "A\x1b[31m", says: "U+001B"},
		"line break":           {in: "A\nB", says: "U+000A"},
		"line separator":       {in: "A\u2028B", says: "U+2028"},
		"right-to-left":        {in: "gpj.\u202eAda", says: "U+202E"},
		"isolate":              {in: "\u2067Ada", says: "U+2067"},
		"zero-width space":     {in: "A\u200bda", says: "U+200B"},
		"byte order mark":      {in: "\ufeffAda", says: "U+FEFF"},
		"joiner between ASCII": {in: "A\u200dda", says: "U+200D"},
		"joiner at the end":    {in: "👩\u200d", says: "U+200D"},
		"two joiners":          {in: "👩\u200d\u200d👧", says: "U+200D"},
		"selector on ASCII":    {in: "A\ufe0fda", says: "U+FE0F"},
		"selector first":       {in: "\ufe0fAda", says: "U+FE0F"},
		"selectors in a row":   {in: "❤\ufe0f\ufe0e", says: "U+FE0E"},
		"Hangul filler":        {in: "\u3164", says: "U+3164"},
		"braille blank":        {in: "\u2800", says: "U+2800"},
		"tag characters":       {in: "A\U000e0041", says: "U+E0041"},
		"soft hyphen":          {in: "A\u00adda", says: "U+00AD"},
		"private use":          {in: "\ue000", says: "U+E000"},
		"only a mark":          {in: "\u0301", says: "no visible"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := auth.CleanName(test.in)
			if test.says != "" {
				require.ErrorIs(t, err, auth.ErrName)
				require.ErrorContains(t, err, test.says)
				require.Empty(t, got)
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.want, got)
			again, err := auth.CleanName(got)
			require.NoError(t, err)
			require.Equal(t, got, again, "cleaning twice changes nothing more")
		})
	}
}

func TestCheckUserID(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ in, says string }{
		"plain":          {in: "alice"},
		"e-mail":         {in: "zoë@example.org"},
		"guest":          {in: "guest-01JXYZ"},
		"inner space":    {in: "Unit 7"},
		"longest":        {in: strings.Repeat("x", 128)},
		"empty":          {in: "", says: "empty"},
		"too long":       {in: strings.Repeat("é", 65), says: "130 bytes, at most 128"},
		"invalid UTF-8":  {in: "\xff", says: "UTF-8"},
		"space in front": {in: " alice", says: "white space"},
		"newline behind": {in: "alice\n", says: "white space"},
		"control":        {in: "al\x7fice", says: "U+007F"},
		"zero width":     {in: "al\u200bice", says: "U+200B"},
		"joiner":         {in: "👩\u200d👧", says: "U+200D"},
		"selector":       {in: "❤\ufe0f", says: "U+FE0F"},
		"only a mark":    {in: "\u0301", says: "no visible"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := auth.CheckUserID(test.in)
			if test.says == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, auth.ErrUserID)
			require.ErrorContains(t, err, test.says)
		})
	}
}

func FuzzCleanName(f *testing.F) {
	for _, s := range []string{"Ada", " 👩‍💻 ", "علی\u200cرضا", "1\ufe0f\u20e3", "\u202e", "A\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got, err := auth.CleanName(in)
		if err != nil {
			require.ErrorIs(t, err, auth.ErrName)
			return
		}
		again, err := auth.CleanName(got)
		require.NoError(t, err)
		require.Equal(t, got, again)
	})
}
