//go:build !race

package client

import (
	"encoding/binary"
	"runtime"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/stretchr/testify/require"
)

// A load generator runs thousands of clients in one process, so receiving must not feed
// the garbage collector. The race detector allocates by itself, hence the build tag.

func TestReceiveDoesNotAllocate(t *testing.T) {
	call := &Call{slotBuffer: 4, over: make(chan struct{})}
	s := newSlot(call, 0, "0")
	s.assign("bo", 0, time.Now())
	r := &receiver{bySSRC: map[uint32]*Slot{5: s}, now: time.Now}
	in := r.buffer(1, 5)
	raw, err := (&rtp.Packet{
		Header:  rtp.Header{Version: 2, SSRC: 5, PayloadType: opusPayloadType, CSRC: []uint32{9}},
		Payload: make([]byte, 100),
	}).Marshal()
	require.NoError(t, err)
	buf := make([]byte, 1500)
	ctx := t.Context()
	write := func() {
		binary.BigEndian.PutUint16(raw[2:], binary.BigEndian.Uint16(raw[2:])+1)
		_, _ = in.Write(raw)
	}
	for range 10 { // fills the ring once
		write()
	}
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		write()
		_, info, err := s.ReadOpus(ctx, buf)
		if err != nil || info.UserID != "bo" {
			t.Fatal(err, info)
		}
	}), "the queue")

	heard := 0
	r.onPacket = func(_ *Slot, p Packet) { heard += len(p.Payload) }
	require.Zero(t, testing.AllocsPerRun(1000, write), "the handler")
	require.Equal(t, 1001*100, heard)
}

// BenchmarkReceive is one packet's way from one end's WriteRTP to the other's OnPacket,
// both ends' pion included.
func BenchmarkReceive(b *testing.B) {
	room := newFakeRoom(b)
	c, err := Dial(b.Context(), room.url(), Options{Token: "ada", Engine: testEngine(b)})
	require.NoError(b, err)
	defer c.Close()
	heard := make(chan struct{}, 1)
	_, err = c.Join(b.Context(), "room", JoinOptions{ListenOnly: true, OnPacket: func(*Slot, Packet) { heard <- struct{}{} }})
	require.NoError(b, err)
	peer := <-room.peers
	peer.awaitConnected(b)
	packet := &rtp.Packet{Header: rtp.Header{Version: 2, CSRC: []uint32{9}}, Payload: make([]byte, 100)}
	b.ReportAllocs()
	for b.Loop() {
		packet.SequenceNumber++
		if err := peer.slots[0].WriteRTP(packet); err != nil {
			b.Fatal(err)
		}
		<-heard
	}
}

// TestReceivePathDoesNotAllocate is the same with pion and a socket around it.
func TestReceivePathDoesNotAllocate(t *testing.T) {
	room := newFakeRoom(t)
	c := room.dial(Options{Token: "ada", Engine: testEngine(t)})
	heard := make(chan struct{}, 1)
	_, err := c.Join(testContext(t), "room", JoinOptions{ListenOnly: true, OnPacket: func(*Slot, Packet) { heard <- struct{}{} }})
	require.NoError(t, err)
	peer := <-room.peers
	peer.awaitConnected(t)
	packet := &rtp.Packet{Header: rtp.Header{Version: 2, CSRC: []uint32{9}}, Payload: make([]byte, 100)}
	var before, after runtime.MemStats
	const packets = 2000
	for i := range packets + 100 {
		if i == 100 {
			runtime.ReadMemStats(&before)
		}
		packet.SequenceNumber++
		require.NoError(t, peer.slots[0].WriteRTP(packet))
		<-heard
	}
	runtime.ReadMemStats(&after)
	perPacket := float64(after.Mallocs-before.Mallocs) / packets
	require.Less(t, perPacket, 0.5, "allocations a packet, the sender's included")
}
