package names_test

import (
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/names"
)

const most = 64

func TestCleanKeepsWhatPeopleAreCalled(t *testing.T) {
	t.Parallel()
	for what, test := range map[string]struct{ in, want string }{
		"plain":                {"Ada", "Ada"},
		"trimmed":              {"\t Ada Lovelace \u3000\n", "Ada Lovelace"},
		"spaces within":        {"Ada \u00a0\u2003 Lovelace", "Ada Lovelace"},
		"ideographic space":    {"山田　太郎", "山田 太郎"},
		"longest":              {strings.Repeat("👋", most), strings.Repeat("👋", most)},
		"composed":             {"Zoe\u0308", "Zoë"},
		"composed Korean":      {"\u1112\u1161\u11ab", "한"},
		"stacked Vietnamese":   {"Nguyễn", "Nguyễn"},
		"Hebrew with points":   {"שָׁלוֹם", "שָׁלוֹם"},
		"Persian with ZWNJ":    {"علی\u200cرضا", "علی\u200cرضا"},
		"Sinhala with ZWJ":     {"ශ්\u200dරී", "ශ්\u200dරී"},
		"Hindi":                {"श्रीकृष्ण", "श्रीकृष्ण"},
		"Chinese middle dot":   {"卡尔·马克思", "卡尔·马克思"},
		"Japanese middle dot":  {"ジョン・スミス", "ジョン・スミス"},
		"a family's own form":  {"葛\U000e0100城", "葛\U000e0100城"},
		"Arabic digits":        {"غرفة ٣", "غرفة ٣"},
		"punctuation":          {"O'Neill-Smith (Jr.)", "O'Neill-Smith (Jr.)"},
		"markup is just text":  {"<b>Ada</b>", "<b>Ada</b>"},
		"symbols":              {"★彡 Ada ™ ½", "★彡 Ada ™ ½"},
		"family":               {"👩‍👩‍👧", "👩‍👩‍👧"},
		"with a selector":      {"I ❤️ Go ☎︎", "I ❤️ Go ☎︎"},
		"skin":                 {"👍🏽 👩🏿‍🚒", "👍🏽 👩🏿‍🚒"},
		"rainbow flag":         {"🏳️‍🌈", "🏳️‍🌈"},
		"pirate flag":          {"🏴‍☠️", "🏴‍☠️"},
		"flags of countries":   {"🇰🇷🇺🇦", "🇰🇷🇺🇦"},
		"flag of England":      {"🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🏴󠁧󠁢󠁥󠁮󠁧󠁿"},
		"keycap":               {"Nr 1️⃣ #️⃣", "Nr 1️⃣ #️⃣"},
		"double exclamation":   {"Hey‼️", "Hey‼️"},
		"newer than the table": {"\U0001fae9", "\U0001fae9"},
		"begins with a word":   {"Admins", "Admins"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			got, err := names.Clean(test.in, most)
			require.NoError(t, err)
			require.Equal(t, test.want, got)
		})
	}
}

// A word of each script that Unicode has letters of.
func TestCleanKeepsEveryScript(t *testing.T) {
	t.Parallel()
	for script, table := range unicode.Scripts {
		if script == "Inherited" || script == "Common" {
			continue
		}
		var word []rune
		for _, part := range table.R16 {
			for r := rune(part.Lo); r <= rune(part.Hi) && len(word) < 3; r += rune(part.Stride) {
				if proper(r) {
					word = append(word, r)
				}
			}
		}
		for _, part := range table.R32 {
			for r := rune(part.Lo); r <= rune(part.Hi) && len(word) < 3; r += rune(part.Stride) {
				if proper(r) {
					word = append(word, r)
				}
			}
		}
		if len(word) == 0 { // Braille is symbols
			continue
		}
		_, err := names.Clean(string(word), most)
		require.NoError(t, err, "%s: %q", script, string(word))
	}
}

// proper leaves out the conjoining Jamo, which appear composed, fillers, and the repetition mark of vertical writing
// (RFC 5892, section 2.6).
func proper(r rune) bool {
	return r != 0x303b && unicode.IsLetter(r) && !unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) && (r < 0x1100 || r > 0x11ff)
}

func TestCleanRefusesWhatDeceives(t *testing.T) {
	t.Parallel()
	for what, test := range map[string]struct{ in, says string }{
		"empty":                {"", "empty"},
		"only spaces":          {" \t\u00a0", "empty"},
		"too long":             {strings.Repeat("é", 65), "65 characters, at most 64"},
		"invalid UTF-8":        {"A\xff", "UTF-8"},
		"replacement":          {"A\ufffd", "U+FFFD"},
		"NUL":                  {"A\x00a", "U+0000"},
		"escape":               {"A\x1b[31m", "U+001B"},
		"line break":           {"A\nB", "U+000A"},
		"line separator":       {"A\u2028B", "U+2028"},
		"right-to-left":        {"gpj.\u202eAda", "U+202E"},
		"isolate":              {"\u2067Ada", "U+2067"},
		"Arabic letter mark":   {"\u061cAda", "U+061C"},
		"zero-width space":     {"A\u200bda", "U+200B"},
		"word joiner":          {"A\u2060da", "U+2060"},
		"byte order mark":      {"\ufeffAda", "U+FEFF"},
		"joiner between ASCII": {"A\u200dda", "joins nothing"},
		"joiner after emoji":   {"👩\u200d", "joins nothing"},
		"two joiners":          {"👩\u200d\u200d👧", "joins nothing"},
		"joiner alone":         {"\u200d", "no visible"},
		"joiners alone":        {"\u200c\u200d\u200c", "no visible"},
		"non-joiner in Latin":  {"Ad\u200ca", "joins nothing"},
		"joiner in Korean":     {"김\u200d민수", "joins nothing"},
		"selector on ASCII":    {"A\ufe0fda", "U+FE0F"},
		"selector on Korean":   {"김\ufe0f", "U+FE0F"},
		"selector first":       {"\ufe0fAda", "U+FE0F"},
		"selectors in a row":   {"❤\ufe0f\ufe0e", "U+FE0E"},
		"Hangul filler":        {"\u3164", "U+3164"},
		"Jamo filler":          {"\u115f\u1160", "U+115F"},
		"half-width filler":    {"\uffa0", "U+FFA0"},
		"braille blank":        {"\u2800", "U+2800"},
		"braille with a mark":  {"\u2800\ufe0f", "U+2800"},
		"tags without a flag":  {"A\U000e0041", "U+E0041"},
		"flag without an end":  {"\U0001f3f4\U000e0067\U000e0062", "U+E0067"},
		"endless flag":         {"\U0001f3f4" + strings.Repeat("\U000e0067", 20) + "\U000e007f", "U+E0067"},
		"soft hyphen":          {"A\u00adda", "U+00AD"},
		"grapheme joiner":      {"A\u034fda", "U+034F"},
		"private use":          {"\ue000", "U+E000"},
		"noncharacter":         {"A\ufdd0", "U+FDD0"},
		"unassigned":           {"A\u0378", "U+0378"},
		"only a mark":          {"\u0301", "U+0301 has no letter"},
		"mark after a space":   {"Ada \u0301", "U+0301 has no letter"},
		"a pile of marks":      {"A" + strings.Repeat("\u0323", 7), "more than 5 marks"},
		"invisible letter":     {"\u17b4\u17b5", "U+17B4"},
		"you":                  {"You", "reserved"},
		"wide admin":           {"ＡＤＭＩＮ", "reserved"},
		"spaced system":        {"  SYSTEM ", "reserved"},
		"Cyrillic admin":       {"\u0410dmin", "reserved"},
		"m of two letters":     {"Systern", "reserved"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			got, err := names.Clean(test.in, most)
			require.ErrorIs(t, err, names.ErrName)
			require.ErrorContains(t, err, test.says)
			require.Empty(t, got)
		})
	}
}

func TestTrustedNamesMayBeReserved(t *testing.T) {
	t.Parallel()
	name, err := names.Visible(" Admin ", most)
	require.NoError(t, err)
	require.Equal(t, "Admin", name)
	require.True(t, names.Reserved(name))
	require.False(t, names.Reserved("Ada"))
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{"Ada", " 👩‍💻 ", "علی\u200cرضا", "1\ufe0f\u20e3", "\u202e", "A\xff", "葛\U000e0100", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "\u1100\u1161\u11a8"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got, err := names.Clean(in, most)
		if err != nil {
			require.ErrorIs(t, err, names.ErrName)
			return
		}
		again, err := names.Clean(got, most)
		require.NoError(t, err, "%+q became %+q", in, got)
		require.Equal(t, got, again, "cleaning twice changes nothing more")
		// Places that Unicode keeps for pictographs count before they are taken.
		require.True(t, strings.ContainsFunc(got, func(r rune) bool { return unicode.IsGraphic(r) && r != ' ' || r > 0x1f000 }))
	})
}
