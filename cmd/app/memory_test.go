package app

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/mini-livechat/mini-livechat/signaling/store"
)

func TestOpenMemory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	memory, err := openMemory(dir, nil)
	require.NoError(t, err)
	_, err = openMemory(dir, nil)
	require.ErrorIs(t, err, store.ErrInUse)
	require.ErrorContains(t, err, "choose another directory with --data")
	require.NoError(t, memory.Close())

	require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), []byte("x"), 0o600))
	_, err = openMemory(filepath.Join(dir, "file"), nil)
	refusal, ok := err.(*MemoryError) //nolint:errorlint // it is returned as it is
	require.True(t, ok)
	require.ErrorContains(t, refusal, "--data")
	memory, err = openMemory("", nil)
	require.NoError(t, err)
	require.NoError(t, memory.Close())

	// What cannot be used is left alone, and is no reason not to start, unless it is somebody else's.
	path := filepath.Join(dir, store.FileName)
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	for i := 100; i < len(content); i++ {
		content[i] ^= 0x55
	}
	require.NoError(t, os.WriteFile(path, content, 0o600))
	memory, err = openMemory(dir, nil)
	require.NoError(t, err)
	require.ErrorIs(t, memory.Trouble(), store.ErrCorrupt)
	require.NoError(t, memory.Close())
	require.NoError(t, os.WriteFile(path, []byte("a letter, which is no database of ours, and long enough to be none"), 0o600))
	_, err = openMemory(dir, nil)
	require.ErrorIs(t, err, store.ErrForeign)
}

func TestMemoryWatch(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	log, now := zap.New(core), time.Now()
	var w memoryWatch
	said := func() (text string) {
		for _, entry := range logs.TakeAll() {
			text += entry.Level.String() + " "
		}
		return text
	}
	w.look(now, false, nil, log)
	require.Empty(t, said())
	for second := range 125 {
		w.look(now.Add(time.Duration(second)*time.Second), true, func() string { return "disk full" }, log)
	}
	require.Equal(t, "error error error ", said(), "one a minute")
	w.look(now.Add(130*time.Second), false, nil, log)
	require.Equal(t, "info ", said())
	w.look(now.Add(131*time.Second), true, func() string { return "disk full" }, log)
	w.look(now.Add(132*time.Second), false, nil, log)
	require.Empty(t, said(), "it comes and goes within the minute")
	w.look(now.Add(180*time.Second), true, func() string { return "disk full" }, log)
	require.Equal(t, "error ", said())
}
