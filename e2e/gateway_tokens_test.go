package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/httpapi"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// newerSecret takes testSecret's place in some tests.
const newerSecret = "another secret, of more than thirty-two bytes"

// mint makes a token for an hour.
func mint(t *testing.T, secret string, id auth.Identity) string {
	t.Helper()
	authority, err := auth.New([]byte(secret))
	require.NoError(t, err)
	token, err := authority.Mint(id, time.Now(), time.Hour)
	require.NoError(t, err)
	return token
}

// with identifies with a token.
func with(t *testing.T, s *server, token string) *raw {
	t.Helper()
	c := dial(t, s)
	c.reply(protocol.OpIdentify, protocol.Identify{Token: token, V: protocol.Version}, protocol.OpReady, &c.ready)
	return c
}

// writeSecrets puts a file of secrets in the place of another at once.
func writeSecrets(t *testing.T, path string, secrets ...string) {
	t.Helper()
	var text []byte
	for _, secret := range secrets {
		text = append(append(text, secret...), '\n')
	}
	require.NoError(t, os.WriteFile(path+".new", text, 0o600))
	require.NoError(t, os.Rename(path+".new", path))
}

// refused waits for the end of a session by its token and returns how long it took and the reason.
func (c *raw) refused(since time.Time) (took time.Duration, reason string) {
	c.t.Helper()
	require.NoError(c.t, c.conn.SetReadDeadline(time.Now().Add(patience)))
	for {
		_, _, err := c.conn.ReadMessage()
		if err == nil {
			continue
		}
		var ending *websocket.CloseError
		require.ErrorAs(c.t, err, &ending)
		require.Equal(c.t, int(protocol.CloseAuthFailed), ending.Code)
		return time.Since(since), ending.Text
	}
}

// within is how soon a session ends when its token ceases to be good.
const within = time.Second

func TestGatewaySecretsAreExchangedWithoutARestart(t *testing.T) {
	verifyNoLeaks(t)
	path := filepath.Join(t.TempDir(), "secrets")
	writeSecrets(t, path, testSecret)
	s := startServer(t, func(c *app.Config) { c.SecretFile = path; c.AllowGuests = new(true) })
	older := with(t, s, mint(t, testSecret, auth.Identity{UserID: "ada"}))
	guest, _ := identify(t, s, "Gus")
	older.joinChannel("lobby")
	guest.joinChannel("lobby")

	// The new one comes in beside the old one; nobody notices.
	writeSecrets(t, path, newerSecret, testSecret)
	var newer *raw
	eventually(t, "the new secret is taken", func() bool {
		c := dial(t, s)
		id := c.request(protocol.OpIdentify, protocol.Identify{Token: mint(t, newerSecret, auth.Identity{UserID: "bob"}), V: 1})
		frame := c.read()
		require.Equal(t, id, frame.ID)
		newer = c
		return frame.Op == protocol.OpReady
	})
	older.ack(protocol.OpChannelList, struct{}{}, nil)

	// The old one goes, and who came by it.
	away := with(t, s, mint(t, testSecret, auth.Identity{UserID: "cleo"}))
	away.cut()
	writeSecrets(t, path, newerSecret)
	since := time.Now()
	took, reason := older.refused(since)
	require.Less(t, took, within+slowMachine)
	require.Equal(t, "invalid token: it was signed with another secret", reason)
	took, _ = guest.refused(since)
	require.Less(t, took, within+slowMachine)
	newer.ack(protocol.OpChannelList, struct{}{}, nil)

	c := dial(t, s)
	c.invalid(away.resumption(), "unknown")
	c.fails(protocol.OpIdentify, protocol.Identify{Token: mint(t, testSecret, auth.Identity{UserID: "cleo"}), V: 1}, protocol.CodeInvalidToken)
	require.Equal(t, protocol.CloseAuthFailed, c.closed())

	// A file that cannot be used changes nothing.
	writeSecrets(t, path, "hunter2")
	time.Sleep(within)
	newer.ack(protocol.OpChannelList, struct{}{}, nil)
	with(t, s, mint(t, newerSecret, auth.Identity{UserID: "dan"}))
}

func TestGatewaySessionEndsWithItsToken(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) { c.Secret = testSecret; c.AllowGuests = new(true) })
	stays, _ := identify(t, s, "Gus")
	stays.joinChannel("lobby")
	// "exp" is in whole seconds, and cut off.
	began := time.Now()
	const lifetime = 8 * time.Second
	ends := began.Add(lifetime).Truncate(time.Second)
	authority, err := auth.New([]byte(testSecret))
	require.NoError(t, err)
	token, err := authority.Mint(auth.Identity{UserID: "ada"}, began, lifetime)
	require.NoError(t, err)
	cleos, err := authority.Mint(auth.Identity{UserID: "cleo"}, began, lifetime)
	require.NoError(t, err)
	ada := with(t, s, token)
	ada.joinChannel("lobby")
	cleo := with(t, s, cleos)
	cleo.joinChannel("lobby")
	cleo.cut()

	took, reason := ada.refused(ends)
	require.GreaterOrEqual(t, took, time.Duration(0), "not before its time")
	require.Less(t, took, within+slowMachine)
	require.Equal(t, "invalid token: it has expired", reason)

	// RESUME does not outlive it: neither of who had a connection, nor of who had not.
	for _, gone := range []*raw{ada, cleo} {
		c := dial(t, s)
		c.invalid(gone.resumption(), "unknown")
		c.fails(protocol.OpIdentify, protocol.Identify{Token: token, V: 1}, protocol.CodeInvalidToken)
		require.Equal(t, protocol.CloseAuthFailed, c.closed())
	}
	leaves := 0
	for leaves < 2 {
		var event protocol.ChannelEvent
		stays.event(protocol.OpChannelEvent, &event)
		if event.Event == protocol.ChannelEventLeave {
			require.Equal(t, protocol.LeaveGone, event.Cause)
			leaves++
		}
	}
	require.Less(t, time.Since(ends), within+slowMachine, "the others are told")
}

// revoke is what livechat revoke does, beside the server or without.
func revoke(t *testing.T, data string, what httpapi.AdminRevocation) {
	t.Helper()
	admin, err := app.OpenAdmin(t.Context(), data)
	require.NoError(t, err)
	defer func() { require.NoError(t, admin.Close()) }()
	require.NoError(t, admin.Do(t.Context(), http.MethodPost, "/api/admin/tokens/revoke", what, &what))
}

func TestGatewayTokensAreRevoked(t *testing.T) {
	verifyNoLeaks(t)
	data := t.TempDir()
	settings := func(c *app.Config) { c.Secret, c.Data, c.AllowGuests = testSecret, data, new(true) }
	s := startServer(t, settings)
	token, other := mint(t, testSecret, auth.Identity{UserID: "ada"}), mint(t, testSecret, auth.Identity{UserID: "bob"})
	id, expires, err := auth.Read(token)
	require.NoError(t, err)
	refused := func(token string) {
		t.Helper()
		c := dial(t, s)
		require.Equal(t, "invalid token: it was revoked",
			c.fails(protocol.OpIdentify, protocol.Identify{Token: token, V: 1}, protocol.CodeInvalidToken))
		require.Equal(t, protocol.CloseAuthFailed, c.closed())
	}

	// One token, while its bearer talks.
	ada, bob := with(t, s, token), with(t, s, other)
	ada.joinChannel("lobby")
	since := time.Now()
	revoke(t, data, httpapi.AdminRevocation{TokenID: id, ExpiresAt: expires.UnixMilli()})
	took, reason := ada.refused(since)
	require.Less(t, took, within+slowMachine)
	require.Equal(t, "invalid token: it was revoked", reason)
	dial(t, s).invalid(ada.resumption(), "unknown")
	refused(token)
	bob.quiet()
	ada = with(t, s, mint(t, testSecret, auth.Identity{UserID: "ada"}))

	// All of somebody, who is away for a moment.
	ada.cut()
	revoke(t, data, httpapi.AdminRevocation{UserID: "ada"})
	dial(t, s).invalid(ada.resumption(), "unknown")

	// The server goes, and somebody is revoked meanwhile.
	s.stop()
	revoke(t, data, httpapi.AdminRevocation{UserID: "bob"})
	s = startServer(t, settings)
	refused(token)
	refused(other)
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second))) // tokens say in which second they were made
	with(t, s, mint(t, testSecret, auth.Identity{UserID: "bob"})).quiet()
}
