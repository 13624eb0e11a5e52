package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const patience = time.Minute

// A store of a file that cannot be opened answers everything with ErrTrouble, says which copy to restore, and touches nothing.
func TestAiling(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, FileName)
	s, err := Open(path)
	require.NoError(t, err)
	for i := range 500 {
		add(t, s, said("lobby", i))
	}
	old, good := filepath.Join(dir, "old.db"), filepath.Join(dir, "good.db")
	for _, to := range []string{old, good} {
		_, err = Backup(t.Context(), path, to, false)
		require.NoError(t, err)
	}
	require.NoError(t, os.Chtimes(old, noon, noon.Add(-time.Hour)))
	require.NoError(t, os.Chtimes(good, noon, noon))
	require.NoError(t, s.Close())
	broken, err := os.ReadFile(path)
	require.NoError(t, err)
	for i := 100; i < len(broken); i += 7 {
		broken[i] ^= 0x55
	}
	require.NoError(t, os.WriteFile(path, broken, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "later.txt"), bytes.Repeat([]byte("x"), 1000), 0o600))

	_, why := Open(path)
	require.ErrorIs(t, why, ErrCorrupt)
	s, err = OpenAiling(path, why, nil)
	require.NoError(t, err)
	_, err = OpenAiling(path, why, nil)
	require.ErrorIs(t, err, ErrInUse)
	_, err = s.Append(t.Context(), noon, said("lobby", 1))
	require.ErrorIs(t, err, ErrTrouble)
	_, err = s.Channels(t.Context())
	require.ErrorIs(t, err, ErrTrouble)
	_, _, err = s.History(t.Context(), Page{ChannelID: "lobby", Limit: 1})
	require.ErrorIs(t, err, ErrTrouble)
	require.ErrorIs(t, s.Trouble(), ErrTrouble)
	require.ErrorIs(t, s.Trouble(), ErrCorrupt)
	require.NotContains(t, s.Trouble().Error(), dir, "strangers read it")
	require.Contains(t, s.Diagnosis(), path)
	require.Contains(t, s.Diagnosis(), "livechat restore; the newest beside it is "+good)
	require.NoError(t, s.Close())
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.True(t, bytes.Equal(broken, after), "it was touched")

	_, _, err = Restore(t.Context(), good, path, noon)
	require.NoError(t, err)
	s = open(t, path)
	require.Empty(t, s.Diagnosis())
	_, err = s.Message(t.Context(), "lobby-499")
	require.NoError(t, err)
}

// Damage that is found by reading ends all writing.
func TestDamageWhileItRuns(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), FileName)
	s, err := Open(path)
	require.NoError(t, err)
	long := said("lobby", 1)
	for i := range 300 {
		long.ID, long.Content = fmt.Sprint("long-", i), strings.Repeat("long ", 300)
		add(t, s, long)
	}
	require.NoError(t, s.Close())
	s = open(t, path)
	require.NoError(t, s.Trouble())
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	info, err := f.Stat()
	require.NoError(t, err)
	const page = 4096
	for at := int64(20 * page); at < info.Size(); at += page {
		_, err = f.WriteAt(bytes.Repeat([]byte{0x5a}, page), at)
		require.NoError(t, err)
	}
	require.NoError(t, f.Close())
	_, _, err = s.History(t.Context(), Page{ChannelID: "lobby", Limit: MaxHistory})
	require.ErrorIs(t, err, ErrTrouble)
	require.ErrorIs(t, s.Trouble(), ErrTrouble)
	require.Contains(t, s.Diagnosis(), "damaged")
	require.Contains(t, s.Diagnosis(), "there is none beside it")
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	_, err = s.Append(t.Context(), noon, said("lobby", 1))
	require.ErrorIs(t, err, ErrTrouble)
	time.Sleep(retryInterval + retryInterval/4)
	require.ErrorIs(t, s.Trouble(), ErrTrouble, "it was taken for well again")
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.True(t, bytes.Equal(before, after))
}

// A disk that is full refuses what is new, loses nothing, and is tried until there is room.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	dir := small(t)
	path := filepath.Join(dir, FileName)
	s, err := Open(path)
	require.NoError(t, err)
	ballast := filepath.Join(dir, "ballast")
	require.NoError(t, os.WriteFile(ballast, make([]byte, 1<<20), 0o600))
	long := said("lobby", 0)
	kept := 0
	for ; ; kept++ {
		long.ID, long.Content = fmt.Sprint("long-", kept), strings.Repeat("long ", 1000)
		if _, err = s.Append(t.Context(), noon, long); err != nil {
			break
		}
		require.Less(t, kept, 10_000)
	}
	require.ErrorIs(t, err, ErrTrouble)
	require.ErrorIs(t, s.Trouble(), ErrTrouble)
	require.Contains(t, s.Diagnosis(), path)
	t.Log(s.Diagnosis())
	m, err := s.Message(t.Context(), "long-0")
	require.NoError(t, err, "what is there can be read")
	require.Len(t, m.Content, 5000)
	for range 3 * retryInterval / (100 * time.Millisecond) {
		require.ErrorIs(t, s.Trouble(), ErrTrouble, "a page may fit where a message does not")
		time.Sleep(100 * time.Millisecond)
	}
	_, err = s.Append(t.Context(), noon, long)
	require.ErrorIs(t, err, ErrTrouble)

	require.NoError(t, os.Remove(ballast))
	require.Eventually(t, func() bool { return s.Trouble() == nil }, patience, 50*time.Millisecond, "though nobody writes")
	add(t, s, long)
	require.NoError(t, s.Close())
	require.EqualValues(t, kept+1, whole(t, path).Messages)
}

// A start on a full disk fails like any other trouble.
func TestDiskFullAtTheStart(t *testing.T) {
	t.Parallel()
	dir := small(t)
	path := filepath.Join(dir, FileName)
	s, err := Open(path)
	require.NoError(t, err)
	add(t, s, said("lobby", 1))
	require.NoError(t, s.Close())
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	_ = os.WriteFile(filepath.Join(dir, "ballast"), make([]byte, 4<<20), 0o600)
	s, err = Open(path)
	if err == nil {
		_, err = s.Append(t.Context(), noon, said("lobby", 2))
		require.ErrorIs(t, err, ErrTrouble)
		require.NoError(t, s.Close())
		t.Skip("this file system lets it be opened")
	}
	for _, refusal := range []error{ErrInUse, ErrNewer, ErrForeign, ErrCorrupt} {
		require.False(t, errors.Is(err, refusal), err)
	}
	t.Log(err)
	s, err = OpenAiling(path, err, nil)
	require.NoError(t, err)
	_, err = s.Append(t.Context(), noon, said("lobby", 2))
	require.ErrorIs(t, err, ErrTrouble)
	require.NoError(t, s.Close())
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.True(t, bytes.Equal(before, after))
}

// A file that cannot be opened, as on a disk that is full or not there yet, is used as soon as it can be.
func TestOpenedLater(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, disk := filepath.Join(dir, FileName), filepath.Join(dir, "disk")
	require.NoError(t, os.Mkdir(disk, 0o700))
	s, err := Open(filepath.Join(disk, FileName))
	require.NoError(t, err)
	seq := add(t, s, said("lobby", 1))
	require.NoError(t, s.Close())
	require.NoError(t, os.Rename(disk, disk+"-away"))
	require.NoError(t, os.Symlink(filepath.Join(disk, FileName), path))

	_, why := Open(path)
	require.Error(t, why)
	s, err = OpenAiling(path, why, nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	require.Contains(t, s.Diagnosis(), "it is tried again every 2s")
	time.Sleep(retryInterval + retryInterval/4)
	_, err = s.Append(t.Context(), noon, said("lobby", 2))
	require.ErrorIs(t, err, ErrTrouble)
	_, _, err = s.History(t.Context(), Page{ChannelID: "lobby", Limit: 9})
	require.ErrorIs(t, err, ErrTrouble)
	_, err = Open(path)
	require.ErrorIs(t, err, ErrInUse)

	require.NoError(t, os.Rename(disk+"-away", disk))
	require.Eventually(t, func() bool { return s.Trouble() == nil }, patience, 50*time.Millisecond)
	require.Empty(t, s.Diagnosis())
	require.Equal(t, seq, s.Seq())
	require.Equal(t, seq+1, add(t, s, said("lobby", 2)))
	require.Equal(t, []string{"lobby-1", "lobby-2"}, ids(t, s, "lobby"))
	_, err = s.read.ExecContext(t.Context(), "DELETE FROM messages")
	require.Error(t, err, "readers only read")
	_, err = Open(path)
	require.ErrorIs(t, err, ErrInUse)
}

// One that is damaged when it can be reached again is left alone.
func TestOpenedLaterDamaged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, disk := filepath.Join(dir, FileName), filepath.Join(dir, "disk")
	require.NoError(t, os.Symlink(filepath.Join(disk, FileName), path))
	_, why := Open(path)
	s, err := OpenAiling(path, why, nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	require.NoError(t, os.Mkdir(disk, 0o700))
	letter := []byte("a letter, which is no database of ours, and long enough to be none")
	require.NoError(t, os.WriteFile(filepath.Join(disk, FileName), letter, 0o600))
	require.Eventually(t, func() bool { return strings.Contains(s.Diagnosis(), "not a database of this program") }, patience, 50*time.Millisecond)
	require.ErrorIs(t, s.Trouble(), ErrTrouble)
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, letter, content)
}
