package app

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"
)

const (
	// sortTimeout is how long a new connection may take to show what it is: the TLS
	// handshake and one byte, with retransmissions on a bad network.
	sortTimeout = 10 * time.Second
	// maxUnsorted is how many connections of a port may be about to. A browser opens one
	// or two ahead of need; the rest of it is for floods. The one that has waited longest
	// gives way: who means to talk does so within a few round trips.
	maxUnsorted = 1024
	// unsortedPerPerson is how many of them one address may have for each of the people behind it; fewUnsorted, however
	// few they are.
	unsortedPerPerson, fewUnsorted = 2, 32
	// sendBuffer is how much the kernel takes of what we write, in bytes, before somebody who does not read is noticed: a second of
	// the largest that is sent for long, relayed voice. It takes twice as much memory.
	sendBuffer = 128 << 10
	// acceptPause is how long accepting rests after an error that is not the end, such as
	// running out of file descriptors.
	acceptPause = 50 * time.Millisecond
	// refusedPause is how long a connection that its address may not have is kept before it is closed. Who comes again at once comes
	// that much less often, and takes less of what its neighbours behind the same address may have.
	refusedPause = 250 * time.Millisecond
	// maxRefused is how many of them are kept at a time; what is more is closed at once.
	maxRefused = 256
)

// The first byte tells the protocols of a port apart. A TLS record begins with its type,
// handshake (RFC 8446, section 5.1); a STUN request, which is what TURN begins with, with
// two zero bits and a method below 2^8 (RFC 8489, section 5); an HTTP request with a
// letter (RFC 9110, section 9.1).
const (
	tlsHandshake = 0x16
	maxSTUNByte  = 0x01
)

// port is a TCP port shared by HTTP and TURN, each in the clear and, with a certificate,
// inside TLS. What it accepts comes out of the listener it belongs to.
type port struct {
	listener net.Listener
	tls      *tls.Config // nil: no TLS

	plain  *branch // HTTP
	secure *branch // HTTP inside TLS
	turn   *branch // TURN, inside TLS or not; nil: there is none

	// trouble is told why connections cannot be accepted; nil: nobody is.
	trouble *acceptTrouble

	// admit reports whether a connection may be there, which another of the same address may not; refused counts those.
	admit   func(net.Conn) bool
	refused func(reason string)

	spare    spare
	sorting  sync.WaitGroup // one for each connection, and one for those turned away
	late     chan net.Conn  // turned away, and not closed yet
	unsorted *crowd
}

// ListenError is why a socket could not be opened.
type ListenError struct {
	// Setting is the flag that says where, without its dashes, and Value what it says.
	Setting, Value string
	Err            error
}

// Error names the socket.
func (e *ListenError) Error() string {
	reason := e.Err
	if op, ok := errors.AsType[*net.OpError](e.Err); ok {
		reason = op.Err // the rest of it only repeats the address
	}
	return fmt.Sprintf("cannot listen on %s (--%s): %v", e.Value, e.Setting, reason)
}

// Unwrap gives the system's error to errors.Is.
func (e *ListenError) Unwrap() error { return e.Err }

// openPorts opens the page's ports: one, with a certificate that of TLS first.
func openPorts(cfg Config, certs *certificates, log *zap.Logger) ([]*port, error) {
	listen := func(setting, addr string) (net.Listener, error) {
		l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", addr)
		if err != nil {
			return nil, &ListenError{setting, addr, err}
		}
		return l, nil
	}
	plain, err := listen("http", cfg.HTTP)
	if err != nil {
		return nil, err
	}
	if certs == nil {
		return []*port{newPort(plain, nil, cfg.TURN)}, nil
	}
	if cfg.HTTPS == "" && portOf(plain) == httpsDefaultPort || cfg.samePort() {
		return []*port{newPort(plain, certs.config, cfg.TURN)}, nil
	}
	secure, err := listen("https", cmp.Or(cfg.HTTPS, DefaultHTTPS))
	switch {
	case err == nil:
		return []*port{newPort(secure, certs.config, cfg.TURN), newPort(plain, nil, cfg.TURN)}, nil
	case cfg.HTTPS == "" && errors.Is(err, syscall.EACCES):
		log.Warn("port 443 is not allowed; TLS shares the HTTP port. Allow it (CAP_NET_BIND_SERVICE), or choose with --https",
			zap.Stringer("port", plain.Addr()))
		return []*port{newPort(plain, certs.config, cfg.TURN)}, nil
	default:
		return nil, errors.Join(err, plain.Close())
	}
}

// portOf returns the port a listener is bound to.
func portOf(l net.Listener) int {
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return 0
	}
	return addr.Port
}

// newPort shares l. Connections are accepted by run.
func newPort(l net.Listener, config *tls.Config, turn bool) *port {
	p := &port{
		listener: l, tls: config, plain: newBranch(l.Addr()), secure: newBranch(l.Addr()),
		unsorted: newCrowd(maxUnsorted, maxUnsorted, nil),
		admit:    func(net.Conn) bool { return true }, refused: func(string) {},
		late: make(chan net.Conn, maxRefused),
	}
	if turn {
		p.turn = newBranch(l.Addr())
	}
	return p
}

// run accepts connections until the port is closed.
func (p *port) run() error {
	ctx, cancel := context.WithCancel(context.Background())
	p.spare.keep()
	defer p.spare.release()
	defer p.sorting.Wait()
	defer close(p.late)
	defer cancel()
	p.sorting.Go(func() { p.closeRefused(ctx) })
	for {
		conn, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			p.trouble.note(err)
			if conn = p.lastResort(err); conn == nil {
				time.Sleep(acceptPause)
				continue
			}
		} else {
			p.trouble.over()
			p.spare.keep()
		}
		if !p.admit(conn) {
			p.turnAway(conn)
			continue
		}
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetWriteBuffer(sendBuffer)
		}
		waiting, done := context.WithTimeout(ctx, sortTimeout)
		p.unsorted.Enter(conn, done)
		p.sorting.Go(func() {
			defer done()
			to, sorted := p.sort(waiting, conn)
			p.unsorted.Leave(conn)
			to.deliver(sorted)
		})
	}
}

// turnAway closes a connection that its address may not have, after a while.
func (p *port) turnAway(conn net.Conn) {
	p.refused("socket_address_limited")
	if _, last := conn.(*lastConn); !last { // whose descriptor others wait for
		select {
		case p.late <- conn:
			return
		default:
		}
	}
	_ = conn.Close()
}

// closeRefused closes what was turned away, all that came within a pause in one go: to wake up for each costs more than to close it.
func (p *port) closeRefused(ctx context.Context) {
	for conn := range p.late {
		pause := time.NewTimer(refusedPause)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
		}
		_ = conn.Close()
		for range len(p.late) {
			_ = (<-p.late).Close()
		}
	}
}

// lastResort accepts a connection although there are no file descriptors left, or returns nil.
func (p *port) lastResort(err error) net.Conn {
	if !outOfDescriptors(err) {
		return nil
	}
	return p.spare.accept(p.listener)
}

// close stops accepting; connections that came out live on.
func (p *port) close() error {
	err := p.listener.Close()
	for _, b := range []*branch{p.plain, p.secure, p.turn} {
		_ = b.Close()
	}
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err //nolint:wrapcheck // names the address
}

// sort finds out what a connection carries, until ctx is done. The branch is nil if it
// cannot be told, or is not to be had here.
func (p *port) sort(ctx context.Context, conn net.Conn) (*branch, net.Conn) {
	// Closing is left to deliver; what waits for the connection ends by its deadline.
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })()
	first, peeked, err := peek(conn)
	if err != nil {
		return nil, conn
	}
	web := p.plain
	if first == tlsHandshake && p.tls != nil {
		inner := tls.Server(peeked, p.tls)
		if err = inner.HandshakeContext(ctx); err != nil {
			return nil, peeked
		}
		if first, peeked, err = peek(inner); err != nil {
			return nil, inner // among them ACME's challenge, which is over with the handshake
		}
		web = p.secure
	}
	if first <= maxSTUNByte {
		return p.turn, peeked
	}
	return web, peeked
}

// peek reads the first byte of conn and puts it back.
func peek(conn net.Conn) (byte, net.Conn, error) {
	var first [1]byte
	if _, err := conn.Read(first[:]); err != nil {
		return 0, nil, err //nolint:wrapcheck // nobody is told
	}
	return first[0], &peekedConn{Conn: conn, first: first[:]}, nil
}

// peekedConn is a connection whose first byte was read already.
type peekedConn struct {
	net.Conn

	first []byte // what is left of it; the reader's own
}

// Read reads the first byte, then the others.
func (c *peekedConn) Read(p []byte) (int, error) {
	if len(c.first) > 0 && len(p) > 0 {
		n := copy(p, c.first)
		c.first = c.first[n:]
		return n, nil
	}
	return c.Conn.Read(p) //nolint:wrapcheck // it is the connection
}

// CloseWrite ends what we send, which the other side reads as the end.
func (c *peekedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite() //nolint:wrapcheck // it is the connection
	}
	return errors.ErrUnsupported
}

// branch is a net.Listener for one of a port's protocols.
type branch struct {
	addr  net.Addr
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newBranch(addr net.Addr) *branch {
	return &branch{addr: addr, conns: make(chan net.Conn), done: make(chan struct{})}
}

// deliver hands a connection to whoever accepts, or closes it when nobody does any more.
// Nobody ever does on a nil branch.
func (b *branch) deliver(conn net.Conn) {
	if b != nil {
		select {
		case b.conns <- conn:
			return
		case <-b.done:
		}
	}
	_ = conn.Close()
}

// Accept returns the next connection, or net.ErrClosed after Close.
func (b *branch) Accept() (net.Conn, error) {
	select {
	case conn := <-b.conns:
		return conn, nil
	case <-b.done:
		return nil, net.ErrClosed
	}
}

// Addr is the shared port's address.
func (b *branch) Addr() net.Addr { return b.addr }

// Close ends accepting on this branch only. Closing twice is fine.
func (b *branch) Close() error {
	if b != nil {
		b.once.Do(func() { close(b.done) })
	}
	return nil
}
