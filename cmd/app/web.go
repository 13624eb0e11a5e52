package app

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"time"

	"go.uber.org/zap"
)

// Bounds of HTTP. None of them holds for a WebSocket: net/http takes its deadlines off a
// connection that is hijacked.
const (
	// headerTimeout is how long a client may take to send a request's header, requestTimeout
	// the whole request: 4 KiB at most, over a bad network.
	headerTimeout  = 5 * time.Second
	requestTimeout = 10 * time.Second
	// responseTimeout is how long after its header a request may take until it is answered.
	// The largest file has some 30 KiB, and the kernel takes most of it at once.
	responseTimeout = 30 * time.Second
	// idleTimeout is how long a connection without a request is kept.
	idleTimeout = 2 * time.Minute
	// maxHeaderBytes bounds a request's header: room for cookies of a shared domain.
	maxHeaderBytes = 32 << 10
	// maxRequests is how many connections may carry HTTP at a time, idle ones included. A
	// browser has up to six, for a second or two, then its WebSocket; a proxy has some
	// hundreds. The rest of it is for floods.
	maxRequests = 2048
	// requestsPerPerson is how many of them one address may have for each of the people behind it; fewRequests, however
	// few they are.
	requestsPerPerson, fewRequests = 6, 32
	// requestGrace is how long requests that are under way may take at most when the server shuts
	// down: all that it answers, it answers at once.
	requestGrace = time.Second
)

// web is one HTTP server and the listener it serves.
type web struct {
	server   *http.Server
	listener net.Listener
}

// newWeb serves handler. The connections of several may be bounded together.
func newWeb(handler http.Handler, l net.Listener, bound *requests, log *zap.Logger) web {
	return web{listener: l, server: &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       requestTimeout,
		WriteTimeout:      responseTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ConnState:         bound.track,
		ConnContext:       markLast,
		ErrorLog:          zap.NewStdLog(log),
	}}
}

// end lets requests under way end, until ctx is done, and cuts off those that do not: their
// clients have stalled.
func (w web) end(ctx context.Context, log *zap.Logger) error {
	err := w.server.Shutdown(ctx)
	if ctx.Err() == nil {
		return err //nolint:wrapcheck // that of the listener, which names it
	}
	log.Info("unfinished HTTP requests are cut off", zap.Stringer("port", w.listener.Addr()))
	return w.server.Close() //nolint:wrapcheck // as above
}

// requests bounds how many connections carry HTTP. Beyond it the one on which nothing has
// begun or ended for longest gives way: one that is idle, or a request that has stalled. Safe
// for concurrent use.
type requests struct {
	line *crowd
	// onEvict is called for each connection that gave way.
	onEvict func()
}

func newRequests(line *crowd, onEvict func()) *requests {
	return &requests{line: line, onEvict: onEvict}
}

// track is for http.Server.ConnState.
func (r *requests) track(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		r.line.Enter(conn, func() {
			_ = socketOf(conn).Close()
			r.onEvict()
		})
	case http.StateHijacked, http.StateClosed:
		r.line.Leave(conn)
	default:
		r.line.Touch(conn)
	}
}

// socketOf is what a connection that came out of a port rests on. Closing it does not wait, as
// closing TLS may.
func socketOf(conn net.Conn) net.Conn {
	for {
		switch outer := conn.(type) {
		case *peekedConn:
			conn = outer.Conn
		case *tls.Conn:
			conn = outer.NetConn()
		default:
			return conn
		}
	}
}
