package forward

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/forward/forwardtest"
	"github.com/mini-livechat/mini-livechat/sfu/repair"
)

// Operations of FuzzRewrite: the low four bits of the first byte of four; the others are
// arguments. All higher values are packets.
const (
	opAssign = iota
	opMute
	opOpenClose
	opList
	opRestart
	opJump
	opClock
	opSilence
	opPromote
	opResend
	opDepth
	opRED
	opSkip
)

// fuzzScript appends operations of four bytes.
func fuzzScript(ops ...[4]byte) []byte {
	var b []byte
	for _, op := range ops {
		b = append(b, op[:]...)
	}
	return b
}

// FuzzRewrite plays a script of packets of three talkers and changes of everything to
// one slot. Any script: the checker finds a stream that a receiver can decrypt, even one
// that loses all but every 500th packet, and the counters agree with what was sent.
func FuzzRewrite(f *testing.F) {
	// A packet is {talker, number against the expected one, timestamp likewise, time}.
	packet := func(talker, step, ticks, ms byte) [4]byte { return [4]byte{0x0f | talker<<4, step, ticks, ms} }
	f.Add(uint16(7), uint32(1), fuzzScript([4]byte{opAssign, 0}, packet(0, 128, 0, 20), packet(0, 128, 0, 20), packet(0, 127, 0, 20)))
	f.Add(uint16(1<<15-1), uint32(1<<32-1), fuzzScript([4]byte{opAssign, 0}, packet(0, 128, 0, 20), [4]byte{opAssign, 1},
		packet(1, 128, 0, 20), packet(0, 128, 0, 0), packet(1, 131, 0, 60), packet(1, 126, 0, 0)))
	f.Add(uint16(0), uint32(0), fuzzScript([4]byte{opAssign, 2}, packet(2, 128, 0, 20), [4]byte{opMute, 2, 1}, packet(2, 128, 0, 20),
		[4]byte{opMute, 2, 0}, packet(2, 120, 0, 20), packet(2, 128, 0, 20), [4]byte{opJump, 2, 0x9c, 0x40}, packet(2, 128, 0, 20)))
	f.Add(uint16(0), uint32(0), fuzzScript([4]byte{opAssign, 0}, packet(0, 191, 0, 20), packet(0, 192, 0, 20), packet(0, 193, 0, 20),
		[4]byte{opRestart, 0, 1, 2}, packet(0, 128, 0, 20), [4]byte{opClock, 0, 0xff, 0xff}, packet(0, 128, 0, 20), [4]byte{opSilence, 0, 0xff, 0xff},
		packet(0, 128, 0, 20), [4]byte{opOpenClose, 0}, packet(0, 128, 0, 20), [4]byte{opOpenClose, 1}, packet(0, 129, 255, 20)))

	f.Add(uint16(9), uint32(0), fuzzScript(packet(0, 128, 0, 20), packet(0, 129, 0, 20), [4]byte{opPromote, 0, 50}, packet(0, 128, 0, 20),
		[4]byte{opResend, 0, 40, 20}, packet(1, 128, 0, 20), [4]byte{opPromote, 1, 50}, [4]byte{opResend, 0, 40, 20}, packet(1, 126, 0, 20)))

	f.Add(uint16(3), uint32(1), fuzzScript(packet(0, 128, 0, 20), packet(0, 128, 0, 20), [4]byte{opPromote, 0, 50}, packet(0, 128, 0, 20),
		packet(0, 128, 0, 20)))

	f.Add(uint16(9), uint32(2), fuzzScript([4]byte{opAssign}, packet(0, 128, 0, 20), [4]byte{opSkip}, packet(0, 128, 0, 20), [4]byte{opSkip, 0, 8}, packet(0, 128, 0, 20)))

	f.Add(uint16(9), uint32(0), fuzzScript([4]byte{opAssign}, packet(0, 128, 0, 20), [4]byte{opDepth, 0, 3}, packet(0, 128, 0, 20), packet(0, 128, 0, 20),
		packet(0, 128, 0, 20), [4]byte{opRED, 0, 2}, [4]byte{0xef, 0x1e, 0, 1}, [4]byte{0xef, 0x0f, 0, 1}, [4]byte{111, 1, 2, 3}, [4]byte{opResend, 0, 40, 20}))

	f.Fuzz(func(t *testing.T, firstNumber uint16, firstTimestamp uint32, script []byte) {
		out := &recorder{t: t}
		checker := forwardtest.NewChecker(t, DefaultClockRate, out)
		slot, err := NewSlot(SlotConfig{
			SSRC: testSSRC, PayloadType: testType, REDPayloadType: testREDType,
			FirstSequenceNumber: firstNumber & maxFirstSequenceNumber, FirstTimestamp: firstTimestamp,
		}, checker)
		if err != nil {
			t.Fatal(err)
		}
		slot.Open()
		talkers := make([]talker, 3)
		sources := make([]*Source, len(talkers))
		for i := range sources {
			talkers[i] = talker{ssrc: uint32(i), seq: uint16(65_530 * i), ts: uint32(1<<32 - 5000*i)}
			sources[i] = NewSource()
			sources[i].SetSlots([]*Slot{slot})
		}
		muted := make([]bool, len(talkers))
		open := true
		now := time.Unix(1e9, 0)
		var offered uint64
		most := 1 // packets that may leave for one that came
		for ; len(script) >= 4; script = script[4:] {
			a, b := script[2], script[3]
			big := binary.BigEndian.Uint16(script[2:])
			i := int(script[0]>>4) % len(talkers)
			source, p := sources[i], &talkers[i]
			switch script[0] & 0x0f {
			case opAssign:
				if b == 0xff {
					source = nil
				}
				slot.Assign(source)
			case opMute:
				muted[i] = a%2 == 1
				source.SetMuted(muted[i])
			case opOpenClose:
				if open = a%2 == 1; open {
					slot.Open()
				} else {
					slot.Close()
				}
			case opList:
				if a%2 == 0 {
					source.SetSlots(nil)
				} else {
					source.SetSlots([]*Slot{slot, slot})
				}
			case opRestart:
				p.ssrc += 3
				p.seq = big
			case opJump:
				p.seq += big
			case opClock:
				p.ts += uint32(big) << 16
			case opPromote:
				most = historyLen // the next packet takes others along
				slot.Promote(source, now.Add(-time.Duration(a)*10*time.Millisecond))
			case opResend:
				now = now.Add(time.Duration(b) * time.Millisecond)
				for age := range uint16(1 + a) {
					slot.Resend(uint16(checker.Stats(testSSRC).Highest)-age+uint16(b%3), now, nil)
				}
			case opDepth:
				slot.SetRedundancy(int(a) % 5)
			case opRED:
				// A RED packet with whatever its blocks say.
				packet := p.next()
				packet.SequenceNumber += uint16(a) % 80
				var red repair.RED
				if len(script) >= 16 && red.Unmarshal(script[4:16]) == nil {
					for j := range red.Redundant() {
						if lost, ok := source.Lost(&packet, &red, j, red.Redundant()[j].PayloadType); ok {
							offered++
							if fanout, ok := source.Recover(&lost, now); ok {
								fanout.Send(nil, lost.Payload)
							}
						}
					}
				}
				if got := source.Requests(now, nil); len(got) > 64 {
					t.Fatalf("asks for %d packets", len(got))
				}
				p.skip(uint16(a)%80, 0)
			case opSkip:
				offered++
				packet := p.padding()
				packet.SequenceNumber += uint16(int16(int8(a)) / 4) // mostly near where it should be
				source.Skip(&packet, now)
			case opSilence:
				now = now.Add(time.Duration(int16(big)) * time.Second)
			default:
				offered++
				now = now.Add(time.Duration(b) * time.Millisecond)
				packet := p.next()
				packet.SequenceNumber += uint16(script[1]) - 128
				packet.Timestamp += uint32(int32(int8(a)))
				sent := len(out.sent)
				source.Forward(&packet, now)
				if len(out.sent) > sent+most || len(out.sent) > sent && (muted[i] || !open || slot.assigned.Load() != source) {
					t.Fatalf("sent %+v", out.sent[sent:])
				}
				if len(out.sent) > sent {
					most = 1
				}
			}
		}
		checkCounters(t, slot, sources, checker.Stats(testSSRC), offered)
		checkSparseReceiver(t, out.sent)
	})
}

func checkCounters(t *testing.T, slot *Slot, sources []*Source, seen forwardtest.Stats, offered uint64) {
	t.Helper()
	stats := slot.Stats()
	if stats.Packets != seen.Packets || stats.Octets != seen.Octets || seen.Repeats != stats.Resent ||
		int64(stats.Missing) != seen.Gaps || stats.Packets > 0 && stats.LastTimestamp != seen.Timestamp {
		t.Errorf("the slot counted %+v, the checker %+v", stats, seen)
	}
	for _, source := range sources {
		s := source.Stats()
		offered -= s.Packets + s.Dropped.Muted + s.Dropped.Unpermitted + s.Dropped.Duplicate + s.Dropped.Late + s.Dropped.Skipped
	}
	if offered != 0 {
		t.Errorf("%d packets were not counted", int64(offered))
	}
}

// checkSparseReceiver: one that gets only every 500th packet keeps track of the index.
func checkSparseReceiver(t *testing.T, sent []sentPacket) {
	t.Helper()
	var complete, sparse forwardtest.Estimator
	for i := range sent {
		index := complete.Next(sent[i].SequenceNumber)
		if i%500 != 0 {
			continue
		}
		if got := sparse.Next(sent[i].SequenceNumber); got != index {
			t.Fatalf("packet %d has index %d, a receiver that lost most takes it for %d", i, index, got)
		}
	}
}
