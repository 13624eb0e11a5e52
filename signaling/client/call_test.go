package client

import (
	"context"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// testEngine uses loopback only, so that a call has one socket.
func testEngine(tb testing.TB) *Engine {
	tb.Helper()
	e, err := NewEngine(EngineConfig{LocalIP: loopbackOnly})
	require.NoError(tb, err)
	return e
}

// opusFrame is a 20 ms SILK packet with a marker in it.
func opusFrame(marker uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{9 << 3, 1, 2, 3}, marker)
}

// say sends one packet on a slot of the fake's peer.
func (p *fakePeer) say(tb testing.TB, slot int, seq uint16, csrc uint32, payload []byte) {
	tb.Helper()
	p.awaitConnected(tb)
	packet := &rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: seq, Timestamp: uint32(seq) * 960}}
	if csrc != 0 {
		packet.CSRC = []uint32{csrc}
	}
	packet.Payload = payload
	require.NoError(tb, p.slots[slot].WriteRTP(packet))
}

// awaitConnected waits until the server's end is connected too: before, pion swallows
// packets and sends no alert when it is closed.
func (p *fakePeer) awaitConnected(tb testing.TB) {
	tb.Helper()
	waitFor(tb, "the server's end is connected", func() bool {
		return p.pc.ConnectionState() == webrtc.PeerConnectionStateConnected
	})
}

// hangUp closes the server's end.
func (p *fakePeer) hangUp(tb testing.TB) {
	tb.Helper()
	p.awaitConnected(tb)
	_ = p.pc.Close()
}

func slotMap(users ...string) protocol.SlotMap {
	m := protocol.SlotMap{ChannelID: "room"}
	for i, user := range users {
		slot := protocol.Slot{Slot: i}
		if user != "" {
			slot.UserID = &user
		}
		m.Slots = append(m.Slots, slot)
	}
	return m
}

func waitFor(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(testTimeout); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("timed out waiting until %s", what)
		}
	}
}

func TestCallCarriesOpusBothWays(t *testing.T) {
	t.Parallel()
	for name, withoutSSRC := range map[string]bool{"by SSRC": false, "by MID": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			room := newFakeRoom(t)
			room.withoutSSRC = withoutSSRC
			c := room.dial(Options{Token: "ada", Engine: testEngine(t)})
			ctx := testContext(t)
			call, err := c.Join(ctx, "room", JoinOptions{Slots: 3})
			require.NoError(t, err)
			require.Same(t, call, c.Call())
			require.Equal(t, "room", call.Joined().ChannelID)
			require.Len(t, call.Slots(), 3)
			peer, conn := <-room.peers, <-room.conns

			require.NoError(t, call.WriteOpus(opusFrame(7), 20*time.Millisecond))
			track := <-peer.heard
			packet, _, err := track.ReadRTP()
			require.NoError(t, err)
			require.Equal(t, opusFrame(7), packet.Payload)
			require.Equal(t, call.SSRC(), packet.SSRC)
			require.Less(t, packet.SequenceNumber, uint16(1<<15))
			require.True(t, packet.Marker)

			conn.event(protocol.OpSlotMap, slotMap("", "bo", ""))
			slot := call.Slots()[1]
			waitFor(t, "the slot map arrives", func() bool { return slot.UserID() == "bo" })
			header := rtp.Header{Version: 2, SequenceNumber: 9, Timestamp: 960, Marker: true, CSRC: []uint32{77}, Padding: true, PaddingSize: 4}
			peer.awaitConnected(t)
			require.NoError(t, header.SetExtension(peerMID(t, peer), []byte(slot.MID())))
			require.NoError(t, peer.slots[1].WriteRTP(&rtp.Packet{
				Header: header, Payload: opusFrame(8),
			}))
			buf := make([]byte, 1500)
			n, info, err := slot.ReadOpus(ctx, buf)
			require.NoError(t, err)
			require.Equal(t, opusFrame(8), buf[:n])
			require.Equal(t, "bo", info.UserID)
			require.Equal(t, uint32(77), info.CSRC)
			require.Equal(t, uint16(9), info.Sequence)
			require.Equal(t, uint32(960), info.Timestamp)
			require.True(t, info.Marker)
			require.Equal(t, uint8(opusPayloadType), info.PayloadType)
			require.Equal(t, SlotStats{Received: 1}, slot.Stats())

			require.NoError(t, call.Leave(ctx))
			require.ErrorIs(t, call.Err(), ErrLeft)
			require.Nil(t, c.Call())
			_, _, err = slot.ReadOpus(ctx, buf)
			require.ErrorIs(t, err, ErrLeft)
			require.ErrorIs(t, call.WriteOpus(opusFrame(1), 0), ErrLeft)
			require.ErrorIs(t, call.WaitConnected(ctx), ErrLeft)
			require.NoError(t, call.Leave(ctx), "leaving twice is fine")

			again, err := c.Join(ctx, "room", JoinOptions{ListenOnly: true, Slots: -1, NoWait: true})
			require.ErrorContains(t, err, "bad SDP", "an offer without a line")
			require.Nil(t, again)
		})
	}
}

// peerMID returns the id of the MID header extension the two ends agreed on.
func peerMID(t *testing.T, p *fakePeer) uint8 {
	t.Helper()
	for _, ext := range p.pc.GetTransceivers()[0].Sender().GetParameters().HeaderExtensions {
		if ext.URI == midURI {
			return uint8(ext.ID)
		}
	}
	t.Fatal("no MID extension")
	return 0
}

func TestListenOnlyAndHandler(t *testing.T) {
	t.Parallel()
	room := newFakeRoom(t)
	c := room.dial(Options{Token: "ada", Engine: testEngine(t)})
	ctx := testContext(t)
	heard := make(chan Packet, 10)
	call, err := c.Join(ctx, "room", JoinOptions{ListenOnly: true, OnPacket: func(s *Slot, p Packet) {
		p.Payload = append([]byte{byte(s.Index())}, p.Payload...)
		heard <- p
	}})
	require.NoError(t, err)
	require.Len(t, call.Slots(), 8, "the default")
	require.Zero(t, call.SSRC())
	require.ErrorIs(t, call.WriteOpus(opusFrame(1), 0), ErrNoMicrophone)
	_, err = c.Join(ctx, "room", JoinOptions{})
	require.ErrorIs(t, err, ErrInCall)

	peer := <-room.peers
	peer.say(t, 5, 1, 0, opusFrame(3))
	require.Equal(t, append([]byte{5}, opusFrame(3)...), (<-heard).Payload)
}

func TestMembersFollowEvents(t *testing.T) {
	t.Parallel()
	room := newFakeRoom(t)
	// Told before the ACK: older than the state in it.
	room.onJoin = func(c *fakeConn) {
		c.event(protocol.OpChannelEvent, protocol.ChannelEvent{
			Event: protocol.ChannelEventJoin, ChannelID: "room", Member: &protocol.Member{UserID: "ghost"},
		})
	}
	c := room.dial(Options{Token: "ada", Engine: testEngine(t)})
	call, err := c.Join(testContext(t), "room", JoinOptions{})
	require.NoError(t, err)
	conn := <-room.conns
	names := func() (ids string) {
		for _, m := range call.Members() {
			ids += m.UserID + " "
			if m.SelfMute {
				ids += "(muted) "
			}
		}
		return ids
	}
	require.Equal(t, "bo ada ", names())
	before := call.Members()

	tell := func(event protocol.ChannelEventKind, channel, user string) {
		conn.event(protocol.OpChannelEvent, protocol.ChannelEvent{
			Event: event, ChannelID: channel, Member: &protocol.Member{UserID: user},
		})
	}
	tell(protocol.ChannelEventJoin, "elsewhere", "eve")
	tell(protocol.ChannelEventJoin, "room", "cy")
	conn.event(protocol.OpVoiceStateEvent, protocol.VoiceStateEvent{ChannelID: "room", UserID: "cy", SelfMute: true, Mic: protocol.MicHeld})
	tell(protocol.ChannelEventLeave, "room", "bo")
	waitFor(t, "cy came and bo went", func() bool { return names() == "ada cy (muted) " })
	require.Equal(t, protocol.MicHeld, call.Members()[1].Mic)
	require.Equal(t, "bo", before[0].UserID, "snapshots do not change")

	conn.event(protocol.OpChannelEvent, protocol.ChannelEvent{
		Event: protocol.ChannelEventUpdate, ChannelID: "room", Channel: &protocol.ChannelInfo{ChannelName: "Den"},
	})
	waitFor(t, "the channel is renamed", func() bool { return call.Joined().ChannelName == "Den" })
}

func TestCallEnds(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		do   func(*fakeConn, *fakePeer, *Client)
		want error
	}{
		"removed": {func(conn *fakeConn, _ *fakePeer, _ *Client) {
			conn.event(protocol.OpChannelEvent, protocol.ChannelEvent{
				Event: protocol.ChannelEventLeave, ChannelID: "room",
				Member: &protocol.Member{UserID: "ada"}, Cause: protocol.LeaveMediaTimeout,
			})
		}, ErrRemoved},
		"deleted": {func(conn *fakeConn, peer *fakePeer, _ *Client) {
			peer.hangUp(t) // the server hangs up first and then says why
			conn.event(protocol.OpChannelEvent, protocol.ChannelEvent{
				Event: protocol.ChannelEventDelete, ChannelID: "room",
			})
		}, ErrChannelDeleted},
		"deleted by us": {func(_ *fakeConn, _ *fakePeer, c *Client) {
			_ = c.DeleteChannel(context.Background(), "room")
		}, ErrChannelDeleted},
		"media gone": {func(_ *fakeConn, peer *fakePeer, _ *Client) {
			peer.hangUp(t)
		}, ErrMediaLost},
		"closed": {func(_ *fakeConn, _ *fakePeer, c *Client) { c.Close() }, ErrClosed},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			room := newFakeRoom(t)
			c := room.dial(Options{Token: "ada", Engine: testEngine(t), NoReconnect: true})
			call, err := c.Join(testContext(t), "room", JoinOptions{})
			require.NoError(t, err)
			test.do(<-room.conns, <-room.peers, c)
			select {
			case <-call.Done():
			case <-time.After(testTimeout):
				t.Fatal("the call does not end")
			}
			require.ErrorIs(t, call.Err(), test.want)
			<-call.torn
			if !errors.Is(test.want, ErrClosed) {
				require.NoError(t, c.Err(), "the session goes on")
				_, err = c.Join(testContext(t), "room", JoinOptions{})
				require.NoError(t, err)
			}
		})
	}
}

func TestSessionEndEndsTheCall(t *testing.T) {
	t.Parallel()
	room := newFakeRoom(t)
	c := room.dial(Options{Token: "ada", Engine: testEngine(t)})
	call, err := c.Join(testContext(t), "room", JoinOptions{})
	require.NoError(t, err)
	(<-room.conns).bye(protocol.CloseReplaced)
	_, _, err = call.Slots()[0].ReadOpus(testContext(t), nil)
	var closed *CloseError
	require.ErrorAs(t, err, &closed)
	require.Equal(t, protocol.CloseReplaced, closed.Code)
}

func TestJoinRefusedAndAbandoned(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	left := make(chan struct{}, 1)
	srv := newFake(t, func(c *fakeConn) {
		c.each(func(f protocol.Frame) {
			var d protocol.ChannelRef
			require.NoError(t, f.Bind(&d))
			switch {
			case f.Op == protocol.OpChannelLeave:
				left <- struct{}{}
				c.refuse(f, protocol.CodeNotInChannel)
			case d.ChannelID == "slow":
				<-hold
				c.ack(f, protocol.Joined{ChannelID: "slow", SDPAnswer: "too late to matter"})
			case d.ChannelID == "nonsense":
				c.ack(f, protocol.Joined{ChannelID: "nonsense", SDPAnswer: "v=oops"})
			default:
				c.refuse(f, protocol.CodeChannelFull)
			}
		})
	})
	c := srv.dial(Options{Token: "ada", Engine: testEngine(t)})

	_, err := c.Join(testContext(t), "full", JoinOptions{})
	var refused *protocol.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, protocol.CodeChannelFull, refused.Code)

	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = c.Join(ctx, "slow", JoinOptions{})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	close(hold)
	<-left // the client undoes what the server does later

	_, err = c.Join(testContext(t), "nonsense", JoinOptions{})
	require.Error(t, err)
	require.False(t, errors.As(err, new(*protocol.Error)) && refused == nil)
	<-left
	require.NoError(t, c.Err())
}

func TestNotConnectedYet(t *testing.T) {
	t.Parallel()
	room := newFakeRoom(t)
	// Nothing can be sent: there is no local address to send it from.
	engine, err := NewEngine(EngineConfig{Adjust: func(s *webrtc.SettingEngine) {
		s.SetInterfaceFilter(func(string) bool { return false })
	}})
	require.NoError(t, err)
	c := room.dial(Options{Token: "ada", Engine: engine})
	call, err := c.Join(testContext(t), "room", JoinOptions{NoWait: true})
	require.NoError(t, err)
	require.ErrorIs(t, call.WriteOpus(opusFrame(1), 0), ErrNotConnected)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, call.WaitConnected(ctx), context.DeadlineExceeded)
	require.NoError(t, call.Leave(testContext(t)))

	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = c.Join(ctx, "room", JoinOptions{})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Nil(t, c.Call())
}
