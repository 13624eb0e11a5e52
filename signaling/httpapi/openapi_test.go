package httpapi

import (
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/invopop/jsonschema"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// operation is what openapi.json says of a route beside its path.
type operation struct {
	route, says string
	query       map[string]string // parameters, and what they say
	in, out     any
}

func operations() []operation {
	return []operation{
		{"GET /api/admin/server", "Where the page of the server is.", nil, nil, AdminServer{}},
		{"GET /api/admin/status", "How the server is.", nil, nil, protocol.AdminStatus{}},
		{"GET /api/admin/channels", "All channels.", nil, nil, protocol.AdminChannels{}},
		{"GET /api/admin/channels/{id}", "A channel, with who is in it.", nil, nil, protocol.AdminChannel{}},
		{"POST /api/admin/channels/{id}/floor/revoke", "Takes the floor from who has it.", nil, protocol.AdminKick{}, protocol.AdminDone{}},
		{"GET /api/admin/sessions", "Who is here.", nil, nil, protocol.AdminSessions{}},
		{"GET /api/admin/sessions/{id}", "Somebody who is here, by id or name.", nil, nil, protocol.AdminSession{}},
		{"POST /api/admin/sessions/{id}/kick", "Puts somebody out, and keeps them out of their channel for a minute.", nil, protocol.AdminKick{}, protocol.AdminDone{}},
		{"POST /api/admin/sessions/{id}/mute", "Has nobody hear somebody, or again.", nil, protocol.AdminMute{}, protocol.AdminDone{}},
		{"POST /api/admin/sessions/{id}/move", "Takes somebody to another channel.", nil, protocol.AdminMove{}, protocol.AdminDone{}},
		{"GET /api/admin/peers", "The media connections of all members.", nil, nil, protocol.AdminPeers{}},
		{"GET /api/admin/nodes", "The nodes that are one server, this one first: those that are there, that are awaited, and that were refused.", nil, nil, protocol.AdminNodes{}},
		{"GET /api/admin/why", "Why somebody does not hear somebody. It asks their client, and takes up to three seconds.", map[string]string{
			"listener": "Who does not hear, by id or name.", "talker": "Who is not heard, likewise.",
		}, nil, protocol.AdminWhy{}},
		{"POST /api/admin/drain", "Lets nobody in from now on, and tells everybody to come back when they are cut off; or lets people in again.", nil, protocol.AdminDrain{}, protocol.AdminDrain{}},
		{"GET /api/admin/log-level", "What the server logs.", nil, nil, protocol.AdminLogLevel{}},
		{"PUT /api/admin/log-level", "Changes what the server logs, until it ends.", nil, protocol.AdminLogLevel{}, protocol.AdminLogLevel{}},
		{"GET /api/admin/invites", "All invites, without their secrets.", nil, nil, protocol.InviteList{}},
		{"POST /api/admin/invites", "Makes an invite. Its secret is told only here.", nil, protocol.InviteCreate{}, protocol.InviteCreated{}},
		{"DELETE /api/admin/invites/{id}", "Makes an invite good for nothing.", nil, nil, protocol.InviteRef{}},
		{"GET /api/admin/users", "Who is known, in the order of their ids, page by page.", map[string]string{"after": "The last id of the page before."}, nil, AdminUsers{}},
		{"GET /api/admin/users/{id}", "Somebody who is known, by id or name.", nil, nil, AdminUser{}},
		{"PATCH /api/admin/users/{id}", "Changes somebody's name or role.", nil, AdminUserChange{}, AdminUser{}},
		{"DELETE /api/admin/users/{id}", "Forgets somebody.", map[string]string{"messages": "What becomes of what they wrote: erase or keep."}, nil, AdminUser{}},
		{"POST /api/admin/users/{id}/login", "Makes a link that signs one browser in as somebody.", nil, nil, AdminLogin{}},
		{"POST /api/admin/users/{id}/logout", "Signs somebody out everywhere.", nil, nil, AdminUser{}},
		{"DELETE /api/admin/users/{id}/channels/{channel}", "Takes back that somebody was let into a channel.", nil, nil, AdminUser{}},
		{"POST /api/admin/tokens/revoke", "Takes a token back, or all that somebody has.", nil, AdminRevocation{}, AdminRevocation{}},
		{"GET /api/admin/audit", "What moderators did, the newest first, page by page.", map[string]string{"before": "The seq of the last deed of the page before."}, nil, protocol.Audit{}},
		{"GET /api/admin/bans", "The bans that hold.", nil, nil, protocol.Audit{}},
		{"POST /api/admin/bans", "Keeps somebody out, who may be here or not, by id or name.", nil, protocol.MemberBan{}, protocol.MemberBan{}},
		{"DELETE /api/admin/bans/{id}", "Lifts a ban, or all of somebody.", nil, nil, protocol.BanLift{}},
	}
}

var inPath = regexp.MustCompile(`\{(\w+)\}`)

// describe makes the description.
func describe(t *testing.T) map[string]any {
	t.Helper()
	schemas, paths := map[string]any{}, map[string]any{}
	reflector := jsonschema.Reflector{AllowAdditionalProperties: true, Anonymous: true}
	schema := func(of any) map[string]any {
		made := reflector.Reflect(of)
		for name, one := range made.Definitions {
			text, err := json.Marshal(one)
			require.NoError(t, err)
			var plain any
			require.NoError(t, json.Unmarshal([]byte(strings.ReplaceAll(string(text), "#/$defs/", "#/components/schemas/")), &plain))
			schemas[name] = plain
		}
		return map[string]any{"$ref": "#/components/schemas/" + reflect.TypeOf(of).Name()}
	}
	jsonOf := func(of any) map[string]any {
		return map[string]any{"application/json": map[string]any{"schema": schema(of)}}
	}
	refusal := map[string]any{"description": "It was not done; the reason says why, and what to do.", "content": jsonOf(Problem{})}
	for _, o := range operations() {
		method, path, ok := strings.Cut(o.route, " ")
		require.True(t, ok)
		parameters := []any{}
		for _, name := range inPath.FindAllStringSubmatch(path, -1) {
			parameters = append(parameters, map[string]any{"name": name[1], "in": "path", "required": true, "schema": map[string]any{"type": "string"}})
		}
		for name, says := range o.query {
			required := o.route == "GET /api/admin/why" || name == "messages"
			parameters = append(parameters, map[string]any{"name": name, "in": "query", "required": required, "description": says, "schema": map[string]any{"type": "string"}})
		}
		one := map[string]any{
			"summary": o.says, "operationId": operationID(o.route), "parameters": sorted(parameters),
			"responses": map[string]any{"200": map[string]any{"description": "It was done.", "content": jsonOf(o.out)}, "default": refusal},
		}
		if o.in != nil {
			one["requestBody"] = map[string]any{"required": true, "content": jsonOf(o.in)}
		}
		at, _ := paths[path].(map[string]any)
		if at == nil {
			at = map[string]any{}
		}
		at[strings.ToLower(method)] = one
		paths[path] = at
	}
	schema(protocol.AdminTraceLine{})
	filters := make([]any, 0, 3)
	for _, f := range [][2]string{{"channel", "Only frames about a channel, and of who is in it."}, {"op", "Only frames whose name has this in it, and replies to such."}, {"user", "Only somebody's, by id or name."}} {
		filters = append(filters, map[string]any{"name": f[0], "in": "query", "description": f[1], "schema": map[string]any{"type": "string"}})
	}
	paths[tracePath] = map[string]any{"get": map[string]any{
		"summary": "What clients and server say to each other, as server-sent events; the data of each is an AdminTraceLine.", "operationId": "getTrace", "parameters": filters,
		"responses": map[string]any{
			"200":     map[string]any{"description": "It goes on until the connection is closed.", "content": map[string]any{"text/event-stream": map[string]any{"schema": map[string]any{"type": "string"}}}},
			"default": refusal,
		},
	}}
	paths[openAPIPath] = map[string]any{"get": map[string]any{
		"summary": "This description.", "operationId": "getOpenapi", "responses": map[string]any{
			"200": map[string]any{"description": "It.", "content": map[string]any{"application/json": map[string]any{"schema": map[string]any{"type": "object"}}}},
		},
	}}
	return map[string]any{
		"openapi": "3.1.0",
		"info": map[string]any{
			"title": "Mini LiveChat, administration", "version": "1",
			"description": "For an admin's token, as livechat token --admin prints one. Times are RFC 3339 or, where they are numbers, milliseconds since the epoch.",
		},
		"servers":  []any{map[string]any{"url": "/"}},
		"security": []any{map[string]any{"admin": []any{}}},
		"paths":    paths,
		"components": map[string]any{
			"schemas":         schemas,
			"securitySchemes": map[string]any{"admin": map[string]any{"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
		},
	}
}

// operationID is a name for a route, such as postSessionsIdKick.
func operationID(route string) string {
	method, path, _ := strings.Cut(route, " /api/admin/")
	id := strings.ToLower(method)
	for _, word := range strings.FieldsFunc(path, func(r rune) bool { return strings.ContainsRune("/-{}", r) }) {
		id += strings.ToUpper(word[:1]) + word[1:]
	}
	return id
}

// sorted puts parameters in the order of their names.
func sorted(parameters []any) []any {
	name := func(i int) string {
		text, _ := json.Marshal(parameters[i]) //nolint:errchkjson // it is ours
		return string(text)
	}
	for i := range parameters {
		for j := i; j > 0 && name(j) < name(j-1); j-- {
			parameters[j], parameters[j-1] = parameters[j-1], parameters[j]
		}
	}
	return parameters
}

// What is served describes the routes there are and their bodies as they are. LIVECHAT_WRITE_OPENAPI=1 writes it anew.
func TestOpenAPIIsOfWhatThereIs(t *testing.T) {
	text, err := json.MarshalIndent(describe(t), "", "  ")
	require.NoError(t, err)
	if os.Getenv("LIVECHAT_WRITE_OPENAPI") != "" {
		require.NoError(t, os.WriteFile("openapi.json", append(text, '\n'), 0o600))
	}
	require.JSONEq(t, string(text), string(openAPIText), "make it anew: LIVECHAT_WRITE_OPENAPI=1 go test ./signaling/httpapi -run OpenAPI")
	all := (&Admin{Log: zap.NewNop()}).routes()
	routes, described := make([]string, 0, len(all)), make([]string, 0, len(all))
	for _, r := range all {
		routes = append(routes, r.pattern)
	}
	for _, o := range operations() {
		described = append(described, o.route)
	}
	require.ElementsMatch(t, routes, described)
}
