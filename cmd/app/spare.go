package app

import (
	"context"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// lastWordTimeout is how long a connection lasts that there is no file descriptor for but the spare one.
const lastWordTimeout = 2 * time.Second

// spare is a file descriptor that is kept for when there are no others, so that who asks then is told, one after the other,
// instead of waiting for an answer that does not come. Safe for concurrent use.
type spare struct {
	mu   sync.Mutex
	file *os.File // nil while it is in use
}

// keep takes a descriptor, unless there is one already or none to be had.
func (s *spare) keep() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		s.file, _ = os.Open(os.DevNull)
	}
}

func (s *spare) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file != nil {
		_ = s.file.Close()
		s.file = nil
	}
}

// accept gives the descriptor up for a connection, which gives it back when it is closed, soon. It returns nil when there is
// no connection, or none can be had even so.
func (s *spare) accept(l net.Listener) net.Conn {
	s.release()
	// Somebody has been waiting, or there had been no error.
	if waits, ok := l.(interface{ SetDeadline(t time.Time) error }); ok {
		_ = waits.SetDeadline(time.Now().Add(acceptPause))
		defer func() { _ = waits.SetDeadline(time.Time{}) }()
	}
	conn, err := l.Accept()
	if err != nil {
		s.keep()
		return nil
	}
	last := &lastConn{Conn: conn, spare: s}
	last.end = time.AfterFunc(lastWordTimeout, func() { _ = last.Close() })
	return last
}

// lastConn is a connection on which nothing is said but how things are.
type lastConn struct {
	net.Conn

	spare *spare
	end   *time.Timer
}

// Close gives the descriptor back. Closing twice is fine.
func (c *lastConn) Close() error {
	err := c.Conn.Close()
	c.end.Stop()
	c.spare.keep()
	return err //nolint:wrapcheck // it is the connection
}

// lastWord is the key of a request's context that says that its connection is a lastConn.
type lastWord struct{}

// markLast is for http.Server.ConnContext.
func markLast(ctx context.Context, conn net.Conn) context.Context {
	if _, last := socketOf(conn).(*lastConn); last {
		return context.WithValue(ctx, lastWord{}, true)
	}
	return ctx
}

// sayLast answers what comes on a lastConn: state is the handler of those who want to know how things are.
func sayLast(state, all http.Handler, trouble func() error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Context().Value(lastWord{}) == nil {
			all.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Connection", "close")
		switch r.URL.Path {
		case "/healthz", "/readyz":
			state.ServeHTTP(w, r)
		default:
			text := "the server has no room for another connection"
			if err := trouble(); err != nil {
				text = err.Error()
			}
			http.Error(w, text, http.StatusServiceUnavailable)
		}
	})
}
