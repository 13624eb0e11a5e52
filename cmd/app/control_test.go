package app

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/httpapi"
	"github.com/mini-livechat/mini-livechat/signaling/store"
	"github.com/mini-livechat/mini-livechat/signaling/store/storetest"
)

func TestControlSocketIsItsOwnersAlone(t *testing.T) {
	data := t.TempDir()
	for range 2 { // the second finds the socket of one that was killed
		l, err := openControl(data)
		require.NoError(t, err)
		info, err := os.Stat(filepath.Join(data, controlName))
		require.NoError(t, err)
		require.Equal(t, os.ModeSocket|0o600, info.Mode())
		require.NoError(t, l.(*controlListener).UnixListener.Close())
	}
	l, err := openControl(data)
	require.NoError(t, err)
	require.NoError(t, l.Close())
	left, err := os.ReadDir(data)
	require.NoError(t, err)
	require.Empty(t, left)
	l, err = openControl("")
	require.NoError(t, err)
	require.Nil(t, l)
}

// A node that does not answer yet is no missing server, and no file that anything could be set about.
func TestAdministeringANodeThatDoesNotAnswer(t *testing.T) {
	data := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(data, logDir), 0o700))
	_, err := OpenAdmin(t.Context(), data)
	require.ErrorIs(t, err, errNotJoined)
	memory, err := store.OpenShared(filepath.Join(data, store.FileName), &store.Share{Cluster: "c1", Log: storetest.NewLog()})
	require.NoError(t, err)
	require.NoError(t, memory.Close())
	_, err = OpenAdmin(t.Context(), data)
	require.ErrorIs(t, err, errNotJoined)
}

// A socket that nobody answers on, as one leaves who was killed, does not keep a command from the memory.
func TestAdministeringWithoutAServer(t *testing.T) {
	data := t.TempDir()
	_, err := OpenAdmin(t.Context(), data)
	require.ErrorContains(t, err, "was it started once?")
	memory, err := store.Open(filepath.Join(data, store.FileName))
	require.NoError(t, err)
	_, err = OpenAdmin(t.Context(), data)
	require.ErrorIs(t, err, store.ErrInUse)
	require.ErrorContains(t, err, "does not answer")
	require.NoError(t, memory.Close())

	stale, err := new(net.ListenConfig).Listen(t.Context(), "unix", filepath.Join(data, controlName))
	require.NoError(t, err)
	stale.(*net.UnixListener).SetUnlinkOnClose(false)
	require.NoError(t, stale.Close())
	admin, err := OpenAdmin(t.Context(), data)
	require.NoError(t, err)
	var server httpapi.AdminServer
	require.NoError(t, admin.Do(t.Context(), "GET", "/api/admin/server", nil, &server))
	require.Empty(t, server.URL, "none runs")
	require.NoError(t, admin.Close())
}

func TestShortPath(t *testing.T) {
	dir := t.TempDir()
	path, done := shortPath(filepath.Join(dir, "s"))
	done()
	require.Equal(t, filepath.Join(dir, "s"), path)
	deep := filepath.Join(dir, strings.Repeat("deep", 30))
	require.NoError(t, os.Mkdir(deep, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(deep, "s"), []byte("here"), 0o600))
	path, done = shortPath(filepath.Join(deep, "s"))
	defer done()
	if _, err := os.Stat("/proc/self/fd"); err != nil {
		t.Skip("SKIPPED: no /proc here")
	}
	require.LessOrEqual(t, len(path), maxSocketPath)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "here", string(text))
	nowhere := filepath.Join(deep, "not", "there")
	path, done = shortPath(nowhere)
	done()
	require.Equal(t, nowhere, path)
}
