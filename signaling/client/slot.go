package client

import (
	"context"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// defaultSlotBuffer is how many packets wait in a slot for a reader: one second of
// voice in the usual frames of 20 ms.
const defaultSlotBuffer = 50

// PacketInfo describes one received RTP packet.
type PacketInfo struct {
	// UserID is who is heard. It is empty for the moment between a talker's first packet
	// and the SLOT_MAP that introduces them, when the packet wins the race.
	UserID string
	// CSRC is the talker's own SSRC, 0 when the packet names none. It is what
	// Call.SSRC returns to the talker.
	CSRC uint32
	// SSRC is the slot's; it stays the same whoever is heard.
	SSRC uint32
	// Sequence is the slot's sequence number. A gap is loss, or packets that came too
	// late to be put in order: they are delivered as they arrive.
	Sequence uint16
	// Timestamp counts in 1/48000 s.
	Timestamp   uint32
	PayloadType uint8
	// Marker is set on the first packet after a silence.
	Marker bool
}

// Packet is what JoinOptions.OnPacket gets. Its slices are valid during the call only.
type Packet struct {
	PacketInfo

	// RTP is the whole packet.
	RTP []byte
	// Payload is the Opus packet in it, a part of RTP.
	Payload []byte
}

// SlotStats count a slot's packets since the call began.
type SlotStats struct {
	// Received is how many packets there were to read, however they came.
	Received uint64
	// Recovered is how many of them came out of the redundancy of others (RFC 2198).
	Recovered uint64
	// Asked is how often the server was asked for a packet again (RFC 4585).
	Asked uint64
	// Lost is how many of the sequence are missing so far; late ones bring it down.
	Lost uint64
	// Dropped is how many were discarded here because nobody read them in time.
	Dropped uint64
	// Malformed is how many were neither Opus nor sound RED of Opus, and discarded too.
	Malformed uint64
}

// Slot is one receiving line of a Call: a continuous stream of packets, on which one
// talker after another may be heard. Any number of goroutines may read; each packet goes
// to one of them.
type Slot struct {
	call  *Call
	index int
	mid   string

	occupant atomic.Pointer[occupant]      // never nil; set by the goroutine reading the WebSocket
	told     atomic.Pointer[protocol.Slot] // by SLOT_MAP; nil: nothing
	// How many packets were delivered, out of redundancy, asked for, discarded unread, of no use.
	delivered, recovered, asked, dropped, malformed atomic.Uint64

	span   atomic.Uint64 // sequence numbers from the first to the highest
	sender senderReport

	// Used by the receiving goroutine only.
	binding binding
	extent  extent
	loss    loss

	ready chan struct{} // holds a token while the queue may have something

	mu    sync.Mutex
	queue []queued // a ring, made at the first packet; guarded by mu
	head  int      // guarded by mu
	count int      // guarded by mu
}

// queued is one packet in the ring; its bytes are reused.
type queued struct {
	info    PacketInfo
	packet  []byte
	payload int // offset of the payload in packet
	end     int // and its end, before padding
}

func newSlot(call *Call, index int, mid string) *Slot {
	s := &Slot{call: call, index: index, mid: mid, ready: make(chan struct{}, 1)}
	s.occupant.Store(&occupant{})
	return s
}

// Index returns the slot's number, counted from 0 as SLOT_MAP does.
func (s *Slot) Index() int { return s.index }

// MID returns the a=mid of the slot's m-line.
func (s *Slot) MID() string { return s.mid }

// UserID returns who the server last put on this slot, or "" for nobody.
func (s *Slot) UserID() string { return s.occupant.Load().userID }

// Assigned returns what the server last told of this slot: who is heard, and in which other channel they are, if they are (Call.Listen). Its UserID
// must not be changed.
func (s *Slot) Assigned() protocol.Slot {
	if told := s.told.Load(); told != nil {
		return *told
	}
	return protocol.Slot{Slot: s.index, MID: s.mid}
}

// Stats returns the counters.
func (s *Slot) Stats() SlotStats {
	// The span first: it never counts a packet before it was counted as received.
	span := s.span.Load()
	stats := SlotStats{
		Received: s.delivered.Load(), Recovered: s.recovered.Load(), Asked: s.asked.Load(), Dropped: s.dropped.Load(),
		Malformed: s.malformed.Load(),
	}
	if span > stats.Received {
		stats.Lost = span - stats.Received
	}
	return stats
}

// ReadOpus waits for the next packet, copies its Opus payload to buf and returns its
// length. A payload longer than buf is cut off with io.ErrShortBuffer; 1275 bytes are
// always enough. When the slot's queue is full the oldest packet is discarded, so that a
// slow reader hears what is said now. After the call has ended what is queued can still be
// read; then the error is that of Call.Err. It does not allocate.
func (s *Slot) ReadOpus(ctx context.Context, buf []byte) (int, PacketInfo, error) {
	return s.read(ctx, buf, true)
}

// ReadRTP is ReadOpus for whole RTP packets, header included; 1500 bytes are enough.
func (s *Slot) ReadRTP(ctx context.Context, buf []byte) (int, PacketInfo, error) {
	return s.read(ctx, buf, false)
}

func (s *Slot) read(ctx context.Context, buf []byte, payloadOnly bool) (int, PacketInfo, error) {
	for {
		if n, info, ok, err := s.pop(buf, payloadOnly); ok {
			return n, info, err
		}
		select {
		case <-s.ready:
		case <-ctx.Done():
			return 0, PacketInfo{}, ctx.Err()
		case <-s.call.over:
			// One more look: the last packets may have come just before the end.
			if n, info, ok, err := s.pop(buf, payloadOnly); ok {
				return n, info, err
			}
			return 0, PacketInfo{}, s.call.Err()
		}
	}
}

func (s *Slot) pop(buf []byte, payloadOnly bool) (n int, info PacketInfo, ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count == 0 {
		return 0, PacketInfo{}, false, nil
	}
	q := &s.queue[s.head]
	src := q.packet
	if payloadOnly {
		src = src[q.payload:q.end]
	}
	if n = copy(buf, src); n < len(src) {
		err = io.ErrShortBuffer
	}
	info = q.info
	s.head = (s.head + 1) % len(s.queue)
	if s.count--; s.count > 0 {
		s.signal() // for another reader, or for this one's next call
	}
	return n, info, true, err
}

// push queues a copy of the packet, in place of the oldest when the ring is full.
func (s *Slot) push(p *Packet, payload int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.queue == nil {
		s.queue = make([]queued, s.call.slotBuffer)
	}
	if s.count == len(s.queue) {
		s.head = (s.head + 1) % len(s.queue)
		s.count--
		s.dropped.Add(1)
	}
	q := &s.queue[(s.head+s.count)%len(s.queue)]
	q.info = p.PacketInfo
	q.packet = append(q.packet[:0], p.RTP...)
	q.payload, q.end = payload, payload+len(p.Payload)
	s.count++
	s.signal()
}

func (s *Slot) signal() {
	select {
	case s.ready <- struct{}{}:
	default:
	}
}

// assign notes whom the server put on the slot. Only the goroutine that reads the
// WebSocket calls it.
func (s *Slot) assign(userID string, ssrc uint32, now time.Time) {
	next := *s.occupant.Load()
	if next.userID != userID {
		next.userID, next.version, next.since = userID, next.version+1, now
	}
	next.ssrc = ssrc
	s.occupant.Store(&next)
}

// extent is the span of sequence numbers seen, from the first to the highest, added up over
// the connections of a call.
type extent struct {
	started bool
	highest uint16
	span    uint64
}

// add notes a packet and returns the span including it.
func (e *extent) add(seq uint16) uint64 {
	switch {
	case !e.started:
		e.started, e.highest = true, seq
		e.span++
	case seq-e.highest < 1<<15: // ahead, by RFC 1982's arithmetic
		e.span += uint64(seq - e.highest)
		e.highest = seq
	}
	return e.span
}
