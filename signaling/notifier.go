package signaling

import (
	"time"

	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// notifier turns the media plane's events into frames. It implements sfu.Notifier and
// therefore only queues. A panic in it goes no further, because a channel is locked.
type notifier struct{ gw *Gateway }

// Notify implements sfu.Notifier.
func (n *notifier) Notify(userIDs []string, except string, event sfu.Event) {
	if n.gw.ending.Load() {
		return
	}
	n.gw.guard("notifier", func() {
		n.gw.lookout.note(event)
		if encoded := n.encode(event); encoded != nil {
			n.gw.users.BroadcastTo(userIDs, encoded, except)
		}
	})
}

// NotifyAll implements sfu.Notifier.
func (n *notifier) NotifyAll(except string, event sfu.Event) {
	if n.gw.ending.Load() {
		return
	}
	n.gw.guard("notifier", func() {
		n.gw.lookout.note(event)
		switch e := event.(type) {
		case sfu.ChannelCreated:
			n.tellOf(protocol.ChannelEventCreate, e.Channel, except)
			return
		case sfu.ChannelUpdated:
			n.tellOf(protocol.ChannelEventUpdate, e.Channel, except)
			return
		case sfu.ChannelDeleted:
			n.tellGone(sfu.ChannelInfo{ID: e.ChannelID, OwnerID: e.OwnerID, Settings: sfu.Settings{Access: e.Access}}, event, except)
			return
		}
		if encoded := n.encode(event); encoded != nil {
			n.gw.users.BroadcastAll(encoded, except)
		}
	})
}

// tellOf tells everybody but one of a channel, and each what they may do there. It is encoded once for all who may do the same.
func (n *notifier) tellOf(event protocol.ChannelEventKind, c sfu.ChannelInfo, except string) {
	told := make(map[rights][]*outbox)
	for _, s := range n.gw.users.All() {
		if s.userID != except && s.sees(&c) {
			may := s.rightsIn(&c)
			told[may] = append(told[may], s.out)
		}
	}
	for may, outboxes := range told {
		encoded := n.encodeAs(protocol.OpChannelEvent, protocol.ChannelEvent{
			Event: event, ChannelID: c.ID, Channel: new(wireChannel(c, may)),
		})
		if encoded != nil {
			tell(outboxes, encoded)
		}
	}
}

// tellGone tells everybody who could know of a channel, but one, that it is there no more.
func (n *notifier) tellGone(c sfu.ChannelInfo, event sfu.Event, except string) {
	encoded := n.encode(event)
	if encoded == nil {
		return
	}
	var outboxes []*outbox
	for _, s := range n.gw.users.All() {
		if s.userID != except && s.sees(&c) {
			outboxes = append(outboxes, s.out)
		}
	}
	tell(outboxes, encoded)
}

func (n *notifier) encode(event sfu.Event) *protocol.Body {
	op, payload := n.wireFloorEvent(event)
	return n.encodeAs(op, payload)
}

func (n *notifier) encodeAs(op protocol.Op, payload any) *protocol.Body {
	encoded, err := protocol.EncodeBody(op, payload)
	if err != nil {
		n.gw.log.Error("event lost", zap.Error(err))
		return nil
	}
	return encoded
}

func wireEvent(event sfu.Event) (protocol.Op, any) {
	switch e := event.(type) {
	case sfu.MemberJoined:
		return protocol.OpChannelEvent, protocol.ChannelEvent{
			Event: protocol.ChannelEventJoin, ChannelID: e.ChannelID, Member: new(wireMember(e.Member)),
		}
	case sfu.MemberLeft:
		return protocol.OpChannelEvent, protocol.ChannelEvent{
			Event: protocol.ChannelEventLeave, ChannelID: e.ChannelID,
			Member: new(wireMember(e.Member)), Cause: wireCause(e.Cause),
		}
	case sfu.ConnectionChanged:
		return protocol.OpChannelEvent, protocol.ChannelEvent{
			Event: protocol.ChannelEventConnection, ChannelID: e.ChannelID, Member: new(wireMember(e.Member)),
		}
	case sfu.VoiceStateChanged:
		return protocol.OpVoiceStateEvent, wireVoiceState(e.ChannelID, e.Member)
	case sfu.StageChanged:
		return protocol.OpChannelEvent, wireStage(e)
	case sfu.MediaStateChanged:
		return protocol.OpMediaState, protocol.MediaState{
			ChannelID: e.ChannelID, UserID: e.Member.UserID, State: wireMedia(e.Member),
		}
	case sfu.SlotsChanged:
		return protocol.OpSlotMap, protocol.SlotMap{ChannelID: e.ChannelID, Slots: wireSlots(e.Slots)}
	case sfu.ListeningChanged:
		return protocol.OpListening, wireListening(e.Listening)
	case sfu.SpeakersChanged:
		return protocol.OpSpeakers, protocol.Speakers{ChannelID: e.ChannelID, Speakers: wireSpeakers(e.Speakers)}
	case sfu.ChannelDeleted:
		return protocol.OpChannelEvent, protocol.ChannelEvent{
			Event: protocol.ChannelEventDelete, ChannelID: e.ChannelID,
		}
	default:
		// A new kind of event without a case here is a bug that the first test of it meets.
		panic("signaling: event without a frame")
	}
}

func wireCause(cause sfu.LeaveCause) protocol.LeaveCause {
	switch cause {
	case sfu.LeaveLeft, sfu.LeaveHungUp:
		return protocol.LeaveLeft
	case sfu.LeaveMediaFailed:
		return protocol.LeaveMediaFailed
	case sfu.LeaveMediaTimeout:
		return protocol.LeaveMediaTimeout
	case sfu.LeaveMoved:
		return protocol.LeaveMoved
	case sfu.LeaveKicked:
		return protocol.LeaveKicked
	default:
		return protocol.LeaveGone
	}
}

func wireMember(m sfu.MemberInfo) protocol.Member {
	connection := protocol.ConnectionOK
	if m.Unstable {
		connection = protocol.ConnectionUnstable
	}
	return protocol.Member{
		Connection: connection, Media: wireMedia(m),
		UserID: m.UserID, Name: m.Name, SelfMute: m.SelfMute, SelfDeaf: m.SelfDeaf, Muted: m.Muted, Talker: m.Talker,
		Suppressed: m.Suppressed, HandAt: wireHand(m.HandAt), Role: m.Role,
		Mic: protocol.Mic(m.Devices.Mic), Sound: protocol.Sound(m.Devices.Sound),
	}
}

// wireVoiceState is what others know of a member's voice; channelID is empty of one who is in none.
func wireVoiceState(channelID string, m sfu.MemberInfo) protocol.VoiceStateEvent {
	return protocol.VoiceStateEvent{
		ChannelID: channelID, UserID: m.UserID, SelfMute: m.SelfMute, SelfDeaf: m.SelfDeaf, Muted: m.Muted,
		Suppressed: m.Suppressed, HandAt: wireHand(m.HandAt), Role: m.Role,
		Mic: protocol.Mic(m.Devices.Mic), Sound: protocol.Sound(m.Devices.Sound),
	}
}

// wireHand is since when a hand is raised; 0: it is not.
func wireHand(since time.Time) int64 {
	if since.IsZero() {
		return 0
	}
	return since.UnixMilli()
}

func wireStage(e sfu.StageChanged) protocol.ChannelEvent {
	wire := protocol.ChannelEvent{Event: protocol.ChannelEventStage, ChannelID: e.ChannelID, Suppressed: e.Suppressed}
	for _, h := range e.Hands {
		wire.Hands = append(wire.Hands, protocol.RaisedHand{UserID: h.UserID, HandAt: wireHand(h.At)})
	}
	return wire
}

func wireMedia(m sfu.MemberInfo) protocol.Media {
	switch {
	case m.MediaLost:
		return protocol.MediaLost
	case m.Apart:
		return protocol.MediaApart
	}
	return protocol.MediaOK
}

func wireMembers(members []sfu.MemberInfo) []protocol.Member {
	wire := make([]protocol.Member, len(members))
	for i, m := range members {
		wire[i] = wireMember(m)
	}
	return wire
}

func wireSlots(slots []sfu.SlotInfo) []protocol.Slot {
	wire := make([]protocol.Slot, len(slots))
	for i, slot := range slots {
		wire[i] = protocol.Slot{
			Slot: i, MID: slot.MID, SSRC: slot.SSRC, Name: slot.Name, ChannelID: slot.ChannelID, ChannelName: slot.ChannelName,
		}
		if slot.UserID != "" {
			wire[i].UserID = &slot.UserID
		}
	}
	return wire
}

func wireSpeakers(speakers []sfu.SpeakerInfo) []protocol.Speaker {
	wire := make([]protocol.Speaker, len(speakers))
	for i, s := range speakers {
		wire[i] = protocol.Speaker{UserID: s.UserID, Level: s.Level}
	}
	return wire
}

// wireChannel is a channel as the session's client is told of it.
func (s *Session) wireChannel(c sfu.ChannelInfo) protocol.ChannelInfo {
	return wireChannel(c, s.rightsIn(&c))
}

func wireChannel(c sfu.ChannelInfo, may rights) protocol.ChannelInfo {
	wire := protocol.ChannelInfo{
		May:       may.wire(),
		ChannelID: c.ID, ChannelName: c.Name, Mode: protocol.Mode(c.Mode), OwnerID: c.OwnerID,
		Capacity: c.Capacity, MemberCount: c.MemberCount, CreatedAt: c.CreatedAt.UnixMilli(),
		Topic: c.Topic, Access: protocol.Access(c.Access), Position: c.Position, Speaking: protocol.Speaking(c.Speaking),
	}
	if c.Keep.Count >= 0 {
		wire.KeepMessages = &c.Keep.Count
	}
	if c.Keep.For >= 0 {
		wire.KeepForMS = new(c.Keep.For.Milliseconds())
	}
	if c.Floor != sfu.FloorByDefault() {
		wire.Floor = new(wireFloorSettings(c.Floor))
	}
	return wire
}
