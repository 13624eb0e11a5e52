package forward

import (
	"sync"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/repair"
)

const (
	// historyLen is how many of its newest packets a Source keeps: as many as the replay
	// window of an SRTP receiver, beyond which it refuses them (RFC 3711 §3.3.2).
	historyLen = repair.ResendWindow
	// maxHistoryAge is how long they may be used. What comes later than that, no jitter
	// buffer plays.
	maxHistoryAge = time.Second
)

// past is one packet of a history.
type past struct {
	frame   frame
	at      time.Time // when it was received
	payload []byte    // reused for later packets
}

// history keeps a talker's newest packets, for those who ask for them again and for
// slots that the talker is promoted to. Safe for concurrent use. The zero value is empty
// and holds no memory; in the steady state a history allocates nothing. The lock is held
// for one copy, and no two talkers share it.
type history struct {
	mu sync.Mutex
	// packets holds the packet with index i at i%historyLen; nil before the first.
	packets *[historyLen]past // guarded by mu
	newest  int64             // highest index kept; guarded by mu
}

// put keeps a copy of a packet.
func (h *history) put(f *frame, payload []byte, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.packets == nil {
		h.packets = new([historyLen]past)
		h.newest = f.index
	}
	h.newest = max(h.newest, f.index)
	p := &h.packets[uint64(f.index)%historyLen] //nolint:gosec // an index is not negative
	p.frame, p.at = *f, now
	p.payload = append(p.payload[:0], payload...)
}

// last returns when the newest packet came; the zero time when there is none.
func (h *history) last() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.packets == nil {
		return time.Time{}
	}
	return h.packets[uint64(h.newest)%historyLen].at //nolint:gosec // an index is not negative
}

// span returns the indices, from first to last, of the packets received after since under
// this word of the gate and in the epoch of the newest. Some between them may be missing. last is
// below first when there are none.
func (h *history) span(gate uint32, since time.Time) (first, last int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.packets == nil {
		return 0, -1
	}
	newest := h.at(h.newest)
	first = h.newest + 1
	for i := h.newest; i > h.newest-historyLen; i-- {
		p := h.at(i)
		if p == nil {
			continue
		}
		if p.frame.gate != gate || p.frame.epoch != newest.frame.epoch || !p.at.After(since) {
			break
		}
		first = i
	}
	return first, h.newest
}

// get appends the payload of the packet with this index to dst. ok is false when it was
// never received, is too old, or was prepared under another word of the gate.
func (h *history) get(index int64, gate uint32, now time.Time, dst []byte) (f frame, payload []byte, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.at(index)
	if p == nil || p.frame.gate != gate || now.Sub(p.at) > maxHistoryAge {
		return frame{}, dst, false
	}
	return p.frame, append(dst, p.payload...), true
}

// encode is get for a packet that is to carry the n packets before it as redundancy. ok is
// false too when it cannot.
func (h *history) encode(index int64, n int, gate uint32, now time.Time, dst []byte) (f frame, payload []byte, ok bool) {
	if n == 0 {
		return h.get(index, gate, now, dst)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.at(index)
	if p == nil || p.frame.gate != gate || now.Sub(p.at) > maxHistoryAge || h.redundant(p) < n {
		return frame{}, dst, false
	}
	return p.frame, h.appendRED(dst, p, n), true
}

// redundant returns how many packets just before p it can carry as redundancy and still be
// of a size that every path carries, at most repair.MaxDepth. Caller holds mu or is the one
// goroutine that puts.
func (h *history) redundant(p *past) int {
	room := repair.SpaceBeside(len(p.payload))
	for n := range repair.MaxDepth {
		before := h.at(p.frame.index - int64(n) - 1)
		if before == nil || before.frame.epoch != p.frame.epoch || before.frame.gate != p.frame.gate {
			return n
		}
		if !room.Take(len(before.payload), p.frame.ts-before.frame.ts) {
			return n
		}
	}
	return repair.MaxDepth
}

// appendRED appends p with the n packets before it, which redundant must have allowed.
// Caller holds mu or is the one goroutine that puts.
func (h *history) appendRED(dst []byte, p *past, n int) []byte {
	var blocks [repair.MaxDepth + 1]repair.Block
	for i := range n {
		before := h.at(p.frame.index - int64(n-i))
		blocks[i] = repair.Block{
			Data: before.payload, PayloadType: redBlockType,
			Offset: uint16(p.frame.ts - before.frame.ts), //nolint:gosec // redundant has checked it
		}
	}
	blocks[n] = repair.Block{Data: p.payload, PayloadType: redBlockType}
	return repair.AppendRED(dst, blocks[:n+1]...)
}

// at returns the packet with this index, or nil. Caller holds mu or is the one goroutine
// that puts.
func (h *history) at(index int64) *past {
	if h.packets == nil || index < 0 {
		return nil
	}
	// An epoch counts from 1, so that an unused place is no packet.
	if p := &h.packets[uint64(index)%historyLen]; p.frame.epoch != 0 && p.frame.index == index {
		return p
	}
	return nil
}
