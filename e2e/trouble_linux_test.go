package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// TestTalkWithAFullDisk: messages are refused (9001) while there is no room for them, people are heard on, and when there is room
// again, messages are kept again, with all that were acknowledged before.
func TestTalkWithAFullDisk(t *testing.T) {
	verifyNoLeaks(t)
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=2m,mode=700"); err != nil {
		t.Skipf("a file system of its own needs root: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	s := startServer(t, func(c *app.Config) { c.Data = dir })
	ada, bob := arrive(t, s, "ada").join("lobby"), arrive(t, s, "bob").join("lobby")
	ada.talk()
	bob.hears(ada)
	ballast := filepath.Join(dir, "ballast")
	require.NoError(t, os.WriteFile(ballast, make([]byte, 1<<20), 0o600))
	var acknowledged []string
	for {
		said, err := ada.SendMessage(soon(t), "lobby", strings.Repeat("words ", 300))
		if err != nil {
			refusedFor(t, dir, err)
			break
		}
		acknowledged = append(acknowledged, said.MessageID)
		require.Less(t, len(acknowledged), 1000)
	}
	bob.hears(ada)
	require.NoError(t, os.Remove(ballast))
	eventually(t, "there is room again", func() bool {
		said, err := ada.SendMessage(soon(t), "lobby", "and now?")
		if err != nil {
			refusedFor(t, dir, err)
			return false
		}
		acknowledged = append(acknowledged, said.MessageID)
		return true
	})
	var found []string
	for before := ""; len(found) < len(acknowledged); {
		page, err := bob.History(soon(t), protocol.History{ChannelID: "lobby", Before: before})
		require.NoError(t, err)
		require.NotEmpty(t, page.Messages)
		ids := make([]string, 0, len(page.Messages)+len(found))
		for _, m := range page.Messages {
			ids = append(ids, m.MessageID)
		}
		found, before = append(ids, found...), ids[0]
	}
	require.Equal(t, acknowledged, found)
	bob.hears(ada)
}
