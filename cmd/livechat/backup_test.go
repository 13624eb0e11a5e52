package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/store"
)

// TestBackupAndRestore copies while the server runs, and restores when it does not.
func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data, file := "--data="+filepath.Join(dir, "data"), filepath.Join(dir, "copy.db")
	_, stderr, code := output(t, livechat(t, nil, "backup", data, file))
	require.Equal(t, exitFailure, code)
	require.Contains(t, stderr, data, "which is not the server's")

	server := livechat(t, nil, data, "--http=127.0.0.1:0", "--udp=127.0.0.1:0", "--no-turn", "--channels=lobby,ops")
	started(t, server)
	stdout, stderr, code := output(t, livechat(t, nil, "backup", data, file))
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, file+": 2 channels, 0 messages, ")
	_, stderr, code = output(t, livechat(t, nil, "backup", data, file))
	require.Equal(t, exitFailure, code)
	require.Contains(t, stderr, "--force")
	_, stderr, code = output(t, livechat(t, nil, "backup", "--force", data, file))
	require.Zero(t, code, stderr)
	_, stderr, code = output(t, livechat(t, nil, "restore", data, file))
	require.Equal(t, exitFailure, code)
	require.Contains(t, stderr, "another server uses this file: stop that first")

	require.NoError(t, server.Process.Signal(os.Interrupt))
	require.NoError(t, server.Wait())
	stdout, stderr, code = output(t, livechat(t, []string{"LIVECHAT_DATA=" + filepath.Join(dir, "data")}, "restore", file))
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, file+": 2 channels, 0 messages, ")
	aside, err := filepath.Glob(filepath.Join(dir, "data", store.FileName+".before-restore-*"))
	require.NoError(t, err)
	require.Len(t, aside, 1)
	require.Contains(t, stdout, "what was there before is "+aside[0])

	// Another machine.
	stdout, stderr, code = output(t, livechat(t, nil, "restore", "--data="+filepath.Join(dir, "new"), file))
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, "there was none before")
	_, stderr, code = output(t, livechat(t, nil, "restore", data, os.Args[0]))
	require.Equal(t, exitFailure, code)
	require.Contains(t, stderr, os.Args[0]+": not a database of this program\n")
}
