package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

const (
	// MaxFound is the most messages that Search returns at once.
	MaxFound = 50
	// maxTerms is how many words of a query are looked for.
	maxTerms = 16
	// maxRanked is how many messages, the newest of those found, are put into the order of their rank.
	maxRanked = 1000
)

// Query says what is looked for, and where.
type Query struct {
	// Text has all words that a message must have, the last of them possibly its beginning only.
	Text string
	// ChannelIDs are the channels looked at.
	ChannelIDs []string
	// AuthorID, where it is not empty, is who wrote it.
	AuthorID string
	// Before, where it is not empty, is the id of a message of which only older ones are wanted.
	Before string
	// Limit is 1 to MaxFound.
	Limit int
}

// Found is a message with the places, each a first code point and how many, of what was looked for.
type Found struct {
	Message

	Marks [][2]int
}

// term is a word that is looked for, or, pairwise, a run of characters anywhere.
type term struct {
	text     string
	pairwise bool
	// prefix: the beginning of a word is enough.
	prefix bool
}

// terms cuts a query as cut does the messages. Nothing of it is taken for syntax.
func terms(text string) []term {
	var all []term
	var word, run []rune
	end := func() {
		if slices.ContainsFunc(word, wordly) {
			all = append(all, term{text: string(word)})
		}
		if len(run) > 0 {
			all = append(all, term{text: string(run), pairwise: true, prefix: len(run) == 1})
		}
		word, run = nil, nil
	}
	for _, r := range text {
		switch {
		case pairwise(r):
			if len(word) > 0 {
				end()
			}
			run = append(run, r)
		case wordly(r) || unicode.IsMark(r):
			if len(run) > 0 {
				end()
			}
			word = append(word, r)
		default:
			end()
		}
	}
	unfinished := len(word) > 0
	end()
	if n := len(all); n > 0 && unfinished && !all[n-1].pairwise {
		all[n-1].prefix = true
	}
	return all[:min(len(all), maxTerms)]
}

func wordly(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }

// expression is what FTS5 is asked for.
func expression(all []term) string {
	var out strings.Builder
	for _, t := range all {
		text := t.text
		if runes := []rune(text); t.pairwise && len(runes) > 1 {
			pairs := make([]string, len(runes)-1)
			for i := range pairs {
				pairs[i] = string(runes[i : i+2])
			}
			text = strings.Join(pairs, " ")
		}
		fmt.Fprintf(&out, `"%s"`, text)
		if t.prefix {
			out.WriteByte('*')
		}
		out.WriteByte(' ')
	}
	return out.String()
}

// Search returns the messages that have all words of a query, the best first, and whether there are more. Of very many the newest
// are ranked. ErrNotFound: there is no message Before.
func (s *Store) Search(ctx context.Context, q Query) (found []Found, more bool, err error) {
	wanted := terms(q.Text)
	if len(wanted) == 0 || len(q.ChannelIDs) == 0 {
		return nil, false, nil
	}
	before := int64(1<<63 - 1)
	if q.Before != "" {
		err = s.read.QueryRowContext(ctx, "SELECT seq FROM messages WHERE id = ?", q.Before).Scan(&before)
		if err == sql.ErrNoRows { //nolint:errorlint // Scan returns it as it is
			return nil, false, fmt.Errorf("%w: message %s", ErrNotFound, q.Before)
		}
		if err != nil {
			return nil, false, s.trouble(err)
		}
	}
	channels, err := json.Marshal(q.ChannelIDs)
	if err != nil {
		return nil, false, err
	}
	messages, more, err := s.messages(ctx, q.Limit, `SELECT `+messageColumns+` FROM (
			SELECT m.*, words.rank AS how FROM words CROSS JOIN messages m ON m.seq = words.rowid
			WHERE words MATCH ?1 AND words.rowid < ?2 AND m.channel_id IN (SELECT value FROM json_each(?3))
				AND (?4 = '' OR m.author_id = ?4) AND m.content <> ''
			ORDER BY words.rowid DESC LIMIT ?5
		) ORDER BY how, seq DESC LIMIT ?6`,
		expression(wanted), before, string(channels), q.AuthorID, maxRanked, q.Limit+1)
	if err != nil {
		return nil, false, err
	}
	for _, m := range messages {
		found = append(found, Found{m, marks(m.Content, wanted)})
	}
	return found, more, nil
}

// folded is a text as the tokenizer compares it: without case and diacritics.
func folded(text string) string {
	var out strings.Builder
	for _, r := range norm.NFD.String(text) {
		if !unicode.Is(unicode.Mn, r) {
			out.WriteRune(unicode.ToLower(r))
		}
	}
	return out.String()
}

// marks finds what was looked for in a message: words, and runs of characters anywhere.
func marks(content string, wanted []term) [][2]int {
	runes := []rune(content)
	found := make([][2]int, 0, len(wanted))
	for i := 0; i < len(runes); {
		length := 1
		if !pairwise(runes[i]) && (wordly(runes[i]) || unicode.IsMark(runes[i])) {
			for i+length < len(runes) && !pairwise(runes[i+length]) && (wordly(runes[i+length]) || unicode.IsMark(runes[i+length])) {
				length++
			}
		}
		best := 0
		for _, t := range wanted {
			switch {
			case t.pairwise:
				if text := []rune(t.text); len(runes)-i >= len(text) && slices.Equal(runes[i:i+len(text)], text) {
					best = max(best, len(text))
				}
			case pairwise(runes[i]):
			case matches(folded(string(runes[i:i+length])), folded(t.text), t.prefix):
				best = max(best, length)
			}
		}
		if best > 0 {
			found = append(found, [2]int{i, best})
			length = max(length, best)
		}
		i += length
	}
	return found
}

func matches(word, wanted string, prefix bool) bool {
	return word == wanted || prefix && strings.HasPrefix(word, wanted)
}
