package store

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// beDeleter names the file in which the test binary deletes ada, or erases her where eraseAda is set, until it is killed.
const (
	beDeleter = "TEST_STORE_BE_DELETER"
	eraseAda  = "TEST_STORE_ERASE"
)

func deleteUntilKilled(path string) {
	time.AfterFunc(time.Minute, func() { os.Exit(1) })
	ctx := context.Background()
	s, err := Open(path)
	if err == nil {
		_, err = s.Append(ctx, noon, UserDeleted{UserID: "ada", Erase: os.Getenv(eraseAda) != "", Alias: "gone-1"})
	}
	if err == nil {
		_, _ = fmt.Fprintln(os.Stdout, "deleted")
		err = tendingOf(s, 1000).forget(ctx, noon) // long rests
	}
	fmt.Fprintln(os.Stderr, "not killed:", err)
	os.Exit(1)
}

// tendingOf forgets nothing that is not to be forgotten anyway.
func tendingOf(s *Store, rest time.Duration) *tending {
	return &tending{Store: s, rest: rest, limits: func(string) Limits { return Limits{1 << 30, 1 << 62} }}
}

// Whoever is deleted is so at once, for all who read, though the server is killed before the tables have followed; and it goes on with that.
func TestKilledWhileDeleting(t *testing.T) {
	t.Parallel()
	const hers = 300
	for _, erase := range []bool{false, true} {
		t.Run(map[bool]string{false: "keep", true: "erase"}[erase], func(t *testing.T) {
			path := filepath.Join(t.TempDir(), FileName)
			s := open(t, path)
			facts := append(make([]Fact, 0, 1+2*hers), person("ada", "ada"))
			for i := range 2 * hers {
				fact := said("lobby", i)
				fact.Content = "unheard"
				if i%2 == 1 {
					fact.AuthorID, fact.AuthorName, fact.Content = "bob", "Bob", "harmless"
				}
				facts = append(facts, fact)
			}
			add(t, s, facts...)
			require.NoError(t, s.Close())
			killDeleter(t, path, erase, hers)

			s = open(t, path)
			_, err := s.User(t.Context(), "ada")
			require.ErrorIs(t, err, ErrNotFound)
			left := column1[int](t, s, "SELECT count(*) FROM messages WHERE author_id = 'ada'")
			require.Positive(t, left, "it was killed too late")
			require.Less(t, left, hers)
			gone := seenOf(t, s, erase, hers)
			add(t, s, person("ada", "ada"), said("lobby", 2*hers)) // another one, of the same id
			require.NoError(t, tendingOf(s, 0).forget(t.Context(), noon))
			require.Empty(t, s.parting())
			require.Zero(t, column1[int](t, s, "SELECT count(*) FROM partings"))
			require.Equal(t, 1, column1[int](t, s, "SELECT count(*) FROM messages WHERE author_id = 'ada'"))
			require.Equal(t, gone, seenOf(t, s, erase, hers), "it is as it was seen before")
			require.Equal(t, gone, column1[int](t, s, "SELECT count(*) FROM words WHERE words MATCH 'unheard*'"))
		})
	}
}

// killDeleter has ada deleted, and kills who does so in the midst of it.
func killDeleter(t *testing.T, path string, erase bool, hers int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), beDeleter+"="+path)
	if erase {
		cmd.Env = append(cmd.Env, eraseAda+"=1")
	}
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	_, err = bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	db, err := openToRead(path, true)
	require.NoError(t, err)
	defer db.Close()
	require.Eventually(t, func() bool {
		var left int
		require.NoError(t, db.QueryRowContext(t.Context(), "SELECT count(*) FROM messages WHERE author_id = 'ada'").Scan(&left))
		return left < hers
	}, time.Minute, time.Millisecond)
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
}

// seenOf makes sure that what is seen of ada's messages is as it has to be once she is deleted, and returns how many there are.
func seenOf(t *testing.T, s *Store, erase bool, hers int) (seen int) {
	t.Helper()
	more := true
	for before := fmt.Sprint("lobby-", 2*hers-1); more; {
		var page []Message
		var err error
		page, more, err = s.History(t.Context(), Page{ChannelID: "lobby", Before: before, Limit: MaxHistory})
		require.NoError(t, err)
		for _, m := range page {
			if m.AuthorID == "bob" {
				continue
			}
			require.Equal(t, Message{Seq: m.Seq, ID: m.ID, ChannelID: "lobby", AuthorID: "gone-1", Content: "unheard", At: m.At}, m)
			seen++
		}
		before = page[0].ID
	}
	require.Equal(t, map[bool]int{false: hers, true: 0}[erase], seen)
	for text, author := range map[string]string{"unheard": "ada", "harmless": "bob"} { // nobody looks for what one who is no more wrote
		answer, err := s.Search(t.Context(), Query{Text: text, AuthorID: author, ChannelIDs: []string{"lobby"}, Limit: 1})
		require.NoError(t, err)
		require.Equal(t, author == "bob", len(answer.Found) > 0, author)
	}
	_, err := s.Message(t.Context(), "lobby-0")
	if erase {
		require.ErrorIs(t, err, ErrNotFound)
	} else {
		require.NoError(t, err)
	}
	return seen
}

// column1 is what a query of one number says.
func column1[T any](t *testing.T, s *Store, query string) (value T) {
	t.Helper()
	require.NoError(t, s.read.QueryRowContext(t.Context(), query).Scan(&value))
	return value
}
