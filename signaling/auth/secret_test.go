package auth_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/auth"
)

func TestSecretIsMadeOnceAndKept(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "b")
	first, err := auth.LoadOrCreateSecret(dir)
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(first), auth.MinSecretBytes)
	again, err := auth.LoadOrCreateSecret(dir)
	require.NoError(t, err)
	require.Equal(t, first, again)

	content, err := os.ReadFile(filepath.Join(dir, "secret"))
	require.NoError(t, err)
	require.Equal(t, string(first)+"\n", string(content), "a line that can be passed on as it stands")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1, "no temporary file stays behind")

	other, err := auth.LoadOrCreateSecret(t.TempDir())
	require.NoError(t, err)
	require.NotEqual(t, first, other)
}

func TestSecretIsPrivate(t *testing.T) {
	t.Parallel()
	skipWithoutModes(t)
	dir := filepath.Join(t.TempDir(), "livechat")
	_, err := auth.LoadOrCreateSecret(dir)
	require.NoError(t, err)
	for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, "secret"): 0o600} {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, want, info.Mode().Perm(), path)
	}
}

func TestSecretIsTheSameForAllWhoStartTogether(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "livechat")
	const processes = 16
	secrets := make([]string, processes)
	var wg sync.WaitGroup
	for i := range secrets {
		wg.Go(func() {
			secret, err := auth.LoadOrCreateSecret(dir)
			if err != nil {
				t.Error(err)
			}
			secrets[i] = string(secret)
		})
	}
	wg.Wait()
	for _, secret := range secrets {
		require.Equal(t, secrets[0], secret)
	}
}

func TestSecretOfOnesOwn(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"without a line end": strings.Repeat("x", auth.MinSecretBytes),
		"from an editor":     strings.Repeat("x", auth.MinSecretBytes) + "\r\n",
		"with spaces":        "correct horse battery staple, and then some",
		"longest":            strings.Repeat("x", auth.MaxSecretBytes) + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, "secret"), []byte(content), 0o600))
			secret, err := auth.LoadOrCreateSecret(dir)
			require.NoError(t, err)
			require.Equal(t, strings.TrimRight(content, "\r\n"), string(secret))
		})
	}
}

func TestSecretFileThatIsBroken(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"empty":       "",
		"only a line": "\n",
		"short":       strings.Repeat("x", auth.MinSecretBytes-1) + "\n",
		"long":        strings.Repeat("x", auth.MaxSecretBytes+1),
		"two lines":   strings.Repeat("x", 40) + "\n" + strings.Repeat("y", 40) + "\n",
		"zeroes":      strings.Repeat("\x00", 64),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "secret")
			require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
			_, err := auth.LoadOrCreateSecret(filepath.Dir(path))
			require.ErrorIs(t, err, auth.ErrSecretFile)
			require.ErrorContains(t, err, path)
			require.ErrorContains(t, err, "delete it")
			if len(content) > 8 {
				require.NotContains(t, err.Error(), content[:8])
			}
			kept, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, content, string(kept), "the file is left for a person to look at")
		})
	}
}

func TestSecretThatOthersCouldUse(t *testing.T) {
	t.Parallel()
	skipWithoutModes(t)
	for _, mode := range []os.FileMode{0o604, 0o640, 0o620, 0o666} {
		dir := t.TempDir()
		path := filepath.Join(dir, "secret")
		_, err := auth.LoadOrCreateSecret(dir)
		require.NoError(t, err)
		require.NoError(t, os.Chmod(path, mode))
		_, err = auth.LoadOrCreateSecret(dir)
		require.ErrorIs(t, err, auth.ErrSecretFile)
		require.ErrorContains(t, err, "chmod 600")
	}
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o777|os.ModeSticky))
	_, err := auth.LoadOrCreateSecret(dir)
	require.ErrorIs(t, err, auth.ErrSecretFile)
	require.ErrorContains(t, err, dir)
}

func TestSecretWhereThereIsNoRoom(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := auth.LoadOrCreateSecret(file)
	require.ErrorContains(t, err, file, "the data directory is a file")

	require.NoError(t, os.Mkdir(filepath.Join(dir, "secret"), 0o700))
	_, err = auth.LoadOrCreateSecret(dir)
	require.ErrorIs(t, err, auth.ErrSecretFile)
	require.ErrorContains(t, err, "not a regular file")
}

func skipWithoutModes(t *testing.T) {
	t.Helper()
	if runtime.GOOS == "windows" || runtime.GOOS == "plan9" {
		t.Skip("no permission bits on " + runtime.GOOS)
	}
}
