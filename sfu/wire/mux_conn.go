package wire

import (
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

// muxHandle is one net.PacketConn on a muxConn. pion may hold several on the same and closes each by itself.
type muxHandle struct {
	*muxConn

	local     *net.UDPAddr
	closeOnce sync.Once
	closed    chan struct{}
}

// ReadFromAddrPort waits for the next packet. It ends with io.EOF when the handle or the connection is closed.
func (h *muxHandle) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	select {
	case <-h.closed:
		return 0, netip.AddrPort{}, io.EOF
	default:
	}
	select {
	case p := <-h.queue:
		defer h.mux.bufs.Put(p)
		if len(b) < p.n {
			return 0, p.from, io.ErrShortBuffer
		}
		return copy(b, p.data[:p.n]), p.from, nil
	case <-h.closed:
	case <-h.done:
	}
	return 0, netip.AddrPort{}, io.EOF
}

// ReadFrom is ReadFromAddrPort for those who want a net.Addr.
func (h *muxHandle) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := h.ReadFromAddrPort(b)
	if !from.IsValid() {
		return n, nil, err
	}
	return n, net.UDPAddrFromAddrPort(from), err
}

// WriteToAddrPort sends a packet. From then on what comes from that address belongs to this connection.
func (h *muxHandle) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	select {
	case <-h.closed:
		return 0, io.ErrClosedPipe
	case <-h.done:
		return 0, io.ErrClosedPipe
	default:
	}
	to = canonical(to)
	if !h.listener.reaches(to.Addr()) {
		return 0, ErrBadAddress
	}
	var sa sockaddr
	if err := sa.set(h.listener, to); err != nil {
		return 0, err
	}
	h.mux.claim(h.muxConn, to)
	if err := h.listener.socks[0].writeTo(b, &sa, &h.mux.engine.stat); err != nil {
		return 0, err
	}
	return len(b), nil
}

// WriteTo is WriteToAddrPort for those who have a net.Addr.
func (h *muxHandle) WriteTo(b []byte, to net.Addr) (int, error) {
	udp, ok := to.(*net.UDPAddr)
	if !ok {
		return 0, ErrBadAddress
	}
	return h.WriteToAddrPort(b, udp.AddrPort())
}

// Close ends this handle, and the connection if it was the last.
func (h *muxHandle) Close() error {
	h.closeOnce.Do(func() {
		close(h.closed)
		h.mux.mu.Lock()
		defer h.mux.mu.Unlock()
		if h.refs--; h.refs == 0 {
			h.mux.dropLocked(h.muxConn)
		}
	})
	return nil
}

// LocalAddr is the listen address.
func (h *muxHandle) LocalAddr() net.Addr { return h.local }

// SetDeadline does nothing: pion ends a read by closing, and writes never wait.
func (h *muxHandle) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing.
func (h *muxHandle) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing.
func (h *muxHandle) SetWriteDeadline(time.Time) error { return nil }
