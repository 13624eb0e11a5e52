package doctor

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/pion/stun/v4"
)

const (
	// pingInterval is the time between two tries of a ping.
	pingInterval = 250 * time.Millisecond
	// pingBytes is the longest answer that is read.
	pingBytes = 1500
	// pingPriority is that of a host candidate (RFC 8445, section 5.1.2.1); nothing comes of it.
	pingPriority = 126<<24 | 65535<<8 | 255
)

// pingRequest is an ICE connectivity check (RFC 8445, section 7.2.2), the one thing that the
// media port answers, and only to who knows the password.
func pingRequest(r remote) (*stun.Message, error) {
	attribute := func(t stun.AttrType, value []byte) stun.Setter {
		return stun.RawAttribute{Type: t, Length: uint16(len(value)), Value: value} //nolint:gosec // 4 or 8 bytes
	}
	tieBreaker := make([]byte, 8)
	_, _ = rand.Read(tieBreaker)
	m, err := stun.Build(stun.TransactionID, stun.BindingRequest, stun.NewUsername(r.ufrag+":doctor"),
		attribute(stun.AttrPriority, binary.BigEndian.AppendUint32(nil, pingPriority)),
		attribute(stun.AttrICEControlling, tieBreaker),
		stun.NewShortTermIntegrity(r.pwd), stun.Fingerprint)
	if err != nil {
		return nil, fmt.Errorf("make a check: %w", err)
	}
	return m, nil
}

// ping checks the media port through conn at all of its addresses, again and again until
// it answers or ctx ends, and returns the round trip. Addresses that nothing can be sent to
// do not matter while there is another.
func ping(ctx context.Context, conn net.PacketConn, to []netip.AddrPort, r remote) (time.Duration, error) {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	sent := map[[stun.TransactionIDSize]byte]time.Time{}
	buf := make([]byte, pingBytes)
	for ctx.Err() == nil {
		var errs []error
		for _, addr := range to {
			request, err := pingRequest(r)
			if err == nil {
				sent[request.TransactionID] = time.Now()
				_, err = conn.WriteTo(request.Raw, net.UDPAddrFromAddrPort(addr))
			}
			if err != nil {
				errs = append(errs, err)
			}
		}
		if len(errs) == len(to) {
			return 0, fmt.Errorf("send a check: %w", errors.Join(errs...))
		}
		_ = conn.SetReadDeadline(time.Now().Add(pingInterval))
		if ctx.Err() != nil {
			break // the deadline of its end has just been overwritten
		}
		if rtt, err := awaitAnswer(conn, buf, sent, r); !errors.Is(err, errNoAnswer) {
			return rtt, err
		}
	}
	return 0, ctx.Err()
}

var errNoAnswer = errors.New("no answer")

// awaitAnswer reads until the answer to one of the requests comes, whose times are given,
// or the read deadline.
func awaitAnswer(conn net.PacketConn, buf []byte, sent map[[stun.TransactionIDSize]byte]time.Time, r remote) (time.Duration, error) {
	for {
		n, _, err := conn.ReadFrom(buf)
		if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
			return 0, errNoAnswer
		}
		if err != nil {
			return 0, fmt.Errorf("wait for the answer to a check: %w", err)
		}
		response := &stun.Message{Raw: bytes.Clone(buf[:n])}
		if response.Decode() != nil || response.Type != stun.BindingSuccess {
			continue
		}
		begin, ours := sent[response.TransactionID]
		if ours && stun.NewShortTermIntegrity(r.pwd).Check(response) == nil {
			return time.Since(begin), nil
		}
	}
}

// connectedUDP is a connected UDP socket as pion's TURN client wants one. A connected
// socket is told by the system when a port is closed; that ends over with the error.
type connectedUDP struct {
	*net.UDPConn

	over context.CancelCauseFunc // nil: nobody wants to know
}

func dialUDP(ctx context.Context, to netip.AddrPort, over context.CancelCauseFunc) (*connectedUDP, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "udp", to.String())
	if err != nil {
		return nil, fmt.Errorf("open a UDP socket: %w", err)
	}
	return &connectedUDP{conn.(*net.UDPConn), over}, nil //nolint:errcheck // the network is UDP
}

// WriteTo sends to where the socket is connected to.
func (c *connectedUDP) WriteTo(p []byte, _ net.Addr) (int, error) {
	n, err := c.Write(p)
	return n, c.note(err)
}

// ReadFrom reads what comes from there.
func (c *connectedUDP) ReadFrom(p []byte) (int, net.Addr, error) {
	n, err := c.Read(p)
	return n, c.RemoteAddr(), c.note(err)
}

func (c *connectedUDP) note(err error) error {
	if timeout, ok := errors.AsType[net.Error](err); err != nil && c.over != nil && (!ok || !timeout.Timeout()) {
		c.over(err)
	}
	return err
}

// pingUDP checks the media port at an address, directly.
func pingUDP(ctx context.Context, to netip.AddrPort, r remote) (time.Duration, error) {
	conn, err := dialUDP(ctx, to, nil)
	if err != nil {
		return 0, err
	}
	defer conn.Close() //nolint:errcheck // a UDP socket
	return ping(ctx, conn, []netip.AddrPort{to}, r)
}
