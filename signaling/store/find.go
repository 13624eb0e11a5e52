package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

const (
	// MaxFound is the most messages that Search returns at once.
	MaxFound = 50
	// maxRanked is how many messages, the newest of those that match, are put into the order of their rank, and maxRankedText
	// of how many bytes.
	maxRanked     = 1000
	maxRankedText = 256 << 10
)

// A search looks at one span of messages after the other, the newest first, so that it can end anywhere and say where: words that
// stand in every message may yet never stand in one together, or in none of who is asked for.
const (
	// searchTime is how long it goes on. The first span, of one block, is always finished, so that to ask again leads on.
	searchTime = 25 * time.Millisecond
	// quick is how long a span may take for the next to be spanGrowth times as long, up to maxSpan blocks.
	quick      = 3 * time.Millisecond
	spanGrowth = 4
	maxSpan    = 64
	// maxRare is in how many messages a word may stand that bounds a search by itself: then there is only one span.
	maxRare = 2000
	// maxGathered is how often words with a beginning may stand in messages for the index to be asked for it: it gathers all the places
	// in memory, some 10 bytes each, each time it is asked and for all messages. A beginning with more is so common that it is soon found
	// without the index. prefixTime is how long it may take to know.
	maxGathered = 20_000
	prefixTime  = 2 * quick
	// maxPlaces is how many words for channels the index is asked for; rather than for more, it finds what is in other channels as well.
	maxPlaces = 32
)

// Query says what is looked for, and where.
type Query struct {
	// Text has all words that a message must have, the last of them possibly its beginning only.
	Text string
	// ChannelIDs are the channels looked at.
	ChannelIDs []string
	// AuthorID, where it is not empty, is who wrote it.
	AuthorID string
	// Before, where it is not empty, is the id of a message, or what Search found's Next: only older ones are wanted.
	Before string
	// Limit is 1 to MaxFound.
	Limit int
}

// Found is a message with the places, each a first code point and how many, of what was looked for.
type Found struct {
	Message

	Marks [][2]int

	hits  hits
	score float64
}

// SearchResult is what Search found.
type SearchResult struct {
	// Found are the best first.
	Found []Found
	// More says that there are others, or may be.
	More bool
	// Next, where it is not empty, is what to name as Before to look at what was not looked at.
	Next string
}

// Search returns the messages that have all words of a query. It looks at the newest first, until it has seen all, has found as many
// as it ranks, or has looked for long enough. ErrNotFound: there is no message Before.
func (s *Store) Search(ctx context.Context, q Query) (SearchResult, error) {
	wanted := terms(q.Text)
	if len(wanted) == 0 || len(q.ChannelIDs) == 0 {
		return SearchResult{}, nil
	}
	channels, err := json.Marshal(q.ChannelIDs)
	if err != nil {
		return SearchResult{}, err
	}
	l := looking{Store: s, wanted: wanted, query: q, channels: string(channels), parted: s.parting()}
	if l.top, err = s.seqOf(ctx, q.Before); err != nil {
		return SearchResult{}, err
	}
	var bottom int64
	if err = s.read.QueryRowContext(ctx, "SELECT ifnull(min(seq), 0) FROM messages").Scan(&bottom); err != nil {
		return SearchResult{}, s.trouble(err)
	}
	if err = l.look(ctx, bottom); err != nil {
		return SearchResult{}, s.trouble(fmt.Errorf("search: %w", err))
	}
	rank(l.found)
	var result SearchResult
	if l.top > bottom {
		result.More, result.Next = true, nextPrefix+strconv.FormatInt(l.top, 10)
	}
	size := 0
	for _, f := range l.found {
		if len(result.Found) == q.Limit || size > maxContent {
			result.More = true
			break
		}
		size += len(f.Content)
		result.Found = append(result.Found, f)
	}
	return result, nil
}

// nextPrefix stands in what Search found's Next before the number of a message that was looked at. Messages' ids do not begin so.
const nextPrefix = "@"

// seqOf returns the number of a message, or of where a search ended; of neither, one that is greater than all.
func (s *Store) seqOf(ctx context.Context, before string) (int64, error) {
	if before == "" {
		return int64(s.Seq()) + 1, nil //nolint:gosec // it counts what is written
	}
	if number, ok := strings.CutPrefix(before, nextPrefix); ok {
		if seq, err := strconv.ParseInt(number, 10, 64); err == nil {
			return seq, nil
		}
	}
	var seq int64
	err := s.read.QueryRowContext(ctx, "SELECT seq FROM messages WHERE id = ?", before).Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("%w: message %s", ErrNotFound, before)
	}
	return seq, s.trouble(err)
}

// looking is a search under way.
type looking struct {
	*Store

	wanted   []term
	query    Query
	channels string // in JSON
	// prefix: the index is asked for beginnings of words, too. rare: one of the words is so rare that there is little to look at.
	prefix, rare bool
	// marks are then those of the messages in which it stands.
	marks []rune
	// top: all messages from this number on are looked at.
	top   int64
	found []Found
	size  int // of the texts found, in bytes
	// parted are who parts.
	parted partings
}

// look looks at the messages from bottom on, until it has found or done enough.
func (l *looking) look(ctx context.Context, bottom int64) error {
	end := time.Now().Add(searchTime)
	if err := l.prepare(ctx); err != nil {
		return err
	}
	if l.rare && len(l.marks) == 0 {
		l.top = bottom
	}
	for blocks, first := int64(1), true; l.top > bottom && !l.full(); first = false {
		begin := time.Now()
		in, cancel := context.WithDeadline(ctx, end)
		if first {
			in, cancel = context.WithCancel(ctx)
		} else if !begin.Before(end) {
			cancel()
			return nil
		}
		from := max((l.top-1)/block-blocks+1, 0)
		if l.rare {
			from = 0
		}
		err := l.span(in, from, bottom)
		late := in.Err() != nil && ctx.Err() == nil
		cancel()
		if err != nil && !late {
			return err
		}
		if time.Since(begin) < quick {
			blocks = min(blocks*spanGrowth, maxSpan)
		}
	}
	return nil
}

// prepare decides how the index is asked.
func (l *looking) prepare(ctx context.Context) error {
	l.prefix = true
	rarest := map[bool]stood{} // by whether it is a beginning
	left := maxTerms           // words to be counted; of characters that are searched by pairs there may be very many
	for _, t := range l.wanted {
		if common, err := l.common(ctx, t); err != nil {
			return err
		} else if common {
			continue
		}
		for _, word := range t.words() {
			if left--; left < 0 && !t.prefix {
				break
			}
			had, err := l.places(ctx, word, t.prefix)
			if err != nil {
				return err
			}
			if least, ok := rarest[t.prefix]; !ok || had.places < least.places {
				rarest[t.prefix] = had
			}
			l.prefix = l.prefix && had.places <= maxGathered
		}
	}
	for _, prefix := range []bool{false, true} {
		had, ok := rarest[prefix]
		if !ok || had.places > maxRare || prefix && !l.prefix {
			continue
		}
		all, err := l.strings(ctx, "SELECT DISTINCT substr(term, -1) FROM places WHERE term >= ? AND term <= ? AND col = 'text'", had.first, had.last)
		l.rare, l.marks = true, []rune(strings.Join(all, ""))
		return err
	}
	return nil
}

// common reports whether a term that is no beginning stands in many of the newest messages, which is the quicker found out.
func (l *looking) common(ctx context.Context, t term) (bool, error) {
	if t.prefix {
		return false, nil
	}
	var n int
	err := l.read.QueryRowContext(ctx, "SELECT count(*) FROM (SELECT 1 FROM words WHERE words MATCH ? LIMIT ?)",
		t.phrase(marks(max(l.top-1-stretch, 0), l.top-1)), maxRare+1).Scan(&n)
	return n > maxRare, err
}

// stood is in how many places the words of the index stand that are from first to last.
type stood struct {
	first, last string
	places      int
}

// places returns in how many places a word stands, or those that begin with it: up to one more than maxRare, or than maxGathered. That many are
// in so many, too, when they cannot be counted in time.
func (l *looking) places(ctx context.Context, word string, prefix bool) (stood, error) {
	had, most, in := stood{first: word + string(firstMark), last: word + string(lastMark)}, maxRare, ctx
	if prefix {
		had, most = stood{first: word, last: word + string(unicode.MaxRune)}, maxGathered
		var cancel context.CancelFunc
		in, cancel = context.WithTimeout(ctx, prefixTime)
		defer cancel()
	}
	err := l.read.QueryRowContext(in, "SELECT count(*) FROM (SELECT 1 FROM places WHERE term >= ? AND term <= ? AND col = 'text' LIMIT ?)",
		had.first, had.last, most+1).Scan(&had.places)
	if err != nil && prefix && ctx.Err() == nil {
		had.places, err = most+1, nil
	}
	return had, err
}

func (l *looking) full() bool { return len(l.found) == maxRanked || l.size >= maxRankedText }

const foundColumns = "m.seq, m.id, m.channel_id, m.author_id, m.author_name, m.content, m.created_at, m.edited_at, m.reply_to" // as messageColumns

// span looks at the messages from a block on, and from bottom on, up to the top, which it moves as far as it comes.
func (l *looking) span(ctx context.Context, from, bottom int64) error {
	low := max(from*block, bottom)
	// Who wrote a message and where stands in an index, so that those of others cost little.
	const wanted = ` i.channel_id IN (SELECT value FROM json_each(?3)) AND (?4 = '' OR i.author_id = ?4)`
	const whole = ` CROSS JOIN messages m ON m.channel_id = i.channel_id AND m.seq = i.seq AND m.content <> ''`
	query := "SELECT " + foundColumns + " FROM messages i INDEXED BY messages_by_seq" + whole +
		" WHERE i.seq >= ?1 AND i.seq < ?2 AND" + wanted + " ORDER BY i.seq DESC"
	args := []any{low, l.top, l.channels, l.query.AuthorID}
	if expression := l.expression(from); expression != "" {
		query = "SELECT " + foundColumns + " FROM words CROSS JOIN messages i INDEXED BY messages_by_seq ON i.seq = words.rowid" + whole +
			" WHERE words MATCH ?5 AND words.rowid >= ?1 AND words.rowid < ?2 AND" + wanted + " ORDER BY words.rowid DESC"
		args = append(args, expression)
	}
	rows, err := l.read.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // rows.Err says it
	for rows.Next() {
		m, failed := scanMessage(rows)
		if failed != nil {
			return failed
		}
		l.top = int64(m.Seq) //nolint:gosec // it was one
		if _, parts := l.parted[l.query.AuthorID]; !l.parted.apply(&m) || parts && m.AuthorID != l.query.AuthorID {
			continue
		}
		if l.take(m); l.full() {
			return nil
		}
	}
	if err = rows.Err(); err == nil {
		l.top = low
	}
	return err
}

// take adds a message to what was found, unless it has not what the index was not asked for.
func (l *looking) take(m Message) {
	marks, had := find(m.Content, l.wanted)
	for i, t := range l.wanted {
		if t.prefix && !l.prefix && had.of[i] == 0 {
			return
		}
	}
	l.found = append(l.found, Found{Message: m, Marks: marks, hits: had})
	l.size += len(m.Content)
}

// expression is what FTS5 is asked for, from a block up to the top; empty: nothing.
func (l *looking) expression(from int64) string {
	at := l.marks
	if !l.rare {
		at = marks(from*block, l.top-1)
	}
	var words, channels, blocks []string
	for _, t := range l.wanted {
		if !t.prefix || l.prefix {
			words = append(words, t.phrase(at))
		}
	}
	if len(l.query.ChannelIDs)*len(at) <= maxPlaces {
		for _, id := range l.query.ChannelIDs {
			for _, mark := range at {
				channels = append(channels, channelWord(id)+string(mark))
			}
		}
	}
	if len(words) == 0 && len(channels) == 0 {
		return ""
	}
	all := words
	if !l.rare {
		for n := (l.top - 1) / block; n >= from; n-- {
			blocks = append(blocks, blockWord(n))
		}
		all = append(all, "place : ("+strings.Join(blocks, " OR ")+")")
	}
	if len(channels) > 0 {
		all = append(all, "place : ("+strings.Join(channels, " OR ")+")")
	}
	return strings.Join(all, " AND ")
}
