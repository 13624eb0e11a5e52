package store

import (
	"strings"
	"unicode"
)

// SQLite's tokenizer cuts a text into words at spaces and punctuation. Chinese, Japanese and Korean are not written like that, or
// are searched by parts of words, so their runs are cut here into pairs of characters, each next to the other; the last
// character stands alone too, so that it is found by itself as the others are by the pairs that they begin.

// index makes the words of a message findable.
func (w *writing) index(seq any, content string) error {
	_, err := w.exec("INSERT INTO words (rowid, text) VALUES (?, ?)", seq, cut(content))
	return err
}

func (w *writing) unindex(seq any) error {
	_, err := w.exec("DELETE FROM words WHERE rowid = ?", seq)
	return err
}

// pairwise reports whether a character is one of a script that is searched by pairs.
func pairwise(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul)
}

// cut prepares a text for the tokenizer.
func cut(text string) string {
	var out strings.Builder
	var run []rune
	end := func() {
		for i := range run {
			out.WriteByte(' ')
			out.WriteRune(run[i])
			if i+1 < len(run) {
				out.WriteRune(run[i+1])
			}
		}
		if len(run) > 0 {
			out.WriteByte(' ')
		}
		run = run[:0]
	}
	for _, r := range text {
		if pairwise(r) {
			run = append(run, r)
			continue
		}
		end()
		out.WriteRune(r)
	}
	end()
	return out.String()
}
