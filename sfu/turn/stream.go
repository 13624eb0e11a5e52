package turn

import (
	"bufio"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/bounded"
)

const (
	// allocateTimeout is how long a connection may be without an allocation: a few round
	// trips on a bad network, with retransmissions.
	allocateTimeout = 10 * time.Second
	// writeTimeout is how long one packet may wait to be written. Voice that is so late is
	// of no use, and its reader is gone.
	writeTimeout = 5 * time.Second
	// acceptPause is how long accepting rests after an error that is not the end, such as
	// running out of file descriptors.
	acceptPause = 50 * time.Millisecond
	// messageHeader is how many bytes say how long a message is.
	messageHeader = 4
	// maxMessage is the longest message that is read, in bytes: what pion takes.
	maxMessage = 1600
)

// tuple is the addresses of a TCP connection. With the protocol it is a 5-tuple (RFC
// 8656, section 3.2).
type tuple struct{ remote, local netip.AddrPort }

func tupleOf(remote, local net.Addr) (tuple, bool) {
	r, ok1 := remote.(*net.TCPAddr)
	l, ok2 := local.(*net.TCPAddr)
	if !ok1 || !ok2 {
		return tuple{}, false
	}
	return tuple{r.AddrPort(), l.AddrPort()}, true
}

// streams are the TCP connections of all acceptors. Those without an allocation are
// bounded in number and time; when there are too many, the one that has been so for longest
// gives way, because a client allocates within a few round trips.
type streams struct {
	timeout time.Duration
	stat    *counters
	idle    *bounded.Line[*stream] // those without an allocation

	running sync.WaitGroup // one for each connection

	mu     sync.Mutex // guards the fields below and those of every stream
	conns  map[tuple]*stream
	closed bool
}

// stream is one connection.
type stream struct {
	net.Conn

	in    *bufio.Reader // the reader's own
	all   *streams
	tuple tuple
	once  sync.Once

	// Guarded by all.mu.
	allocations int
	timer       *time.Timer // closes it unless it allocates
}

// admit takes a connection in; nil means that it cannot.
func (s *streams) admit(conn net.Conn) *stream {
	at, ok := tupleOf(conn.RemoteAddr(), conn.LocalAddr())
	if !ok {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.conns[at] != nil {
		return nil
	}
	st := &stream{Conn: conn, in: bufio.NewReaderSize(conn, maxMessage), all: s, tuple: at}
	st.timer = time.AfterFunc(s.timeout, func() { _ = st.Close() })
	s.conns[at] = st
	s.idle.Enter(st, st.giveWay)
	s.running.Add(1)
	return st
}

// giveWay closes the connection for another one, on a goroutine of its own, since that may
// take a while.
func (st *stream) giveWay() {
	st.all.stat.crowded.Add(1)
	st.timer.Reset(0)
}

// allocated notes that a connection has one allocation more (+1) or less (-1). Addresses
// that are not of a connection, as those of UDP, are ignored.
func (s *streams) allocated(remote, local net.Addr, change int) {
	at, ok := tupleOf(remote, local)
	if !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.conns[at]
	if st == nil {
		return
	}
	before := st.allocations
	st.allocations += change
	switch {
	case before == 0 && st.allocations > 0:
		if s.idle.Leave(st) {
			st.timer.Stop()
		}
	case before > 0 && st.allocations == 0:
		st.timer.Reset(s.timeout)
		s.idle.Enter(st, st.giveWay)
	}
}

// close closes all connections, refuses new ones, and returns when pion has let go of all.
func (s *streams) close() {
	s.mu.Lock()
	s.closed = true
	conns := make([]*stream, 0, len(s.conns))
	for _, st := range s.conns {
		conns = append(conns, st)
	}
	s.mu.Unlock()
	for _, st := range conns {
		_ = st.Close()
	}
	s.running.Wait()
}

// errMessage is what ends a connection that carries no TURN, or too long a message of it.
var errMessage = errors.New("no TURN message")

// Read reads one whole message: STUN, or ChannelData with its padding (RFC 8656, section
// 12.5). pion would collect pieces too, but with a call deeper for each: a long message sent
// byte by byte could have it hold megabytes.
func (st *stream) Read(p []byte) (int, error) {
	header, err := st.in.Peek(messageHeader)
	if err != nil {
		return 0, err //nolint:wrapcheck // it is the connection
	}
	size := int(binary.BigEndian.Uint16(header[2:]))
	switch header[0] & 0xC0 {
	case 0x00:
		size += stunHeader
	case 0x40:
		size = messageHeader + (size+3)&^3
	default:
		return 0, errMessage
	}
	if size > min(len(p), maxMessage) {
		return 0, errMessage
	}
	if _, err = st.in.Peek(size); err != nil {
		return 0, err //nolint:wrapcheck // it is the connection
	}
	return st.in.Read(p[:size]) //nolint:wrapcheck // it is the connection
}

// Write writes p whole or closes the connection: half a packet would garble all after it.
func (st *stream) Write(p []byte) (int, error) {
	_ = st.SetWriteDeadline(time.Now().Add(writeTimeout))
	n, err := st.Conn.Write(p)
	if err != nil {
		_ = st.Close()
	}
	return n, err //nolint:wrapcheck // pion's to judge
}

// Close closes the connection. Closing it again is fine.
func (st *stream) Close() error {
	err := net.ErrClosed
	st.once.Do(func() {
		s := st.all
		s.mu.Lock()
		delete(s.conns, st.tuple)
		st.timer.Stop()
		s.idle.Leave(st)
		s.mu.Unlock()
		err = st.Conn.Close()
		s.running.Done()
	})
	return err //nolint:wrapcheck // pion's to judge
}

// acceptor is a net.Listener as pion sees it: what it accepts are streams.
type acceptor struct {
	net.Listener

	streams *streams
	failed  func(error) // nil: nobody is told
}

// Accept returns the next connection that is taken in. The only error is that of a
// closed acceptor.
func (a *acceptor) Accept() (net.Conn, error) {
	for {
		conn, err := a.Listener.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return nil, err //nolint:wrapcheck // pion's to judge
			}
			if a.failed != nil {
				a.failed(err)
			}
			time.Sleep(acceptPause)
			continue
		}
		if st := a.streams.admit(conn); st != nil {
			return st, nil
		}
		_ = conn.Close()
	}
}
