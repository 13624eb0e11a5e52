package wire

import (
	"encoding/binary"
	"maps"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	pion "github.com/pion/rtp"
	"github.com/pion/stun/v4"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu/rtp"
)

// bindingRequest builds the beginning of a STUN check with a username.
func bindingRequest(username string) []byte {
	p := make([]byte, stunHeader, 64)
	binary.BigEndian.PutUint16(p[0:], stunBindRequest)
	binary.BigEndian.PutUint32(p[4:], stunCookie)
	p = append(p, 0x80, 0x22, 0, 3, 'x', 'y', 'z', 0) // SOFTWARE first, padded
	p = binary.BigEndian.AppendUint16(p, stunUsername)
	p = binary.BigEndian.AppendUint16(p, uint16(len(username)))
	p = append(p, username...)
	for len(p)%4 != 0 {
		p = append(p, 0)
	}
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)-stunHeader))
	return p
}

// remote is a plain socket that plays a peer.
func remote(tb testing.TB, e *Engine) *net.UDPConn {
	tb.Helper()
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(e.LocalAddrs()[0]))
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

func local(c net.Conn) netip.AddrPort {
	a, _ := c.LocalAddr().(*net.UDPAddr)
	return canonical(a.AddrPort())
}

func accepted(tb testing.TB, e *Engine) (*Endpoint, Credentials) {
	tb.Helper()
	ep := e.NewEndpoint(receiverFunc(nil))
	c, err := ep.Accept(Credentials{}, Fingerprint{})
	require.NoError(tb, err)
	tb.Cleanup(ep.Close)
	return ep, c
}

// check is a request as a browser sends it, and more attributes.
func check(tb testing.TB, c Credentials, more ...stun.Setter) *stun.Message {
	tb.Helper()
	setters := []stun.Setter{
		stun.TransactionID, stun.BindingRequest, stun.NewUsername(c.Ufrag + ":them"),
		stun.RawAttribute{Type: stun.AttrICEControlling, Value: make([]byte, 8)},
		stun.RawAttribute{Type: stun.AttrPriority, Value: make([]byte, 4)},
		stun.RawAttribute{Type: 0xc057, Value: make([]byte, 4)}, // Chromium's NETWORK-INFO
	}
	setters = append(append(setters, more...), stun.NewShortTermIntegrity(c.Pwd), stun.Fingerprint)
	m, err := stun.Build(setters...)
	require.NoError(tb, err)
	return m
}

// ufrags are the username fragments that the engine answers to.
func ufrags(e *Engine) []string {
	e.logins.mu.Lock()
	defer e.logins.mu.Unlock()
	return slices.Collect(maps.Keys(e.logins.names))
}

func attribute(t stun.AttrType) stun.Setter { return stun.RawAttribute{Type: t} }

// ask sends a check and returns its response.
func ask(tb testing.TB, conn *net.UDPConn, request *stun.Message, c Credentials) *stun.Message {
	tb.Helper()
	_, err := conn.Write(request.Raw)
	require.NoError(tb, err)
	require.NoError(tb, conn.SetReadDeadline(time.Now().Add(pollTimeout)))
	buf := make([]byte, packetBuffer)
	n, err := conn.Read(buf)
	require.NoError(tb, err, "no response")
	m := &stun.Message{Raw: buf[:n]}
	require.NoError(tb, m.Decode())
	require.Equal(tb, request.TransactionID, m.TransactionID)
	require.NoError(tb, stun.Fingerprint.Check(m))
	require.NoError(tb, stun.NewShortTermIntegrity(c.Pwd).Check(m))
	return m
}

func TestCheckIsAnsweredAndNominates(t *testing.T) {
	e := startEngine(t, Config{})
	ep, c := accepted(t, e)
	conn := remote(t, e)

	response := ask(t, conn, check(t, c), c)
	require.Equal(t, stun.BindingSuccess, response.Type)
	var mapped stun.XORMappedAddress
	require.NoError(t, mapped.GetFrom(response))
	require.Equal(t, conn.LocalAddr().String(), mapped.String())
	require.False(t, ep.Remote().IsValid(), "not nominated yet")
	require.Same(t, ep, e.table.lookup(flow{local(conn), 0}), "but its packets are the endpoint's")
	require.WithinDuration(t, time.Now(), ep.LastSeen(), pollTimeout)

	ask(t, conn, check(t, c, attribute(stun.AttrUseCandidate)), c)
	require.Equal(t, local(conn), ep.Remote())

	// Another address, nominated: the peer has moved.
	second := remote(t, e)
	ask(t, second, check(t, c), c)
	require.Equal(t, local(conn), ep.Remote())
	ask(t, second, check(t, c, attribute(stun.AttrUseCandidate)), c)
	require.Equal(t, local(second), ep.Remote())

	// A third, not nominated, while the second is silent: a NAT has moved it.
	third := remote(t, e)
	ask(t, third, check(t, c), c)
	require.Equal(t, local(second), ep.Remote())
	ep.silence(pairSilence)
	ask(t, third, check(t, c), c)
	require.Equal(t, local(third), ep.Remote())

	ep.Close()
	require.Empty(t, ufrags(e))
	for _, gone := range []*net.UDPConn{conn, second, third} {
		require.Nil(t, e.table.lookup(flow{local(gone), 0}))
	}
}

func TestChecksAreRefused(t *testing.T) {
	e := startEngine(t, Config{})
	ep, c := accepted(t, e)
	conn := remote(t, e)
	build := func(setters ...stun.Setter) []byte {
		m, err := stun.Build(append([]stun.Setter{stun.TransactionID}, setters...)...)
		require.NoError(t, err)
		return m.Raw
	}
	username, key := stun.NewUsername(c.Ufrag+":them"), stun.NewShortTermIntegrity(c.Pwd)
	flipped := check(t, c).Raw
	flipped[len(flipped)-1] ^= 1
	refused := map[string][]byte{
		"another password": build(stun.BindingRequest, username, stun.NewShortTermIntegrity("x"), stun.Fingerprint),
		"no integrity":     build(stun.BindingRequest, username, stun.Fingerprint),
		"no fingerprint":   build(stun.BindingRequest, username, key),
		"bad fingerprint":  flipped,
		"no username":      build(stun.BindingRequest, key, stun.Fingerprint),
		"a response":       build(stun.BindingSuccess, username, key, stun.Fingerprint),
		"an indication":    build(stun.NewType(stun.MethodBinding, stun.ClassIndication), username, key, stun.Fingerprint),
		"TURN":             build(stun.NewType(stun.MethodAllocate, stun.ClassRequest), username, key, stun.Fingerprint),
		"cut short":        check(t, c).Raw[:40],
		"garbage":          {0, 1, 2},
	}
	for _, packet := range refused {
		_, err := conn.Write(packet)
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool { return e.Stats().STUNRefused == int64(len(refused)) }, pollTimeout, tick)
	_, err := conn.Write(check(t, Credentials{"another", c.Pwd}).Raw)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return e.Stats().STUNUnknown == 1 }, pollTimeout, tick)
	require.Nil(t, e.table.lookup(flow{local(conn), 0}))
	require.False(t, ep.Remote().IsValid())

	// What is authentic and cannot be done is answered.
	response := ask(t, conn, check(t, c, attribute(stun.AttrUseCandidate), attribute(stun.AttrICEControlled)), c)
	require.Equal(t, stun.BindingError, response.Type)
	var code stun.ErrorCodeAttribute
	require.NoError(t, code.GetFrom(response))
	require.Equal(t, stun.CodeRoleConflict, code.Code)
	response = ask(t, conn, check(t, c, attribute(0x7001), attribute(0x7001), attribute(0x7002)), c)
	require.NoError(t, code.GetFrom(response))
	require.Equal(t, stun.CodeUnknownAttribute, code.Code)
	unknown, err := response.Get(stun.AttrUnknownAttributes)
	require.NoError(t, err)
	require.Equal(t, []byte{0x70, 0x01, 0x70, 0x02}, unknown)
	require.Nil(t, e.table.lookup(flow{local(conn), 0}), "an error binds nothing")
}

func TestPathsAreBounded(t *testing.T) {
	e := startEngine(t, Config{})
	ep, c := accepted(t, e)
	first := remote(t, e)
	ask(t, first, check(t, c, attribute(stun.AttrUseCandidate)), c)
	for range 2 * maxPaths {
		ask(t, remote(t, e), check(t, c), c)
	}
	ep.mu.Lock()
	require.Len(t, ep.path.flows, maxPaths)
	ep.mu.Unlock()
	require.Same(t, ep, e.table.lookup(flow{local(first), 0}), "the nominated one stays")
	known := 0
	for i := range e.table.shards {
		if m := e.table.shards[i].Load(); m != nil {
			known += len(*m)
		}
	}
	require.Equal(t, maxPaths, known)
}

// silence makes the endpoint one that has not been checked for d.
func (ep *Endpoint) silence(d time.Duration) {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	for i := range ep.path.flows {
		ep.path.flows[i].last = ep.path.flows[i].last.Add(-d)
	}
	ep.path.claim = ep.path.claim.Add(-d)
}

// An address is whose checks come from it. Others are told so, until it falls silent there.
func TestAddressBelongsToWhoIsThere(t *testing.T) {
	e := startEngine(t, Config{})
	one, c1 := accepted(t, e)
	two, c2 := accepted(t, e)
	conn := remote(t, e)
	nominate := attribute(stun.AttrUseCandidate)
	ask(t, conn, check(t, c1, nominate), c1)
	before := two.LastSeen()
	for i, more := range [][]stun.Setter{nil, {nominate}} {
		refused := ask(t, conn, check(t, c2, more...), c2)
		require.Equal(t, stun.BindingError, refused.Type)
		var code stun.ErrorCodeAttribute
		require.NoError(t, code.GetFrom(refused))
		require.Equal(t, stun.CodeForbidden, code.Code)
		require.Contains(t, string(code.Reason), "another connection's")
		require.EqualValues(t, i+1, e.Stats().STUNTaken)
		require.Same(t, one, e.table.lookup(flow{local(conn), 0}))
		require.Equal(t, local(conn), one.Remote(), "it is sent to as before")
		require.False(t, two.Remote().IsValid())
	}
	require.Equal(t, before, two.LastSeen(), "no sign of life")
	other := remote(t, e) // as agents do with several pairs
	require.Equal(t, stun.BindingSuccess, ask(t, other, check(t, c2, nominate), c2).Type)
	require.Equal(t, local(other), two.Remote())

	one.silence(addressHold) // a NAT gives its mapping to another
	require.Equal(t, stun.BindingSuccess, ask(t, conn, check(t, c2, nominate), c2).Type)
	require.Same(t, two, e.table.lookup(flow{local(conn), 0}))
	require.Equal(t, local(conn), two.Remote())
	require.False(t, one.Remote().IsValid(), "who lost an address must not go on sending there")
	require.Equal(t, stun.BindingError, ask(t, conn, check(t, c1), c1).Type)
	third := remote(t, e)
	ask(t, third, check(t, c1), c1)
	require.Equal(t, local(third), one.Remote(), "nominated once, it may come back anywhere")
	two.Close()
	require.Equal(t, stun.BindingSuccess, ask(t, conn, check(t, c1), c1).Type, "who has gone holds nothing")
}

// To a pair that is checked no more nothing is sent after 30 s (RFC 7675), until it is checked again.
func TestConsentExpires(t *testing.T) {
	e := startEngine(t, Config{})
	p := newRawPeer(t, e)
	p.check(t, attribute(stun.AttrUseCandidate))
	conn := p.shake(t)
	p.connects(t)
	require.NoError(t, conn.SetReadDeadline(time.Now()))
	b, packet := e.NewBatch(), rtpPacket(t, pion.Header{SSRC: 7}, []byte("x"))
	send := func() error {
		packet[3]++
		return p.ep.Sender(7).WriteRTP(b, packet[:rtp.FixedLen], packet[rtp.FixedLen:])
	}
	require.NoError(t, send())
	p.ep.silence(ConsentLifetime - 2*sweepInterval)
	p.ep.sweep(time.Now())
	require.NoError(t, send())
	p.ep.silence(sweepInterval)
	p.ep.sweep(time.Now())
	p.ep.sweep(time.Now())
	require.ErrorIs(t, send(), ErrNotReady)
	require.ErrorIs(t, p.ep.WriteRTCP(b, packet), ErrNotReady)
	require.EqualValues(t, 1, e.Stats().ConsentExpired)

	_, err := p.conn.WriteTo(check(t, p.credentials).Raw, p.server)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return p.ep.Remote().IsValid() }, pollTimeout, tick, "it does not come back")
	require.NoError(t, send())
	b.Flush()
}

// The engine looks by itself whether a peer consents.
func TestConsentIsWatched(t *testing.T) {
	e := startEngine(t, Config{})
	ep, c := accepted(t, e)
	ask(t, remote(t, e), check(t, c, attribute(stun.AttrUseCandidate)), c)
	ep.silence(ConsentLifetime)
	require.Eventually(t, func() bool { return !ep.Remote().IsValid() }, pollTimeout, tick)
}

func TestAcceptOnceAndRestart(t *testing.T) {
	e := startEngine(t, Config{})
	fresh := e.NewEndpoint(receiverFunc(nil))
	_, err := fresh.Restart(Credentials{})
	require.ErrorIs(t, err, ErrNotAccepted)
	ep, first := accepted(t, e)
	_, err = ep.Accept(Credentials{}, Fingerprint{})
	require.ErrorIs(t, err, ErrAccepted)
	unused, err := ep.Restart(Credentials{})
	require.NoError(t, err)
	second, err := ep.Restart(Credentials{})
	require.NoError(t, err)
	require.Len(t, ufrags(e), 2, "a restart that is overtaken by another ends")
	require.NotContains(t, ufrags(e), unused.Ufrag)
	conn := remote(t, e)
	ask(t, conn, check(t, first), first)
	ask(t, conn, check(t, second), second)
	require.Len(t, ufrags(e), 1)
	require.Contains(t, ufrags(e), second.Ufrag)
	ep.Close()
	_, err = ep.Restart(Credentials{})
	require.ErrorIs(t, err, ErrClosed)
	require.NoError(t, e.Close())
	_, err = fresh.Accept(Credentials{}, Fingerprint{})
	require.ErrorIs(t, err, ErrClosed)
}

func TestUnboundPacketsAreDropped(t *testing.T) {
	e := startEngine(t, Config{})
	conn := remote(t, e)
	for _, packet := range [][]byte{
		rtpPacket(t, pion.Header{SSRC: 1}, []byte("x")), {0x80, 200, 0, 0}, {22, 1, 2, 3},
	} {
		_, err := conn.Write(packet)
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool { return e.Stats().Unbound == 3 }, pollTimeout, tick)
	for _, packet := range [][]byte{{}, {0x80}, {100, 1, 2, 3}, make([]byte, packetBuffer+100)} {
		_, err := conn.Write(packet)
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool { s := e.Stats(); return s.Unknown == 3 && s.Truncated == 1 }, pollTimeout, tick)
}

func TestNoSocketGroupReachesTheOtherFamily(t *testing.T) {
	e := startEngine(t, Config{})
	require.ErrorIs(t, bind(e.NewEndpoint(receiverFunc(nil)), netip.MustParseAddrPort("[::1]:1")), ErrBadAddress)
}

// FuzzCheck feeds STUN of strangers to an endpoint that is waiting for it.
func FuzzCheck(f *testing.F) {
	e := startEngine(f, Config{})
	_, c := accepted(f, e)
	f.Add(check(f, c, attribute(stun.AttrUseCandidate)).Raw)
	f.Add(bindingRequest(c.Ufrag + ":x"))
	l := &loop{engine: e, group: e.groups[0], out: e.NewBatch()}
	from := netip.MustParseAddrPort("127.0.0.1:9")
	f.Fuzz(func(_ *testing.T, packet []byte) {
		l.check(packet, from, netip.Addr{}, time.Now())
		l.out.Flush()
	})
}
