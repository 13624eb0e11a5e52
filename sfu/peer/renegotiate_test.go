package peer

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu/forward"
)

// restartICE has the client go on over another path.
func (c *client) restartICE(t *testing.T, p *Peer) (offer, answer string) {
	t.Helper()
	made, err := c.pc.CreateOffer(&webrtc.OfferOptions{ICERestart: true})
	require.NoError(t, err)
	require.NoError(t, c.pc.SetLocalDescription(made))
	answer, err = p.Renegotiate(made.SDP, time.Now())
	require.NoError(t, err)
	require.NoError(t, c.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}))
	return made.SDP, answer
}

// values returns all values of an attribute.
func values(text, key string) (found []string) {
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, key); ok {
			found = append(found, strings.TrimSpace(value))
		}
	}
	return found
}

// The client moves to another path and all that is above it stays: sources, slots, keys, even the numbers of the packets.
func TestRenegotiateMovesTheConnection(t *testing.T) {
	verifyNoLeaks(t)
	f := newFactory(t)
	ada, adaPeer := connect(t, f, 0)
	bob, bobPeer := connect(t, f, 1)
	slot := bobPeer.Slots()[0]
	slot.Assign(adaPeer.Source())
	adaPeer.Source().SetSlots([]*forward.Slot{slot.Slot})
	ada.say(t, ada.ssrc(), 1, 109, "before")
	before := bob.hear(t)
	require.Equal(t, "before", string(before.Payload))
	seq := uint16(1)
	for round := range 3 {
		for name, moving := range map[string]struct {
			c *client
			p *Peer
		}{"talker": {ada, adaPeer}, "listener": {bob, bobPeer}} {
			from := moving.p.RemoteAddr()
			was := moving.p.Answer()
			offer, answer := moving.c.restartICE(t, moving.p)
			require.NotEqual(t, values(was, "a=ice-ufrag:"), values(answer, "a=ice-ufrag:"))
			require.Equal(t, values(was, "a=ssrc:"), values(answer, "a=ssrc:"))
			require.Equal(t, values(was, "a=fingerprint:"), values(answer, "a=fingerprint:"))
			require.Equal(t, values(offer, "a=mid:"), values(answer, "a=mid:"))
			origin, now := strings.Fields(values(was, "o=")[0]), strings.Fields(values(answer, "o=")[0])
			require.Equal(t, origin[1], now[1], "the same session")
			require.NotEqual(t, origin[2], now[2], "another version of it")
			eventually(t, name+" has moved", func() bool {
				return moving.p.RemoteAddr() != from && moving.p.RemoteAddr().IsValid() && !moving.p.endpoint.Restarting() &&
					// Until the client has chosen the path, too, pion swallows its packets.
					moving.c.pc.ICEConnectionState() == webrtc.ICEConnectionStateConnected
			})
			seq++
			ada.say(t, ada.ssrc(), seq, 109, name)
			after := bob.hear(t)
			require.Equal(t, name, string(after.Payload), "round %d", round)
			require.Equal(t, before.SSRC, after.SSRC)
			require.Equal(t, before.SequenceNumber+1, after.SequenceNumber, "no packet was lost or doubled")
			before = after
		}
	}
}

func TestRenegotiateRefuses(t *testing.T) {
	verifyNoLeaks(t)
	f := newFactory(t)
	c, p := connect(t, f, 1)
	again := c.pc.LocalDescription().SDP
	now := time.Now()
	answer, err := p.Renegotiate(again, now)
	require.NoError(t, err, "an offer that changes nothing is answered")
	require.Equal(t, values(p.Answer(), "a=ice-ufrag:"), values(answer, "a=ice-ufrag:"), "and changes nothing")

	another, otherOffer := newClient(t, 1)
	_ = another
	_, moreLines := newClient(t, 2)
	with := func(old, replacement string) string {
		require.Contains(t, again, old)
		return strings.ReplaceAll(again, old, replacement)
	}
	for name, test := range map[string]struct {
		offer string
		want  error
		says  string
	}{
		"another certificate":   {otherOffer, ErrUnsupportedMedia, "certificate"},
		"more lines":            {moreLines, ErrUnsupportedMedia, "3 lines"},
		"another payload type":  {strings.NewReplacer(":109", ":110", " 109", " 110").Replace(again), ErrUnsupportedMedia, "line 0"},
		"the microphone gone":   {with("a=sendonly", "a=recvonly"), ErrUnsupportedMedia, ""},
		"no SDP":                {"hello", ErrBadSDP, ""},
		"nothing":               {"", ErrBadSDP, ""},
		"credentials too short": {with("a=ice-ufrag:", "a=ice-ufrag:x\r\na=x:"), ErrBadSDP, "ice-ufrag"},
	} {
		t.Run(name, func(t *testing.T) {
			_, refusal := p.Renegotiate(test.offer, now)
			require.ErrorIs(t, refusal, test.want)
			require.ErrorContains(t, refusal, test.says)
		})
	}
	require.False(t, p.endpoint.Restarting(), "what was refused changed nothing")

	fresh := func(ufrag string) string {
		return with(values(again, "a=ice-ufrag:")[0], ufrag)
	}
	answer, err = p.Renegotiate(fresh("abcdefgh"), now, netip.MustParseAddrPort("192.0.2.7:1000"))
	require.NoError(t, err)
	require.Contains(t, answer, "192.0.2.7 1000", "the addresses of now")
	_, err = p.Renegotiate(fresh("ijklmnop"), now.Add(restartInterval-time.Millisecond))
	require.ErrorIs(t, err, ErrNegotiating)
	_, err = p.Renegotiate(fresh("ijklmnop"), now.Add(restartInterval))
	require.NoError(t, err, "a path that leads nowhere holds up no other")

	require.NoError(t, p.Close())
	_, err = p.Renegotiate(fresh("qrstuvwx"), now.Add(time.Minute))
	require.ErrorIs(t, err, ErrEnded)
}
