package wire

import (
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/rtp"
	"github.com/pion/stun/v4"
	"github.com/stretchr/testify/require"
)

// stray is a peer without a PeerConnection that talks from whatever socket.
type strayPeer struct {
	t     *testing.T
	ep    *Endpoint
	login Credentials
	keys  oracle
	heard atomic.Int64
	seq   uint16
}

func newStrayPeer(t *testing.T, e *Engine) *strayPeer {
	t.Helper()
	p := &strayPeer{t: t}
	p.ep = e.NewEndpoint(receiverFunc(func(*Batch, *Endpoint, []byte, time.Time) { p.heard.Add(1) }))
	keys, o := testKeys(t, dtls.SRTP_AEAD_AES_128_GCM)
	p.keys = o
	require.NoError(t, p.ep.setKeys(keys))
	var err error
	p.login, err = p.ep.Accept(Credentials{}, Fingerprint{})
	require.NoError(t, err)
	t.Cleanup(p.ep.Close)
	return p
}

// says sends a packet and returns it as it was on the wire.
func (p *strayPeer) says(from net.Conn, ssrc uint32) []byte {
	p.t.Helper()
	p.seq++
	sealed, err := p.keys.write.EncryptRTP(nil, rtpPacket(p.t, rtp.Header{SSRC: ssrc, SequenceNumber: p.seq}, []byte("a")), nil)
	require.NoError(p.t, err)
	_, err = from.Write(sealed)
	require.NoError(p.t, err)
	return sealed
}

// A NAT has given a talker another address, and the talker's next check is seconds away.
func TestStrayIsHeardAndThenFollowed(t *testing.T) {
	e := startEngine(t, Config{})
	p := newStrayPeer(t, e)
	before, after := remote(t, e), remote(t, e)
	ask(t, before, check(t, p.login, attribute(stun.AttrUseCandidate)), p.login)
	p.says(before, 7)
	require.Eventually(t, func() bool { return p.heard.Load() == 1 }, pollTimeout, tick)

	p.says(after, 7)
	p.says(after, 7)
	require.Eventually(t, func() bool { return p.heard.Load() == 3 }, pollTimeout, tick)
	require.Same(t, p.ep, e.table.lookup(flow{local(after), 0}), "found only once")
	require.EqualValues(t, 1, e.Stats().Strays)
	require.Equal(t, local(before), p.ep.Remote(), "who only talks has not consented to be sent anything")
	ask(t, after, check(t, p.login), p.login)
	require.Equal(t, local(after), p.ep.Remote())

	p.ep.Close()
	require.Empty(t, e.strays.owners)
	require.Nil(t, e.table.lookup(flow{local(after), 0}))
}

func TestStrangersAreNoStrays(t *testing.T) {
	e := startEngine(t, Config{})
	p := newStrayPeer(t, e)
	home, stranger := remote(t, e), remote(t, e)
	ask(t, home, check(t, p.login, attribute(stun.AttrUseCandidate)), p.login)
	old := p.says(home, 7)
	require.Eventually(t, func() bool { return p.heard.Load() == 1 }, pollTimeout, tick)

	forged := append([]byte(nil), old...)
	forged[3]++ // the next number, under a tag that is not its own
	for _, packet := range [][]byte{old, forged, old[:12], old[:5]} {
		_, err := stranger.Write(packet)
		require.NoError(t, err)
	}
	p.says(stranger, 8) // by an SSRC that nobody has heard of
	require.Eventually(t, func() bool { return e.Stats().Unbound == 5 }, pollTimeout, tick)
	require.Nil(t, e.table.lookup(flow{local(stranger), 0}))
	require.EqualValues(t, 1, p.heard.Load())

	// What is tried in vain is bounded.
	for range 2 * strayGuesses {
		_, err := stranger.Write(forged)
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool { return e.Stats().Unbound == 5+2*strayGuesses }, pollTimeout, tick)
	require.LessOrEqual(t, p.ep.Stats().AuthFailed, int64(2*strayGuesses), "two intervals at most")
}

// An endpoint that closes while its packets come leaves nothing behind.
func TestStraysOfManySSRCs(t *testing.T) {
	e := startEngine(t, Config{})
	p := newStrayPeer(t, e)
	home := remote(t, e)
	ask(t, home, check(t, p.login, attribute(stun.AttrUseCandidate)), p.login)
	for ssrc := range uint32(3 * straySSRCs) {
		p.says(home, ssrc)
	}
	require.Eventually(t, func() bool { return p.heard.Load() == 3*straySSRCs }, pollTimeout, tick)
	e.strays.mu.Lock()
	require.Len(t, e.strays.owners, straySSRCs)
	e.strays.mu.Unlock()
	p.ep.Close()
	require.Empty(t, e.strays.owners)
	e.strays.add(1, p.ep)
	require.Empty(t, e.strays.owners)
}
