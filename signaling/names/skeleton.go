package names

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

//go:generate go run maketable.go confusables.txt
// That file is https://www.unicode.org/Public/security/15.0.0/confusables.txt, in the version of Go's own tables (unicode.Version).

// Keys returns the one or two keys under which a name is taken: two names that have one in common look the same, and only one
// of them may be had. The name is one that Clean or Visible returned.
//
// The first key is the skeleton of the name, so that "Аda" with a Cyrillic А, "𝐀da" and "Ada" share it, as do "AdaI" and "Adal",
// "Bernd" and "Bemd". The second is the skeleton of the name with its case folded, which "Ada" and "ada" share; without it
// the capital I of "ADAI" would be an l. That makes the rule one about pairs: "AdaI" is refused beside "Adal" and beside
// "adai", which may be there together.
//
// Before either, compatibility characters become ordinary ones (NFKC), such as those of double width. A skeleton is
// internalSkeleton of Unicode Technical Standard 39, section 4. Text that runs in both directions is compared in the order in which
// it is written and not as it is shown (bidiSkeleton there).
func Keys(name string) []string {
	name = norm.NFKC.String(name)
	cased, folded := skeleton(name), skeleton(norm.NFKC.String(cases.Fold().String(name)))
	if cased == folded {
		return []string{cased}
	}
	return []string{cased, folded}
}

// skeleton is internalSkeleton of a text in NFKC: what it looks like, written with one character for all that look alike.
// It is made to be compared, not to be shown.
func skeleton(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	for _, r := range norm.NFD.String(text) {
		if ignorable(r) {
			continue
		}
		if prototype, ok := prototypeOf(r); ok {
			b.WriteString(prototype)
		} else {
			b.WriteRune(r)
		}
	}
	return norm.NFD.String(b.String())
}

func prototypeOf(r rune) (string, bool) {
	i, found := slices.BinarySearch(confusable[:], r)
	if !found {
		return "", false
	}
	prototype, _, _ := strings.Cut(prototypes[prototypeAt[i]:], "\x00")
	return prototype, true
}

// ignorable reports the property Default_Ignorable_Code_Point, as DerivedCoreProperties.txt derives it.
func ignorable(r rune) bool {
	switch {
	case r < 0x80, r >= 0xfff9 && r <= 0xfffb, r >= 0x13430 && r <= 0x13440, unicode.Is(unicode.Prepended_Concatenation_Mark, r):
		return false
	}
	return unicode.In(r, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}
