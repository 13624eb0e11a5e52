package e2e

import (
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// withoutReaper leaves nothing to the reaper: what is told, is told by what happened.
func withoutReaper(c *app.Config) { c.TURN, c.ReaperInterval = false, time.Hour }

// otherFingerprint is the offer with another certificate's fingerprint in it.
func otherFingerprint(offer string) string {
	return regexp.MustCompile(`(a=fingerprint:sha-256 )..`).ReplaceAllStringFunc(offer, func(line string) string {
		if line[len(line)-2:] == "00" {
			return line[:len(line)-2] + "01"
		}
		return line[:len(line)-2] + "00"
	})
}

// leaving returns the next leave of a channel that the client is told of.
func (c *raw) leaving() protocol.ChannelEvent {
	c.t.Helper()
	var event protocol.ChannelEvent
	for event.Event != protocol.ChannelEventLeave {
		event = protocol.ChannelEvent{}
		c.event(protocol.OpChannelEvent, &event)
	}
	return event
}

// A handshake that fails is told at once, to the member too, which may join again.
func TestFailedHandshakeIsToldAtOnce(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, withoutReaper)
	bob, _ := identify(t, s, "Bob")
	bob.joinChannel("lobby")
	ada, adaID := identify(t, s, "Ada")
	for range 2 {
		media := newProbing(t, webrtc.RTPTransceiverDirectionSendonly)
		var joined protocol.Joined
		ada.ack(protocol.OpChannelJoin, protocol.ChannelJoin{
			ChannelID: "lobby", SDPOffer: otherFingerprint(media.LocalDescription().SDP),
		}, &joined)
		media.answer(t, joined.SDPAnswer)
		for _, told := range []protocol.ChannelEvent{ada.leaving(), bob.leaving()} {
			require.Equal(t, protocol.LeaveMediaFailed, told.Cause)
			require.Equal(t, adaID, told.Member.UserID)
		}
		ada.fails(protocol.OpChannelLeave, protocol.ChannelRef{ChannelID: "lobby"}, protocol.CodeNotInChannel)
	}
	ada.joinChannel("lobby")
}

// Who ends the media connection has left, and may say so yet.
func TestGoodbyeOfMediaIsALeave(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, withoutReaper)
	bob, _ := identify(t, s, "Bob")
	bob.joinChannel("lobby")
	ada, adaID := identify(t, s, "Ada")
	media := newProbing(t, webrtc.RTPTransceiverDirectionSendonly)
	var joined protocol.Joined
	ada.ack(protocol.OpChannelJoin, protocol.ChannelJoin{ChannelID: "lobby", SDPOffer: media.LocalDescription().SDP}, &joined)
	media.answer(t, joined.SDPAnswer)
	ada.wait(media.connected, "connected")
	require.NoError(t, media.Close())
	for _, told := range []protocol.ChannelEvent{ada.leaving(), bob.leaving()} {
		require.Equal(t, protocol.LeaveLeft, told.Cause)
		require.Equal(t, adaID, told.Member.UserID)
	}
	ada.ack(protocol.OpChannelLeave, protocol.ChannelRef{ChannelID: "lobby"}, nil)
	ada.fails(protocol.OpChannelLeave, protocol.ChannelRef{ChannelID: "lobby"}, protocol.CodeNotInChannel)
	ada.joinChannel("lobby")
}

func TestChannelsOfOnePersonAreBounded(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) { c.ChannelsPerGuest = 2 })
	ada, _ := identify(t, s, "Ada")
	for i := range 2 {
		ada.ack(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: fmt.Sprint("a", i)}, nil)
	}
	ada.fails(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: "more"}, protocol.CodeOwnsTooMany)
	bob, _ := identify(t, s, "Bob")
	bob.ack(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: "more"}, nil)

	name := 0
	for range 10 {
		name++
		id := ada.request(protocol.OpChannelUpdate, protocol.ChannelUpdate{ChannelID: "a0", ChannelName: new(fmt.Sprint("n", name))})
		frame := ada.read()
		for frame.ID != id {
			frame = ada.read()
		}
		if frame.Op == protocol.OpError {
			var refused protocol.Error
			require.NoError(t, frame.Bind(&refused))
			require.Equal(t, protocol.CodeRateLimited, refused.Code)
			require.Positive(t, refused.RetryAfterMS)
			return
		}
	}
	t.Error("renaming is not bounded")
}

// Coming as one guest after another does not help, and keeps nobody else from making any.
func TestChannelsOfTheGuestsOfOneAddressAreBounded(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) { c.PerAddress, c.ChannelsPerGuest = 30, 1 })
	for i := range 3 {
		c, _ := identify(t, s, "Ada")
		c.ack(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: fmt.Sprint("a", i)}, nil)
	}
	c, _ := identify(t, s, "Ada")
	c.fails(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: "more"}, protocol.CodeRateLimited)
	elsewhere, _ := identifyFrom(t, s, "Bob", "192.0.2.7")
	elsewhere.ack(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: "more"}, nil)
}
