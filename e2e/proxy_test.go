package e2e

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/cmd/doctor"
	"github.com/mini-livechat/mini-livechat/sfu/porttest"
	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

const (
	// proxyHost is the name in the recipes of README.md.
	proxyHost = "voice.example.org"
	// requireProxies is the environment variable that turns the missing of nginx or Caddy
	// from a skipped test into a failed one.
	requireProxies = "LIVECHAT_REQUIRE_PROXIES"
)

// frontend is a real reverse proxy in front of a server.
type frontend struct {
	t *testing.T
	// port is where it listens on 127.0.0.1, pem the file of its certificate, key its key.
	port, pem, key string
	roots          *x509.CertPool
}

// recipe returns the nth code block of a language in README.md.
func recipe(t *testing.T, language string, n int) string {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join("..", "README.md"))
	require.NoError(t, err)
	found := regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	require.Greater(t, len(found), n)
	return found[n][1]
}

// replaced replaces what must be there.
func replaced(t *testing.T, text string, pairs ...string) string {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		require.Contains(t, text, pairs[i])
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	return text
}

func newFrontend(t *testing.T) *frontend {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{proxyHost}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	require.NoError(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	dir := t.TempDir()
	f := &frontend{t: t, port: porttest.Free(t), pem: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem"), roots: x509.NewCertPool()}
	require.NoError(t, os.WriteFile(f.pem, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(f.key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
	parsed, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	f.roots.AddCert(parsed)
	return f
}

// run starts a proxy until the test ends and waits until it listens.
func (f *frontend) run(name string, args ...string) {
	f.t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/" + name) // not in everybody's PATH
	}
	if err != nil {
		require.Empty(f.t, os.Getenv(requireProxies), "there is no %s, and %s is set", name, requireProxies)
		f.t.Skipf("SKIPPED: there is no %s; set %s to make this a failure", name, requireProxies)
	}
	var log bytes.Buffer
	cmd := exec.CommandContext(context.Background(), path, args...)
	dir := f.t.TempDir()
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	cmd.Stdout, cmd.Stderr = &log, &log
	require.NoError(f.t, cmd.Start())
	f.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if f.t.Failed() {
			f.t.Logf("%s said: %s", name, &log)
		}
	})
	eventually(f.t, name+" listens", func() bool {
		conn, err := new(net.Dialer).DialContext(f.t.Context(), "tcp", "127.0.0.1:"+f.port)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
}

// nginx runs nginx with a server block.
func (f *frontend) nginx(block string) {
	f.t.Helper()
	dir := f.t.TempDir()
	config := fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log stderr info;
events {}
http {
access_log off; client_body_temp_path %[1]s/a; proxy_temp_path %[1]s/b; fastcgi_temp_path %[1]s/c; uwsgi_temp_path %[1]s/d; scgi_temp_path %[1]s/e;
%[2]s}
`, dir, block)
	path := filepath.Join(dir, "nginx.conf")
	require.NoError(f.t, os.WriteFile(path, []byte(config), 0o600))
	f.run("nginx", "-e", "stderr", "-p", dir, "-c", path)
}

// caddy runs Caddy with a site.
func (f *frontend) caddy(site string) {
	f.t.Helper()
	path := filepath.Join(f.t.TempDir(), "Caddyfile")
	config := "{\n\tadmin off\n\tauto_https disable_redirects\n}\n" + site
	require.NoError(f.t, os.WriteFile(path, []byte(config), 0o600))
	f.run("caddy", "run", "--adapter", "caddyfile", "--config", path)
}

// nginxRecipe is README.md's block for nginx, on a port of the test's. Plain: without TLS.
func (f *frontend) nginxRecipe(s *server, path, plain bool) string {
	f.t.Helper()
	block := recipe(f.t, "nginx", 0)
	if path {
		block = regexp.MustCompile(` *location / \{\n.*\n`).ReplaceAllLiteralString(block, recipe(f.t, "nginx", 1))
		require.Contains(f.t, block, "location /voice/")
	}
	listen := "listen 127.0.0.1:" + f.port + " ssl;"
	if plain {
		listen = "listen 127.0.0.1:" + f.port + ";"
	}
	return replaced(f.t, block, "listen 443 ssl;", listen, "/etc/ssl/voice.example.org.pem", f.pem,
		"/etc/ssl/voice.example.org.key", f.key, "127.0.0.1:8080", strings.TrimPrefix(s.URL, "http://"))
}

func (f *frontend) caddyRecipe(s *server, n int, plain bool) string {
	f.t.Helper()
	head := fmt.Sprintf("https://%s:%s {\n\tbind 127.0.0.1\n\ttls %s %s\n", proxyHost, f.port, f.pem, f.key)
	if plain {
		head = fmt.Sprintf("http://%s:%s {\n\tbind 127.0.0.1\n", proxyHost, f.port)
	}
	return replaced(f.t, recipe(f.t, "caddyfile", n), proxyHost+" {\n", head, "127.0.0.1:8080", strings.TrimPrefix(s.URL, "http://"))
}

// dialer connects to the proxy, whatever the name and port.
func (f *frontend) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "tcp", "127.0.0.1:"+f.port)
}

func (f *frontend) httpClient() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: f.dial, TLSClientConfig: &tls.Config{RootCAs: f.roots, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true,
	}}
}

func (f *frontend) websocket() *websocket.Dialer {
	return &websocket.Dialer{NetDialContext: f.dial, TLSClientConfig: &tls.Config{RootCAs: f.roots, MinVersion: tls.VersionTLS12}}
}

// asPage asks for a guest's token and opens the WebSocket as a browser's page at base does,
// and returns both statuses and the reason of a refusal.
func (f *frontend) asPage(base, origin string) (guest, ws int, reason string) {
	f.t.Helper()
	req, err := http.NewRequestWithContext(f.t.Context(), http.MethodPost, base+"/api/guest", strings.NewReader(`{"name":"Ada"}`))
	require.NoError(f.t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Origin", origin)
	resp, err := f.httpClient().Do(req)
	require.NoError(f.t, err)
	defer resp.Body.Close()
	var refusal protocol.Error
	data, err := io.ReadAll(resp.Body)
	require.NoError(f.t, err)
	_ = json.Unmarshal(data, &refusal)
	conn, answer, err := f.websocket().DialContext(f.t.Context(), "ws"+strings.TrimPrefix(base, "http")+"/ws", http.Header{"Origin": {origin}})
	require.NotNil(f.t, answer, "%v", err)
	defer answer.Body.Close()
	if err == nil {
		require.NoError(f.t, conn.Close())
	}
	return resp.StatusCode, answer.StatusCode, refusal.Reason
}

// works checks page, API, WebSocket and the Go client at base.
func (f *frontend) works(base string) {
	f.t.Helper()
	origin := strings.TrimSuffix(base, "/voice")
	for _, path := range []string{"/", "/js/app.js", "/icon.svg", "/healthz"} {
		req, err := http.NewRequestWithContext(f.t.Context(), http.MethodGet, base+path, http.NoBody)
		require.NoError(f.t, err)
		resp, err := f.httpClient().Do(req)
		require.NoError(f.t, err)
		require.NoError(f.t, resp.Body.Close())
		require.Equal(f.t, http.StatusOK, resp.StatusCode, path)
	}
	guest, ws, reason := f.asPage(base, origin)
	require.Equal(f.t, http.StatusOK, guest, reason)
	require.Equal(f.t, http.StatusSwitchingProtocols, ws)
	guest, ws, reason = f.asPage(base, "https://evil.example")
	require.Equal(f.t, http.StatusForbidden, guest)
	require.Equal(f.t, http.StatusForbidden, ws)
	require.Contains(f.t, reason, "--allow-origin=https://evil.example")
	if strings.HasPrefix(base, "https") {
		guest, _, _ = f.asPage(base, strings.Replace(origin, "https", "http", 1))
		require.Equal(f.t, http.StatusForbidden, guest, "a page that came over plain HTTP")
	}

	token, err := client.GuestWith(f.t.Context(), f.httpClient(), base, "Ben")
	require.NoError(f.t, err)
	c, err := client.Dial(f.t.Context(), base, client.Options{Token: token.Token, Dialer: f.websocket(), EventBuffer: -1, NoReconnect: true})
	require.NoError(f.t, err)
	require.NoError(f.t, c.Close())
}

func openToGuests(c *app.Config) { c.AllowGuests = new(true) }

// The recipes of README.md, tried with the real proxies.
func TestProxyRecipes(t *testing.T) {
	t.Parallel()
	s := startServer(t, openToGuests)
	for name, start := range map[string]func(f *frontend, path, plain bool){
		"nginx": func(f *frontend, path, plain bool) { f.nginx(f.nginxRecipe(s, path, plain)) },
		"caddy": func(f *frontend, path, plain bool) {
			n := 0
			if path {
				n = 1
			}
			f.caddy(f.caddyRecipe(s, n, plain))
		},
	} {
		for _, plain := range []bool{false, true} {
			for _, path := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s plain=%t path=%t", name, plain, path), func(t *testing.T) {
					f := newFrontend(t)
					start(f, path, plain)
					base := "https://" + proxyHost + ":" + f.port
					if plain {
						base = "http://" + proxyHost + ":" + f.port
					}
					if path {
						base += "/voice"
					}
					f.works(base)
				})
			}
		}
	}
}

// Proxies that write the default port into Host are fine; of those that drop another port or
// put their own name there the refusal says what to do, and that helps.
func TestProxyHosts(t *testing.T) {
	t.Parallel()
	f := newFrontend(t)
	origin := "https://" + proxyHost + ":8443"
	s := startServer(t, openToGuests)
	listed := startServer(t, openToGuests, func(c *app.Config) { c.AllowOrigin = []string{origin} })
	ports := func(host string) string { return replaced(t, f.nginxRecipe(s, false, false), "$http_host", host) }
	t.Run("adds the port", func(t *testing.T) {
		f.t = t
		f.nginx(ports("$host:443"))
		guest, ws, reason := f.asPage("https://"+proxyHost, "https://"+proxyHost)
		require.Equal(t, http.StatusOK, guest, reason)
		require.Equal(t, http.StatusSwitchingProtocols, ws)
	})
	for name, host := range map[string]string{"drops the port": "$host", "puts its own": "$proxy_host"} {
		t.Run(name, func(t *testing.T) {
			f.t = t
			f.nginx(ports(host))
			guest, ws, reason := f.asPage(origin, origin)
			require.Equal(t, http.StatusForbidden, guest)
			require.Equal(t, http.StatusForbidden, ws)
			require.Contains(t, reason, `"`+origin+`"`)
			require.Contains(t, reason, "--allow-origin="+origin)
		})
		t.Run(name+", allowed", func(t *testing.T) {
			f.t = t
			f.nginx(replaced(t, ports(host), s.URL, listed.URL))
			guest, ws, reason := f.asPage(origin, origin)
			require.Equal(t, http.StatusOK, guest, reason)
			require.Equal(t, http.StatusSwitchingProtocols, ws)
		})
	}
}

// A server that nobody said is public is not made so by a proxy, nor by a stranger's DNS.
func TestProxyUnasked(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	f := newFrontend(t)
	f.nginx(f.nginxRecipe(s, false, false))
	base := "https://" + proxyHost + ":" + f.port
	guest, ws, reason := f.asPage(base, base)
	require.Equal(t, http.StatusForbidden, guest)
	require.Equal(t, http.StatusForbidden, ws)
	require.Contains(t, reason, "--allow-guests or --no-allow-guests")
}

// A silent session outlives the idle time-out of a proxy, because the server pings.
func TestProxyIdle(t *testing.T) {
	t.Parallel()
	s := startServer(t, openToGuests, func(c *app.Config) { c.HeartbeatInterval, c.ReaperInterval = time.Second, 500*time.Millisecond })
	f := newFrontend(t)
	f.nginx(replaced(t, f.nginxRecipe(s, false, false), "proxy_http_version 1.1;", "proxy_http_version 1.1; proxy_read_timeout 4s;"))
	token, err := client.GuestWith(t.Context(), f.httpClient(), "https://"+proxyHost, "Ada")
	require.NoError(t, err)
	conn, resp, err := f.websocket().DialContext(t.Context(), "wss://"+proxyHost+"/ws", nil)
	require.NoError(t, err)
	defer conn.Close()
	defer resp.Body.Close()
	frame, err := protocol.EncodeRequest(protocol.OpIdentify, "1", protocol.Identify{Token: token.Token, V: protocol.Version})
	require.NoError(t, err)
	require.NoError(t, conn.WriteMessage(websocket.TextMessage, frame))
	begin, pong := time.Now(), conn.PingHandler()
	conn.SetPingHandler(func(data string) error {
		if time.Since(begin) > 6*time.Second {
			return io.EOF
		}
		return pong(data)
	})
	for err == nil {
		_, _, err = conn.ReadMessage()
	}
	require.ErrorIs(t, err, io.EOF, "beyond the proxy's time-out it still pings")
}

// The self-test, too, works below a path.
func TestProxyDoctor(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	f := newFrontend(t)
	f.nginx(replaced(t, f.nginxRecipe(s, true, true), "server_name "+proxyHost, "server_name 127.0.0.1"))
	report := examine(t, "http://127.0.0.1:"+f.port+"/voice")
	require.True(t, report.Works, "%+v", report.Checks)
	require.Equal(t, doctor.Good, report.Checks[0].Status)
}
