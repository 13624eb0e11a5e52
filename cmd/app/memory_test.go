package app

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/store"
)

func TestOpenMemory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	memory, err := openMemory(dir)
	require.NoError(t, err)
	_, err = openMemory(dir)
	require.ErrorIs(t, err, store.ErrInUse)
	require.ErrorContains(t, err, "choose another directory with --data")
	require.NoError(t, memory.Close())

	require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), []byte("x"), 0o600))
	_, err = openMemory(filepath.Join(dir, "file"))
	refusal, ok := err.(*MemoryError) //nolint:errorlint // it is returned as it is
	require.True(t, ok)
	require.ErrorContains(t, refusal, "--data")
	memory, err = openMemory("")
	require.NoError(t, err)
	require.NoError(t, memory.Close())
}
