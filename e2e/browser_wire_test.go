package e2e

import (
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// wire carries the TCP connections of a browser to a server, and can be cut.
type wire struct {
	listener net.Listener
	to       string
	wg       sync.WaitGroup

	mu    sync.Mutex
	down  bool              // what is dialled now does not come through; guarded by mu
	conns map[*carried]bool // guarded by mu
}

// carried is one connection: what the browser holds of it, and what the server does.
type carried struct {
	near, far net.Conn
	gate      sync.RWMutex // held, for writing, while the wire is numb
}

// newWire carries to a server until the end of the test. The server returned is the same one at the near end.
func newWire(t *testing.T, s *server) (*wire, *server) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	w := &wire{listener: listener, to: strings.TrimPrefix(s.URL, "http://"), conns: make(map[*carried]bool)}
	w.wg.Go(w.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		w.cut()
		w.wg.Wait()
	})
	near := *s
	near.URL = "http://" + listener.Addr().String()
	return w, &near
}

func (w *wire) accept() {
	for {
		near, err := w.listener.Accept()
		if err != nil {
			return
		}
		far, err := (&net.Dialer{}).Dial("tcp", w.to)
		w.mu.Lock()
		if err != nil || w.down {
			_ = near.Close()
			if err == nil {
				_ = far.Close()
			}
			w.mu.Unlock()
			continue
		}
		c := &carried{near: near, far: far}
		w.conns[c] = true
		w.wg.Go(func() { w.carry(c, far, near) })
		w.wg.Go(func() { w.carry(c, near, far) })
		w.mu.Unlock()
	}
}

// carry copies one direction until either end closes.
func (w *wire) carry(c *carried, to, from net.Conn) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		c.gate.RLock()
		if err == nil {
			_, err = to.Write(buffer[:n])
		}
		c.gate.RUnlock()
		if err != nil {
			break
		}
	}
	w.drop(c)
}

// drop closes both ends of a connection.
func (w *wire) drop(c *carried) {
	_ = c.near.Close()
	_ = c.far.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.conns, c)
}

// cut ends all connections, as a pulled plug that is put back at once.
func (w *wire) cut() {
	w.mu.Lock()
	conns := make([]*carried, 0, len(w.conns))
	for c := range w.conns {
		conns = append(conns, c)
	}
	w.mu.Unlock()
	for _, c := range conns {
		w.drop(c)
	}
}

// pull ends all connections, and lets no new ones through until put.
func (w *wire) pull() {
	w.mu.Lock()
	w.down = true
	w.mu.Unlock()
	w.cut()
}

func (w *wire) put() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = false
}

// numb has the connections of now carry nothing any more, of which neither end hears; new ones are sound. What it returns ends
// them.
func (w *wire) numb() (end func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	numbed := make([]*carried, 0, len(w.conns))
	for c := range w.conns {
		c.gate.Lock()
		numbed = append(numbed, c)
	}
	return sync.OnceFunc(func() {
		for _, c := range numbed {
			w.drop(c)
			c.gate.Unlock()
		}
	})
}
