package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/signaling/httpapi"
	"github.com/mini-livechat/mini-livechat/signaling/people"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
	"github.com/mini-livechat/mini-livechat/signaling/store"
)

// controlName is the socket in the data directory by which commands beside a running server have it do something. Who may use it may
// read the secret too, so it asks for nothing.
const controlName = "livechat.sock"

const (
	// controlTimeout bounds a request to the control socket.
	controlTimeout = 30 * time.Second
	// maxControlAnswer is the longest answer, in bytes: a thousand people with the longest names take less.
	maxControlAnswer = 16 << 20
	// maxSocketPath is the longest path of a socket, in bytes, where it is the shortest (macOS; unix(7) has 107).
	maxSocketPath = 103
)

// openControl opens the control socket; nil without a data directory. The memory's lock is held, so that a socket that is there
// already is nobody's.
func openControl(data string) (net.Listener, error) {
	if data == "" {
		return nil, nil //nolint:nilnil // there is no place for it
	}
	// It is made where nobody else gets at it, until it is private itself.
	dir, err := os.MkdirTemp(data, ".control-*")
	if err != nil {
		return nil, err
	}
	defer os.Remove(dir) //nolint:errcheck // at worst an empty directory stays
	path := filepath.Join(dir, "s")
	short, done := shortPath(path)
	defer done()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: short, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	final := filepath.Join(data, controlName)
	if err = errors.Join(os.Chmod(path, 0o600), os.Rename(path, final)); err != nil {
		return nil, errors.Join(err, l.Close(), os.Remove(path))
	}
	return &controlListener{l, final}, nil
}

// shortPath returns a path to a file that is no longer than a socket's may be, where the system has one; until done is called.
func shortPath(path string) (short string, done func()) {
	keep := func() {}
	if len(path) <= maxSocketPath {
		return path, keep
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return path, keep
	}
	short = fmt.Sprintf("/proc/self/fd/%d", dir.Fd())
	if _, err = os.Stat(short); err != nil {
		_ = dir.Close()
		return path, keep
	}
	return filepath.Join(short, filepath.Base(path)), func() { _ = dir.Close() }
}

// controlListener takes its socket away when it is closed.
type controlListener struct {
	net.Listener

	path string
}

// Close implements net.Listener.
func (l *controlListener) Close() error {
	err := os.Remove(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(l.Listener.Close(), err)
}

// serveControl serves the control socket until it is closed.
func (a *App) serveControl() {
	l, err := openControl(a.cfg.Data)
	if err != nil {
		a.log.Warn("there is no control socket, so that livechat invite and livechat user need the server to be stopped", zap.Error(err))
	}
	if l == nil {
		return
	}
	a.control = &http.Server{Handler: a.admin().Handler(), ReadHeaderTimeout: headerTimeout, ReadTimeout: requestTimeout, WriteTimeout: controlTimeout}
	a.controlled.Go(func() { _ = a.control.Serve(l) }) // it ends when it is closed
}

// closeControl closes the control socket.
func (a *App) closeControl() error {
	if a.control == nil {
		return nil
	}
	err := a.control.Close()
	a.controlled.Wait()
	return err
}

func (a *App) admin() *httpapi.Admin {
	return &httpapi.Admin{People: a.people, ChannelName: a.gateway.ChannelName, Ban: a.gateway.Ban, PageURL: a.URL(), Log: a.log}
}

// FirstInvite returns the link of an invite for the first admin, as long as nobody is known and nobody was invited; else "".
func (a *App) FirstInvite(ctx context.Context) (link string, err error) {
	secret, err := a.people.FirstInvite(ctx, time.Now())
	if err != nil || secret == "" {
		return "", err
	}
	return a.URL() + "/#invite=" + secret, nil
}

// Admin is how a command administers a server: by its control socket while it runs, and else by its memory. Make one with OpenAdmin
// and end it with Close.
type Admin struct {
	client http.Client
	close  func() error
}

// OpenAdmin reaches the server with a data directory. The error is a *MemoryError when there is none, or when what is there cannot
// be used.
func OpenAdmin(ctx context.Context, data string) (*Admin, error) {
	path := filepath.Join(data, store.FileName)
	switch _, err := os.Stat(path); {
	case errors.Is(err, fs.ErrPermission):
		return nil, &MemoryError{fmt.Errorf("%w; do this as the server's user, or as root", err)}
	case err != nil:
		return nil, &MemoryError{fmt.Errorf("there is no %s; is --data=%s the server's, and was it started once?", path, data)}
	}
	dial := func(ctx context.Context) (net.Conn, error) {
		socket, done := shortPath(filepath.Join(data, controlName))
		defer done()
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	if conn, err := dial(ctx); err == nil {
		_ = conn.Close()
		transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }}
		return &Admin{http.Client{Transport: transport, Timeout: controlTimeout}, func() error { transport.CloseIdleConnections(); return nil }}, nil
	}
	memory, err := store.Open(path) //nolint:contextcheck // it has none
	switch {
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
	return &Admin{http.Client{Transport: direct{admin.Handler()}}, memory.Close}, nil
}

// Close ends it.
func (a *Admin) Close() error { return a.close() }

// Do makes a request; in, unless nil, is its body, and into takes the answer. A refusal is a *protocol.Error.
func (a *Admin) Do(ctx context.Context, method, path string, in, into any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://livechat"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := a.client.Do(req)
	if err != nil {
		return fmt.Errorf("ask the server: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was read, or given up
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxControlAnswer))
	if err != nil {
		return fmt.Errorf("ask the server: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		refusal := &protocol.Error{}
		if err = json.Unmarshal(text, refusal); err != nil || refusal.Code == 0 {
			return fmt.Errorf("the server answered %s", resp.Status)
		}
		return refusal
	}
	if err = json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("understand the server: %w", err)
	}
	return nil
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
