package wire

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/pion/dtls/v3"

	"github.com/mini-livechat/mini-livechat/sfu/bounded"
)

// A link is the way to another server. It is an [Endpoint] like any other, but where its peer is and what keys it has are given, in
// place of ICE and DTLS: both ends have a secret in common and know of each other by other ways. So nothing that comes in moves it.

// What the other end of a link may send. It is one of our own and carries the voices of all its people, so that these are bounds on
// what a fault costs, not on voice: a loop takes fewer packets than that.
const (
	// linkSSRCs is how many streams a link may carry at once, and have ever carried: its ends use each SSRC again.
	linkSSRCs = 16384
	// linkPackets and linkBytes are what is decrypted of a link's SRTP a second; linkCompounds of its SRTCP.
	linkPackets   = 500_000
	linkBytes     = 200_000_000
	linkCompounds = 20_000
)

//nolint:gochecknoglobals // constant
var linkIntake = Intake{
	Packets:   bounded.PerSecond(linkPackets, time.Second),
	Bytes:     bounded.PerSecond(linkBytes, time.Second),
	Compounds: bounded.PerSecond(linkCompounds, time.Second),
}

// MinLinkSecret is the shortest secret that LinkKeys takes, in bytes.
const MinLinkSecret = 16

// ErrLinkKeys means that the ends of a link are the same or its secret is too short.
var ErrLinkKeys = errors.New("wire: these make no keys of a link")

// LinkEnd says which server is at one end of a link. Nonce is random and another one for each link that the server makes, since a
// link's streams begin anew and no key may ever encrypt two packets with one index.
type LinkEnd struct{ Node, Boot, Nonce string }

// LinkKeys derives the keys of a link from what both ends know: AES-128-GCM (RFC 7714), by HKDF with SHA-256 (RFC 5869). Each direction
// has its own.
func LinkKeys(secret []byte, us, them LinkEnd) (Keys, error) {
	if us == them || len(secret) < MinLinkSecret {
		return Keys{}, ErrLinkKeys
	}
	p, err := profileOf(dtls.SRTP_AEAD_AES_128_GCM)
	if err != nil {
		return Keys{}, err
	}
	m := &material{profile: p}
	for key, way := range map[*masterKey][2]LinkEnd{&m.outbound: {us, them}, &m.inbound: {them, us}} {
		raw, err := hkdf.Key(sha256.New, secret, nil, way[0].info(way[1]), p.keyLen+p.saltLen)
		if err != nil {
			return Keys{}, fmt.Errorf("wire: keys of a link: %w", err)
		}
		copy(key.key[:], raw[:p.keyLen])
		copy(key.salt[:], raw[p.keyLen:])
		clear(raw)
	}
	return Keys{m}, nil
}

// info names the direction from one end to another, so that no two have the same name: each part stands behind its length.
func (from LinkEnd) info(to LinkEnd) string {
	b := []byte("mini-livechat link 1")
	for _, part := range []string{from.Node, from.Boot, from.Nonce, to.Node, to.Boot, to.Nonce} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(part))) //nolint:gosec // a name, not four gigabytes
		b = append(b, part...)
	}
	return string(b)
}

// NewLink makes a link whose packets go to r. It sends to the first of the remote addresses that a listen address reaches, or fails
// with ErrBadAddress, and takes what comes from any of them. From then on both is possible until it is closed, which its maker does before
// the Engine is: r.OnConnected is not called. The keys are wiped.
func (e *Engine) NewLink(r Receiver, remote []netip.AddrPort, keys Keys) (*Endpoint, error) {
	defer keys.Wipe()
	if keys.m == nil {
		return nil, ErrNoKeys
	}
	ep := &Endpoint{engine: e, receiver: r, intake: &linkIntake, given: true, keyed: true, connected: true}
	ep.srtp.in.more = linkSSRCs - maxSSRCs
	if err := ep.srtp.set(keys.m); err != nil {
		return nil, err
	}
	d, flows := ep.reach(remote)
	if d == nil {
		return nil, fmt.Errorf("%w: %v", ErrBadAddress, remote)
	}
	ep.mu.Lock()
	losers := make(map[flow]*Endpoint)
	for _, f := range flows {
		ep.path.flows = append(ep.path.flows, checkedFlow{f, time.Now()})
		if was := e.table.put(f, ep); was != nil {
			losers[f] = was
		}
	}
	ep.dest.Store(d)
	ep.mu.Unlock()
	for f, loser := range losers { // a link of before, or who sat at the other server's address
		loser.lose(f)
	}
	return ep, nil
}

// reach returns where to send so that it arrives at one of these addresses, nil for nowhere, and on which flows packets from them come.
func (ep *Endpoint) reach(remote []netip.AddrPort) (*dest, []flow) {
	var first *dest
	var flows []flow
	for _, at := range remote {
		at = canonical(at)
		for _, g := range ep.engine.groups {
			if at.Port() == 0 || !g.reaches(at.Addr()) {
				continue
			}
			if first == nil {
				first, _ = newDest(ep, g, at, netip.Addr{})
			}
			if f := (flow{at, g.index}); !slices.Contains(flows, f) {
				flows = append(flows, f)
			}
		}
	}
	return first, flows
}

// Sending reports whether something may be sent: not before there are keys and an address, and not after the endpoint was closed.
func (ep *Endpoint) Sending() bool { return ep.dest.Load() != nil }
