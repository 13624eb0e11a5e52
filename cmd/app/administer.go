package app

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/signaling/httpapi"
	"github.com/mini-livechat/mini-livechat/signaling/people"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
	"github.com/mini-livechat/mini-livechat/signaling/store"
)

// Admin is how a command administers a server: by its control socket while it runs, and else by its memory. Make one with OpenAdmin
// and end it with Close.
type Admin struct {
	client http.Client
	// base is in front of each path, and token, unless empty, what the server is shown.
	base, token string
	close       func() error
}

// errNotJoined: a node's memory is nobody's to change, nor is it there before the node has found the others.
var errNotJoined = errors.New("the server is one of several, and does not run, or waits for the others before it answers; its log says for which, and why they do not answer")

// OpenAdmin reaches the server with a data directory. The error is a *MemoryError when there is none, or when what is there cannot
// be used.
func OpenAdmin(ctx context.Context, data string) (*Admin, error) {
	path := filepath.Join(data, store.FileName)
	switch _, err := os.Stat(path); {
	case errors.Is(err, fs.ErrPermission):
		return nil, &MemoryError{fmt.Errorf("%w; do this as the server's user, or as root", err)}
	case errors.Is(err, fs.ErrNotExist) && isDir(filepath.Join(data, logDir)):
		return nil, errNotJoined
	case err != nil:
		return nil, &MemoryError{fmt.Errorf("there is no %s; is --data=%s the server's, and was it started once?", path, data)}
	}
	if running := openControlled(ctx, data); running != nil {
		return running, nil
	}
	memory, err := store.Open(path) //nolint:contextcheck // it has none
	switch {
	case errors.Is(err, store.ErrClustered):
		return nil, errNotJoined
	case errors.Is(err, fs.ErrPermission):
		err = fmt.Errorf("%w; do this as the server's user, or as root", err)
	case errors.Is(err, store.ErrInUse):
		err = fmt.Errorf("%w, but does not answer at %s; its log says why", err, filepath.Join(data, controlName))
	}
	if err != nil {
		return nil, &MemoryError{err}
	}
	known := people.New(memory, nil, 0)
	admin := httpapi.Admin{People: known, Ban: known.BanWhom, Log: zap.NewNop(), ChannelName: func(id string) string {
		channels, failed := memory.Channels(context.WithoutCancel(ctx))
		for _, c := range channels {
			if failed == nil && c.ID == id {
				return c.Name
			}
		}
		return ""
	}}
	return &Admin{client: http.Client{Transport: direct{admin.Handler()}}, base: controlBase, close: memory.Close}, nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// openControlled reaches the server that runs with a data directory; nil: none does.
func openControlled(ctx context.Context, data string) *Admin {
	dial := func(ctx context.Context) (net.Conn, error) {
		socket, done := shortPath(filepath.Join(data, controlName))
		defer done()
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	conn, err := dial(ctx)
	if err != nil {
		return nil
	}
	_ = conn.Close()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }}
	return &Admin{
		client: http.Client{Transport: transport}, base: controlBase,
		close: func() error { transport.CloseIdleConnections(); return nil },
	}
}

// RunningURL is where the page of the server is that runs with a data directory, without a slash at the end; "": none does.
func RunningURL(ctx context.Context, data string) string {
	if data == "" {
		return ""
	}
	running := openControlled(ctx, data)
	if running == nil {
		return ""
	}
	defer running.Close() //nolint:errcheck // never fails
	var server httpapi.AdminServer
	_ = running.Do(ctx, http.MethodGet, "/api/admin/server", nil, &server) // then it is as if there were none
	return server.URL
}

// controlBase is in front of the path of a request that goes nowhere but to the server's own socket.
const controlBase = "http://livechat"

// OpenRemoteAdmin reaches a server anywhere by the address of its page, with an admin's token.
func OpenRemoteAdmin(server, token string) (*Admin, error) {
	page, err := url.Parse(server)
	switch {
	case err != nil || page.Scheme != "http" && page.Scheme != "https" || page.Host == "" || page.RawQuery != "" || page.Fragment != "":
		return nil, &ConfigError{Mistakes: []error{fmt.Errorf("--server=%q: must be where the page is, such as https://voice.example.org", server)}}
	case token == "":
		return nil, &ConfigError{Mistakes: []error{errors.New("--server wants an admin's token in LIVECHAT_ADMIN_TOKEN; \"livechat token --user=you --admin\" prints one")}}
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, ResponseHeaderTimeout: controlTimeout}
	return &Admin{
		client: http.Client{Transport: transport}, base: strings.TrimSuffix(page.String(), "/"), token: strings.TrimSpace(token),
		close: func() error { transport.CloseIdleConnections(); return nil },
	}, nil
}

// Close ends it.
func (a *Admin) Close() error { return a.close() }

// Do makes a request; in, unless nil, is its body, and into takes the answer. A refusal is a *protocol.Error.
func (a *Admin) Do(ctx context.Context, method, path string, in, into any) error {
	ctx, cancel := context.WithTimeout(ctx, controlTimeout)
	defer cancel()
	resp, err := a.ask(ctx, method, path, in)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // it was read, or given up
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxControlAnswer))
	if err != nil {
		return fmt.Errorf("ask the server: %w", err)
	}
	if err = json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("understand the server: %w", err)
	}
	return nil
}

// Stream makes a GET request that is answered by server-sent events, and calls each with the data of one, until ctx is done, the server
// ends, or each fails. A refusal is a *protocol.Error.
func (a *Admin) Stream(ctx context.Context, path string, each func(data []byte) error) error {
	resp, err := a.ask(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // it is over
	quiet := time.AfterFunc(streamSilence, func() { _ = resp.Body.Close() })
	defer quiet.Stop()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, maxControlAnswer)
	refused := false
	for lines.Scan() {
		quiet.Reset(streamSilence)
		if bytes.Equal(lines.Bytes(), []byte("event: refused")) {
			refused = true
		}
		data, ok := bytes.CutPrefix(lines.Bytes(), []byte("data: "))
		if !ok {
			continue
		}
		if refused {
			refusal := &protocol.Error{}
			if err = json.Unmarshal(data, refusal); err != nil {
				return fmt.Errorf("understand the server: %w", err)
			}
			return refusal
		}
		if err = each(data); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errors.New("the server has ended this, or cannot be reached any more")
}

// streamSilence is for how long a server that is listened to may say nothing, which says something each second.
const streamSilence = 15 * time.Second

// ask makes a request, and returns the answer of one that is not refused.
func (a *Admin) ask(ctx context.Context, method, path string, in any) (*http.Response, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, a.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if a.token != "" {
		req.Header.Set("Authorization", "Bearer "+a.token)
	}
	resp, err := a.client.Do(req)
	if err != nil {
		if failed, ok := errors.AsType[*url.Error](err); ok {
			err = failed.Err // the rest of it only repeats the address
		}
		return nil, fmt.Errorf("cannot reach the server at %s: %w", a.base, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close() //nolint:errcheck // it was read, or given up
	refusal := &protocol.Error{}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxControlAnswer))
	if err == nil {
		err = json.Unmarshal(text, refusal)
	}
	if resp.StatusCode == http.StatusServiceUnavailable && strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") {
		return nil, fmt.Errorf("the server at %s has no room for this: %q", a.base, strings.TrimSpace(string(text)))
	}
	if err != nil || refusal.Code == 0 {
		return nil, fmt.Errorf("what is at %s answered %s; is it the page of a server?", a.base, resp.Status)
	}
	return nil, refusal
}

// direct is an http.RoundTripper without a network.
type direct struct{ handler http.Handler }

// RoundTrip implements http.RoundTripper.
func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	w := &answerWriter{header: make(http.Header), status: http.StatusOK}
	d.handler.ServeHTTP(w, r)
	return &http.Response{
		StatusCode: w.status, Status: http.StatusText(w.status), Header: w.header, Body: io.NopCloser(&w.body), Request: r,
	}, nil
}

// answerWriter is an http.ResponseWriter that keeps what is written.
type answerWriter struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *answerWriter) Header() http.Header         { return w.header }
func (w *answerWriter) WriteHeader(status int)      { w.status = status }
func (w *answerWriter) Write(p []byte) (int, error) { return w.body.Write(p) }
