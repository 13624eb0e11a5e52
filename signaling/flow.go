package signaling

import (
	"bufio"
	"net"
	"net/http"
	"time"

	"github.com/mini-livechat/mini-livechat/signaling/admission"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

const (
	// maxPause is how long at most a connection is not read from, at a time, because too much comes from its address.
	maxPause = 250 * time.Millisecond
	// bytesPerCost is how long a message may be that costs no more than the shortest, and listBytesPerCost an answer.
	bytesPerCost, listBytesPerCost = 512, 16 << 10
)

// floodError: a connection sends more than any client does.
type floodError struct{ what string }

func (e *floodError) Error() string { return "too many " + e.what }

// caller is who does what comes on the connection.
func (c *Conn) caller() admission.Caller {
	who := admission.Caller{Network: c.via.Network, Meter: c.meter}
	if c.session != nil {
		who.User, who.Standing = c.session.userID, standing(c.session.Role())
	}
	return who
}

// admit notes what is asked for; its error is that it comes too soon.
func (c *Conn) admit(charges ...admission.Charge) error { return c.admitAs(c.caller(), charges) }

func (c *Conn) admitAs(who admission.Caller, charges []admission.Charge) error {
	if wait := c.gw.cfg.Admission.Allow(time.Now(), who, charges...); wait > 0 {
		return &rateLimitError{retryAfter: wait}
	}
	return nil
}

// admitMessage is admit for something of so many bytes that is said in a channel.
func (c *Conn) admitMessage(size int) error {
	return c.admit(admission.Charge{Kind: admission.Message, Cost: float64(1 + size/bytesPerCost)})
}

// metered counts the bytes that a connection sends.
type metered struct {
	net.Conn

	conn *Conn
}

func (m *metered) Read(p []byte) (int, error) {
	// More than may come at once could never be allowed.
	n, err := m.Conn.Read(p[:min(len(p), protocol.MaxFrameBytes)])
	if n == 0 {
		return n, err
	}
	now, c := time.Now(), m.conn
	if !c.meter.Bytes(now, n) {
		return 0, &floodError{"bytes"}
	}
	// Whoever shares the address with a flood is slowed down and not cut off.
	address := admission.Caller{Network: c.via.Network}
	if wait := c.gw.cfg.Admission.Take(now, address, admission.Charge{Kind: admission.Byte, Cost: float64(n)}); wait > 0 {
		c.gw.cfg.Tally.Count("address_slowed_down")
		time.Sleep(min(wait, maxPause))
	}
	return n, err
}

// CloseWrite closes the sending half, where there are halves.
func (m *metered) CloseWrite() error {
	if half, ok := m.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// meteredWriter is a ResponseWriter whose connection, once taken over, is metered.
type meteredWriter struct {
	http.ResponseWriter

	conn *Conn
}

// Hijack implements http.Hijacker.
func (w meteredWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	return &metered{Conn: conn, conn: w.conn}, buffered, nil
}
