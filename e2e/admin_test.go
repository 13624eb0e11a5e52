package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/httpapi"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// administered is a server that is administered over HTTP, each answer held against its description.
type administered struct {
	*server

	t     *testing.T
	token string
	// paths are those of the description, schemas what compiles their schemas; nil before it was read.
	paths   map[string]map[string]any
	schemas *jsonschema.Compiler
	called  map[string]bool // by operation
}

func steer(t *testing.T, configure ...func(*app.Config)) *administered {
	t.Helper()
	verifyNoLeaks(t)
	return describedAdmin(t, startServer(t, append(configure, func(c *app.Config) {
		c.Data, c.Secret, c.AllowGuests, c.Channels = shortDir(t), testSecret, new(true), []string{"lobby", "ops", "radio:ptt"}
	})...))
}

// describedAdmin administers a server that runs.
func describedAdmin(t *testing.T, s *server) *administered {
	t.Helper()
	a := &administered{t: t, called: make(map[string]bool), server: s}
	a.token = mint(t, testSecret, auth.Identity{UserID: "root", Name: "Root", Role: auth.RoleAdmin})
	text := a.raw(http.MethodGet, "/api/admin/openapi.json", "", http.StatusOK)
	description, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	require.NoError(t, err)
	a.schemas = jsonschema.NewCompiler()
	require.NoError(t, a.schemas.AddResource("openapi.json", description))
	var described struct {
		Paths map[string]map[string]any `json:"paths"`
	}
	require.NoError(t, json.Unmarshal(text, &described))
	a.paths = described.Paths
	return a
}

// raw asks for something and returns the body of the answer.
func (a *administered) raw(method, path, body string, status int) []byte {
	a.t.Helper()
	req, err := http.NewRequestWithContext(a.t.Context(), method, a.URL+path, strings.NewReader(body))
	require.NoError(a.t, err)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if a.token != "" {
		req.Header.Set("Authorization", "Bearer "+a.token)
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(a.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(a.t, err)
	require.Equal(a.t, status, resp.StatusCode, "%s %s: %s", method, path, text)
	if a.schemas != nil {
		a.checks(method, path, body, text, status)
	}
	return text
}

// checks holds what was asked and answered against the description.
func (a *administered) checks(method, path, body string, answer []byte, status int) {
	a.t.Helper()
	where, _, _ := strings.Cut(path, "?")
	for pattern, methods := range a.paths {
		if methods[strings.ToLower(method)] == nil || !alike(strings.Split(pattern, "/"), strings.Split(where, "/")) {
			continue
		}
		operation := "openapi.json#/paths/" + strings.ReplaceAll(pattern, "/", "~1") + "/" + strings.ToLower(method)
		valid := func(at, text string) {
			a.t.Helper()
			schema, err := a.schemas.Compile(operation + at + "/content/application~1json/schema")
			require.NoError(a.t, err)
			value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
			require.NoError(a.t, err)
			require.NoError(a.t, schema.Validate(value), "%s %s: %s", method, path, text)
		}
		if status != http.StatusOK {
			valid("/responses/default", string(answer))
			return
		}
		if body != "" {
			valid("/requestBody", body)
		}
		valid("/responses/200", string(answer))
		a.called[method+" "+pattern] = true
		return
	}
	require.NotEqual(a.t, http.StatusOK, status, "%s %s is not described", method, path)
}

// does has something done, and reads the answer.
func does[T any](a *administered, method, path string, in any) (out T) {
	a.t.Helper()
	body := ""
	if in != nil {
		text, err := json.Marshal(in)
		require.NoError(a.t, err)
		body = string(text)
	}
	require.NoError(a.t, json.Unmarshal(a.raw(method, path, body, http.StatusOK), &out))
	return out
}

// refuses has something not done.
func (a *administered) refuses(method, path, body string, status int, code protocol.ErrorCode, says string) {
	a.t.Helper()
	var problem httpapi.Problem
	require.NoError(a.t, json.Unmarshal(a.raw(method, path, body, status), &problem))
	require.Equal(a.t, code, problem.Code, "%s %s: %s", method, path, problem.Reason)
	require.Contains(a.t, problem.Reason, says)
}

// An admin sees and steers a server from elsewhere: each operation that is described is asked for, and answered as described.
func TestAdministration(t *testing.T) {
	a := steer(t)
	ada := arrive(t, a.server, "Ada").join("lobby").talk()
	ben := arrive(t, a.server, "Ben").join("lobby")
	ben.hears(ada)

	status := does[protocol.AdminStatus](a, "GET", "/api/admin/status", nil)
	require.Equal(t, []int{2, 2, 3, 2}, []int{status.Sessions, status.Connected, status.Channels, status.Members})
	require.Equal(t, a.URL, status.URL)
	require.Empty(t, status.Trouble)
	require.Equal(t, a.URL, does[httpapi.AdminServer](a, "GET", "/api/admin/server", nil).URL)
	require.Len(t, does[protocol.AdminChannels](a, "GET", "/api/admin/channels", nil).Channels, 3)
	lobby := does[protocol.AdminChannel](a, "GET", "/api/admin/channels/lobby", nil)
	require.Len(t, lobby.Members, 2)
	require.True(t, lobby.Members[0].Peer.Connected)
	require.Positive(t, lobby.Members[0].Peer.PacketsIn)
	require.Positive(t, lobby.Members[1].Peer.PacketsOut)
	sessions := does[protocol.AdminSessions](a, "GET", "/api/admin/sessions", nil).Sessions
	require.Equal(t, []string{"Ada", "Ben"}, []string{sessions[0].Name, sessions[1].Name})
	require.Equal(t, "lobby", does[protocol.AdminSession](a, "GET", "/api/admin/sessions/ada", nil).ChannelID)
	require.Len(t, does[protocol.AdminPeers](a, "GET", "/api/admin/peers", nil).Peers, 2)
	nodes := does[protocol.AdminNodes](a, "GET", "/api/admin/nodes", nil)
	require.True(t, nodes.Quorum)
	require.Len(t, nodes.Nodes, 1, "it is alone")
	require.Equal(t, []any{true, "here", a.URL, 2}, []any{nodes.Nodes[0].Self, nodes.Nodes[0].State, nodes.Nodes[0].URL, nodes.Nodes[0].People})
	found := does[protocol.AdminWhy](a, "GET", "/api/admin/why?listener=Ben&talker=Ada", nil)
	require.Equal(t, "ok", found.Found.Cause, "%+v", found)

	does[protocol.AdminDone](a, "POST", "/api/admin/sessions/Ada/mute", protocol.AdminMute{Mute: new(true)})
	require.True(t, does[protocol.AdminChannel](a, "GET", "/api/admin/channels/lobby", nil).Members[0].Muted)
	found = does[protocol.AdminWhy](a, "GET", "/api/admin/why?listener=Ben&talker=Ada", nil)
	require.Equal(t, "muted_by_moderator", found.Found.Cause, "%+v", found)
	does[protocol.AdminDone](a, "POST", "/api/admin/sessions/Ada/mute", protocol.AdminMute{Mute: new(false)})
	ben.hears(ada)
	does[protocol.AdminDone](a, "POST", "/api/admin/sessions/Ada/move", protocol.AdminMove{ChannelID: "ops"})
	require.Equal(t, "ops", does[protocol.AdminSession](a, "GET", "/api/admin/sessions/Ada", nil).ChannelID)

	cid := arrive(t, a.server, "Cid").join("radio")
	_, err := cid.call.Floor().Acquire(t.Context(), client.FloorRequest{})
	require.NoError(t, err)
	require.Equal(t, "Cid", does[protocol.AdminChannel](a, "GET", "/api/admin/channels/radio", nil).FloorName)
	does[protocol.AdminDone](a, "POST", "/api/admin/channels/radio/floor/revoke", protocol.AdminKick{Reason: "an emergency"})
	require.Empty(t, does[protocol.AdminChannel](a, "GET", "/api/admin/channels/radio", nil).FloorName)
	a.refuses("POST", "/api/admin/channels/radio/floor/revoke", "{}", http.StatusConflict, protocol.CodeNotHolder, "nobody has the floor")

	does[protocol.AdminDone](a, "POST", "/api/admin/sessions/Ben/kick", protocol.AdminKick{Reason: "shouting"})
	require.Equal(t, protocol.CloseKicked, ben.ended())
	banned := does[protocol.MemberBan](a, "POST", "/api/admin/bans", protocol.MemberBan{UserID: "ada", DurationS: new(int64(60))})
	require.Equal(t, ada.UserID(), banned.UserID, "a guest by name")
	require.Equal(t, protocol.CloseBanned, ada.ended())
	require.Len(t, does[protocol.Audit](a, "GET", "/api/admin/bans", nil).Bans, 1)
	does[protocol.BanLift](a, "DELETE", "/api/admin/bans/ada", nil)
	require.Empty(t, does[protocol.Audit](a, "GET", "/api/admin/bans", nil).Bans)
	deeds := does[protocol.Audit](a, "GET", "/api/admin/audit", nil).Deeds
	did := make([]string, 0, len(deeds))
	for _, deed := range deeds {
		require.Equal(t, "Root", deed.ByName)
		did = append(did, string(deed.Action))
	}
	require.Equal(t, []string{"unban", "ban", "kick", "floor", "move", "unmute", "mute"}, did)

	a.people()
	drain := does[protocol.AdminDrain](a, "POST", "/api/admin/drain", protocol.AdminDrain{Draining: new(true)})
	require.Equal(t, 1, drain.Told)
	require.True(t, does[protocol.AdminStatus](a, "GET", "/api/admin/status", nil).Draining)
	does[protocol.AdminDrain](a, "POST", "/api/admin/drain", protocol.AdminDrain{Draining: new(false)})
	arrive(t, a.server, "Dan").join("lobby")
	a.allCalled()
}

// people is about those who are known.
func (a *administered) people() {
	t := a.t
	invite := does[protocol.InviteCreated](a, "POST", "/api/admin/invites", protocol.InviteCreate{Role: "member", ChannelID: "ops"})
	made, err := client.UseInvite(t.Context(), nil, a.URL, protocol.InviteRequest{Secret: invite.Secret, Name: "Eve"})
	require.NoError(t, err)
	require.Len(t, does[protocol.InviteList](a, "GET", "/api/admin/invites", nil).Invites, 1)
	require.Equal(t, "Eve", does[httpapi.AdminUsers](a, "GET", "/api/admin/users", nil).Users[0].Name)
	require.Equal(t, []string{"ops"}, does[httpapi.AdminUser](a, "GET", "/api/admin/users/eve", nil).Channels)
	require.Equal(t, "moderator", does[httpapi.AdminUser](a, "PATCH", "/api/admin/users/eve", httpapi.AdminUserChange{Role: new("moderator")}).Role)
	does[httpapi.AdminUser](a, "DELETE", "/api/admin/users/eve/channels/ops", nil)
	require.NotEmpty(t, does[httpapi.AdminLogin](a, "POST", "/api/admin/users/eve/login", nil).Invite.Secret)
	does[httpapi.AdminUser](a, "POST", "/api/admin/users/eve/logout", nil)
	does[httpapi.AdminRevocation](a, "POST", "/api/admin/tokens/revoke", httpapi.AdminRevocation{UserID: made.UserID})
	invite = does[protocol.InviteCreated](a, "POST", "/api/admin/invites", protocol.InviteCreate{Role: "member"})
	does[protocol.InviteRef](a, "DELETE", "/api/admin/invites/"+invite.InviteID, nil)
	does[httpapi.AdminUser](a, "DELETE", "/api/admin/users/eve?messages=erase", nil)
}

// allCalled fails when an operation that is described was not asked for.
func (a *administered) allCalled() {
	a.t.Helper()
	for path, methods := range a.paths {
		for method := range methods {
			switch path {
			case "/api/admin/trace", "/api/admin/log-level", "/api/admin/openapi.json": // of which there are tests of their own
			default:
				require.True(a.t, a.called[strings.ToUpper(method)+" "+path], "%s %s", method, path)
			}
		}
	}
}

// alike reports whether a path is of a pattern.
func alike(pattern, path []string) bool {
	if len(pattern) != len(path) {
		return false
	}
	for i := range pattern {
		if pattern[i] != path[i] && !strings.HasPrefix(pattern[i], "{") {
			return false
		}
	}
	return true
}

// Nobody administers but an admin, and what makes no sense is refused with words.
func TestAdministrationRefuses(t *testing.T) {
	a := steer(t)
	root := a.token
	arrive(t, a.server, "Ada").join("lobby")
	for _, test := range []struct {
		method, path, body string
		status             int
		code               protocol.ErrorCode
		says               string
	}{
		{"GET", "/api/admin/nothing", "", 404, protocol.CodeInvalidPayload, "openapi.json says what there is"},
		{"POST", "/api/admin/status", "", 404, protocol.CodeInvalidPayload, "there is no POST"},
		{"GET", "/api/admin/channels/nowhere", "", 404, protocol.CodeChannelNotFound, "nowhere"},
		{"GET", "/api/admin/sessions/nobody", "", 404, protocol.CodeUserNotFound, "nobody"},
		{"POST", "/api/admin/sessions/nobody/kick", "{}", 404, protocol.CodeUserNotFound, "nobody"},
		{"POST", "/api/admin/sessions/Ada/kick", "", 415, protocol.CodeInvalidPayload, "application/json"},
		{"POST", "/api/admin/sessions/Ada/kick", `{"reason":"` + strings.Repeat("x", 201) + `"}`, 400, protocol.CodeInvalidPayload, "201 characters"},
		{"POST", "/api/admin/sessions/Ada/mute", "{}", 400, protocol.CodeInvalidPayload, "mute is missing"},
		{"POST", "/api/admin/sessions/Ada/mute", "[]", 400, protocol.CodeInvalidPayload, "JSON object"},
		{"POST", "/api/admin/sessions/Ada/move", "{}", 400, protocol.CodeInvalidPayload, "channel_id is missing"},
		{"POST", "/api/admin/sessions/Ada/move", `{"channel_id":"nowhere"}`, 404, protocol.CodeChannelNotFound, "nowhere"},
		{"GET", "/api/admin/why?listener=Ada", "", 400, protocol.CodeInvalidPayload, "say who does not hear whom"},
		{"GET", "/api/admin/why?listener=nobody&talker=Ada", "", 404, protocol.CodeUserNotFound, "nobody"},
		{"POST", "/api/admin/drain", "{}", 400, protocol.CodeInvalidPayload, "draining is missing"},
		{"PUT", "/api/admin/log-level", `{"level":"loud"}`, 400, protocol.CodeInvalidPayload, "no level"},
	} {
		a.refuses(test.method, test.path, test.body, test.status, test.code, test.says)
	}
	guest, _ := guest(t, a.server, "Mallory")
	for token, want := range map[string]struct {
		status int
		code   protocol.ErrorCode
	}{
		"":      {http.StatusUnauthorized, protocol.CodeNotAuthenticated},
		"x.y.z": {http.StatusUnauthorized, protocol.CodeInvalidToken},
		guest:   {http.StatusForbidden, protocol.CodeAccessDenied},
		mint(t, testSecret, auth.Identity{UserID: "mia", Role: auth.RoleModerator}): {http.StatusForbidden, protocol.CodeAccessDenied},
	} {
		a.token = token
		a.refuses("GET", "/api/admin/status", "", want.status, want.code, "")
		a.refuses("GET", "/api/admin/trace", "", want.status, want.code, "")
	}
	a.token = root
	does[httpapi.AdminRevocation](a, "POST", "/api/admin/tokens/revoke", httpapi.AdminRevocation{UserID: "root"})
	a.refuses("GET", "/api/admin/status", "", http.StatusUnauthorized, protocol.CodeInvalidToken, "")
}

// follow looks on at what is said.
func (a *administered) follow(ctx context.Context, query string) *bufio.Scanner {
	a.t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.URL+"/api/admin/trace"+query, nil)
	require.NoError(a.t, err)
	req.Header.Set("Authorization", "Bearer "+a.token)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(a.t, err)
	a.t.Cleanup(func() { _ = resp.Body.Close() })
	require.Equal(a.t, http.StatusOK, resp.StatusCode)
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	return lines
}

// nextTraced is the next line of a trace.
func nextTraced(t *testing.T, lines *bufio.Scanner) (line protocol.AdminTraceLine, text string) {
	t.Helper()
	for lines.Scan() {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			require.NoError(t, json.Unmarshal([]byte(data), &line))
			return line, data
		}
	}
	require.NoError(t, lines.Err())
	t.Fatal("the trace has ended")
	return line, ""
}

// What is said can be followed, without its secrets.
func TestTrace(t *testing.T) {
	a := steer(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	follow := func(query string) *bufio.Scanner { return a.follow(ctx, query) }
	next := func(lines *bufio.Scanner) (line protocol.AdminTraceLine, text string) { return nextTraced(t, lines) }
	everything, joins, bens := follow(""), follow("?op=join"), follow("?user=ben&channel=lobby")

	arrive(t, a.server, "Ada").join("lobby")
	line, _ := next(everything)
	require.Equal(t, "HELLO", line.Op)
	line, text := next(everything)
	require.Equal(t, "IDENTIFY", line.Op)
	require.True(t, line.In)
	require.Contains(t, text, `"token":"[secret]"`)
	line, text = next(everything)
	require.Equal(t, "READY", line.Op)
	require.Equal(t, "Ada", line.Name)
	require.NotRegexp(t, `"(resume_token|credential)":"[^[]`, text)

	line, text = next(joins)
	require.Equal(t, "CHANNEL_JOIN", line.Op)
	require.Contains(t, text, "a=ice-ufrag:")
	require.Contains(t, text, "a=ice-pwd:[secret]")
	line, text = next(joins)
	require.Equal(t, "ACK", line.Op, "the reply to it")
	require.Contains(t, text, "a=ice-pwd:[secret]")

	ben := arrive(t, a.server, "Ben").join("lobby")
	line, _ = next(bens)
	require.Equal(t, "Ben", line.Name)
	_, err := ben.SendMessage(t.Context(), "lobby", "the password is sesame")
	require.NoError(t, err)
	for line.Op != "MESSAGE_CREATE" {
		line, text = next(bens)
	}
	require.Contains(t, text, `"content":"[22 characters]"`)

	// Who may not any more is told so, and sees no more.
	does[httpapi.AdminRevocation](a, "POST", "/api/admin/tokens/revoke", httpapi.AdminRevocation{UserID: "root"})
	refused := false
	for joins.Scan() && !refused {
		refused = joins.Text() == "event: refused"
	}
	require.True(t, refused)
}
