package store

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxTerms is how many words of a query are looked for.
const maxTerms = 16

// term is a word that is looked for, or, pairwise, a run of characters anywhere.
type term struct {
	text     string // of a word: folded
	pairwise bool
	// prefix: the beginning of a word, or of a pair, is enough.
	prefix bool
}

// terms cuts a query as cut does the messages. Nothing of it is taken for syntax.
func terms(text string) []term {
	var all []term
	split(text, func(t term) { all = append(all, t) })
	last, _ := utf8.DecodeLastRuneInString(text)
	for i, t := range all {
		if t.pairwise {
			all[i].prefix = utf8.RuneCountInString(t.text) == 1
		} else {
			all[i].prefix = i == len(all)-1 && (wordly(last) || unicode.IsMark(last)) // it may be unfinished
		}
	}
	return all[:min(len(all), maxTerms)]
}

// split finds the words of a text, and its runs of characters that are searched by pairs.
func split(text string, found func(term)) {
	for text != "" {
		word, isPair := piece(text)
		step := len(word)
		switch {
		case isPair:
			step = len(text) - len(strings.TrimLeftFunc(text, pairwise))
			found(term{text: text[:step], pairwise: true})
		case strings.ContainsFunc(word, wordly):
			found(term{text: foldedWord(word)})
		case word == "":
			_, step = utf8.DecodeRuneInString(text)
		}
		text = text[step:]
	}
}

func wordly(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }

// words are those of the index that a term is, one after the other, without their marks.
func (t term) words() []string {
	runes := []rune(t.text)
	if !t.pairwise || len(runes) == 1 {
		return []string{t.text}
	}
	pairs := make([]string, len(runes)-1)
	for i := range pairs {
		pairs[i] = string(runes[i : i+2])
	}
	return pairs
}

// phrase is what FTS5 is asked for to find a term in messages that have one of some marks.
func (t term) phrase(marks []rune) string {
	if t.prefix {
		return `text : "` + t.text + `" *`
	}
	all := make([]string, len(marks))
	for i, mark := range marks {
		all[i] = `"` + strings.Join(t.words(), string(mark)+" ") + string(mark) + `"`
	}
	return "text : (" + strings.Join(all, " OR ") + ")"
}

// folded is a text as it is compared: without case and diacritics.
func folded(text string) string {
	var out strings.Builder
	for _, r := range norm.NFD.String(text) {
		if !unicode.Is(unicode.Mn, r) {
			out.WriteRune(unicode.ToLower(unicode.ToUpper(r))) // some letters have two small ones
		}
	}
	return out.String()
}

// hits is how often each term stands in a message, and of how many words and characters that is.
type hits struct {
	of     []int
	length int
}

// find looks for the terms in a message: words, and runs of characters anywhere. The marks are their places.
func find(content string, wanted []term) (marks [][2]int, h hits) {
	marks, h.of = make([][2]int, 0, len(wanted)), make([]int, len(wanted))
	for at := 0; content != ""; {
		word, isPair := piece(content)
		text, fold := content, ""
		if !isPair && word != "" {
			text, fold = word, foldedWord(word)
		}
		best := 0
		for n, t := range wanted {
			if length := t.begins(text, fold); length > 0 {
				h.of[n]++
				best = max(best, length)
			}
		}
		if word != "" {
			h.length++
		}
		step := max(best, len(word))
		if step == 0 {
			_, step = utf8.DecodeRuneInString(content)
		}
		if best > 0 {
			step = best
			marks = append(marks, [2]int{at, utf8.RuneCountInString(content[:best])})
		}
		at += utf8.RuneCountInString(content[:step])
		content = content[step:]
	}
	return marks, h
}

// begins reports with how many bytes a text begins with the term, or 0. fold is the folded text when that is a word, else empty.
func (t term) begins(text, fold string) int {
	switch {
	case t.pairwise && fold == "" && strings.HasPrefix(text, t.text):
		return len(t.text)
	case !t.pairwise && fold != "" && (fold == t.text || t.prefix && strings.HasPrefix(fold, t.text)):
		return len(text)
	}
	return 0
}

// piece returns the word with which a text begins, or the character of those that are looked for in pairs; "": with neither.
func piece(text string) (word string, isPair bool) {
	for i, r := range text {
		switch {
		case pairwise(r) && i == 0:
			return text[:utf8.RuneLen(r)], true
		case pairwise(r) || !wordly(r) && !unicode.IsMark(r):
			return text[:i], false
		}
	}
	return text, false
}

// foldedWord is folded, and cheap for most words.
func foldedWord(word string) string {
	for i := range len(word) {
		if word[i] >= utf8.RuneSelf {
			return folded(word)
		}
	}
	return strings.ToLower(word)
}

// rank puts messages into the order of how well they match, the newer first of those that do equally. This is BM25 (Robertson and
// Zaragoza, "The Probabilistic Relevance Framework", section 3.4) without the rarity of words: all of them stand in each message.
func rank(all []Found) {
	const k1, b = 1.2, 0.75
	total := 0
	for _, f := range all {
		total += f.hits.length
	}
	mean := max(float64(total), 1) / max(float64(len(all)), 1)
	for i, f := range all {
		for _, n := range f.hits.of {
			tf := float64(n)
			all[i].score += tf * (k1 + 1) / (tf + k1*(1-b+b*float64(f.hits.length)/mean))
		}
	}
	slices.SortStableFunc(all, func(x, y Found) int { return cmp.Compare(y.score, x.score) })
}
