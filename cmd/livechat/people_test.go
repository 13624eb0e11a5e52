package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/httpapi"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// operator runs commands beside a server, or where it was.
type operator struct {
	t    *testing.T
	data string
	url  string
	cmd  *exec.Cmd
	said *syncBuffer // by the server, on standard output
}

var (
	serverAt = regexp.MustCompile(`Mini LiveChat is at (\S+)\n`)
	linked   = regexp.MustCompile(`#invite=([\w-]+)\n`)
)

// start starts the server, and returns when it serves.
func (o *operator) start() {
	o.t.Helper()
	o.said = new(syncBuffer)
	o.cmd = livechat(o.t, nil, o.data, "--http=127.0.0.1:0", "--udp=127.0.0.1:0", "--no-turn", "--channels=lobby,ops")
	log := new(syncBuffer)
	o.cmd.Stdout, o.cmd.Stderr = o.said, log
	require.NoError(o.t, o.cmd.Start())
	o.t.Cleanup(func() { _ = o.cmd.Process.Kill() })
	require.Eventually(o.t, func() bool {
		return strings.Contains(log.String(), `"serving"`) && serverAt.MatchString(o.said.String())
	}, patience, 10*time.Millisecond, "%s%s", log, o.said)
	o.url = serverAt.FindStringSubmatch(o.said.String())[1]
}

func (o *operator) stop() {
	o.t.Helper()
	require.NoError(o.t, o.cmd.Process.Signal(os.Interrupt))
	require.NoError(o.t, o.cmd.Wait())
}

// does runs a command that succeeds, and returns what it prints.
func (o *operator) does(args ...string) (stdout, stderr string) {
	o.t.Helper()
	stdout, stderr, code := output(o.t, livechat(o.t, nil, append(args, o.data)...))
	require.Zero(o.t, code, "%v: %s", args, stderr)
	if slices.Contains(args, "--json") {
		require.NotRegexp(o.t, `"(at|until|\w+_at)":("[^"]*[^Z"]"|\d)`, stdout, "times are all in UTC, as RFC 3339 has them")
	}
	return stdout, stderr
}

// fails runs a command that does not, and looks for what it says.
func (o *operator) fails(code int, says string, args ...string) {
	o.t.Helper()
	stdout, stderr, got := output(o.t, livechat(o.t, nil, append(args, o.data)...))
	require.Equal(o.t, code, got, "%v: %s", args, stderr)
	require.Contains(o.t, stderr, says)
	require.Empty(o.t, stdout)
}

// comes has somebody open a link and sign in.
func (o *operator) comes(link, name string) (*client.Client, protocol.InviteAnswer) {
	o.t.Helper()
	secret := linked.FindStringSubmatch(link)
	require.NotNil(o.t, secret, "%q", link)
	made, err := client.UseInvite(o.t.Context(), nil, o.url, protocol.InviteRequest{Secret: secret[1], Name: name})
	require.NoError(o.t, err)
	c, err := client.Dial(o.t.Context(), o.url, client.Options{Token: made.Token})
	require.NoError(o.t, err)
	o.t.Cleanup(func() { _ = c.Close() })
	return c, made
}

// An operator's evening: the first admin, an invite, a role, and an end, with the program that people are given.
func TestPeopleAndInvites(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	if runtime.GOOS == "linux" { // elsewhere a socket's path may not be as long
		data = filepath.Join(data, strings.Repeat("deep", 30))
	}
	o := &operator{t: t, data: "--data=" + data}
	o.fails(exitUsage, "was it started once?", "user", "list")
	o.start()
	// It is said before "serving" is logged, but the two streams are read by a goroutine each.
	require.Eventually(t, func() bool { return linked.MatchString(o.said.String()) }, patience, 10*time.Millisecond, "%s", o.said)
	require.Contains(t, o.said.String(), "becomes its admin")
	ada, _ := o.comes(o.said.String(), "Ada")

	link, note := o.does("invite", "--role", "member", "--channel", "ops", "--uses", "5", "--ttl", "7d")
	require.Regexp(t, "^"+regexp.QuoteMeta(o.url)+`/#invite=[\w-]+\n$`, link, "the link, and nothing else")
	require.Contains(t, note, "It makes 5 people members and leads them to ops, until ")
	bob, asBob := o.comes(link, "Bob B.")
	_, err := bob.CreateInvite(t.Context(), protocol.InviteCreate{})
	require.Error(t, err, "members do not invite")

	everybody, _ := o.does("user", "list")
	require.Regexp(t, `(?m)^user-\w+ +admin +\S.* Ada$`, everybody)
	require.Regexp(t, `(?m)^`+asBob.UserID+` +member +\S.* Bob B\.$`, everybody)
	shown, _ := o.does("user", "show", "bob b.")
	require.Regexp(t, `(?m)^invited to +ops$`, shown)
	require.Regexp(t, `(?m)^signed in on +1 browser$`, shown)

	uninvited, _ := o.does("user", "uninvite", "Bob B.", "ops")
	require.Equal(t, "Bob B. ("+asBob.UserID+") is let into ops no more, unless by another invite\n", uninvited)
	shown, _ = o.does("user", "show", "bob b.")
	require.Regexp(t, `(?m)^invited to +-$`, shown)
	o.fails(exitFailure, `was not let into "ops" by an invite`, "user", "uninvite", "Bob B.", "ops")

	said, _ := o.does("user", "role", "Bob B.", "moderator")
	require.Equal(t, "Bob B. ("+asBob.UserID+") is a moderator now\n", said)
	made, err := bob.CreateInvite(t.Context(), protocol.InviteCreate{})
	require.NoError(t, err, "it counts where he is already")
	invites, _ := o.does("invite", "list")
	require.Regexp(t, `(?m)^[\w-]+ +member +ops +1 of 5 +.* the operator$`, invites)
	require.Regexp(t, `(?m)^`+made.InviteID+` +member +- +0 of 1 +.* Bob B\. \(user-`, invites)
	o.does("invite", "revoke", made.InviteID)
	_, err = client.UseInvite(t.Context(), nil, o.url, protocol.InviteRequest{Secret: made.Secret})
	require.Error(t, err)

	said, _ = o.does("user", "logout", asBob.UserID)
	require.Contains(t, said, "signed out everywhere")
	select {
	case <-bob.Done():
	case <-time.After(patience):
		require.Fail(t, "he is still there")
	}
	_, err = client.Dial(t.Context(), o.url, client.Options{Token: asBob.Token})
	refused := &protocol.Error{}
	require.ErrorAs(t, err, &refused)
	require.Equal(t, protocol.CodeInvalidToken, refused.Code)
	select {
	case <-ada.Done():
		require.Fail(t, "she was not meant")
	default:
	}

	link, note = o.does("user", "login", "bob b.")
	require.Regexp(t, "^"+regexp.QuoteMeta(o.url)+`/#invite=[\w-]+\n$`, link, "the link, and nothing else")
	require.Contains(t, note, "It signs one browser in as Bob B. ("+asBob.UserID+"), once, until ")
	listed, _ := o.does("invite", "list")
	require.Regexp(t, `(?m)^[\w-]+ +signs in `+asBob.UserID+` +- +0 of 1 +`, listed)
	_, again := o.comes(link, "whatever")
	require.Equal(t, asBob.UserID, again.UserID)
	require.Equal(t, "Bob B.", again.Name)
	o.fails(exitFailure, `no such person: "Eve"`, "user", "login", "Eve")

	o.stop()
	o.whileStopped(asBob.UserID)
	o.start()
	o.stop()
	require.NotContains(t, o.said.String(), "#invite=", "there is an admin")
}

// whileStopped does it all without a server.
func (o *operator) whileStopped(bob string) {
	t := o.t
	t.Helper()
	o.does("user", "rename", bob, "Robert")
	o.fails(exitFailure, "that name is taken", "user", "rename", "Ada", "R\u043ebert") // with a Cyrillic о
	o.fails(exitFailure, `no such person: "Eve"`, "user", "show", "Eve")
	o.fails(exitUsage, "there are admin, moderator, member and guest", "user", "role", bob, "boss")
	o.fails(exitUsage, "--erase or --keep-messages", "user", "delete", bob)
	said, _ := o.does("user", "delete", "robert", "--keep-messages")
	require.Contains(t, said, "goes on without a name")
	var everybody []httpapi.AdminUser
	listed, _ := o.does("user", "--json")
	require.NoError(t, json.Unmarshal([]byte(listed), &everybody))
	require.Len(t, everybody, 1)
	require.Equal(t, "Ada", everybody[0].Name)

	link, note := o.does("invite", "--url=https://voice.example.org/talk", "--uses=0", "--ttl=0")
	require.Regexp(t, `^https://voice\.example\.org/talk/#invite=[\w-]+\n$`, link)
	require.Contains(t, note, "It makes any number of people members, for good.")
	made, _ := o.does("invite", "--json", "--url=https://voice.example.org", "--ttl=1h")
	listed, _ = o.does("invite", "list", "--json")
	var invites []printedInvite
	require.NoError(t, json.Unmarshal([]byte(listed), &invites))
	require.Contains(t, made, `"invite_id":"`+invites[0].InviteID+`"`)
	require.Equal(t, invites[0].CreatedAt.Add(time.Hour), *invites[0].ExpiresAt)
	require.Nil(t, invites[1].ExpiresAt, "it is good for ever")
	o.fails(exitUsage, "--ttl=30s: must be 1m to 3650d, or 0 for good", "invite", "--ttl=30s")
	o.fails(exitFailure, "there is no such channel", "invite", "--channel=nowhere")
	o.fails(exitFailure, `there is no invite with the id "nothing"`, "invite", "revoke", "nothing")
}
