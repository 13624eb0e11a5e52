package e2e

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

func TestGatewayHelloAndReady(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) { c.Slots = 5; c.MessageLength = 77 })
	token, userID := guest(t, s, "  Ada  ")
	c := dial(t, s)
	var ready protocol.Ready
	c.reply(protocol.OpIdentify, protocol.Identify{Token: token, UserID: userID, V: 1, Client: "test"}, protocol.OpReady, &ready)
	require.Equal(t, 1, ready.V)
	require.Equal(t, "Ada", ready.Name)
	require.NotEmpty(t, ready.SessionID)
	require.NotNil(t, ready.ICEServers)
	require.Equal(t, 5, ready.Limits.Slots)
	require.Equal(t, 77, ready.Limits.MessageChars)
	c.fails(protocol.OpIdentify, protocol.Identify{Token: token, V: 1}, protocol.CodeAlreadyIdentified)
}

func TestGatewayChannelsFromCreateToDelete(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	ada, adaID := identify(t, s, "Ada")
	bob, _ := identify(t, s, "Bob")
	bob.quiet() // READY came just before he is told things

	var list protocol.ChannelList
	ada.ack(protocol.OpChannelList, struct{}{}, &list)
	require.Len(t, list.Channels, 1)
	require.Equal(t, "lobby", list.Channels[0].ChannelID)

	var made protocol.ChannelInfo
	ada.ack(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: "den", ChannelName: " The Den ", Capacity: 2}, &made)
	require.Equal(t, protocol.ChannelInfo{
		ChannelID: "den", ChannelName: "The Den", Mode: protocol.ModeConference, Capacity: 2,
		CreatedAt: made.CreatedAt, OwnerID: adaID, Access: protocol.AccessOpen, Speaking: protocol.SpeakingAll,
		May: []protocol.Right{"enter", "publish", "chat", "moderate", "change"},
	}, made)
	require.InDelta(t, time.Now().UnixMilli(), made.CreatedAt, 60_000)
	var event protocol.ChannelEvent
	bob.event(protocol.OpChannelEvent, &event)
	told := made
	told.May = []protocol.Right{"enter", "publish", "chat"} // Bob
	require.Equal(t, protocol.ChannelEvent{Event: protocol.ChannelEventCreate, ChannelID: "den", Channel: &told}, event)
	ada.quiet()
	ada.fails(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: "den"}, protocol.CodeChannelExists)

	bob.fails(protocol.OpChannelUpdate, protocol.ChannelUpdate{ChannelID: "den", Capacity: new(9)}, protocol.CodeAccessDenied)
	bob.fails(protocol.OpChannelDelete, protocol.ChannelRef{ChannelID: "den"}, protocol.CodeAccessDenied)
	ada.fails(protocol.OpChannelDelete, protocol.ChannelRef{ChannelID: "lobby"}, protocol.CodeAccessDenied)

	ada.ack(protocol.OpChannelUpdate, protocol.ChannelUpdate{ChannelID: "den", ChannelName: new("Cave")}, &made)
	require.Equal(t, "Cave", made.ChannelName)
	require.Equal(t, 2, made.Capacity)
	bob.event(protocol.OpChannelEvent, &event)
	require.Equal(t, protocol.ChannelEventUpdate, event.Event)
	require.Equal(t, "Cave", event.Channel.ChannelName)

	bob.fails(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: "cave", ChannelName: "C\u0430ve"}, protocol.CodeChannelNameTaken)
	bob.fails(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: "Lobby"}, protocol.CodeChannelNameTaken)
	ada.fails(protocol.OpChannelUpdate, protocol.ChannelUpdate{ChannelID: "den", ChannelName: new("LOBBY")}, protocol.CodeChannelNameTaken)
	ada.ack(protocol.OpChannelUpdate, protocol.ChannelUpdate{ChannelID: "den", ChannelName: new("CAVE")}, &made)
	bob.event(protocol.OpChannelEvent, &event)
	require.Equal(t, "CAVE", event.Channel.ChannelName)

	bob.joinChannel("den")
	var detail protocol.ChannelDetail
	ada.ack(protocol.OpChannelInfo, protocol.ChannelRef{ChannelID: "den"}, &detail)
	require.Equal(t, 1, detail.MemberCount)
	require.Equal(t, "Bob", detail.ActiveMembers[0].Name)

	var ref protocol.ChannelRef
	ada.ack(protocol.OpChannelDelete, protocol.ChannelRef{ChannelID: "den"}, &ref)
	require.Equal(t, "den", ref.ChannelID)
	bob.event(protocol.OpChannelEvent, &event)
	require.Equal(t, protocol.ChannelEventDelete, event.Event)
	bob.fails(protocol.OpChannelLeave, ref, protocol.CodeChannelNotFound)
	bob.joinChannel("lobby")
}

func TestGatewayJoinAndLeaveAreTold(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) { c.ResumeWindow = 0 })
	ada, adaID := identify(t, s, "Ada")
	bob, bobID := identify(t, s, "Bob")

	first := ada.joinChannel("lobby")
	require.Equal(t, []protocol.Member{{UserID: adaID, Name: "Ada", Role: "guest", Talker: true, Connection: protocol.ConnectionOK, Media: protocol.MediaOK}}, first.ActiveMembers)
	require.Equal(t, "lobby", first.ChannelName)
	require.Len(t, first.Slots, 2)
	require.Nil(t, first.Slots[0].UserID)
	require.Contains(t, first.SDPAnswer, "a=ice-lite")
	require.Contains(t, first.SDPAnswer, "a=setup:passive")
	require.Equal(t, 1, strings.Count(first.SDPAnswer, "a=recvonly"))
	require.Equal(t, 2, strings.Count(first.SDPAnswer, "a=sendonly"))
	require.Contains(t, first.SDPAnswer, "useinbandfec=1")

	second := bob.joinChannel("lobby")
	require.Len(t, second.ActiveMembers, 2)
	require.Equal(t, adaID, *second.Slots[0].UserID)
	bob.quiet()

	var event protocol.ChannelEvent
	ada.event(protocol.OpChannelEvent, &event)
	require.Equal(t, protocol.ChannelEventJoin, event.Event)
	require.Equal(t, &protocol.Member{UserID: bobID, Name: "Bob", Role: "guest", Talker: true, Connection: protocol.ConnectionOK, Media: protocol.MediaOK}, event.Member)
	var slots protocol.SlotMap
	ada.event(protocol.OpSlotMap, &slots)
	require.Equal(t, protocol.SlotMap{ChannelID: "lobby", Slots: []protocol.Slot{
		{Slot: 0, MID: first.Slots[0].MID, UserID: &bobID}, {Slot: 1, MID: first.Slots[1].MID},
	}}, slots)

	bob.fails(protocol.OpChannelJoin, protocol.ChannelJoin{ChannelID: "lobby", SDPOffer: offer(t, 1, 1)},
		protocol.CodeAlreadyInChannel)
	bob.ack(protocol.OpChannelLeave, protocol.ChannelRef{ChannelID: "lobby"}, nil)
	ada.event(protocol.OpChannelEvent, &event)
	require.Equal(t, protocol.ChannelEventLeave, event.Event)
	require.Equal(t, bobID, event.Member.UserID)
	require.Equal(t, protocol.LeaveLeft, event.Cause)
	ada.event(protocol.OpSlotMap, &slots)
	require.Nil(t, slots.Slots[0].UserID)
	bob.fails(protocol.OpChannelLeave, protocol.ChannelRef{ChannelID: "lobby"}, protocol.CodeNotInChannel)
	bob.quiet()

	third := bob.joinChannel("lobby")
	require.Len(t, third.ActiveMembers, 2)
	require.NoError(t, bob.conn.Close())
	ada.event(protocol.OpChannelEvent, &event)
	require.Equal(t, protocol.ChannelEventJoin, event.Event)
	ada.event(protocol.OpChannelEvent, &event)
	require.Equal(t, protocol.LeaveGone, event.Cause)
}

func TestGatewayEventsAreNumberedFromOne(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	ada, _ := identify(t, s, "Ada")
	bob, _ := identify(t, s, "Bob")
	ada.joinChannel("lobby")
	for range 3 {
		bob.joinChannel("lobby")
		bob.ack(protocol.OpChannelLeave, protocol.ChannelRef{ChannelID: "lobby"}, nil)
	}
	for want := uint64(1); want <= 12; want++ {
		require.Equal(t, want, ada.read().S)
	}
	ada.reply(protocol.OpHeartbeat, protocol.Heartbeat{S: 12}, protocol.OpHeartbeatAck, nil)
	ada.fails(protocol.OpHeartbeat, protocol.Heartbeat{S: 13}, protocol.CodeInvalidPayload)
	require.Equal(t, protocol.CloseBadSequence, ada.closed())
}

func TestGatewayMessages(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) { c.MessageLength = 5 })
	ada, adaID := identify(t, s, "Ada")
	bob, _ := identify(t, s, "Bob")
	eve, _ := identify(t, s, "Eve")
	ada.joinChannel("lobby")
	bob.joinChannel("lobby")

	var made protocol.MessageCreated
	ada.ack(protocol.OpMessageCreate, protocol.MessageCreate{ChannelID: "lobby", Content: "안녕하세요"}, &made)
	var event protocol.MessageEvent
	bob.event(protocol.OpMessageEvent, &event)
	require.Equal(t, protocol.MessageEvent{
		MessageID: made.MessageID, ChannelID: "lobby", AuthorID: adaID, AuthorName: "Ada",
		Content: "안녕하세요", Timestamp: made.Timestamp,
	}, event)
	require.NotEmpty(t, made.MessageID)
	eve.quiet()
	ada.fails(protocol.OpMessageCreate, protocol.MessageCreate{ChannelID: "lobby", Content: " \n\t"}, protocol.CodeEmptyMessage)
	ada.fails(protocol.OpMessageCreate, protocol.MessageCreate{ChannelID: "lobby", Content: "sechs!"}, protocol.CodeMessageTooLong)
	ada.fails(protocol.OpMessageCreate, protocol.MessageCreate{ChannelID: "none", Content: "a"}, protocol.CodeChannelNotFound)
	eve.fails(protocol.OpMessageCreate, protocol.MessageCreate{ChannelID: "lobby", Content: "a"}, protocol.CodeMessageElsewhere)
	bob.quiet()
}

func TestGatewayVoiceState(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	ada, adaID := identify(t, s, "Ada")
	bob, _ := identify(t, s, "Bob")
	var state protocol.VoiceStateEvent
	ada.ack(protocol.OpVoiceState, protocol.VoiceState{SelfMute: new(true)}, &state)
	require.Equal(t, protocol.VoiceStateEvent{UserID: adaID, SelfMute: true}, state)
	require.True(t, ada.joinChannel("lobby").ActiveMembers[0].SelfMute, "it lasts for the session")
	require.True(t, bob.joinChannel("lobby").ActiveMembers[0].SelfMute, "late joiners see it")

	ada.ack(protocol.OpVoiceState, protocol.VoiceState{SelfMute: new(false), SelfDeaf: new(true)}, &state)
	want := protocol.VoiceStateEvent{ChannelID: "lobby", UserID: adaID, Role: "guest", SelfMute: true, SelfDeaf: true}
	require.Equal(t, want, state)
	bob.event(protocol.OpVoiceStateEvent, &state)
	// Between: true,false → true,true. Deaf implies mute, so only self_deaf changed.
	require.Equal(t, want, state)

	// Late joiners see everyone's state in the ACK: the deaf, the muted and the others.
	seen := func(c *raw) (flags [][2]bool) {
		for _, m := range c.joinChannel("lobby").ActiveMembers {
			flags = append(flags, [2]bool{m.SelfMute, m.SelfDeaf})
		}
		return flags
	}
	cyd, _ := identify(t, s, "Cyd")
	cyd.ack(protocol.OpVoiceState, protocol.VoiceState{SelfMute: new(true)}, &state)
	require.Equal(t, [][2]bool{{true, true}, {false, false}, {true, false}}, seen(cyd))

	ada.ack(protocol.OpVoiceState, protocol.VoiceState{SelfDeaf: new(false)}, &state)
	require.False(t, state.SelfMute)
	bob.event(protocol.OpVoiceStateEvent, &state)
	require.False(t, state.SelfDeaf)
	dan, _ := identify(t, s, "Dan")
	require.Equal(t, [][2]bool{{false, false}, {false, false}, {true, false}, {false, false}}, seen(dan))
}

func TestGatewayDevices(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	ada, adaID := identify(t, s, "Ada")
	bob, _ := identify(t, s, "Bob")
	var state protocol.VoiceStateEvent
	lost, blocked := protocol.MicLost, protocol.SoundBlocked
	ada.ack(protocol.OpVoiceState, protocol.VoiceState{Mic: &lost}, &state)
	require.Equal(t, protocol.VoiceStateEvent{UserID: adaID, Mic: lost}, state)
	require.Equal(t, lost, ada.joinChannel("lobby").ActiveMembers[0].Mic, "it lasts for the session")
	require.Equal(t, lost, bob.joinChannel("lobby").ActiveMembers[0].Mic, "late joiners see it")

	ada.ack(protocol.OpVoiceState, protocol.VoiceState{Sound: &blocked}, &state)
	want := protocol.VoiceStateEvent{ChannelID: "lobby", UserID: adaID, Role: "guest", Mic: lost, Sound: blocked}
	require.Equal(t, want, state, "what is absent stays")
	bob.event(protocol.OpVoiceStateEvent, &state)
	require.Equal(t, want, state)
	ada.ack(protocol.OpVoiceState, protocol.VoiceState{Sound: &blocked}, &state)
	bob.quiet()

	ada.fails(protocol.OpVoiceState, map[string]any{"mic": "warm", "sound": "ok", "self_mute": true}, protocol.CodeInvalidPayload)
	ada.fails(protocol.OpVoiceState, map[string]any{"sound": "held"}, protocol.CodeInvalidPayload)
	bob.quiet() // a refused request changes nothing
	state = protocol.VoiceStateEvent{}
	ada.ack(protocol.OpVoiceState, protocol.VoiceState{Mic: new(protocol.MicOK), Sound: new(protocol.SoundOK)}, &state)
	require.Equal(t, protocol.VoiceStateEvent{ChannelID: "lobby", UserID: adaID, Role: "guest"}, state)
	var told map[string]any
	bob.event(protocol.OpVoiceStateEvent, &told)
	require.NotContains(t, told, "mic", "absent while all is well")
	require.NotContains(t, told, "sound")
}

func TestGatewaySubscribe(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	ada, _ := identify(t, s, "Ada")
	_, bobID := identify(t, s, "Bob")
	var lists protocol.Subscribe
	ada.ack(protocol.OpSubscribe, struct{}{}, &lists)
	require.Equal(t, protocol.Subscribe{Pin: []string{}, Exclude: []string{}}, lists, "empty, not null")
	ada.ack(protocol.OpSubscribe, protocol.Subscribe{Pin: []string{bobID, "nobody"}}, &lists)
	require.Equal(t, protocol.Subscribe{Pin: []string{bobID, "nobody"}, Exclude: []string{}}, lists)
	ada.joinChannel("lobby")
	ada.ack(protocol.OpSubscribe, protocol.Subscribe{Exclude: []string{bobID}}, &lists)
	require.Equal(t, []string{bobID, "nobody"}, lists.Pin, "what is absent stays")
	require.Equal(t, []string{bobID}, lists.Exclude)
	ada.ack(protocol.OpSubscribe, protocol.Subscribe{Pin: []string{}, Exclude: []string{}}, &lists)
	require.Equal(t, protocol.Subscribe{Pin: []string{}, Exclude: []string{}}, lists)
}

// What follows from SUBSCRIBE is told after its reply.
func TestGatewaySubscribeIsAnsweredBeforeTheSlotMap(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	ada, _ := identify(t, s, "Ada")
	bob, bobID := identify(t, s, "Bob")
	bob.joinChannel("lobby")
	ada.joinChannel("lobby")
	for range 20 {
		for _, excluded := range [][]string{{bobID}, {}} {
			ada.request(protocol.OpSubscribe, protocol.Subscribe{Exclude: excluded})
			require.Equal(t, protocol.OpAck, ada.read().Op)
			frame := ada.read()
			require.Equal(t, protocol.OpSlotMap, frame.Op)
			var slots protocol.SlotMap
			require.NoError(t, frame.Bind(&slots))
			require.Equal(t, len(excluded) == 1, slots.Slots[0].UserID == nil)
		}
	}
}

func TestGatewayTakeover(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	token, userID := guest(t, s, "Ada")
	bob, _ := identify(t, s, "Bob")
	identifyAs := func() *raw {
		c := dial(t, s)
		c.reply(protocol.OpIdentify, protocol.Identify{Token: token, V: 1}, protocol.OpReady, nil)
		return c
	}
	old := identifyAs()
	old.joinChannel("lobby")
	bob.joinChannel("lobby")
	newer := identifyAs()
	require.Equal(t, protocol.CloseReplaced, old.closed())
	var event protocol.ChannelEvent
	bob.event(protocol.OpChannelEvent, &event)
	require.Equal(t, protocol.LeaveGone, event.Cause)
	require.Equal(t, userID, event.Member.UserID)
	require.Len(t, newer.joinChannel("lobby").ActiveMembers, 2)
	bob.event(protocol.OpChannelEvent, &event)
	require.Equal(t, protocol.ChannelEventJoin, event.Event)
}

// Who is told that its session has ended is out of its channel by then: what it does of itself now, such as ending its
// media, is no longer why.
func TestGatewayToldOfTheEndAfterIt(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	token, _ := guest(t, s, "Ada")
	bob, bobID := identify(t, s, "Bob")
	bob.joinChannel("lobby")
	identifyAs := func() *raw {
		c := dial(t, s)
		c.request(protocol.OpIdentify, protocol.Identify{Token: token, V: 1})
		return c
	}
	old := identifyAs()
	require.Equal(t, protocol.OpReady, old.read().Op)
	for range 10 {
		old.joinChannel("lobby")
		newer := identifyAs()
		require.Equal(t, protocol.CloseReplaced, old.closed())
		var detail protocol.ChannelDetail
		bob.ack(protocol.OpChannelInfo, protocol.ChannelRef{ChannelID: "lobby"}, &detail)
		require.Len(t, detail.ActiveMembers, 1)
		require.Equal(t, bobID, detail.ActiveMembers[0].UserID)
		require.Equal(t, protocol.OpReady, newer.read().Op)
		old = newer
	}
}

// Twenty sessions of one user at once: each but one is told that it was replaced, and
// the channel ends with at most one of them.
func TestGatewayTakeoverRace(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	token, userID := guest(t, s, "Ada")
	var all sync.WaitGroup
	var replaced atomic.Int32
	offered := offer(t, 1, 1)
	conns := make([]*raw, 20)
	for i := range conns {
		c := dial(t, s)
		conns[i] = c
		all.Go(func() {
			c.request(protocol.OpIdentify, protocol.Identify{Token: token, V: 1})
			c.request(protocol.OpChannelJoin, protocol.ChannelJoin{ChannelID: "lobby", SDPOffer: offered})
			for {
				if _, _, err := c.conn.ReadMessage(); err != nil {
					if websocket.IsCloseError(err, int(protocol.CloseReplaced)) {
						replaced.Add(1)
					}
					return
				}
			}
		})
	}
	eventually(t, "all but one are replaced", func() bool { return replaced.Load() >= 19 })
	for _, c := range conns {
		_ = c.conn.SetReadDeadline(time.Now().Add(500 * time.Millisecond)) // in which the last one may end, too
	}
	all.Wait()
	require.EqualValues(t, 19, replaced.Load())
	observer, _ := identify(t, s, "Bob")
	var detail protocol.ChannelDetail
	observer.ack(protocol.OpChannelInfo, protocol.ChannelRef{ChannelID: "lobby"}, &detail)
	require.Len(t, detail.ActiveMembers, 1)
	require.Equal(t, userID, detail.ActiveMembers[0].UserID)
}

// A member that stops reading is disconnected; the others do not notice.
func TestGatewaySlowConsumerDisturbsNobody(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) {
		c.EgressQueue = 16
		c.KeepMessages = 0 // thousands of them, without the disk
		c.RequestRate, c.RequestBurst = 100_000, 100_000
	})
	ada, _ := identify(t, s, "Ada")
	slow, slowID := identify(t, s, "Slow")
	bob, _ := identify(t, s, "Bob")
	for _, c := range []*raw{ada, slow, bob} {
		c.joinChannel("lobby")
	}
	content := strings.Repeat("x", 2000)
	sent := 0
	var left protocol.ChannelEvent
	for deadline := time.Now().Add(patience); left.Event != protocol.ChannelEventLeave; sent++ {
		require.True(t, time.Now().Before(deadline), "the slow member was never disconnected")
		ada.ack(protocol.OpMessageCreate, protocol.MessageCreate{ChannelID: "lobby", Content: content}, nil)
		var message protocol.MessageEvent
		bob.event(protocol.OpMessageEvent, &message)
		for _, frame := range ada.events {
			if frame.Op == protocol.OpChannelEvent {
				require.NoError(t, frame.Bind(&left))
			}
		}
		ada.events = nil
	}
	require.Equal(t, slowID, left.Member.UserID)
	require.Equal(t, protocol.CloseSlowConsumer, slow.closed())
	t.Logf("disconnected after %d messages", sent)
}

// quickReaper makes silence count soon.
func quickReaper(c *app.Config) {
	c.HeartbeatInterval, c.ZombieTimeout, c.ReaperInterval = 200*time.Millisecond, 500*time.Millisecond, 50*time.Millisecond
}

func TestGatewayMediaTimeoutIsToldToTheMember(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, quickReaper)
	ada, adaID := identify(t, s, "Ada")
	ada.joinChannel("lobby") // and never connects media
	var event protocol.ChannelEvent
	ada.event(protocol.OpChannelEvent, &event)
	require.Equal(t, protocol.ChannelEventLeave, event.Event)
	require.Equal(t, protocol.LeaveMediaTimeout, event.Cause)
	require.Equal(t, adaID, event.Member.UserID)
	ada.fails(protocol.OpChannelLeave, protocol.ChannelRef{ChannelID: "lobby"}, protocol.CodeNotInChannel)
	ada.joinChannel("lobby")
}

func TestGatewayZombieIsClosedWithTimedOut(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, quickReaper)
	c, _ := identify(t, s, "Ada")
	c.joinChannel("lobby")
	c.conn.SetPingHandler(func(string) error { return nil })
	require.Equal(t, protocol.CloseTimedOut, c.closed())
	observer, _ := identify(t, s, "Bob")
	eventually(t, "the zombie to be out of the channel", func() bool {
		var detail protocol.ChannelDetail
		observer.ack(protocol.OpChannelInfo, protocol.ChannelRef{ChannelID: "lobby"}, &detail)
		return len(detail.ActiveMembers) == 0
	})
}

func TestGatewayPongKeepsAlive(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) {
		c.HeartbeatInterval, c.ZombieTimeout, c.ReaperInterval = 500*time.Millisecond, 4*time.Second, 20*time.Millisecond
	})
	c, _ := identify(t, s, "Ada")
	// Reading answers pings by itself.
	_ = c.conn.SetReadDeadline(time.Now().Add(9 * time.Second))
	_, _, err := c.conn.ReadMessage()
	require.ErrorContains(t, err, "timeout", "still open after two zombie timeouts")
}

func TestGatewayShutdownTellsEveryone(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	ada, _ := identify(t, s, "Ada")
	ada.joinChannel("lobby")
	stranger := dial(t, s)
	s.stop()
	require.Equal(t, protocol.CloseRestarting, ada.closed())
	require.Equal(t, protocol.CloseRestarting, stranger.closed())
}
