package store

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"time"
)

// Somebody who is deleted may have written very much, and all who write would wait while that is gone through. So UserDeleted only notes
// that they part. Who reads sees at once what comes of their messages; the tables follow a few messages at a time, also after a restart.

// parting is somebody who was deleted while messages are still theirs in the tables.
type parting struct {
	alias string
	erase bool
	// seq is that of the fact: what was written after it is by somebody else of the same id.
	seq uint64
}

// partings are all of them, by their ids. They are never changed.
type partings map[string]parting

// apply makes of a message what it is to whom reads it. It reports false when it is gone.
func (p partings) apply(m *Message) bool {
	who, ok := p[m.AuthorID]
	if !ok || m.Seq >= who.seq {
		return true
	}
	m.AuthorID, m.AuthorName = who.alias, ""
	if who.erase {
		m.Content = ""
	}
	return !who.erase
}

// parting returns who parts.
func (s *Store) parting() partings {
	if p := s.parted.Load(); p != nil {
		return *p
	}
	return nil
}

// queries is what can be asked.
type queries interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func readPartings(ctx context.Context, from queries) (partings, error) {
	rows, err := from.QueryContext(ctx, "SELECT user_id, alias, erase, seq FROM partings")
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // rows.Err says it
	all := partings{}
	for rows.Next() {
		var userID string
		var p parting
		if err := rows.Scan(&userID, &p.alias, &p.erase, &p.seq); err != nil {
			return nil, err
		}
		all[userID] = p
	}
	return all, rows.Err()
}

// kept is called when the fact is on the disk, and before anybody is told.
func (f UserDeleted) kept(s *Store, seq uint64) {
	next := partings{}
	maps.Copy(next, s.parting())
	next[f.UserID] = parting{alias: f.Alias, erase: f.Erase || next[f.UserID].erase, seq: seq}
	s.parted.Store(&next)
	select {
	case s.hurry <- struct{}{}:
	default:
	}
}

// MessagesParted is the fact that messages of somebody who was deleted are so, too. Those that are not theirs any more are passed over.
type MessagesParted struct {
	UserID string  `json:"user_id"`
	Seqs   []int64 `json:"seqs"`
}

// Kind implements Fact.
func (MessagesParted) Kind() string { return "messages_parted" }

func (f MessagesParted) apply(w *writing) error {
	var p parting
	err := w.db.one("SELECT alias, erase FROM partings WHERE user_id = ?", []any{f.UserID}, &p.alias, &p.erase)
	if err == sql.ErrNoRows { //nolint:errorlint // Scan returns it as it is
		return nil
	}
	for _, seq := range f.Seqs {
		if err != nil {
			return err
		}
		var e entry
		e, err = w.entry("", "SELECT seq, channel_id, content FROM messages WHERE seq = ? AND author_id = ?", seq, f.UserID)
		if errors.Is(err, ErrNotFound) {
			err = nil
			continue
		}
		if err == nil && p.erase {
			err = w.unindex(e)
			e.content = ""
		}
		if err == nil {
			_, err = w.exec("UPDATE messages SET author_id = ?, author_name = '', nonce = NULL, content = ? WHERE channel_id = ? AND seq = ?",
				p.alias, e.content, e.channel, seq)
		}
	}
	return err
}

// PartingOver is the fact that no message is somebody's any more who was deleted by the fact Seq.
type PartingOver struct {
	UserID string `json:"user_id"`
	Seq    uint64 `json:"seq"`
}

// Kind implements Fact.
func (PartingOver) Kind() string { return "parting_over" }

func (f PartingOver) apply(w *writing) error {
	_, err := w.exec("DELETE FROM partings WHERE user_id = ? AND seq = ?", f.UserID, f.Seq)
	return err
}

func (f PartingOver) kept(s *Store, _ uint64) {
	next := partings{}
	maps.Copy(next, s.parting())
	if next[f.UserID].seq == f.Seq {
		delete(next, f.UserID)
	}
	s.parted.Store(&next)
}

// part has the messages of those who were deleted follow them.
func (t *tending) part(ctx context.Context, now time.Time) error {
	for userID, who := range t.parting() {
		many := maxParted
		if who.erase {
			many = maxForget
		}
		for from := int64(0); ; {
			seqs, err := t.seqs(ctx, "SELECT seq FROM messages INDEXED BY messages_by_seq WHERE seq > ? AND seq < ? AND author_id = ? ORDER BY seq LIMIT ?",
				from, who.seq, userID, many)
			if err == nil && len(seqs) > 0 {
				from = seqs[len(seqs)-1]
				err = t.slowly(ctx, now, MessagesParted{userID, seqs})
			}
			if err != nil {
				return err
			}
			if len(seqs) == 0 {
				break
			}
		}
		if _, err := t.Append(ctx, now, PartingOver{userID, who.seq}); err != nil {
			return err
		}
	}
	return nil
}
