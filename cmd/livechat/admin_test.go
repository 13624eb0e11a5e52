package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// An operator's look at a server that runs, beside it and from elsewhere.
func TestAdmin(t *testing.T) {
	t.Parallel()
	o := &operator{t: t, data: "--data=" + t.TempDir()}
	o.start()
	require.Eventually(t, func() bool { return linked.MatchString(o.said.String()) }, patience, 10*time.Millisecond, "%s", o.said)
	ada, asAda := o.comes(o.said.String(), "Ada")
	link, _ := o.does("invite")
	ben, _ := o.comes(link, "Ben")
	defer ben.Close()

	status, _ := o.does("admin", "status")
	require.Regexp(t, `(?m)^people +2 here, 2 of them connected$`, status)
	require.Regexp(t, `(?m)^log level +info$`, status)
	channels, _ := o.does("admin", "channels")
	require.Regexp(t, `(?m)^lobby +conference +open +all +0/100 +- +lobby$`, channels)
	one, _ := o.does("admin", "channel", "lobby")
	require.Regexp(t, `(?m)^members +0 of 100$`, one)
	users, _ := o.does("admin", "users")
	require.Regexp(t, `(?m)^Ada +admin +- +127\.0\.0\.1 +\S+ +- +user-`, users)
	who, _ := o.does("admin", "user", "ada")
	require.Regexp(t, `(?m)^role +admin$`, who)
	_, nobody := o.does("admin", "peers")
	require.Equal(t, "Nobody is in a channel.\n", nobody)
	found, _ := o.does("admin", "why", "Ada", "Ben")
	require.Regexp(t, `(?m)^who listens +Ada \(`+asAda.UserID+`\)$`, found)
	o.fails(exitFailure, `"Eve" is not here`, "admin", "kick", "Eve")
	o.fails(exitFailure, "nobody has the floor of lobby: there all talk at once", "admin", "floor-revoke", "lobby")
	o.fails(exitUsage, "no request or event", "trace", "--op=xyzzy")
	o.fails(exitUsage, `"loud" is no level`, "admin", "log-level", "loud")

	level, _ := o.does("admin", "log-level", "debug")
	require.Equal(t, "debug\n", level)
	drained, _ := o.does("admin", "drain")
	require.Contains(t, drained, "2 were told to come back")
	_, err := client.Dial(t.Context(), o.url, client.Options{Token: asAda.Token, NoReconnect: true})
	require.Error(t, err, "nobody is let in")
	undone, _ := o.does("admin", "drain", "--off")
	require.Equal(t, "people are let in again\n", undone)
	said, _ := o.does("admin", "kick", "Ben", "--reason=bye")
	require.Contains(t, said, "was put out")
	<-ben.Done()

	token, link := o.does("token", "--user=root", "--admin", "--ttl=1h")
	require.Contains(t, link, "the link with it: "+o.url+"/#token="+token, "where the server that runs has its page")
	remote := livechat(t, []string{"LIVECHAT_ADMIN_TOKEN=" + strings.TrimSpace(token)}, "admin", "status", "--json", "--server="+o.url)
	stdout, stderr, code := output(t, remote)
	require.Zero(t, code, stderr)
	var shown protocol.AdminStatus
	require.NoError(t, json.Unmarshal([]byte(stdout), &shown))
	require.Equal(t, o.url, shown.URL)
	_, stderr, code = output(t, livechat(t, nil, "admin", "status", "--server="+o.url))
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "LIVECHAT_ADMIN_TOKEN")

	o.traces(ada)
	_ = ada.Close()
	o.stop()
	o.fails(exitFailure, "the server does not run", "admin", "status")
	o.fails(exitFailure, "the server does not run", "trace")
}

// traces follows what somebody says.
func (o *operator) traces(c *client.Client) {
	o.t.Helper()
	cmd := livechat(o.t, nil, "trace", "--op=presence", o.data)
	out := new(syncBuffer)
	cmd.Stdout = out
	require.NoError(o.t, cmd.Start())
	require.Eventually(o.t, func() bool {
		_, _ = c.WatchPresence(o.t.Context(), true)
		return strings.Contains(out.String(), " → PRESENCE ") && strings.Contains(out.String(), " ← ACK ")
	}, patience, 200*time.Millisecond, "%s", out)
	require.NotContains(o.t, out.String(), "\x1b", "no colour where nobody looks")
	require.NoError(o.t, cmd.Process.Kill())
	_ = cmd.Wait()
}
