package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/signaling/httpapi"
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
	control := &controlListener{UnixListener: l, path: final}
	control.spare.keep()
	return control, nil
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

// controlListener takes its socket away when it is closed. It accepts a connection also when there are no file descriptors left, one at a
// time, so that the operator can see why and do something.
type controlListener struct {
	*net.UnixListener

	path  string
	spare spare
}

// Accept implements net.Listener.
func (l *controlListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.UnixListener.Accept()
		if err == nil {
			l.spare.keep()
		}
		if !outOfDescriptors(err) {
			return conn, err //nolint:wrapcheck // it is the listener
		}
		if conn = l.spare.accept(l.UnixListener); conn != nil {
			return conn, nil
		}
		time.Sleep(acceptPause)
	}
}

// Close implements net.Listener.
func (l *controlListener) Close() error {
	err := os.Remove(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	l.spare.release()
	return errors.Join(l.UnixListener.Close(), err)
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
	a.control = &http.Server{Handler: a.admin().Handler(), ReadHeaderTimeout: headerTimeout, ReadTimeout: requestTimeout, WriteTimeout: controlTimeout, ErrorLog: quietLog(a.log)}
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
	return &httpapi.Admin{
		People: a.people, ChannelName: a.gateway.ChannelName, Ban: a.gateway.Ban, PageURL: a.URL(), Live: a.live(), Log: a.log,
	}
}

// FirstInvite returns the link of an invite for the first admin, as long as nobody is known and nobody was invited; else "". Of several nodes that begin
// together one makes it, the first by name.
func (a *App) FirstInvite(ctx context.Context) (link string, err error) {
	if first, known := a.cfg.Cluster.first(); known && !first || !known && !a.tends() {
		return "", nil
	}
	secret, err := a.people.FirstInvite(ctx, a.people.Now())
	if err != nil || secret == "" {
		return "", err
	}
	at := a.URL()
	if a.cfg.Cluster.URL != "" { // a container does not know at which port people reach it
		at = canonicalOrigin(a.cfg.Cluster.URL)
	}
	return at + "/#invite=" + secret, nil
}
