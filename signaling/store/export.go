package store

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"time"
)

// An export is JSON Lines. Each line is a fact: its kind, and beside that its fields. There are channel_saved, then
// message_posted, in their order; of a message that was deleted the content is empty. Last are read_up_to; where the last message that
// was read is not kept any more, it is the last before that. Then come people, see export_people.go.

// channelLine, messageLine and readLine are the lines of an export.
type channelLine struct {
	Kind string `json:"kind"`
	Channel
}

type messageLine struct {
	Kind string `json:"kind"`
	Message
}

type readLine struct {
	Kind string `json:"kind"`
	ReadUpTo
}

// Export writes what the file at path holds, also while a server uses it, as it is at one moment. Holding.Bytes is how much it wrote.
func Export(ctx context.Context, path string, to io.Writer) (Holding, error) {
	var held Holding
	db, err := recognised(ctx, path, true)
	if err != nil {
		return held, err
	}
	defer db.Close() //nolint:errcheck // nothing was written
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return held, fmt.Errorf("%s: %w", path, classify(err))
	}
	defer tx.Rollback() //nolint:errcheck // nothing was written
	out := bufio.NewWriter(writerFunc(func(p []byte) (int, error) {
		held.Bytes += int64(len(p))
		return to.Write(p)
	}))
	lines := json.NewEncoder(out)
	lines.SetEscapeHTML(false)
	err = eachRow(ctx, tx, "SELECT "+channelColumns+" FROM channels ORDER BY id", func(rows *sql.Rows) error {
		c, failed := scanChannel(rows)
		if failed != nil {
			return failed
		}
		held.Channels++
		c.CreatedAt = c.CreatedAt.UTC()
		return lines.Encode(channelLine{ChannelSaved{}.Kind(), c})
	})
	var parted partings
	if err == nil {
		parted, err = readPartings(ctx, tx)
	}
	if err == nil {
		err = eachRow(ctx, tx, "SELECT "+messageColumns+" FROM messages ORDER BY seq", func(rows *sql.Rows) error {
			m, failed := scanMessage(rows)
			if failed != nil {
				return failed
			}
			parted.apply(&m)
			if m.Content != "" {
				held.Messages++
			}
			m.At = m.At.UTC()
			if !m.EditedAt.IsZero() {
				m.EditedAt = m.EditedAt.UTC()
			}
			return lines.Encode(messageLine{MessagePosted{}.Kind(), m})
		})
	}
	if err == nil {
		err = eachRow(ctx, tx, `SELECT user_id, channel_id, (SELECT id FROM messages m WHERE m.channel_id = reads.channel_id
			AND m.seq <= reads.seq ORDER BY m.seq DESC LIMIT 1) AS last FROM reads WHERE last IS NOT NULL`, func(rows *sql.Rows) error {
			line := readLine{Kind: ReadUpTo{}.Kind()}
			if failed := rows.Scan(&line.UserID, &line.ChannelID, &line.MessageID); failed != nil {
				return failed
			}
			return lines.Encode(line)
		})
	}
	if err == nil {
		held.Users, err = exportPeople(ctx, tx, lines)
	}
	if err != nil {
		return held, fmt.Errorf("%s: %w", path, classify(err))
	}
	return held, out.Flush()
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func eachRow(ctx context.Context, tx *sql.Tx, query string, do func(*sql.Rows) error) error {
	rows, err := tx.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // rows.Err says it
	for rows.Next() {
		if err = do(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// keepLine is Keep in JSON.
type keepLine struct {
	Count *int   `json:"count,omitempty"`
	ForMS *int64 `json:"for_ms,omitempty"`
}

// MarshalJSON implements json.Marshaler: times are milliseconds.
func (k Keep) MarshalJSON() ([]byte, error) {
	line := keepLine{Count: k.Count}
	if k.For != nil {
		line.ForMS = new(k.For.Milliseconds())
	}
	return json.Marshal(line)
}

// UnmarshalJSON implements json.Unmarshaler.
func (k *Keep) UnmarshalJSON(text []byte) error {
	var line keepLine
	if err := decode(text, &line); err != nil {
		return err
	}
	*k = Keep{Count: line.Count}
	if line.ForMS != nil {
		if *line.ForMS > math.MaxInt64/int64(time.Millisecond) {
			return errors.New("for_ms is too long")
		}
		k.For = new(time.Duration(*line.ForMS) * time.Millisecond)
	}
	return nil
}
