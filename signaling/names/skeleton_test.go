package names

import (
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/unicode/norm"
)

// alike reports whether only one of two names may be had.
func alike(a, b string) bool {
	keys := Keys(b)
	return slices.ContainsFunc(Keys(a), func(key string) bool { return slices.Contains(keys, key) })
}

func TestNamesThatLookTheSameShareAKey(t *testing.T) {
	t.Parallel()
	for what, pair := range map[string][2]string{
		"itself":                    {"Ada", "Ada"},
		"case":                      {"Ada", "aDA"},
		"Cyrillic A":                {"Ada", "\u0410da"},
		"Cyrillic A, case":          {"ada", "\u0410DA"},
		"all Cyrillic":              {"Boss", "\u0412\u043e\u0455\u0455"},
		"Greek":                     {"Kate", "\u039aate"},
		"Cherokee":                  {"DAVE", "\u13a0\u13aa\u13d9\u13ac"},
		"capital I and small l":     {"AdaI", "Adal"},
		"one and small l":           {"Ada1", "Adal"},
		"bar and capital I":         {"|da", "Ida"},
		"nought and O":              {"B0B", "BOB"},
		"r n and m":                 {"Bernd", "Bemd"},
		"R N and m":                 {"BERND", "bemd"},
		"full width":                {"Ada", "\uff21\uff44\uff41"},
		"mathematical":              {"Ada", "\U0001d400\U0001d41d\U0001d41a"},
		"circled":                   {"ada", "\u24d0\u24d3\u24d0"},
		"ligature":                  {"Steffi", "Ste\ufb03"},
		"dotless i":                 {"Mia", "M\u0131a"},
		"composed":                  {"Zo\u00eb", "Zoe\u0308"},
		"zero-width space":          {"Ada", "A\u200bda"},
		"soft hyphen":               {"Ada", "A\u00adda"},
		"joiner":                    {"\u0639\u0644\u06cc\u0631\u0636\u0627", "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627"},
		"selector":                  {"I \u2764 Go", "I \u2764\ufe0f Go"},
		"form of a family's name":   {"\u845b\u57ce", "\u845b\U000e0100\u57ce"},
		"dashes":                    {"Anne-Marie", "Anne\u2010Marie"},
		"quotes":                    {"O'Neill", "O\u2019Neill"},
		"sharp s":                   {"Stra\u00dfe", "STRASSE"},
		"final sigma":               {"\u039f\u0394\u039f\u03a3", "\u03bf\u03b4\u03bf\u03c2"},
		"Arabic digits of two sets": {"\u0661\u0662", "\u06f1\u06f2"},
		"Katakana and Han":          {"\u30ed\u30fc", "\u53e3\u4e00"},
		"half-width Katakana":       {"\u30b8\u30e7\u30f3", "\uff7c\uff9e\uff6e\uff9d"},
	} {
		require.True(t, alike(pair[0], pair[1]), "%s: %q %q, %q %q", what, pair[0], Keys(pair[0]), pair[1], Keys(pair[1]))
	}
}

func TestNamesThatLookDifferentShareNone(t *testing.T) {
	t.Parallel()
	for _, pair := range [][2]string{
		{"Ada", "Adam"},
		{"Ada", "A da"},
		{"Ada", "\u00c5da"},
		{"Bob", "Rob"},
		{"Zoe", "Zo\u00eb"},
		{"Team 1", "Team 2"},
		{"Anna", "\u0410\u043d\u043d\u0430"}, // Анна
		{"\u0418\u0432\u0430\u043d", "\u0418\u0432\u0430\u043d\u0430"},       // Иван, Ивана
		{"\u5c71\u7530", "\u5c71\u53e3"},                                     // 山田, 山口
		{"\U0001f44b", "\U0001f44d"},                                         // a hand that waves, a thumb
		{"\U0001f1ef\U0001f1f5", "\U0001f1f0\U0001f1f7"},                     // the flags of Japan and Korea
		{"\ud55c\uae00", "\ud55c\uad6d"},                                     // 한글, 한국
		{"\u05d3\u05d5\u05d3", "\u05d3\u05d5\u05e8"},                         // דוד, דור
		{"\u092e\u094b\u0939\u0928", "\u0938\u094b\u0939\u0928"},             // मोहन, सोहन
		{"\u0e2a\u0e21\u0e0a\u0e32\u0e22", "\u0e2a\u0e21\u0e2b\u0e0d\u0e34"}, // สมชาย, สมหญิ
	} {
		require.False(t, alike(pair[0], pair[1]), "%q %q, %q %q", pair[0], Keys(pair[0]), pair[1], Keys(pair[1]))
	}
}

// It is a rule about pairs: whoever is like two people need not make them like each other.
func TestAlikeIsNotTransitive(t *testing.T) {
	t.Parallel()
	require.True(t, alike("AdaI", "Adal"))
	require.True(t, alike("AdaI", "adai"))
	require.False(t, alike("Adal", "adai"))
}

func TestKeysAreOneWhereCaseMakesNoDifference(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"ada"}, Keys("ada"))
	require.Equal(t, []string{"Ada", "ada"}, Keys("Ada"))
	require.Equal(t, []string{"\u5c71\u7530"}, Keys("\u5c71\u7530"))
}

// unstable is the one character whose skeleton has another skeleton: "й" with a hook below, of which only then the и is on
// its own. That is the standard's.
const unstable = '\u048b'

func TestTheTable(t *testing.T) {
	t.Parallel()
	require.True(t, slices.IsSorted(confusable[:]))
	require.Greater(t, len(confusable), 2000)
	for i, r := range confusable {
		require.Equal(t, string(r), norm.NFKD.String(string(r)), "%U never comes out of NFKC and NFD", r)
		prototype, ok := prototypeOf(r)
		require.True(t, ok)
		require.NotEmpty(t, prototype)
		require.NotEqual(t, string(r), prototype)
		require.True(t, prototypeAt[i] == 0 || prototypes[prototypeAt[i]-1] == 0, "%U does not begin where a prototype does", r)
		if once := skeleton(string(r)); r != unstable {
			require.Equal(t, once, skeleton(once), "%U", r)
		}
	}
	_, ok := prototypeOf('a')
	require.False(t, ok, "it is what others look like")
}

// What Unicode 15 has, sampled from DerivedCoreProperties.txt.
func TestIgnorable(t *testing.T) {
	t.Parallel()
	for _, r := range "\u00ad\u034f\u061c\u115f\u17b4\u180b\u180e\u200b\u200d\u202e\u2060\u3164\ufe0f\ufeff\uffa0\U000e0001\U000e0061\U000e0100\U000e0fff" {
		require.True(t, ignorable(r), "%U", r)
	}
	for _, r := range "a\u0600\u06dd\u0301\u2028\ufff9\ufffb\U000110bd\U00013430\U00013440" {
		require.False(t, ignorable(r), "%U", r)
	}
}

func FuzzKeys(f *testing.F) {
	for _, s := range []string{
		"Ada", "\u0410da", "AdaI", "Bernd", "\uff21\uff44\uff41", "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627", "\u1e9e", "\u0130",
		"\U0001f469\u200d\U0001f4bb", "\ud55c\uae00", "\ufdfa", "\u048a\u0326", "\u0345\u0390", "\u13a0\uab70", "a\u0328\u0301",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		name, err := Visible(in, 100)
		if err != nil {
			return
		}
		keys := Keys(name)
		require.Contains(t, []int{1, 2}, len(keys))
		require.NotContains(t, keys, "", "%+q", name)
		for _, key := range keys {
			require.True(t, norm.NFD.IsNormalString(key), "%+q", key)
			require.False(t, strings.ContainsFunc(key, ignorable), "%+q", key)
			if !strings.ContainsAny(name, "\u048a\u048b") {
				require.Equal(t, key, skeleton(key), "%+q has a skeleton that has another", name)
			}
		}
		for what, same := range map[string]string{
			"decomposed": norm.NFD.String(name), "compatible": norm.NFKC.String(name), "decomposed and compatible": norm.NFKD.String(name),
			"with what cannot be seen": strings.ReplaceAll(name, "a", "\u200ba\ufe0f"),
		} {
			require.Equal(t, keys, Keys(same), "%+q %s", name, what)
		}
		if upper := strings.Map(asciiUpper, name); upper != name {
			require.True(t, alike(name, upper), "%+q %+q", name, upper)
		}
	})
}

func asciiUpper(r rune) rune {
	if r < unicode.MaxASCII {
		return unicode.ToUpper(r)
	}
	return r
}

func BenchmarkKeys(b *testing.B) {
	for what, name := range map[string]string{
		"short": "Ada", "ASCII": "Ada Lovelace of London", "Cyrillic": "\u0410\u0434\u0430 \u041b\u0430\u0432\u043b\u0435\u0439\u0441",
		"longest": strings.Repeat("\u1ec5", 100),
	} {
		b.Run(what, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Keys(name)
			}
		})
	}
}
