package store

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// whole reports what a copy holds, after it was looked through.
func whole(tb testing.TB, path string) Holding {
	tb.Helper()
	db, err := inspect(tb.Context(), path, false)
	require.NoError(tb, err)
	require.NoError(tb, db.Close())
	held, err := holding(tb.Context(), path)
	require.NoError(tb, err)
	return held
}

// namesIn are the names of the files in a directory.
func namesIn(tb testing.TB, dir string) (names []string) {
	tb.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(tb, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// A copy that is made while somebody writes holds what was acknowledged before, and only whole calls.
func TestBackupWhileItIsWritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, FileName))
	add(t, s, ChannelSaved{Channel{ID: "lobby", Name: "Lobby", CreatedAt: noon}})
	ctx, stop := context.WithCancel(t.Context())
	written := make(chan int64)
	go func() {
		n := 0
		for ; ctx.Err() == nil; n += 2 {
			_, _ = s.Append(context.WithoutCancel(ctx), noon, said("lobby", n), said("lobby", n+1))
		}
		written <- int64(n)
	}()
	require.Eventually(t, func() bool { return s.Seq() > 1 }, patience, time.Millisecond)
	copies := t.TempDir()
	to := filepath.Join(copies, "odd ?#% name.db")
	var last Holding
	for range 5 {
		before := s.Seq() - 1 // the channel
		held, err := Backup(t.Context(), filepath.Join(dir, FileName), to, true)
		require.NoError(t, err)
		require.Equal(t, held, whole(t, to))
		require.EqualValues(t, 1, held.Channels)
		require.GreaterOrEqual(t, held.Messages, int64(before))
		require.Zero(t, held.Messages%2, "half a call")
		require.GreaterOrEqual(t, held.Messages, last.Messages)
		last = held
	}
	stop()
	require.Positive(t, last.Messages)
	require.LessOrEqual(t, last.Messages, <-written)
	info, err := os.Stat(to)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	require.Equal(t, info.Size(), last.Bytes)
	require.Equal(t, []string{"odd ?#% name.db"}, namesIn(t, copies))
}

// A text that is deleted, or in whatever other way not to be kept any more, is soon nowhere in the server's files, neither as it was
// written nor as a word of the index, and not even as bytes that are in no use; nor is it in a copy.
func TestDeletedTextIsGone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), FileName)
	s := open(t, path)
	add(t, s, ChannelSaved{Channel{ID: "den", Name: "Den", CreatedAt: noon}}, person("u1", "ada"))
	long := strings.Repeat("much that fills many pages of the file ", 300)
	for n, channel := range []string{"deleted", "edited", "old", "den", "cleared", "user"} {
		fact := said(channel, n)
		// The first letter is that of no other word, so that the index has the whole word, in small letters.
		fact.Content = "Indiscretion " + string('α'+rune(n)) + "Unheard" + channel + " " + long
		if channel == "user" {
			fact.AuthorID = "u1"
		}
		for i := range 30 {
			add(t, s, said("lobby", 2*(30*n+i)))
		}
		add(t, s, fact)
		for i := range 30 {
			add(t, s, said("lobby", 2*(30*n+i)+1))
		}
	}
	// found are the channels of which a text is somewhere.
	found := func(files ...string) (channels []string) {
		t.Helper()
		var all []byte
		for _, file := range files {
			content, err := os.ReadFile(file)
			require.NoError(t, err)
			all = append(all, content...)
		}
		for _, channel := range []string{"deleted", "edited", "old", "den", "cleared", "user"} {
			for _, text := range []string{"Unheard" + channel, "unheard" + channel} {
				if bytes.Contains(all, []byte(text)) {
					channels = append(channels, text)
				}
			}
		}
		return channels
	}
	require.Len(t, found(path, path+"-wal"), 12)
	add(t, s, MessageDeleted{MessageID: "deleted-0"}, MessageEdited{MessageID: "edited-1", Content: "harmless", At: noon}, ChannelDeleted{"den"}, UserDeleted{UserID: "u1", Erase: true, Alias: "gone"})
	require.NoError(t, s.ClearChat(t.Context(), noon, "cleared"))
	tend := tending{Store: s, limits: func(channel string) Limits {
		if channel == "old" {
			return Limits{}
		}
		return Limits{1000, 1 << 62}
	}}
	require.NoError(t, tend.forget(t.Context(), noon))
	require.Eventually(t, func() bool { return len(found(path, path+"-wal")) == 0 }, patience, 20*time.Millisecond)
	to := filepath.Join(t.TempDir(), "copy.db")
	_, err := Backup(t.Context(), path, to, false)
	require.NoError(t, err)
	require.Empty(t, found(to))
	require.Len(t, ids(t, s, "lobby"), 360)
}

// Who reads for long keeps a deleted text in the log, and holds nobody up.
func TestLogIsEmptiedAfterReading(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), FileName)
	s := open(t, path)
	for i := range 10 {
		add(t, s, said("lobby", i))
	}
	rows, err := s.read.QueryContext(t.Context(), "SELECT id FROM messages")
	require.NoError(t, err)
	require.True(t, rows.Next())
	add(t, s, MessageDeleted{MessageID: "lobby-3"})
	size := func() int64 {
		info, failed := os.Stat(path + "-wal")
		require.NoError(t, failed)
		return info.Size()
	}
	slowest := time.Duration(0)
	for end := time.Now().Add(retryInterval + time.Second/2); time.Now().Before(end); {
		begin := time.Now()
		add(t, s, MessageEdited{MessageID: "lobby-4", Content: "again", At: noon})
		slowest = max(slowest, time.Since(begin))
	}
	require.NotZero(t, size())
	require.Less(t, slowest, busyTimeout*time.Millisecond, "the log is waited for")
	require.NoError(t, rows.Close())
	require.Eventually(t, func() bool { return size() == 0 }, patience, 20*time.Millisecond)
}

func TestBackupOverwritesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), FileName)
	add(t, open(t, path), said("lobby", 1))
	dir := t.TempDir()
	to := filepath.Join(dir, "copy.db")
	require.NoError(t, os.WriteFile(to, []byte("precious"), 0o600))
	_, err := Backup(t.Context(), path, to, false)
	require.ErrorIs(t, err, fs.ErrExist)
	content, err := os.ReadFile(to)
	require.NoError(t, err)
	require.Equal(t, "precious", string(content))
	_, err = Backup(t.Context(), filepath.Join(dir, "nothing.db"), to, true)
	require.ErrorIs(t, err, fs.ErrNotExist)
	content, err = os.ReadFile(to)
	require.NoError(t, err)
	require.Equal(t, "precious", string(content), "what failed has replaced it")
	_, err = Backup(t.Context(), path, dir, true)
	require.ErrorContains(t, err, "is a directory")
	_, err = Backup(t.Context(), path, to, true)
	require.NoError(t, err)
	require.EqualValues(t, 1, whole(t, to).Messages)
	require.Equal(t, []string{"copy.db"}, namesIn(t, dir))

	// It came meanwhile.
	other := filepath.Join(dir, "other")
	require.ErrorIs(t, WriteFile(other, false, func(*os.File) error { return os.WriteFile(other, []byte("precious"), 0o600) }), fs.ErrExist)
	content, err = os.ReadFile(other)
	require.NoError(t, err)
	require.Equal(t, "precious", string(content))
}

func TestRestore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, copied := filepath.Join(dir, FileName), filepath.Join(t.TempDir(), "copy.db")
	s, err := Open(path)
	require.NoError(t, err)
	add(t, s, said("lobby", 1))
	_, err = Backup(t.Context(), path, copied, false)
	require.NoError(t, err)
	add(t, s, said("lobby", 2))
	_, _, err = Restore(t.Context(), copied, path, noon)
	require.ErrorIs(t, err, ErrInUse)

	// The server is killed, so that what it wrote last is in the log beside the file.
	killed := map[string][]byte{}
	for _, name := range []string{FileName, FileName + "-wal", FileName + "-shm"} {
		killed[name], err = os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
	}
	require.NotEmpty(t, killed[FileName+"-wal"])
	require.NoError(t, s.Close())
	for name, content := range killed {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}

	held, aside, err := Restore(t.Context(), copied, path, noon)
	require.NoError(t, err)
	require.EqualValues(t, 1, held.Messages)
	require.Equal(t, path+".before-restore-20270115T080000Z", aside)
	require.NotContains(t, namesIn(t, dir), FileName+"-wal")
	require.NotContains(t, namesIn(t, dir), FileName+"-shm")
	s = open(t, path)
	_, err = s.Message(t.Context(), "lobby-1")
	require.NoError(t, err)
	_, err = s.Message(t.Context(), "lobby-2")
	require.ErrorIs(t, err, ErrNotFound, "the log of the old file was applied to the new one")
	require.NoError(t, s.Close())

	// And back, though it is the same second.
	held, again, err := Restore(t.Context(), aside, path, noon)
	require.NoError(t, err)
	require.EqualValues(t, 2, held.Messages, "what the killed server wrote last is gone")
	require.Equal(t, aside+"-2", again)

	elsewhere := filepath.Join(t.TempDir(), FileName)
	held, aside, err = Restore(t.Context(), copied, elsewhere, time.Now())
	require.NoError(t, err)
	require.Empty(t, aside)
	require.Equal(t, held, whole(t, elsewhere))
}

// What cannot be used changes nothing.
func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, FileName)
	s, err := Open(path)
	require.NoError(t, err)
	for i := range 300 {
		add(t, s, said("lobby", i))
	}
	require.NoError(t, s.Close())
	good, err := os.ReadFile(path)
	require.NoError(t, err)
	changed := func(edit func([]byte)) string {
		other := bytes.Clone(good)
		edit(other)
		return string(other)
	}
	for name, test := range map[string]struct {
		content string
		want    error
		says    string
	}{
		"text":      {"Dear grandmother, this is a letter to you, and no database. How are you? We are all well, and miss you.", ErrForeign, "x.db"},
		"empty":     {"", ErrForeign, "x.db"},
		"foreign":   {changed(func(b []byte) { b[68] = 1 }), ErrForeign, "x.db"},
		"newer":     {changed(func(b []byte) { b[63] = 99 }), ErrNewer, "schema 99"},
		"cut":       {string(good[:len(good)/2]), ErrCorrupt, "x.db"},
		"one place": {changed(func(b []byte) { b[bytes.LastIndex(b, []byte("lobby-57"))] ^= 1 }), ErrCorrupt, "x.db"},
	} {
		t.Run(name, func(t *testing.T) {
			from := filepath.Join(t.TempDir(), "x.db")
			require.NoError(t, os.WriteFile(from, []byte(test.content), 0o600))
			_, _, refusal := Restore(t.Context(), from, path, noon)
			require.ErrorIs(t, refusal, test.want)
			require.ErrorContains(t, refusal, test.says)
			now, _ := os.ReadFile(path)
			require.True(t, bytes.Equal(good, now), "the server's file is another")
			require.ElementsMatch(t, []string{FileName, FileName + ".lock"}, namesIn(t, dir))
			now, _ = os.ReadFile(from)
			require.Equal(t, test.content, string(now))
		})
	}
	_, _, err = Restore(t.Context(), filepath.Join(dir, "nothing"), path, noon)
	require.ErrorIs(t, err, fs.ErrNotExist)
}
