package store

import (
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"unicode"
)

// SQLite's tokenizer cuts a text into words at spaces and punctuation. Chinese, Japanese and Korean are not written like that, or
// are searched by parts of words, so their runs are cut here into pairs of characters, each next to the other; the last
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
	_, err := w.exec("INSERT INTO words (rowid, text, place) VALUES (?, ?, ?)", e.seq, cut(e.content), e.place())
	return err
}

// unindex takes a message out of the index, which must have it, and exactly so. No word of it stays there.
func (w *writing) unindex(e entry) error {
	if e.content == "" {
		return nil
	}
	w.db.erased = true
	_, err := w.exec("INSERT INTO words (words, rowid, text, place) VALUES ('delete', ?, ?, ?)",
		e.seq, cut(e.content), e.place())
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
func (e entry) place() string { return channelWord(e.channel) + " " + blockWord(int64(e.seq)/block) } //nolint:gosec // SQLite has no more

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
