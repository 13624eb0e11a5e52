package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
	require.Contains(t, stderr, "the server is running; stop it first")

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

func TestExportAndImport(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data, file := "--data="+filepath.Join(dir, "data"), filepath.Join(dir, "all.jsonl")
	server := livechat(t, nil, data, "--http=127.0.0.1:0", "--udp=127.0.0.1:0", "--no-turn", "--channels=lobby,ops")
	started(t, server)
	require.Eventually(t, func() bool { // the admin's
		invites, _, _ := output(t, livechat(t, nil, "invite", "list", data))
		return strings.Contains(invites, "admin")
	}, patience, 10*time.Millisecond)
	stdout, stderr, code := output(t, livechat(t, nil, "export", data, file))
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, file+": 2 channels, 0 messages, ")
	_, stderr, code = output(t, livechat(t, nil, "export", data, file))
	require.Equal(t, exitFailure, code)
	require.Contains(t, stderr, "--force")
	stdout, stderr, code = output(t, livechat(t, nil, "export", data))
	require.Zero(t, code)
	require.Contains(t, stderr, "2 channels")
	written, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(written), stdout)
	_, stderr, code = output(t, livechat(t, nil, "import", data, file))
	require.Equal(t, exitFailure, code)
	require.Contains(t, stderr, "the server is running; stop it first")
	require.NoError(t, server.Process.Signal(os.Interrupt))
	require.NoError(t, server.Wait())

	_, stderr, code = output(t, livechat(t, nil, "import", data, file))
	require.Equal(t, exitFailure, code)
	require.Contains(t, stderr, "line 1: exists already: channel lobby")
	require.Contains(t, stderr, "--skip-existing")
	stdout, stderr, code = output(t, livechat(t, nil, "import", "--skip-existing", data, file))
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, "0 channels, 0 messages; 3 lines were about what is there already")
	elsewhere := "--data=" + filepath.Join(dir, "new")
	from := livechat(t, nil, "import", elsewhere, "-")
	from.Stdin = bytes.NewReader(written)
	stdout, stderr, code = output(t, from)
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, "2 channels, 0 messages\n")
	stdout, _, code = output(t, livechat(t, nil, "export", elsewhere))
	require.Zero(t, code)
	require.Equal(t, string(written), stdout)

	require.NoError(t, os.WriteFile(file, []byte(`{"kind":"channel_saved","channel_id":"a b","created_at":"2026-01-01T00:00:00Z","keep":{}}`), 0o600))
	_, stderr, code = output(t, livechat(t, nil, "import", elsewhere, file))
	require.Equal(t, exitFailure, code)
	require.Contains(t, stderr, `line 1: channel_id "a b"`)
}
