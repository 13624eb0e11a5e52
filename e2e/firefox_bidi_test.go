//go:build unix

package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
)

// firefoxPrefs give Firefox a microphone that beeps and let it talk to this machine.
const firefoxPrefs = `
user_pref("media.navigator.streams.fake", true);
user_pref("media.navigator.permission.disabled", true);
user_pref("media.peerconnection.ice.loopback", true);
user_pref("media.autoplay.default", 0);
user_pref("app.normandy.enabled", false);
user_pref("browser.safebrowsing.downloads.remote.enabled", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("services.settings.server", "data:,#remote-settings-dummy/v1");
user_pref("toolkit.telemetry.enabled", false);
`

// firefox is a Firefox that is driven by WebDriver BiDi (https://www.w3.org/TR/webdriver-bidi/).
type firefox struct {
	t      *testing.T
	socket *websocket.Conn
	lastID int
}

// listening is where a Firefox says that it can be driven.
var listening = regexp.MustCompile(`WebDriver BiDi listening on (ws://\S+)`)

// startFirefox starts one. It skips the test when there is none, unless the environment forbids that.
func startFirefox(t *testing.T) *firefox {
	t.Helper()
	var path string
	for _, name := range []string{"firefox-esr", "firefox"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		if os.Getenv(requireBrowser) != "" {
			t.Fatalf("there is no Firefox in PATH, and %s is set", requireBrowser)
		}
		t.Skipf("there is no Firefox in PATH; set %s to make this a failure", requireBrowser)
	}
	profile := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(profile, "user.js"), []byte(firefoxPrefs), 0o600))
	cmd := exec.Command(path, "--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0") //nolint:noctx // ended below
	cmd.Env = append(os.Environ(), "HOME="+profile, "MOZ_CRASHREPORTER_DISABLE=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // its processes end with it
	out, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	read := make(chan struct{})
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-read
		_ = cmd.Wait()
	})
	where := make(chan string, 1)
	go func() {
		defer close(read)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if match := listening.FindStringSubmatch(lines.Text()); match != nil {
				where <- match[1]
			}
		}
	}()
	f := &firefox{t: t}
	select {
	case url := <-where:
		socket, response, err := websocket.DefaultDialer.DialContext(t.Context(), url+"/session", nil)
		require.NoError(t, err)
		_ = response.Body.Close()
		f.socket = socket
		t.Cleanup(func() { _ = socket.Close() })
	case <-time.After(browserPatience):
		require.Fail(t, "Firefox does not say that it can be driven")
	}
	f.call("session.new", map[string]any{"capabilities": map[string]any{
		"alwaysMatch": map[string]any{"unhandledPromptBehavior": map[string]any{"beforeUnload": "accept"}},
	}})
	return f
}

// call carries out a command and returns its result.
func (f *firefox) call(method string, params any) json.RawMessage {
	f.t.Helper()
	f.lastID++
	require.NoError(f.t, f.socket.SetReadDeadline(time.Now().Add(browserPatience)))
	require.NoError(f.t, f.socket.WriteJSON(map[string]any{"id": f.lastID, "method": method, "params": params}))
	for {
		var reply struct {
			ID      int             `json:"id"`
			Type    string          `json:"type"`
			Error   string          `json:"error"`
			Message string          `json:"message"`
			Result  json.RawMessage `json:"result"`
		}
		require.NoError(f.t, f.socket.ReadJSON(&reply), method)
		if reply.ID == f.lastID && reply.Type != "event" {
			require.Empty(f.t, reply.Error, "%s: %s", method, reply.Message)
			return reply.Result
		}
	}
}

// foxTab is a page in a Firefox, of somebody of their own.
type foxTab struct {
	*firefox
	name, context string
}

// open opens the page as somebody who was never there before.
func (f *firefox) open(name string) *foxTab {
	f.t.Helper()
	var made struct{ UserContext, Context string }
	require.NoError(f.t, json.Unmarshal(f.call("browser.createUserContext", struct{}{}), &made))
	require.NoError(f.t, json.Unmarshal(f.call("browsingContext.create", map[string]any{"type": "tab", "userContext": made.UserContext}), &made))
	tab := &foxTab{firefox: f, name: name, context: made.Context}
	// Its statistics are those of its newest connection.
	f.call("script.addPreloadScript", map[string]any{"contexts": []string{made.Context}, "functionDeclaration": `() => {
		window.RTCPeerConnection = class extends RTCPeerConnection {
			constructor(config) { super(config); window.peer = this; }
		};
		window.complaints = [];
		window.addEventListener('error', (e) => complaints.push(e.message));
		window.addEventListener('unhandledrejection', (e) => complaints.push(String(e.reason)));
	}`})
	return tab
}

// evaluate returns the value of an expression, awaited when it is a promise; "" when the page went away meanwhile.
func (f *foxTab) evaluate(expression string) string {
	f.t.Helper()
	var result struct {
		Type             string
		Result           struct{ Value string }
		ExceptionDetails struct{ Text string }
	}
	require.NoError(f.t, json.Unmarshal(f.call("script.evaluate", map[string]any{
		"expression":   "(async () => JSON.stringify(await (" + expression + ")))()",
		"target":       map[string]any{"context": f.context},
		"awaitPromise": true,
	}), &result))
	require.Equal(f.t, "success", result.Type, "%s: %s: %s", f.name, expression, result.ExceptionDetails.Text)
	return result.Result.Value
}

// until polls an expression until it is true.
func (f *foxTab) until(reason, expression string) {
	f.t.Helper()
	for deadline := time.Now().Add(browserPatience); f.evaluate("Boolean(await ("+expression+"))") != "true"; {
		if time.Now().After(deadline) {
			require.Fail(f.t, "still not: "+reason, "%s: %s", f.name, f.evaluate("[document.body.innerText, window.complaints]"))
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// click clicks on an element with the mouse, as soon as it is there.
func (f *foxTab) click(selector string) {
	f.t.Helper()
	element := "document.querySelector(" + strconv.Quote(selector) + ")"
	f.until(selector+" can be clicked", element+"?.checkVisibility() && !"+element+".disabled")
	var x, y float64
	at := f.evaluate("((r) => Math.round(r.x + r.width / 2) + ' ' + Math.round(r.y + r.height / 2))(" + element + ".getBoundingClientRect())")
	_, err := fmt.Sscanf(strings.Trim(at, `"`), "%g %g", &x, &y)
	require.NoError(f.t, err, at)
	f.act("pointer", []map[string]any{
		{"type": "pointerMove", "x": x, "y": y}, {"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0},
	})
}

// enter types into what has the focus, and presses Enter.
func (f *foxTab) enter(text string) {
	f.t.Helper()
	keys := make([]map[string]any, 0, 2*len(text)+2)
	for _, key := range append(strings.Split(text, ""), "\ue007") {
		keys = append(keys, map[string]any{"type": "keyDown", "value": key}, map[string]any{"type": "keyUp", "value": key})
	}
	f.act("key", keys)
}

func (f *foxTab) act(device string, actions []map[string]any) {
	f.t.Helper()
	f.call("input.performActions", map[string]any{
		"context": f.context, "actions": []any{map[string]any{"type": device, "id": device, "actions": actions}},
	})
}
