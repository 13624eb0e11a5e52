// Package voice is one talker's stream as it comes in: out of RTP and RED, its losses mended, measured, and handed to the slots in which it
// is heard. It is the same whether the talker is a client or comes from another server.
package voice

import (
	"sync/atomic"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/bounded"
	"github.com/mini-livechat/mini-livechat/sfu/forward"
	"github.com/mini-livechat/mini-livechat/sfu/repair"
	"github.com/mini-livechat/mini-livechat/sfu/rtp"
	"github.com/mini-livechat/mini-livechat/sfu/speaker"
	"github.com/mini-livechat/mini-livechat/sfu/wire"
)

// Format is what a talker's packets are.
type Format struct {
	// Opus is their payload type, and RED that of redundant audio of it (RFC 2198); 0 for none.
	Opus, RED uint8
	// NACK: the sender can be asked for packets again (RFC 4585, section 6.2.1).
	NACK bool
	// LevelID is the id of the audio-level header extension (RFC 6464); 0 for none.
	LevelID uint8
	// Relayed: the packets' SSRC is that of a line between servers, and the talker's own is in their CSRC list.
	Relayed bool
}

// In is a talker's stream. Receive is called by one goroutine at a time, as wire.Receiver is; all other methods but Open may be called from
// any goroutine. It is of use once it is opened.
type In struct {
	format   Format
	endpoint *wire.Endpoint // what is missing is asked for there
	reporter uint32         // under this SSRC

	source   *forward.Source
	meter    *speaker.Meter
	onSpeech atomic.Pointer[func()]
	ssrc     atomic.Uint32 // 0 until a packet was heard
	// deferred counts the shares of this talker's packets that the lanes have still to send.
	deferred atomic.Int32
	drops    drops

	// first is called with the first packet, and nil then.
	first func(at time.Time)

	// Receive's own.
	packet  rtp.Packet
	red     repair.RED
	line    uint32 // the packet's SSRC
	heardAt time.Time
	packets bounded.Bucket // at packetRate
	bytes   bounded.Bucket // at byteRate
	wanted  []uint16       // numbers to ask for, reused
	nack    []byte         // the packet that does, reused
}

// drops are the counters of Drops.
type drops struct {
	malformed, payloadType, secondSSRC, tooLarge, rate atomic.Uint64
}

// Drops counts packets that were dropped before the Source saw them, by reason.
type Drops struct {
	// Malformed RTP has a header, a header extension or padding that does not fit into the packet (RFC 3550, section 5), or is RED with
	// blocks that do not (RFC 2198). PayloadType is of another one than the format's. SecondSSRC is of another SSRC while one is heard.
	// TooLarge is Opus of more bytes than its largest frame, Rate what came faster than Opus is ever made, both also out of redundancy.
	Malformed, PayloadType, SecondSSRC, TooLarge, Rate uint64
}

// Open readies the stream for packets of a format from now on. What is missing of them is asked for at endpoint, under the SSRC reporter.
// first, if not nil, is called with the first one, where Receive is.
func (in *In) Open(format Format, endpoint *wire.Endpoint, reporter uint32, now time.Time, first func(at time.Time)) {
	in.format, in.endpoint, in.reporter, in.first = format, endpoint, reporter, first
	in.source, in.meter = forward.NewSource(), speaker.NewMeter(now)
}

// Rebind has packets come by another endpoint from now on, under whatever SSRC. It is called where Receive is.
func (in *In) Rebind(endpoint *wire.Endpoint) {
	in.endpoint = endpoint
	in.ssrc.Store(0)
}

// Source is what is said.
func (in *In) Source() *forward.Source { return in.source }

// Meter measures what is said.
func (in *In) Meter() *speaker.Meter { return in.meter }

// OnSpeech sets what is called each time the talker begins to speak, where Receive is. It must not block.
func (in *In) OnSpeech(began func()) { in.onSpeech.Store(&began) }

// SSRC returns the talker's SSRC; ok is false until its first packet.
func (in *In) SSRC() (ssrc uint32, ok bool) {
	ssrc = in.ssrc.Load()
	return ssrc, ssrc != 0
}

// Waiting returns how many shares of its packets the lanes have still to send.
func (in *In) Waiting() int { return int(in.deferred.Load()) }

// Levels reports whether packets say how loud they are.
func (in *In) Levels() bool { return in.format.LevelID != 0 }

// Drops returns the counters so far.
func (in *In) Drops() Drops {
	return Drops{
		Malformed: in.drops.malformed.Load(), PayloadType: in.drops.payloadType.Load(), SecondSSRC: in.drops.secondSSRC.Load(),
		TooLarge: in.drops.tooLarge.Load(), Rate: in.drops.rate.Load(),
	}
}

// Receive takes one packet that authenticated.
func (in *In) Receive(out *wire.Batch, raw []byte, at time.Time) {
	if in.packet.Unmarshal(raw) != nil {
		in.drops.malformed.Add(1)
		return
	}
	if in.line = in.packet.SSRC; in.format.Relayed {
		in.packet.SSRC = in.packet.CSRC()
	}
	if reason := in.unwrapRED(); reason != nil {
		reason.Add(1)
		if in.packet.SSRC == in.ssrc.Load() {
			in.source.Skip(&in.packet, at) // it is here, and to ask for it again is no use
		}
		return
	}
	if !in.admitSSRC(at) {
		in.drops.secondSSRC.Add(1)
		return
	}
	in.readLevel()
	in.recoverLost(out, at)
	if size := len(in.packet.Payload); size == 0 || !in.admit(size, at) { // size 0: padding, or RED of silence
		in.source.Skip(&in.packet, at)
	} else {
		in.measure(at)
		if fanout, ok := in.source.Prepare(&in.packet, at); ok {
			in.fanOut(out, &fanout, in.packet.Payload)
		}
	}
	if in.format.NACK {
		in.askForMissing(out, at)
	}
}

// unwrapRED looks whether the packet is of a payload type that was negotiated, and takes it
// out of its redundancy, which stays in in.red. If it cannot, it returns the counter of the
// reason.
func (in *In) unwrapRED() *atomic.Uint64 {
	in.red.Reset()
	if in.packet.PayloadType == in.format.Opus {
		return nil
	}
	if in.format.RED == 0 || in.packet.PayloadType != in.format.RED {
		return &in.drops.payloadType
	}
	if len(in.packet.Payload) == 0 { // padding wears the type of what it pads
		return nil
	}
	if in.red.Unmarshal(in.packet.Payload) != nil {
		return &in.drops.malformed
	}
	primary := in.red.Primary()
	if primary.PayloadType != in.format.Opus {
		return &in.drops.payloadType
	}
	in.packet.Payload = primary.Data
	return nil
}

// admitSSRC reports whether the packet is of the stream that is heard, or of one that may
// take its place.
func (in *In) admitSSRC(at time.Time) bool {
	if heard := in.ssrc.Load(); in.packet.SSRC != heard {
		if heard != 0 && at.Sub(in.heardAt) < Takeover {
			return false
		}
		in.ssrc.Store(in.packet.SSRC)
		if first := in.first; first != nil {
			in.first = nil
			first(at)
		}
	}
	in.heardAt = at
	return true
}

// admit reports whether a payload of this size may be sent on to the listeners, and counts
// it if not.
func (in *In) admit(size int, at time.Time) bool {
	switch {
	case size > maxOpus:
		in.drops.tooLarge.Add(1)
		return false
	case !in.packets.Take(packetRate, 1, at) || !in.bytes.Take(byteRate, size, at):
		in.drops.rate.Add(1)
		return false
	}
	return true
}

// readLevel takes the audio level of the packet in hand, or guesses it.
func (in *In) readLevel() {
	level, ok := speaker.ParseLevel(in.packet.Extension(in.format.LevelID))
	if !ok {
		level = speaker.GuessLevel(len(in.packet.Payload))
	}
	in.packet.Level = uint8(level)
}

// measure has the packet in hand be heard by the meter.
func (in *In) measure(at time.Time) {
	if in.meter.Observe(speaker.Level(in.packet.Level), at) {
		if began := in.onSpeech.Load(); began != nil {
			(*began)()
		}
	}
}

// recoverLost hears out of the packet's redundancy what the network lost.
func (in *In) recoverLost(out *wire.Batch, at time.Time) {
	for i := range in.red.Redundant() {
		lost, ok := in.source.Lost(&in.packet, &in.red, i, in.format.Opus)
		if !ok || !in.admit(len(lost.Payload), at) {
			continue
		}
		lost.Level = in.packet.Level // the best guess: neighbours are about as loud
		if fanout, ok := in.source.Recover(&lost, at); ok {
			in.fanOut(out, &fanout, lost.Payload)
		}
	}
}

// askForMissing asks the client for what is still missing (RFC 4585, section 6.2.1).
func (in *In) askForMissing(out *wire.Batch, at time.Time) {
	if in.wanted = in.source.Requests(at, in.wanted[:0]); len(in.wanted) == 0 {
		return
	}
	in.nack = repair.AppendNACK(in.nack[:0], in.reporter, in.line, in.wanted)
	// What cannot leave now is asked for again.
	_ = in.endpoint.WriteRTCP(out, in.nack)
}
