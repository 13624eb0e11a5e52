package app

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/mini-livechat/mini-livechat/signaling/auth"
)

// Secrets of these tests.
const (
	oldSecret = testSecret + ", the old one"
	newSecret = testSecret + ", the new one"
)

// watched is a file of secrets that a server has read, and what it logs of it.
func watched(t *testing.T, content string) (f *secretFile, log *observer.ObservedLogs) {
	t.Helper()
	core, log := observer.New(zap.InfoLevel)
	path := filepath.Join(t.TempDir(), "secrets")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	f = newSecretFile(path, zap.New(core))
	var err error
	f.authority, err = Config{SecretFile: path}.Authority()
	require.NoError(t, err)
	return f, log
}

// takes reports whether the server takes tokens that are signed with a secret.
func (f *secretFile) takes(t *testing.T, secret string) bool {
	t.Helper()
	a, err := auth.New([]byte(secret))
	require.NoError(t, err)
	token, err := a.Mint(auth.Identity{UserID: "ada"}, time.Now(), time.Hour)
	require.NoError(t, err)
	_, err = f.authority.Verify(token, time.Now())
	return err == nil
}

func TestSecretsAreReadAgainWhenTheFileChanges(t *testing.T) {
	f, log := watched(t, oldSecret)
	f.look()
	f.look()
	require.Zero(t, log.Len(), "nothing has changed")

	// Secrets are exchanged in three steps: the new one is added, signs, and is the only one.
	for _, content := range []string{oldSecret + "\n" + newSecret, newSecret + "\n" + oldSecret} {
		require.NoError(t, os.WriteFile(f.path, []byte(content), 0o600))
		f.look()
		require.Zero(t, log.Len(), "it may not be written to its end")
		f.look()
		require.Equal(t, 1, log.Len())
		require.Contains(t, log.TakeAll()[0].Message, "secrets read again")
		require.True(t, f.takes(t, oldSecret))
		require.True(t, f.takes(t, newSecret))
	}
	// By another file that takes the place of this one, as careful programs write.
	other := f.path + ".new"
	require.NoError(t, os.WriteFile(other, []byte(newSecret), 0o600))
	require.NoError(t, os.Rename(other, f.path))
	f.look()
	f.look()
	require.False(t, f.takes(t, oldSecret))
	require.True(t, f.takes(t, newSecret))
	require.Equal(t, int64(1), log.TakeAll()[0].ContextMap()["secrets"])
}

func TestABadFileOfSecretsLeavesThemAsTheyWere(t *testing.T) {
	f, log := watched(t, oldSecret)
	spoil := map[string]func(){
		"broken":  func() { require.NoError(t, os.WriteFile(f.path, []byte("hunter2\n"), 0o600)) },
		"empty":   func() { require.NoError(t, os.WriteFile(f.path, nil, 0o600)) },
		"open":    func() { require.NoError(t, os.Chmod(f.path, 0o644)) },
		"no file": func() { require.NoError(t, os.Remove(f.path)) },
	}
	for name, spoil := range spoil {
		require.NoError(t, os.WriteFile(f.path, []byte(oldSecret), 0o600))
		require.NoError(t, os.Chmod(f.path, 0o600))
		f.reload()
		log.TakeAll()
		spoil()
		f.reload()
		lines := log.TakeAll()
		require.Len(t, lines, 1, name)
		require.Equal(t, zap.WarnLevel, lines[0].Level)
		require.Contains(t, lines[0].Message, "the secrets stay what they were")
		fields := lines[0].ContextMap()
		require.Equal(t, f.path, fields["file"])
		require.NotEmpty(t, fields["error"])
		require.NotContains(t, fields["error"], "hunter2")
		for range 5 {
			f.look()
		}
		require.Zero(t, log.Len(), "it is said once")
		require.True(t, f.takes(t, oldSecret))
	}
	// What was wrong is mended, and nobody has to say so.
	require.NoError(t, os.WriteFile(f.path, []byte(newSecret), 0o600))
	require.NoError(t, os.Chmod(f.path, 0o600))
	f.look()
	f.look()
	require.True(t, f.takes(t, newSecret))
}

func TestReloadReadsTheSecretsAtOnce(t *testing.T) {
	f, log := watched(t, oldSecret)
	require.NoError(t, os.WriteFile(f.path, []byte(newSecret), 0o600))
	core, _ := observer.New(zap.InfoLevel)
	(&App{secrets: f, log: zap.New(core)}).Reload()
	require.Equal(t, 1, log.Len())
	require.True(t, f.takes(t, newSecret))
	require.False(t, f.takes(t, oldSecret))
}
