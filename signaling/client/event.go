package client

import (
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// defaultEventBuffer is how many events wait for a reader of Events. A busy channel
// makes a few a second, so this is the better part of a minute.
const defaultEventBuffer = 64

// Event is something the server told without being asked.
type Event struct {
	Op protocol.Op
	// S is the event's number in the session, 0 for those of the client's own and for those that
	// have none.
	S uint64
	// Payload is one of *protocol.ChannelEvent, *protocol.MessageEvent, *protocol.MessageChange,
	// *protocol.VoiceStateEvent, *protocol.Speakers, *protocol.SlotMap,
	// *protocol.MediaState, *protocol.Listen, *protocol.ModerationEvent, *protocol.ICEServers, *protocol.Reconnect, *protocol.PlaybackWanted, which the client answers by itself, *protocol.Presence, *PresenceSnapshot,
	// *protocol.FloorGranted, *protocol.FloorDeny, *protocol.FloorTaken, *protocol.FloorIdle, *protocol.FloorRevoke, which is a warning while it
	// has a GraceMS, *protocol.FloorQueuePosInfo, *Missed, *Disconnected, *Resumed, *Reidentified, *Rejoined, or a
	// json.RawMessage for an opcode this version does not know.
	Payload any
}

// Missed stands in the stream of events where some were discarded because nobody read
// Events for a while. The Call's Members and Slots do not depend on events being read
// and are current all the same.
type Missed struct {
	// Count is how many events were discarded.
	Count uint64
}

// eventQueue is the bounded queue behind Client.Events. When it is full, new events are
// discarded and counted, and a Missed is queued in their place as soon as there is room
// again. Only the reading goroutine uses it, apart from the channel's other end.
type eventQueue struct {
	ch     chan Event
	missed uint64
}

func newEventQueue(size int) *eventQueue {
	switch {
	case size < 0:
		return &eventQueue{}
	case size == 0:
		size = defaultEventBuffer
	default:
		size = max(size, 2) // a Missed and the event after it
	}
	return &eventQueue{ch: make(chan Event, size)}
}

func (q *eventQueue) put(ev Event) {
	if q.missed > 0 {
		// The Missed goes first or order is lost; with room for only one, go on counting.
		if cap(q.ch)-len(q.ch) < 2 {
			q.missed++
			return
		}
		q.ch <- Event{Payload: &Missed{Count: q.missed}}
		q.missed = 0
	}
	select {
	case q.ch <- ev:
	default:
		q.missed++
	}
}

// close ends the stream; a last Missed is put in if there is room.
func (q *eventQueue) close() {
	if q.ch == nil {
		return
	}
	if q.missed > 0 {
		select {
		case q.ch <- Event{Payload: &Missed{Count: q.missed}}:
		default:
		}
	}
	close(q.ch)
}

// eventPayload parses the payload of an event frame into its type.
func eventPayload(f protocol.Frame) (any, error) {
	var payload any
	switch f.Op {
	case protocol.OpChannelEvent:
		payload = new(protocol.ChannelEvent)
	case protocol.OpMessageEvent:
		payload = new(protocol.MessageEvent)
	case protocol.OpMessageChange:
		payload = new(protocol.MessageChange)
	case protocol.OpVoiceStateEvent:
		payload = new(protocol.VoiceStateEvent)
	case protocol.OpSpeakers:
		payload = new(protocol.Speakers)
	case protocol.OpSlotMap:
		payload = new(protocol.SlotMap)
	case protocol.OpListening:
		payload = new(protocol.Listen)
	case protocol.OpMediaState:
		payload = new(protocol.MediaState)
	case protocol.OpPlaybackWanted:
		payload = new(protocol.PlaybackWanted)
	case protocol.OpAlive:
		payload = new(protocol.Alive)
	case protocol.OpICEServers:
		payload = new(protocol.ICEServers)
	case protocol.OpReconnect:
		payload = new(protocol.Reconnect)
	case protocol.OpModerationEvent:
		payload = new(protocol.ModerationEvent)
	case protocol.OpPresenceEvent:
		payload = new(protocol.Presence)
	case protocol.OpFloorGranted:
		payload = new(protocol.FloorGranted)
	case protocol.OpFloorDeny:
		payload = new(protocol.FloorDeny)
	case protocol.OpFloorTaken:
		payload = new(protocol.FloorTaken)
	case protocol.OpFloorIdle:
		payload = new(protocol.FloorIdle)
	case protocol.OpFloorRevoke:
		payload = new(protocol.FloorRevoke)
	case protocol.OpFloorQueue:
		payload = new(protocol.FloorQueuePosInfo)
	default:
		return f.D, nil
	}
	if err := f.Bind(payload); err != nil {
		return nil, err
	}
	return payload, nil
}
