package peer

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unique"
)

var (
	// ErrNegotiating says that another ICE restart of the connection was asked for just now, and the client has not gone on to it.
	ErrNegotiating = errors.New("negotiation in progress")
	// ErrEnded says that the connection has been closed.
	ErrEnded = errors.New("the connection has ended")
)

// restartInterval is how soon after an ICE restart that the client has not taken up another may follow. A network that is
// found gone again the next moment is not held up by it; a client that asks in a loop is.
const restartInterval = 500 * time.Millisecond

// negotiation is what both sides have agreed on.
type negotiation struct {
	asked offered
	ssrcs []uint32 // of the slots
	way   transport
	// Of the answer's o= line: an id, and a version that grows with each answer (RFC 9429, section 5.3.2).
	session, version uint64
	restarted        time.Time
}

func newNegotiation(asked offered, ssrcs []uint32) negotiation {
	id := make([]byte, 8)
	_, _ = rand.Read(id)
	asked.own()
	return negotiation{asked: asked, ssrcs: ssrcs, session: binary.BigEndian.Uint64(id) >> 1, version: 1}
}

// Renegotiate answers another offer of the same connection. The lines are what they were; with new ICE credentials in it
// the offer is an ICE restart (RFC 8445, section 9; RFC 9429, section 5.2.2), by which the client goes on over another
// path: slots, SSRCs and keys stay. at are the addresses at which the client reaches the media port now.
//
// Errors wrap ErrBadSDP, ErrUnsupportedMedia, ErrNegotiating, with how long to wait in [RetryAfter], or ErrEnded; then
// everything is as before.
func (p *Peer) Renegotiate(offer string, now time.Time, at ...netip.AddrPort) (answer string, err error) {
	asked, err := inspect(offer, p.factory.cfg.MaxSDPBytes, p.factory.cfg.MaxSlots)
	if err != nil {
		return "", err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return "", ErrEnded
	}
	n := &p.negotiated
	if err = n.asked.differs(&asked); err != nil {
		return "", err
	}
	if len(at) > 0 {
		n.way.at = at
	}
	if asked.credentials.Ufrag != n.asked.credentials.Ufrag {
		if since := now.Sub(n.restarted); p.endpoint.Restarting() && since < restartInterval {
			return "", fmt.Errorf("%w: the last ICE restart was %d ms ago; try again in %d ms",
				ErrNegotiating, since.Milliseconds(), RetryAfter.Milliseconds())
		}
		if n.way.Credentials, err = p.endpoint.Restart(asked.credentials); err != nil {
			return "", fmt.Errorf("%w: %w", ErrEnded, err)
		}
		n.asked.credentials, n.restarted = asked.credentials, now
	}
	n.version++
	return n.answer(), nil
}

// RetryAfter is when what ErrNegotiating refused may be asked for again.
const RetryAfter = restartInterval

// own makes the strings its own: they are parts of the offer, which is ten times as long and would be kept with them.
func (o *offered) own() {
	for i := range o.lines {
		o.lines[i].own()
	}
	if o.mic != nil {
		o.mic.own()
	}
	for i := range o.bundle {
		o.bundle[i] = unique.Make(o.bundle[i]).Value()
	}
	o.association = strings.Clone(o.association)
}

func (l *line) own() {
	for _, s := range []*string{&l.mid, &l.media, &l.protocol, &l.rejectedFormat, &l.parameters} {
		*s = unique.Make(*s).Value() // most are the same for everybody
	}
}

// differs says in what another offer is not one of the same connection; nil when it is.
func (o *offered) differs(other *offered) error {
	if len(o.lines) != len(other.lines) {
		return fmt.Errorf("%w: the offer has %d lines where the connection has %d; leave and join again to change them",
			ErrUnsupportedMedia, len(other.lines), len(o.lines))
	}
	for i := range o.lines {
		was, is := &o.lines[i], &other.lines[i]
		if was.mid != is.mid || was.rejected != is.rejected || was.mic != is.mic || was.opus != is.opus || was.red != is.red {
			return fmt.Errorf("%w: line %d is not what it was (mid %s); leave and join again to change it", ErrUnsupportedMedia, i, was.mid)
		}
	}
	if !slices.Equal(o.fingerprints, other.fingerprints) {
		return fmt.Errorf("%w: another certificate needs another connection; leave and join again", ErrUnsupportedMedia)
	}
	return nil
}
