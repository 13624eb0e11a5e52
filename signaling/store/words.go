package store

import (
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A text is cut into words here, and SQLite's tokenizer only reads them one by one. Chinese, Japanese and Korean are not written with spaces, or
// are searched by parts of words, so their runs are cut into pairs of characters, each next to the other; the last
// character stands alone too, so that it is found by itself as the others are by the pairs that they begin.

// entry is a message as far as the index has it.
type entry struct {
	seq              uint64
	channel, content string
}

// entry returns the first row of a query, or ErrNotFound. One whose content is empty is not in the index.
func (w *writing) entry(what, query string, args ...any) (e entry, err error) {
	err = w.db.one(query, args, &e.seq, &e.channel, &e.content)
	if err == sql.ErrNoRows { //nolint:errorlint // Scan returns it as it is
		err = fmt.Errorf("%w: %s", ErrNotFound, what)
	}
	return e, err
}

// message returns a message, which may be deleted.
func (w *writing) message(id string) (entry, error) {
	return w.entry("message "+id, "SELECT seq, channel_id, content FROM messages WHERE id = ?", id)
}

// index makes a message findable.
func (w *writing) index(e entry) error {
	if e.content == "" {
		return nil
	}
	text := cut(e.content, e.mark())
	w.db.indexed += len(text)
	_, err := w.exec("INSERT INTO words (rowid, text, place) VALUES (?, ?, ?)", e.seq, text, e.place())
	return err
}

// FTS5 makes of what a transaction indexes a segment of the index, and merges segments now and then. By itself it merges hundreds of pages at
// once. Here each transaction merges a few: mergePages, and one more for each mergeText bytes that it indexed. A page is written again some ten
// times on its way into the largest segment, and more than comes of that may be merged, so that segments do not become many.
const mergePages, mergeText = 8, 256

// merge merges segments of the index. It is for the end of a transaction.
func (w *writer) merge() error {
	if w.indexed == 0 {
		return nil
	}
	pages := mergePages + w.indexed/mergeText
	w.indexed = 0
	_, err := w.exec("INSERT INTO words (words, rank) VALUES ('merge', ?)", pages)
	return err
}

// unindex takes a message out of the index, which must have it, and exactly so. No word of it stays there.
func (w *writing) unindex(e entry) error {
	if e.content == "" {
		return nil
	}
	w.db.erased = true
	_, err := w.exec("INSERT INTO words (words, rowid, text, place) VALUES ('delete', ?, ?, ?)",
		e.seq, cut(e.content, e.mark()), e.place())
	return err
}

// hide puts the texts that a condition finds aside, for WordsForgotten: taking all of their words out at once would hold others up.
func (w *writing) hide(where string, args ...any) error {
	_, err := w.exec("INSERT INTO gone (seq, channel_id, content) SELECT seq, channel_id, content FROM messages WHERE content <> '' AND "+where, args...)
	return err
}

// WordsForgotten is the fact that the index has nothing any more of messages that were deleted with many others.
type WordsForgotten struct {
	Seqs []int64 `json:"seqs"`
}

// Kind implements Fact.
func (WordsForgotten) Kind() string { return "words_forgotten" }

func (f WordsForgotten) apply(w *writing) error {
	for _, seq := range f.Seqs {
		e, err := w.entry("", "SELECT seq, channel_id, content FROM gone WHERE seq = ?", seq)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err == nil {
			err = w.unindex(e)
		}
		if err == nil {
			_, err = w.exec("DELETE FROM gone WHERE seq = ?", seq)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// place has the words for where a message stands.
func (e entry) place() string {
	return channelWord(e.channel) + string(e.mark()) + " " + blockWord(int64(e.seq)/block) //nolint:gosec // SQLite has no more
}

func (e entry) mark() rune { return mark(int64(e.seq)) } //nolint:gosec // as above

// stretch is how many messages at most have words in common: each word in the index ends in a mark, and later messages have another one. FTS5
// merges all that it has of a word at once, while everybody waits who writes. So that is no more than some 50 pages for a word of all messages.
const stretch = 16 * block

// The marks, after the last of which comes the first again: numbers tell such messages apart. Unicode leaves them to private use, and cut
// leaves them out of texts.
const firstMark, lastMark = '\ue000', '\uf8ff'

func mark(seq int64) rune { return firstMark + rune(seq/stretch%(lastMark-firstMark+1)) }

// marks are those of the messages from one number to another.
func marks(from, to int64) []rune {
	var all []rune
	for n := from / stretch; n <= to/stretch; n++ {
		all = append(all, mark(n*stretch))
	}
	return all
}

// block is how many numbers of messages have a word in common, by which a search ends where it shall: of several words that it looks
// for at once, FTS5 goes on to the next message that has all, however far off that is.
const block = 4096

func blockWord(n int64) string { return "b" + strconv.FormatInt(n, 10) }

// channelWord makes of a channel's id what no tokenizer takes apart. Two ids may have the same.
func channelWord(id string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id))
	return fmt.Sprintf("c%016x", h.Sum64())
}

// pairwise reports whether a character is one of a script that is searched by pairs.
func pairwise(r rune) bool {
	const first = 0x1100 // of Hangul
	return r >= first && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul)
}

// cut returns the words of a text for the index, each with a mark.
func cut(text string, mark rune) string {
	var out strings.Builder
	add := func(word string) {
		if out.Len() > 0 {
			out.WriteByte(' ')
		}
		out.WriteString(word)
		out.WriteRune(mark)
	}
	split(text, func(t term) {
		if !t.pairwise {
			add(t.text)
			return
		}
		for rest := t.text; rest != ""; {
			_, first := utf8.DecodeRuneInString(rest)
			_, second := utf8.DecodeRuneInString(rest[first:])
			add(rest[:first+second])
			rest = rest[first:]
		}
	})
	return out.String()
}
