package app

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// halfPOST is a request whose body never ends.
const halfPOST = "POST /api/guest HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"

// hurry shortens a server's deadlines, which must be there, so that a test sees them.
func hurry(t *testing.T) func(*App) {
	t.Helper()
	return func(a *App) {
		for _, w := range a.webs {
			for _, one := range []struct {
				deadline *time.Duration
				soon     time.Duration
			}{
				{&w.server.ReadHeaderTimeout, 500 * time.Millisecond},
				{&w.server.ReadTimeout, time.Second},
				{&w.server.WriteTimeout, 2 * time.Second},
				{&w.server.IdleTimeout, time.Second},
			} {
				require.Greater(t, *one.deadline, one.soon)
				*one.deadline = one.soon
			}
		}
	}
}

func write(t *testing.T, conn net.Conn, what string) {
	t.Helper()
	_, err := io.WriteString(conn, what)
	require.NoError(t, err)
}

// endsItself reads until the server ends the connection, and returns what came.
func endsItself(t *testing.T, conn net.Conn) string {
	t.Helper()
	came, err := io.ReadAll(conn) // within the patience of dial
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "the server keeps it")
	return string(came)
}

func TestStalledClientsAreLetGo(t *testing.T) {
	for name, change := range map[string][]func(*Config){"plain": nil, "TLS": {withTLS(t)}} {
		t.Run(name, func(t *testing.T) {
			a := startPatched(t, hurry(t), change...)
			connect := func() net.Conn {
				if a.ports[0].tls != nil {
					return dialTLS(t, a.ports[0])
				}
				return dial(t, a.ports[0])
			}
			t.Run("in the header", func(t *testing.T) {
				conn := connect()
				write(t, conn, "GET / HTTP/1.1\r\nHost: loc")
				endsItself(t, conn)
			})
			t.Run("in the body", func(t *testing.T) {
				conn := connect()
				write(t, conn, halfPOST)
				require.Contains(t, endsItself(t, conn), "408 Request Timeout")
			})
			t.Run("between requests", func(t *testing.T) {
				conn := connect()
				asksOK(t, conn)
				endsItself(t, conn)
			})
			t.Run("while it should read", func(t *testing.T) {
				conn := connect()
				// More is asked for than the sockets' buffers take, and nothing of it read.
				ended := make(chan error, 1)
				go func() {
					var err error
					for err == nil {
						_, err = io.WriteString(conn, "GET /js/app.js HTTP/1.1\r\nHost: localhost\r\n\r\n")
					}
					ended <- err
				}()
				require.NotErrorIs(t, <-ended, os.ErrDeadlineExceeded, "the server keeps it")
			})
		})
	}
}

// A WebSocket outlives the deadlines of the request that it was.
func TestWebSocketHasNoDeadlineOfHTTP(t *testing.T) {
	a := startPatched(t, hurry(t), func(cfg *Config) { cfg.HeartbeatInterval = time.Second })
	conn := dial(t, a.ports[0])
	write(t, conn, "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, nil)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusSwitchingProtocols, response.StatusCode)
	hello := make([]byte, 4)
	_, err = io.ReadFull(reader, hello)
	require.NoError(t, err)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(3*time.Second))) // beyond all of them
	_, err = io.Copy(io.Discard, reader)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded, "the server has ended it")
}

// When too many connections carry HTTP, the one that is quiet for longest gives way.
func TestCrowdOfRequests(t *testing.T) {
	const most = 3
	evicted := make(chan struct{}, 10)
	begun := make(chan string, 100) // the addresses of those whose requests begin
	a := startPatched(t, func(a *App) {
		bound := newRequests(newCrowd(most, most, nil), func() { evicted <- struct{}{} })
		for _, w := range a.webs {
			require.NotNil(t, w.server.ConnState)
			w.server.ConnState = func(conn net.Conn, state http.ConnState) {
				bound.track(conn, state)
				if state == http.StateActive {
					begun <- conn.RemoteAddr().String()
				}
			}
		}
	}, withTLS(t))
	idle, stalled := dialTLS(t, a.ports[0]), dialTLS(t, a.ports[0])
	asksOK(t, idle)
	asksOK(t, stalled)
	for len(begun) > 0 {
		<-begun
	}
	write(t, stalled, halfPOST)
	require.Equal(t, stalled.LocalAddr().String(), <-begun, "the server has got to it")
	for range most {
		asksOK(t, idle) // again and again something begins and ends on it
	}
	asksOK(t, dialTLS(t, a.ports[0]))
	require.Empty(t, evicted)
	asksOK(t, dialTLS(t, a.ports[0]))
	endsItself(t, stalled)
	asksOK(t, idle)
	for range 2 * most { // those that are over do not count
		conn := dialTLS(t, a.ports[0])
		asksOK(t, conn)
		require.NoError(t, conn.Close())
	}
	require.NotEmpty(t, evicted)
}

func TestHealth(t *testing.T) {
	a := startApp(t)
	for _, path := range []string{"/healthz", "/readyz"} {
		status, _ := asks(t, dial(t, a.ports[0]), path)
		require.Equal(t, http.StatusOK, status)
		conn := dial(t, a.ports[0])
		write(t, conn, "POST "+path+" HTTP/1.1\r\nHost: anything\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
		require.Contains(t, endsItself(t, conn), fmt.Sprint(http.StatusMethodNotAllowed))
	}
}
