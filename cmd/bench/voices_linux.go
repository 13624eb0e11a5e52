package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/mini-livechat/mini-livechat/signaling/client"
)

// The Turns scenario is about moments, not about load. So its people are plain clients, with sockets and SRTP of pion's.

const (
	// longFrame is what voice is sent in; shortFrame is the shortest that Opus has, which shows most of when a gate moves.
	longFrame  = 20 * time.Millisecond
	shortFrame = 2500 * time.Microsecond
	// longTOC and shortTOC begin an Opus packet with one such frame (RFC 6716, table 2).
	longTOC  = 9 << 3
	shortTOC = 16 << 3
	// voiceBytes is what such frames of a voice take, a second: 40 kbit/s.
	voiceBytes = 5000
	// voiceHead is the TOC, who talks, and when.
	voiceHead = 1 + 1 + 8
)

// voice is somebody whose microphone is open: packets are sent all the time, whoever has the floor.
type voice struct {
	id   byte
	call *client.Call
}

// talk sends a packet every so often until ctx ends. now is the clock of the measurement.
func (v *voice) talk(ctx context.Context, frame time.Duration, now func() time.Duration) {
	payload := make([]byte, voiceHead+int(voiceBytes*frame/time.Second))
	payload[0], payload[1] = longTOC, v.id
	if frame == shortFrame {
		payload[0] = shortTOC
	}
	for due := now(); wait(ctx, due-now()) == nil; due += frame {
		binary.BigEndian.PutUint64(payload[2:], uint64(now())) //nolint:gosec // not negative
		if err := v.call.WriteOpus(payload, frame); err != nil && !errors.Is(err, client.ErrNotConnected) {
			return
		}
	}
}

// ear is what somebody hears.
type ear struct {
	now func() time.Duration

	mu    sync.Mutex
	heard []arrival     // guarded by mu
	news  chan struct{} // holds one
}

// arrival is a packet that was heard: whose, when it was sent, and when it came.
type arrival struct {
	from     byte
	sent, at time.Duration
}

func newEar(now func() time.Duration) *ear { return &ear{now: now, news: make(chan struct{}, 1)} }

// hear is an OnPacket.
func (e *ear) hear(_ *client.Slot, p client.Packet) {
	at := e.now()
	if len(p.Payload) < voiceHead {
		return
	}
	sent := time.Duration(binary.BigEndian.Uint64(p.Payload[2:])) //nolint:gosec // not negative
	e.mu.Lock()
	e.heard = append(e.heard, arrival{p.Payload[1], sent, at})
	e.mu.Unlock()
	select {
	case e.news <- struct{}{}:
	default:
	}
}

func (e *ear) forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heard = e.heard[:0]
}

// first waits for the first packet of somebody that was sent no sooner than at a moment.
func (e *ear) first(ctx context.Context, from byte, sent time.Duration) (arrival, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		e.mu.Lock()
		i := slices.IndexFunc(e.heard, func(a arrival) bool { return a.from == from && a.sent >= sent })
		var found arrival
		if i >= 0 {
			found = e.heard[i]
		}
		e.mu.Unlock()
		if i >= 0 {
			return found, nil
		}
		select {
		case <-e.news:
		case <-ctx.Done():
			return arrival{}, errSilence
		}
	}
}

// last returns when the newest packet of somebody came, and how many were sent later than at a moment.
func (e *ear) last(from byte, sent time.Duration) (at time.Duration, later int, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	err = errSilence
	for _, a := range e.heard {
		if a.from != from {
			continue
		}
		at, err = a.at, nil
		if a.sent > sent {
			later++
		}
	}
	return at, later, err
}
