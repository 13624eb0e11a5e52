package cluster

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/signaling/store"
)

// A node whose database is empty, or ends before the log begins, fetches a copy of another one's, piece by piece. Whoever gives it makes the
// copy at one moment, and forgets it when nobody has asked for a piece for a while.

const (
	// pieceBytes is how much of a copy is asked for at a time.
	pieceBytes = 512 << 10
	// copyWait is how long making a copy may take, pieceWait how long a piece may.
	copyWait, pieceWait = 10 * time.Minute, 10 * time.Second
	// copyKept is for how long a copy is kept of which nobody asks for a piece.
	copyKept = time.Minute
)

// copyRequest asks for a copy to be made, or for a piece of one.
type copyRequest struct {
	Copy   string `json:"copy,omitempty"`
	Offset int64  `json:"offset,omitempty"`
}

// copyMade is a copy, which can be asked for.
type copyMade struct {
	Copy  string `json:"copy"`
	Bytes int64  `json:"bytes"`
	Sum   string `json:"sha256"`
}

// copies are the copies that this node gives away. The zero value is ready.
type copies struct {
	mu    sync.Mutex // guards the field below
	given map[string]*givenCopy
}

type givenCopy struct {
	path   string
	forget *time.Timer
}

// sayCopy makes a copy, or answers with a piece of one.
func (l *Log) sayCopy(data []byte) ([]byte, error) {
	var r copyRequest
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, err
	}
	if r.Copy == "" {
		return l.makeCopy()
	}
	l.copies.mu.Lock()
	given := l.copies.given[r.Copy]
	if given != nil {
		given.forget.Reset(copyKept)
	}
	l.copies.mu.Unlock()
	if given == nil {
		return nil, errors.New("there is no such copy any more")
	}
	f, err := os.Open(given.path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // nothing was written
	piece := make([]byte, pieceBytes)
	n, err := f.ReadAt(piece, r.Offset)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return piece[:n], err
}

func (l *Log) makeCopy() ([]byte, error) {
	made := copyMade{Copy: rand.Text()}
	path := l.path + ".copy-" + made.Copy
	held, err := store.Backup(l.c.over, l.path, path, false)
	if err != nil {
		return nil, err
	}
	forget := func() {
		l.copies.mu.Lock()
		delete(l.copies.given, made.Copy)
		l.copies.mu.Unlock()
		_ = os.Remove(path) // a file too many
	}
	made.Bytes = held.Bytes
	if made.Sum, err = sumOf(path); err != nil {
		forget()
		return nil, err
	}
	l.copies.mu.Lock()
	defer l.copies.mu.Unlock()
	if l.copies.given == nil {
		l.copies.given = make(map[string]*givenCopy)
	}
	l.copies.given[made.Copy] = &givenCopy{path, time.AfterFunc(copyKept, forget)}
	return json.Marshal(made)
}

// forgetAll removes the copies that are left when the node goes.
func (c *copies) forgetAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range c.given {
		one.forget.Stop()
		_ = os.Remove(one.path)
	}
	clear(c.given)
}

// Close gives away nothing any more.
func (l *Log) Close() { l.copies.forgetAll() }

func sumOf(path string) (string, error) {
	f, err := os.Open(path) //nolint:gosec // our own
	if err != nil {
		return "", err
	}
	defer f.Close() //nolint:errcheck // nothing was written
	hash := sha256.New()
	if _, err = io.Copy(hash, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// fetch puts a copy of another node's database in the place of this one's. It returns what is waited for then, or why there is no use in that.
func (l *Log) fetch(ctx context.Context, cluster string, first uint64) error {
	var from *standing
	for _, s := range l.standings(ctx) {
		if s.Cluster == cluster && s.Applied+1 >= first && (from == nil || s.Applied > from.Applied) {
			from = &s
		}
	}
	if from == nil {
		return &joinLaterError{"for a node that has what the log begins after"}
	}
	l.c.log.Info("fetching a copy of another node's database", zap.String("node", from.Name))
	began := time.Now()
	part := l.path + ".fetched"
	defer os.Remove(part) //nolint:errcheck // it is gone when all went well
	if err := l.receive(ctx, from.Name, part); err != nil {
		if ctx.Err() == nil {
			l.c.log.Warn("a copy of another node's database could not be fetched; it is tried again", zap.String("node", from.Name), zap.Error(err))
		}
		return &joinLaterError{"for a copy of the database of " + from.Name}
	}
	held, aside, err := store.Receive(ctx, part, l.path, time.Now())
	if err != nil {
		return err
	}
	l.c.log.Info("the copy is here", zap.Int64("bytes", held.Bytes), zap.Duration("took", time.Since(began)), zap.String("old", aside))
	return &joinLaterError{"to follow the log"}
}

// receive writes a copy of a node's database to a file.
func (l *Log) receive(ctx context.Context, node, to string) error {
	ask := func(r copyRequest, wait time.Duration) ([]byte, error) {
		data, err := json.Marshal(r)
		if err != nil {
			return nil, err
		}
		within, cancel := context.WithTimeout(ctx, wait)
		defer cancel()
		answer, err := l.c.conn.RequestWithContext(within, subjectCopy+node, data)
		if err != nil {
			return nil, err
		}
		if len(answer.Data) == 0 {
			return nil, fmt.Errorf("%s cannot give it", node)
		}
		return answer.Data, nil
	}
	var made copyMade
	data, err := ask(copyRequest{}, copyWait)
	if err == nil {
		err = json.Unmarshal(data, &made)
	}
	if err != nil {
		return err
	}
	f, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600) //nolint:gosec // beside the operator's file
	if err != nil {
		return err
	}
	for at := int64(0); at < made.Bytes && err == nil; {
		if data, err = ask(copyRequest{made.Copy, at}, pieceWait); err == nil {
			var n int
			n, err = f.Write(data)
			at += int64(n)
		}
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	sum, err := sumOf(to)
	if err == nil && sum != made.Sum {
		err = errors.New("it is not what was sent")
	}
	return err
}
