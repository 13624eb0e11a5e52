package e2e

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
	"github.com/mini-livechat/mini-livechat/signaling/store"
)

// damagedMemory makes a directory with a memory that cannot be read, and returns what is in the file.
func damagedMemory(t *testing.T) (dir string, broken []byte) {
	t.Helper()
	dir = t.TempDir()
	memory, err := store.Open(filepath.Join(dir, store.FileName))
	require.NoError(t, err)
	require.NoError(t, memory.Close())
	broken, err = os.ReadFile(filepath.Join(dir, store.FileName))
	require.NoError(t, err)
	for i := 100; i < len(broken); i++ {
		broken[i] ^= 0x55
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, store.FileName), broken, 0o600))
	return dir, broken
}

// TestTalkWithADamagedMemory: people are heard though nothing can be remembered; who wants something kept is told so (9001), and
// nothing is written to the file.
func TestTalkWithADamagedMemory(t *testing.T) {
	verifyNoLeaks(t)
	dir, broken := damagedMemory(t)
	const secret = "a secret for the tests, of forty bytes.."
	s := startServer(t, func(c *app.Config) { c.Data, c.Secret = dir, secret })
	authority, err := auth.New([]byte(secret))
	require.NoError(t, err)
	token, err := authority.Mint(auth.Identity{UserID: "ada"}, time.Now(), time.Hour)
	require.NoError(t, err)
	ada, bob := arriveAs(t, s, token).join("lobby"), arrive(t, s, "bob").join("lobby")
	ada.talk()
	bob.hears(ada)
	require.Nil(t, bob.Ready().Unread)

	_, err = ada.CreateChannel(soon(t), protocol.ChannelCreate{ChannelID: "ops"})
	refusedFor(t, dir, err)
	_, err = ada.SendMessage(soon(t), "lobby", "Do you hear me?")
	refusedFor(t, dir, err)
	_, err = ada.History(soon(t), protocol.History{ChannelID: "lobby"})
	refusedFor(t, dir, err)
	request, err := http.NewRequestWithContext(soon(t), http.MethodGet, s.URL+"/readyz", http.NoBody)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.Contains(t, string(body), "trouble: damaged")
	require.NotContains(t, string(body), dir)
	bob.hears(ada)

	s.stop()
	after, err := os.ReadFile(filepath.Join(dir, store.FileName))
	require.NoError(t, err)
	require.True(t, bytes.Equal(broken, after), "the file was written to")
}

// TestModerationWithADamagedMemory: whom a moderator mutes or bans while nothing can be kept is mute and out all the same, though the moderator
// is told that it is not kept.
func TestModerationWithADamagedMemory(t *testing.T) {
	verifyNoLeaks(t)
	dir, _ := damagedMemory(t)
	s := startServer(t, func(c *app.Config) { c.Data, c.Secret, c.AllowGuests = dir, testSecret, new(true) })
	root := identifyAs(t, s, "root", true)
	token, id := guest(t, s, "Bad")
	identify := protocol.Identify{Token: token, V: protocol.Version, Device: "a phone"}
	bad := dial(t, s)
	bad.reply(protocol.OpIdentify, identify, protocol.OpReady, &bad.ready)
	bad.joinChannel("lobby")
	root.fails(protocol.OpMemberMute, protocol.MemberMute{UserID: id, Mute: new(true)}, protocol.CodeStorage)
	bad.fails(protocol.OpVoiceState, protocol.VoiceState{SelfMute: new(false)}, protocol.CodeMuted)
	root.fails(protocol.OpMemberMute, protocol.MemberMute{UserID: id, Mute: new(false)}, protocol.CodeStorage)
	bad.ack(protocol.OpVoiceState, protocol.VoiceState{SelfMute: new(false)}, nil)
	root.fails(protocol.OpMemberBan, protocol.MemberBan{UserID: id, DurationS: new(int64(0))}, protocol.CodeStorage)
	require.Equal(t, protocol.CloseBanned, bad.closed())
	bad = dial(t, s)
	var refusal protocol.Error
	bad.reply(protocol.OpIdentify, identify, protocol.OpError, &refusal)
	require.Equal(t, protocol.CodeBanned, refusal.Code)
	root.fails(protocol.OpBanLift, protocol.BanLift{UserID: id}, protocol.CodeStorage)
	bad = dial(t, s)
	bad.reply(protocol.OpIdentify, identify, protocol.OpReady, &bad.ready)
}

// TestMemoryComesBack: a server whose disk is not there when it starts has its channels and what was said in them as soon as it is.
func TestMemoryComesBack(t *testing.T) {
	verifyNoLeaks(t)
	dir := t.TempDir()
	disk := filepath.Join(dir, "disk")
	require.NoError(t, os.Mkdir(disk, 0o700))
	memory, err := store.Open(filepath.Join(disk, store.FileName))
	require.NoError(t, err)
	now := time.Now()
	_, err = memory.Append(t.Context(), now,
		store.ChannelSaved{Channel: store.Channel{ID: "ops", Name: "Ops", Mode: "conference", Access: "open", OwnerID: "ada", CreatedAt: now}},
		store.ChannelSaved{Channel: store.Channel{ID: "lobby", Name: "Hall", Topic: "of old", Mode: "conference", Access: "open", CreatedAt: now}},
		store.MessagePosted{Message: store.Message{ID: "m", ChannelID: "ops", AuthorID: "ada", AuthorName: "Ada", Content: "I was here", At: now}})
	require.NoError(t, err)
	require.NoError(t, memory.Close())
	require.NoError(t, os.Rename(disk, disk+"-away"))
	require.NoError(t, os.Symlink(filepath.Join(disk, store.FileName), filepath.Join(dir, store.FileName)))

	const secret = "a secret for the tests, of forty bytes.."
	s := startServer(t, func(c *app.Config) { c.Data, c.Secret = dir, secret })
	bob := arrive(t, s, "bob").join("lobby")
	_, err = bob.CreateChannel(soon(t), protocol.ChannelCreate{ChannelID: "ops"})
	refusedFor(t, dir, err)
	require.NoError(t, os.Rename(disk+"-away", disk))
	require.Eventually(t, func() bool {
		channels, failed := bob.Channels(soon(t))
		require.NoError(t, failed)
		return len(channels) == 2
	}, 20*time.Second, 250*time.Millisecond)
	_, err = bob.CreateChannel(soon(t), protocol.ChannelCreate{ChannelID: "ops"})
	var refused *protocol.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, protocol.CodeChannelExists, refused.Code)
	lobby, err := bob.Channel(soon(t), "lobby")
	require.NoError(t, err)
	require.Equal(t, "of old", lobby.Topic)
	said, err := bob.History(soon(t), protocol.History{ChannelID: "ops"})
	require.NoError(t, err)
	require.Len(t, said.Messages, 1)
	_, err = bob.SendMessage(soon(t), "lobby", "Now it is kept")
	require.NoError(t, err)
}

// refusedFor makes sure that an error is storage trouble, and says nothing of the server's files.
func refusedFor(t *testing.T, dir string, err error) {
	t.Helper()
	var refused *protocol.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, protocol.CodeStorage, refused.Code)
	require.NotContains(t, refused.Reason, dir)
}
