package peer

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

// talker is the half of a Peer that comes in: it takes the packets of the client's
// microphone out of RTP and RED, mends their losses, measures them, and hands them to the
// slots in which they are heard.
//
// receive is called by the loop that receives the client's packets, one call at a time
// (wire.Receiver); all other methods may be called from any goroutine.
type talker struct {
	mic      *line          // what was negotiated; nil for one who only listens
	endpoint *wire.Endpoint // what is missing is asked for there
	reporter uint32         // under this SSRC
	levelID  uint8          // the id of the audio-level header extension, 0 for none

	source   *forward.Source
	meter    *speaker.Meter
	onSpeech atomic.Pointer[func()]
	ssrc     atomic.Uint32 // 0 until a packet was heard
	// deferred counts the shares of this talker's packets that the lanes have still to send.
	deferred atomic.Int32
	drops    talkerDrops

	// first is called with the first packet, and nil then.
	first func(at time.Time)

	// The receiving loop's own.
	packet  rtp.Packet
	red     repair.RED
	heardAt time.Time
	packets bounded.Bucket // at packetRate
	bytes   bounded.Bucket // at byteRate
	wanted  []uint16       // numbers to ask for, reused
	nack    []byte         // the packet that does, reused
}

// talkerDrops are the counters of Drops that a talker's packets move.
type talkerDrops struct {
	malformed, payloadType, noMicrophone, secondSSRC, tooLarge, rate atomic.Uint64
}

// open readies the talker of a connection that is answered at now.
func (t *talker) open(mic *line, endpoint *wire.Endpoint, reporter uint32, now time.Time) {
	t.mic, t.endpoint, t.reporter = mic, endpoint, reporter
	t.source, t.meter = forward.NewSource(), speaker.NewMeter(now)
	if mic != nil {
		t.levelID = mic.levelExtension.id
	}
}

// receive takes one packet that authenticated.
func (t *talker) receive(out *wire.Batch, raw []byte, at time.Time) {
	if t.mic == nil {
		t.drops.noMicrophone.Add(1)
		return
	}
	if t.packet.Unmarshal(raw) != nil {
		t.drops.malformed.Add(1)
		return
	}
	if reason := t.unwrapRED(); reason != nil {
		reason.Add(1)
		if t.packet.SSRC == t.ssrc.Load() {
			t.source.Skip(&t.packet, at) // it is here, and to ask for it again is no use
		}
		return
	}
	if !t.admitSSRC(at) {
		t.drops.secondSSRC.Add(1)
		return
	}
	t.recoverLost(out, at)
	if size := len(t.packet.Payload); size == 0 || !t.admit(size, at) { // size 0: padding, or RED of silence
		t.source.Skip(&t.packet, at)
	} else {
		t.measure(at)
		if fanout, ok := t.source.Prepare(&t.packet, at); ok {
			t.fanOut(out, &fanout, t.packet.Payload)
		}
	}
	if t.mic.nack {
		t.askForMissing(out, at)
	}
}

// unwrapRED looks whether the packet is of a payload type that was negotiated, and takes it
// out of its redundancy, which stays in t.red. If it cannot, it returns the counter of the
// reason.
func (t *talker) unwrapRED() *atomic.Uint64 {
	t.red.Reset()
	if t.packet.PayloadType == t.mic.opus {
		return nil
	}
	if t.mic.red == 0 || t.packet.PayloadType != t.mic.red {
		return &t.drops.payloadType
	}
	if len(t.packet.Payload) == 0 { // padding wears the type of what it pads
		return nil
	}
	if t.red.Unmarshal(t.packet.Payload) != nil {
		return &t.drops.malformed
	}
	primary := t.red.Primary()
	if primary.PayloadType != t.mic.opus {
		return &t.drops.payloadType
	}
	t.packet.Payload = primary.Data
	return nil
}

// admitSSRC reports whether the packet is of the stream that is heard, or of one that may
// take its place.
func (t *talker) admitSSRC(at time.Time) bool {
	if heard := t.ssrc.Load(); t.packet.SSRC != heard {
		if heard != 0 && at.Sub(t.heardAt) < ssrcTakeover {
			return false
		}
		t.ssrc.Store(t.packet.SSRC)
		if first := t.first; first != nil {
			t.first = nil
			first(at)
		}
	}
	t.heardAt = at
	return true
}

// admit reports whether a payload of this size may be sent on to the listeners, and counts
// it if not.
func (t *talker) admit(size int, at time.Time) bool {
	switch {
	case size > maxOpus:
		t.drops.tooLarge.Add(1)
		return false
	case !t.packets.Take(packetRate, 1, at) || !t.bytes.Take(byteRate, size, at):
		t.drops.rate.Add(1)
		return false
	}
	return true
}

// measure takes the audio level of the packet in hand, or guesses it.
func (t *talker) measure(at time.Time) {
	level, ok := speaker.ParseLevel(t.packet.Extension(t.levelID))
	if !ok {
		level = speaker.GuessLevel(len(t.packet.Payload))
	}
	if t.meter.Observe(level, at) {
		if began := t.onSpeech.Load(); began != nil {
			(*began)()
		}
	}
}

// recoverLost hears out of the packet's redundancy what the network lost.
func (t *talker) recoverLost(out *wire.Batch, at time.Time) {
	for i := range t.red.Redundant() {
		lost, ok := t.source.Lost(&t.packet, &t.red, i, t.mic.opus)
		if !ok || !t.admit(len(lost.Payload), at) {
			continue
		}
		if fanout, ok := t.source.Recover(&lost, at); ok {
			t.fanOut(out, &fanout, lost.Payload)
		}
	}
}

// askForMissing asks the client for what is still missing (RFC 4585, section 6.2.1).
func (t *talker) askForMissing(out *wire.Batch, at time.Time) {
	if t.wanted = t.source.Requests(at, t.wanted[:0]); len(t.wanted) == 0 {
		return
	}
	t.nack = repair.AppendNACK(t.nack[:0], t.reporter, t.ssrc.Load(), t.wanted)
	// What cannot leave now is asked for again.
	_ = t.endpoint.WriteRTCP(out, t.nack)
}
