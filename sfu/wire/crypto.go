package wire

import (
	"sync"
	"sync/atomic"

	"github.com/mini-livechat/mini-livechat/sfu/bounded"
)

// cryptoContext is the SRTP and SRTCP state of an endpoint (RFC 3711 §3.2). It has its keys once and never others: a new
// DTLS association means a new endpoint, so no state is ever started over under old keys.
type cryptoContext struct {
	incoming atomic.Pointer[suite] // nil before the keys and after forget
	outgoing atomic.Pointer[suite]

	inMu sync.Mutex // held while one packet is decrypted and handed over
	in   inbound    // guarded by inMu
	rtcp rtcpState
	// What was taken in lately, at the rates of Intake. Guarded by inMu.
	packets, bytes, compounds bounded.Bucket
}

// set derives the session keys. On an error the context has none.
func (c *cryptoContext) set(m *material) error {
	in, err := derive(m.profile, &m.inbound)
	if err != nil {
		return err
	}
	out, err := derive(m.profile, &m.outbound)
	if err != nil {
		return err
	}
	if err := c.rtcp.set(m); err != nil {
		return err
	}
	c.incoming.Store(in)
	c.outgoing.Store(out)
	return nil
}

// forget ends the use of the keys.
func (c *cryptoContext) forget() {
	c.incoming.Store(nil)
	c.outgoing.Store(nil)
}
