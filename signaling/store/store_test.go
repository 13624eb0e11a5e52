package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu/leaktest"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(beWriter); path != "" {
		writeUntilKilled(path)
	}
	if path := os.Getenv(beDeleter); path != "" {
		deleteUntilKilled(path)
	}
	leaktest.Main(m)
}

// open opens a store in a file of its own, or in memory, until the end of the test.
func open(tb testing.TB, path string) *Store {
	tb.Helper()
	s, err := Open(path)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, s.Close()) })
	return s
}

// kinds are a store with a file and one in memory.
func kinds(tb testing.TB) map[string]*Store {
	tb.Helper()
	dir := filepath.Join(tb.TempDir(), "odd ?#% name")
	require.NoError(tb, os.Mkdir(dir, 0o700))
	return map[string]*Store{"file": open(tb, filepath.Join(dir, FileName)), "memory": open(tb, "")}
}

func add(tb testing.TB, s *Store, facts ...Fact) uint64 {
	tb.Helper()
	seq, err := s.Append(context.Background(), noon, facts...)
	require.NoError(tb, err)
	return seq
}

var noon = time.UnixMilli(1_800_000_000_123) //nolint:gochecknoglobals // constant

func said(channel string, n int) MessagePosted {
	return MessagePosted{Message: Message{
		ID: fmt.Sprint(channel, "-", n), ChannelID: channel, AuthorID: "ada", AuthorName: "Ada", Content: fmt.Sprint("text ", n), At: noon,
	}}
}

func TestChannelsAreRemembered(t *testing.T) {
	t.Parallel()
	for name, s := range kinds(t) {
		t.Run(name, func(t *testing.T) {
			none, day := 0, 24*time.Hour
			lobby := Channel{
				ID: "lobby", Name: "Lobby '); DROP TABLE channels; --", Topic: "\x00 \U0001F600 한국어", Mode: "conference", Access: "open",
				Position: 2, CreatedAt: noon, Keep: Keep{Count: &none, For: &day},
			}
			ops := Channel{ID: "ops", Name: "Ops", Mode: "conference", Access: "members", Position: 1, Capacity: 7, OwnerID: "ada", CreatedAt: noon}
			add(t, s, ChannelSaved{lobby}, ChannelSaved{ops})
			all, err := s.Channels(t.Context())
			require.NoError(t, err)
			require.Equal(t, []Channel{ops, lobby}, all)

			lobby.Name, lobby.Keep = "Hall", Keep{}
			add(t, s, ChannelSaved{lobby}, ChannelDeleted{"ops"})
			all, err = s.Channels(t.Context())
			require.NoError(t, err)
			require.Equal(t, []Channel{lobby}, all)
			_, err = s.Append(t.Context(), noon, ChannelDeleted{"ops"})
			require.ErrorIs(t, err, ErrNotFound)
			require.NotErrorIs(t, err, ErrTrouble)
		})
	}
}

func TestHistory(t *testing.T) {
	t.Parallel()
	for name, s := range kinds(t) {
		t.Run(name, func(t *testing.T) {
			for i := range 10 {
				add(t, s, said("lobby", i), said("other", i))
			}
			page := func(p Page) string {
				t.Helper()
				p.ChannelID = "lobby"
				messages, more, err := s.History(t.Context(), p)
				require.NoError(t, err)
				out := ""
				for _, m := range messages {
					out += m.ID[len("lobby-"):]
				}
				if more {
					out += "+"
				}
				return out
			}
			require.Equal(t, "789+", page(Page{Limit: 3}))
			require.Equal(t, "0123456789", page(Page{Limit: 10}))
			require.Equal(t, "456+", page(Page{Before: "lobby-7", Limit: 3}))
			require.Equal(t, "01", page(Page{Before: "lobby-2", Limit: 3}))
			require.Empty(t, page(Page{Before: "lobby-0", Limit: 3}))
			require.Equal(t, "345+", page(Page{After: "lobby-2", Limit: 3}))
			require.Equal(t, "89", page(Page{After: "lobby-7", Limit: 3}))

			add(t, s, MessageDeleted{MessageID: "lobby-5"}, MessageEdited{MessageID: "lobby-6", Content: "changed", At: noon.Add(time.Hour)})
			require.Equal(t, "3467+", page(Page{Before: "lobby-8", Limit: 4}))
			require.Equal(t, "34+", page(Page{Before: "lobby-5", Limit: 2}), "a place that is empty is one all the same")
			m, err := s.Message(t.Context(), "lobby-6")
			require.NoError(t, err)
			require.Equal(t, "changed", m.Content)
			require.Equal(t, noon.Add(time.Hour), m.EditedAt)
			_, err = s.Message(t.Context(), "lobby-5")
			require.ErrorIs(t, err, ErrNotFound)
			for _, fact := range []Fact{MessageDeleted{MessageID: "lobby-5"}, MessageEdited{MessageID: "lobby-5", Content: "again", At: noon}, MessageDeleted{MessageID: "x"}} {
				_, err = s.Append(t.Context(), noon, fact)
				require.ErrorIs(t, err, ErrNotFound)
			}
			_, _, err = s.History(t.Context(), Page{ChannelID: "lobby", Before: "other-1", Limit: 1})
			require.ErrorIs(t, err, ErrNotFound, "a message of another channel")
			_, err = s.Append(t.Context(), noon, said("lobby", 1))
			require.ErrorIs(t, err, ErrExists)

			add(t, s, ChannelSaved{Channel{ID: "lobby"}}, ChannelDeleted{"lobby"})
			require.Empty(t, page(Page{Limit: 3}))
		})
	}
}

// All facts of a call are written or none, and one that is refused takes nothing of the others back.
func TestAppendIsAllOrNothing(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(t.TempDir(), FileName))
	before := s.Seq()
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			if i%2 == 0 {
				add(t, s, said("lobby", i))
				return
			}
			_, err := s.Append(context.Background(), noon, said("lobby", i), MessageDeleted{MessageID: "nobody's"})
			if !errors.Is(err, ErrNotFound) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	messages, _, err := s.History(t.Context(), Page{ChannelID: "lobby", Limit: MaxHistory})
	require.NoError(t, err)
	require.Len(t, messages, 100)
	require.Equal(t, before+100, s.Seq(), "what was refused has no number")
	for i := range messages[1:] {
		require.Greater(t, messages[i+1].Seq, messages[i].Seq)
	}
}

func TestItOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), FileName)
	s, err := Open(path)
	require.NoError(t, err)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	seq := add(t, s, said("lobby", 1))
	_, err = Open(path)
	require.ErrorIs(t, err, ErrInUse)
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	_, err = s.Append(t.Context(), noon, said("lobby", 2))
	require.ErrorIs(t, err, ErrClosed)

	s = open(t, path)
	require.Equal(t, seq, s.Seq())
	m, err := s.Message(t.Context(), "lobby-1")
	require.NoError(t, err)
	want := said("lobby", 1).Message
	want.Seq = seq
	require.Equal(t, want, m)
	require.NoError(t, s.Trouble())
}

// What is no database of ours is left as it is, and the error says what to do.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	ours := filepath.Join(dir, "ours.db")
	s, err := Open(ours)
	require.NoError(t, err)
	for i := range 500 {
		add(t, s, said("lobby", i))
	}
	require.NoError(t, s.Close())
	good, err := os.ReadFile(ours)
	require.NoError(t, err)
	broken := append([]byte(nil), good...)
	for i := 100; i < len(broken); i += 7 {
		broken[i] ^= 0x55
	}
	newer := append([]byte(nil), good...)
	newer[63] = 99 // user_version
	foreign := append([]byte(nil), good...)
	foreign[68] = 1 // application_id
	require.NoError(t, os.Mkdir(filepath.Join(dir, "directory"), 0o700))
	for name, test := range map[string]struct {
		path string
		want error
		says string
	}{
		"text":      {write("text", "This is a letter to my grandmother, and no database."), ErrForeign, "--data"},
		"foreign":   {write("foreign", string(foreign)), ErrForeign, "Move it away"},
		"newer":     {write("newer", string(newer)), ErrNewer, "schema 99"},
		"broken":    {write("broken", string(broken)), ErrCorrupt, "restore a copy"},
		"directory": {filepath.Join(dir, "directory"), ErrForeign, "no file"},
	} {
		t.Run(name, func(t *testing.T) {
			before, _ := os.ReadFile(test.path)
			_, refusal := Open(test.path)
			require.ErrorIs(t, refusal, test.want)
			require.ErrorContains(t, refusal, test.says)
			after, _ := os.ReadFile(test.path)
			require.Equal(t, before, after, "it was touched")
		})
	}
	_, err = Open(filepath.Join(dir, "nowhere", "x.db"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

// An older file is copied and brought to the newest schema; a step that fails is not half done.
func TestMigrate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), FileName)
	s, err := Open(path)
	require.NoError(t, err)
	add(t, s, said("lobby", 1))
	require.NoError(t, s.Close())
	with := func(steps ...string) error {
		t.Helper()
		again := &Store{path: path}
		w, failed := again.open()
		require.NoError(t, failed)
		defer func() { require.NoError(t, errors.Join(w.close(), again.abandon())) }()
		return migrate(w, path, append(schemas(), steps...))
	}
	require.Error(t, with("CREATE TABLE more (a) STRICT;", "nonsense;"))
	copies, err := filepath.Glob(path + ".before-*")
	require.NoError(t, err)
	require.NotEmpty(t, copies)
	old := open(t, copies[0])
	_, err = old.Message(t.Context(), "lobby-1")
	require.NoError(t, err, "the copy is whole")
}

func TestCut(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Plain words, hére":   "plain. words. here.",
		"안녕":                  "안녕. 녕.",
		"회의실로 와":              "회의. 의실. 실로. 로. 와.",
		"see 会議 at 3":         "see. 会議. 議. at. 3.",
		"see会議,\ue000a\ue001": "see. 会議. 議. a.",
		"\u0301 हिन्दी 𞤀":     "हिनदी. 𞤢.",
		"ΟΔΟΣ οδος":           "οδοσ. οδοσ.",
		"":                    "",
	} {
		require.Equal(t, want, cut(text, '.'), text)
	}
}

// A name is one channel's, whoever was quicker, until it is called otherwise or gone.
func TestChannelNamesAreOneChannels(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(t.TempDir(), FileName))
	channel := func(id string) Channel { return Channel{ID: id, Name: id, CreatedAt: noon} }
	add(t, s, ChannelMade{channel("den"), []string{"den", "DEN"}})
	refused := func(f Fact) {
		t.Helper()
		_, err := s.Append(t.Context(), noon, f)
		require.ErrorIs(t, err, ErrChannelNameTaken)
	}
	refused(ChannelMade{channel("den2"), []string{"other", "DEN"}})
	_, err := s.Channel(t.Context(), "den2")
	require.ErrorIs(t, err, ErrNotFound)
	add(t, s, ChannelMade{channel("attic"), []string{"attic", "other"}})
	refused(ChannelChanged{channel("attic"), []string{"den"}})
	add(t, s, ChannelChanged{channel("attic"), []string{"attic", "loft"}}, ChannelChanged{channel("den"), []string{"den", "other"}})
	refused(ChannelMade{channel("loft"), []string{"loft"}})
	add(t, s, ChannelDeleted{"attic"}, ChannelMade{channel("loft"), []string{"loft"}})
}
