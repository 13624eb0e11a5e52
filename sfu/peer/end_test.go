package peer

import (
	"strings"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu/wire"
)

// endOf returns where it is told how p ends; more than one end would block, and be found
// as a goroutine that leaked.
func endOf(p *Peer) <-chan error {
	ended := make(chan error, 1)
	p.OnEnd(func(err error) { ended <- err })
	return ended
}

func awaitEnd(t *testing.T, ended <-chan error) error {
	t.Helper()
	select {
	case err := <-ended:
		return err
	case <-time.After(patience):
		t.Fatal("the connection did not end")
		return nil
	}
}

func TestGoodbyeIsTold(t *testing.T) {
	verifyNoLeaks(t)
	f := newFactory(t)
	c, p := connect(t, f, 1)
	ended := endOf(p)
	require.Empty(t, ended)
	require.NoError(t, c.pc.Close())
	require.ErrorIs(t, awaitEnd(t, ended), ErrGoodbye)
}

// What was offered is not the certificate that is shown: somebody else may have come.
func TestFailedHandshakeIsTold(t *testing.T) {
	verifyNoLeaks(t)
	f := newFactory(t)
	c, offer := newClient(t, 1)
	const key = "a=fingerprint:sha-256 "
	at := strings.Index(offer, key)
	require.Positive(t, at)
	digit := at + len(key)
	other := "A"
	if offer[digit:digit+1] == other {
		other = "B"
	}
	p, err := f.Answer(strings.ReplaceAll(offer, offer[at:digit+95], key+other+offer[digit+1:digit+95]))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	ended := endOf(p)
	require.NoError(t, c.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: p.Answer()}))
	require.ErrorIs(t, awaitEnd(t, ended), wire.ErrFingerprint)
}

func TestEndIsToldOnceHoweverLateOneAsks(t *testing.T) {
	verifyNoLeaks(t)
	f := newFactory(t)
	_, offer := newClient(t, 1)
	p, err := f.Answer(offer)
	require.NoError(t, err)
	p.OnDisconnected(p.endpoint, wire.ErrFingerprint)
	p.OnDisconnected(p.endpoint, ErrGoodbye)
	require.ErrorIs(t, awaitEnd(t, endOf(p)), wire.ErrFingerprint, "the first reason")
	p.OnDisconnected(p.endpoint, ErrGoodbye)
	require.NoError(t, p.Close())
}

func TestCloseIsNoEnd(t *testing.T) {
	verifyNoLeaks(t)
	f := newFactory(t)
	_, offer := newClient(t, 2)
	p, err := f.Answer(offer)
	require.NoError(t, err)
	ended := endOf(p)
	require.NoError(t, p.Close())
	p.OnDisconnected(p.endpoint, ErrGoodbye)
	require.NoError(t, f.Close())
	require.Empty(t, ended)
}

// A panic in the media path, or in who is told, ends one connection and not the process.
func TestPanicEndsTheConnection(t *testing.T) {
	verifyNoLeaks(t)
	told := make(chan any, 2)
	f := newFactory(t, func(c *Config) { c.OnPanic = func(value any, _ []byte) { told <- value } })
	c, p := connect(t, f, 1)
	ended := make(chan error, 1)
	p.OnSpeech(func() { panic("ouch") })
	p.OnEnd(func(err error) {
		ended <- err
		panic("ouch again")
	})
	header := rtp.Header{Version: 2, SSRC: c.ssrc(), PayloadType: 109}
	for deadline := time.Now().Add(patience); len(ended) == 0; header.SequenceNumber++ {
		require.True(t, time.Now().Before(deadline), "still there")
		if w := c.mic.writer.Load(); w != nil {
			// The connection may close under the write.
			_, _ = (*w).WriteRTP(&header, []byte("loud, for want of a level"))
		}
		time.Sleep(time.Millisecond)
	}
	require.ErrorIs(t, <-ended, ErrPanic)
	require.Equal(t, "ouch", <-told)
	require.Equal(t, "ouch again", <-told)
}

// A panic while a connection's report is made ends that connection and nothing else.
func TestPanicInReportEndsTheConnection(t *testing.T) {
	verifyNoLeaks(t)
	told := make(chan any, 1)
	f := newFactory(t, func(c *Config) {
		c.OnPanic = func(value any, _ []byte) { told <- value }
		c.ReportInterval = time.Hour // made by hand
	})
	_, p := connect(t, f, 1)
	ended := endOf(p)
	endpoint := p.endpoint
	p.endpoint = nil
	f.report(p, f.engine.NewBatch(), time.Now())
	p.endpoint = endpoint
	require.NotNil(t, <-told)
	require.ErrorIs(t, awaitEnd(t, ended), ErrPanic)
}

// A panic during an ICE restart keeps no lock, so that the connection can be closed.
func TestPanicInRenegotiateKeepsNoLock(t *testing.T) {
	verifyNoLeaks(t)
	f := newFactory(t, func(c *Config) { c.ReportInterval = time.Hour }) // nobody else looks at it
	_, offer := newClient(t, 1)
	p, err := f.Answer(offer)
	require.NoError(t, err)
	_, other, found := strings.Cut(offer, "a=ice-ufrag:")
	require.True(t, found)
	ufrag, _, _ := strings.Cut(other, "\r\n")
	endpoint := p.endpoint
	p.endpoint = nil
	require.Panics(t, func() { _, _ = p.Renegotiate(strings.ReplaceAll(offer, ufrag, "another"), time.Now()) })
	p.endpoint = endpoint
	require.NoError(t, p.Close())
}
