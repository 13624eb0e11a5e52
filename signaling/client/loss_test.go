package client

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu/repair"
)

// sink is where a microphone's packets go in place of a connection.
type sink struct {
	headers  []rtp.Header
	payloads []string
}

func (s *sink) WriteRTP(header *rtp.Header, payload []byte) (int, error) {
	h := header.Clone()
	s.headers, s.payloads = append(s.headers, h), append(s.payloads, string(payload))
	return len(payload), nil
}

func (*sink) Write([]byte) (int, error) { panic("not used") }

// frames unwraps payload i of the sink.
func (s *sink) frames(t *testing.T, i int) []string {
	t.Helper()
	if s.headers[i].PayloadType == opusPayloadType {
		return []string{s.payloads[i]}
	}
	require.EqualValues(t, redPayloadType, s.headers[i].PayloadType)
	var red repair.RED
	require.NoError(t, red.Unmarshal([]byte(s.payloads[i])))
	var all []string
	for _, b := range append(slices.Clone(red.Redundant()), red.Primary()) {
		all = append(all, string(b.Data))
	}
	return all
}

// newLooseMicrophone is a microphone that speaks RED into a sink.
func newLooseMicrophone() (*microphone, *sink) {
	s := &sink{}
	m := &microphone{opus: opusPayloadType, red: redPayloadType, writer: s}
	m.ssrc.Store(7)
	m.header = rtp.Header{Version: 2, SSRC: 7, SequenceNumber: 65_530}
	m.sendLevels(1)
	return m, s
}

func TestMicrophoneRedundancyFollowsTheReports(t *testing.T) {
	t.Parallel()
	m, s := newLooseMicrophone()
	now := time.Unix(1e9, 0)
	say := func(n int) {
		for range n {
			require.NoError(t, m.write(now, opusFrame(uint32(m.count)), 0, 20))
			now = now.Add(20 * time.Millisecond)
		}
	}
	say(3)
	require.Len(t, s.frames(t, 0), 1)
	require.Len(t, s.frames(t, 1), 2, "one block until the first report")
	m.reported(0)
	say(1)
	require.Len(t, s.frames(t, 3), 1)
	m.reported(0.2)
	say(1)
	require.Equal(t, []string{s.frames(t, 1)[1], s.frames(t, 2)[1], s.payloads[3], string(opusFrame(4))}, s.frames(t, 4))

	now = now.Add(time.Second) // a pause that RED cannot name
	say(2)
	require.Len(t, s.frames(t, 5), 1)
	require.Len(t, s.frames(t, 6), 2)
	require.NoError(t, m.write(now, append(opusFrame(1), make([]byte, 1200)...), 0, 20))
	require.NoError(t, m.write(now, append(opusFrame(1), make([]byte, 1200)...), 0, 20))
	require.Len(t, s.frames(t, 8), 1, "no packet is larger than the network takes")
}

// TestMicrophoneRedundancyFitsThePath: as many frames go along as leave a datagram of at most 1,200 bytes.
func TestMicrophoneRedundancyFitsThePath(t *testing.T) {
	t.Parallel()
	const srtpTag = 16
	for _, test := range []struct{ size, blocks int }{
		{120, 3}, {287, 3}, {288, 2}, {385, 2}, {386, 1}, {520, 1}, {579, 1}, {580, 0}, {1275, 0},
	} {
		m, s := newLooseMicrophone()
		m.reported(0.5)
		for now, i := time.Unix(1e9, 0), 0; i < 10; i++ {
			frame := append(opusFrame(uint32(i)), make([]byte, 1275)...)[:test.size]
			require.NoError(t, m.write(now, frame, 0, 20))
			now = now.Add(20 * time.Millisecond)
			if size := s.headers[i].MarshalSize() + len(s.payloads[i]) + srtpTag; test.size < 1100 {
				require.LessOrEqual(t, size, 1200, "frames of %d bytes", test.size)
			}
		}
		require.Len(t, s.frames(t, 9), 1+test.blocks, "of %d bytes", test.size)
	}
}

// TestMicrophoneAnswersNACKs: bit for bit, the newest packets only, and not too often.
func TestMicrophoneAnswersNACKs(t *testing.T) {
	t.Parallel()
	m, s := newLooseMicrophone()
	m.reported(0.2)
	now := time.Unix(1e9, 0)
	for i := range 200 {
		now = now.Add(20 * time.Millisecond)
		require.NoError(t, m.write(now, opusFrame(uint32(i)), 0, i%100))
	}
	const first = 65_530
	for range 5 {
		for seq := range 1 << 16 {
			m.resend(uint16(seq), now)
		}
		now = now.Add(20 * time.Millisecond)
	}
	again := len(s.headers) - 200
	require.Equal(t, 3*(repair.ResendWindow-repair.MaxDepth), again)
	for i := 200; i < len(s.headers); i++ {
		original := int(s.headers[i].SequenceNumber - first)
		require.Equal(t, s.headers[original], s.headers[i])
		require.Equal(t, s.payloads[original], s.payloads[i])
	}
	require.Equal(t, []byte{99}, s.headers[199].GetExtension(1))
}

// received is what a slot delivered.
type received struct {
	seq, ts uint32
	payload string
}

// listenTo makes a receiver with one slot, of SSRC 5, that speaks RED and NACK.
func listenTo(t *testing.T, now *time.Time) (in *stream, heard *[]received, asked *[]rtcp.Packet) {
	t.Helper()
	slot := newSlot(&Call{slotBuffer: 1, over: make(chan struct{})}, 0, "0")
	slot.loss.red, slot.loss.nack = redPayloadType, true
	heard, asked = new([]received), new([]rtcp.Packet)
	r := &receiver{
		bySSRC: map[uint32]*Slot{5: slot}, byMID: map[string]*Slot{"0": slot},
		now: func() time.Time { return *now },
		onPacket: func(_ *Slot, p Packet) {
			var parsed rtp.Packet
			require.NoError(t, parsed.Unmarshal(p.RTP))
			require.Equal(t, parsed.Payload, p.Payload)
			require.EqualValues(t, opusPayloadType, parsed.PayloadType)
			require.Equal(t, parsed.SequenceNumber, p.Sequence)
			require.Equal(t, parsed.Timestamp, p.Timestamp)
			require.Equal(t, []uint32{9}, parsed.CSRC)
			*heard = append(*heard, received{uint32(p.Sequence), p.Timestamp, string(p.Payload)})
		},
	}
	r.reports.write = func(packets []rtcp.Packet) {
		raw, err := rtcp.Marshal(packets)
		require.NoError(t, err)
		packets, err = rtcp.Unmarshal(raw)
		require.NoError(t, err)
		*asked = append(*asked, packets...)
	}
	return r.buffer(1, 5).(*stream), heard, asked
}

func redPacket(t *testing.T, seq uint16, payloads ...string) []byte {
	t.Helper()
	blocks := make([]repair.Block, len(payloads))
	for i, payload := range payloads {
		blocks[i] = repair.Block{Data: []byte(payload), Offset: uint16(960 * (len(payloads) - 1 - i)), PayloadType: opusPayloadType}
	}
	raw, err := (&rtp.Packet{
		Header:  rtp.Header{Version: 2, SSRC: 5, CSRC: []uint32{9}, PayloadType: redPayloadType, SequenceNumber: seq, Timestamp: uint32(seq) * 960},
		Payload: repair.AppendRED(nil, blocks...),
	}).Marshal()
	require.NoError(t, err)
	return raw
}

func TestSlotMendsLosses(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	in, heard, asked := listenTo(t, &now)
	at := func(seq uint32, payload string) received { return received{seq, seq * 960, payload} }
	for _, step := range []struct {
		packet []byte
		want   []received
		nack   []uint16
	}{
		{redPacket(t, 10, "x", "a"), []received{at(10, "a")}, nil}, // what was before the beginning is not missing
		{redPacket(t, 13, "b", "c", "d"), []received{at(11, "b"), at(12, "c"), at(13, "d")}, nil},
		{redPacket(t, 12, "b", "c"), nil, nil}, // only late
		{redPacket(t, 16, "f", "g"), []received{at(15, "f"), at(16, "g")}, []uint16{14}},
		{redPacket(t, 14, "d", "e"), []received{at(14, "e")}, nil},
		{redPacket(t, 14, "d", "e"), nil, nil},
		{append(redPacket(t, 17, "g")[:16], 0xff, 1), nil, nil}, // broken
		{redPacket(t, 18, "h", "i"), []received{at(17, "h"), at(18, "i")}, nil},
	} {
		*heard, *asked = nil, nil
		_, err := in.Write(step.packet)
		require.NoError(t, err)
		require.Equal(t, step.want, *heard)
		var numbers []uint16
		for _, packet := range *asked {
			if nack, ok := packet.(*rtcp.TransportLayerNack); ok {
				require.EqualValues(t, 5, nack.MediaSSRC)
				for _, pair := range nack.Nacks {
					numbers = append(numbers, pair.PacketList()...)
				}
			}
		}
		require.Equal(t, step.nack, numbers)
		now = now.Add(20 * time.Millisecond)
	}
	require.Equal(t, SlotStats{Received: 9, Recovered: 4, Asked: 1, Malformed: 1}, in.slot.Stats())
}

// TestSlotDropsWhatIsNoOpus: packets of other types, and RED that does not fit, are counted
// and not handed on; what is sound after them is.
func TestSlotDropsWhatIsNoOpus(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	in, heard, _ := listenTo(t, &now)
	slot := in.receiver.bySSRC[5]
	for i, payload := range []string{"", "\xef", "\xef\x0f\x00\xff\x6f1", "\x08a primary of another codec", "\xff\xff\xff\xff"} {
		_, _ = in.Write(append(redPacket(t, uint16(i), "")[:16], payload...))
		require.Equal(t, SlotStats{Malformed: uint64(i + 1)}, slot.Stats())
	}
	other := redPacket(t, 5, "a")
	other[1] = 13 // comfort noise
	_, _ = in.Write(other)
	require.EqualValues(t, 6, slot.Stats().Malformed)
	_, _ = in.Write(redPacket(t, 6, "a"))
	require.Len(t, *heard, 1)
	require.EqualValues(t, 6, slot.Stats().Malformed)
}

// TestSlotAsksForWhatIsOverdue: on a network that loses packets the next ones are asked for
// when they should be here, a few times; on others a silence is one.
func TestSlotAsksForWhatIsOverdue(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	in, _, asked := listenTo(t, &now)
	var fire func()
	in.receiver.after = func(_ time.Duration, f func()) *time.Timer {
		fire = f
		return time.NewTimer(time.Hour)
	}
	numbers := func() (all []uint16) {
		for _, packet := range *asked {
			if nack, ok := packet.(*rtcp.TransportLayerNack); ok {
				for _, pair := range nack.Nacks {
					all = append(all, pair.PacketList()...)
				}
			}
		}
		*asked = nil
		return all
	}
	_, _ = in.Write(redPacket(t, 10, "a"))
	now = now.Add(20 * time.Millisecond)
	_, _ = in.Write(redPacket(t, 11, "a"))
	require.Nil(t, fire, "nothing was lost so far")
	now = now.Add(40 * time.Millisecond)
	_, _ = in.Write(redPacket(t, 13, "b", "c"))
	require.NotNil(t, fire)
	require.Nil(t, numbers(), "RED had it")
	fire()
	require.Nil(t, numbers(), "too early")
	now = now.Add(50 * time.Millisecond)
	fire()
	require.Equal(t, []uint16{14, 15}, numbers())
	now = now.Add(50 * time.Millisecond)
	fire()
	require.Equal(t, []uint16{16, 17, 18}, numbers())
	now = now.Add(50 * time.Millisecond)
	fire()
	require.Equal(t, []uint16{14, 15, 19, 20}, numbers())
	now = now.Add(50 * time.Millisecond)
	fire()
	require.Nil(t, numbers(), "nobody is speaking")
}

func TestSlotReports(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	in, _, sent := listenTo(t, &now)
	sr, err := rtcp.Marshal([]rtcp.Packet{&rtcp.SenderReport{SSRC: 5, NTPTime: repair.NTP(now)}})
	require.NoError(t, err)
	_, err = in.receiver.buffer(2, 5).Write(sr)
	require.NoError(t, err)
	for seq := range uint16(120) {
		now = now.Add(20 * time.Millisecond)
		if seq%4 != 1 {
			_, _ = in.Write(redPacket(t, seq, "x"))
		}
	}
	var reports []*rtcp.ReceiverReport
	for _, packet := range *sent {
		if rr, ok := packet.(*rtcp.ReceiverReport); ok && len(rr.Reports) > 0 {
			reports = append(reports, rr)
		}
	}
	require.Len(t, reports, 3, "at the beginning and each second")
	block := reports[1].Reports[0]
	require.EqualValues(t, 5, block.SSRC)
	require.EqualValues(t, 1, reports[1].SSRC, "of one who only listens")
	require.InDelta(t, 64, block.FractionLost, 8)
	require.Equal(t, uint32(repair.NTP(time.Unix(1_700_000_000, 0))>>16), block.LastSenderReport)
	require.InDelta(t, 1.02*65536, block.Delay, 655)
}

// TestFeedbackReachesTheMicrophone: the server's reports and requests, once each although
// pion hands them over for every stream they name.
func TestFeedbackReachesTheMicrophone(t *testing.T) {
	t.Parallel()
	m, s := newLooseMicrophone()
	now := time.Unix(1_700_000_000, 0)
	r := &receiver{mic: m, now: func() time.Time { return now }}
	require.NoError(t, m.write(now, opusFrame(1), 0, noLevel))
	raw, err := rtcp.Marshal([]rtcp.Packet{
		&rtcp.ReceiverReport{SSRC: 5, Reports: []rtcp.ReceptionReport{{
			SSRC: 7, FractionLost: 51, LastSenderReport: uint32(repair.NTP(now.Add(-time.Second)) >> 16), Delay: 62259,
		}}},
		&rtcp.TransportLayerNack{MediaSSRC: 7, Nacks: []rtcp.NackPair{{PacketID: 65_530}}},
	})
	require.NoError(t, err)
	slot := newSlot(&Call{}, 0, "0")
	r.byMID = map[string]*Slot{"0": slot}
	for _, ssrc := range []uint32{5, 7} {
		_, err = r.buffer(2, ssrc).Write(raw)
		require.NoError(t, err)
	}
	require.Len(t, s.headers, 2)
	require.InDelta(t, 0.2, m.depth.Loss(), 0.01)
	require.InDelta(t, 0.05, slot.sender.roundTrip().Seconds(), 0.001)
	for n := range raw { // cut short, it does nothing
		_, err = r.buffer(2, 7).Write(raw[:n])
		require.NoError(t, err)
	}
	require.Len(t, s.headers, 2)
}

// FuzzFeedback feeds a call whatever a server may send as RTCP.
func FuzzFeedback(f *testing.F) {
	f.Add(repair.AppendNACK(nil, 5, 7, []uint16{65_530, 65_531}))
	f.Add([]byte{0x81, 201, 0, 7, 0, 0, 0, 5})
	f.Fuzz(func(t *testing.T, packet []byte) {
		m, s := newLooseMicrophone()
		now := time.Unix(1e9, 0)
		for i := range 3 {
			require.NoError(t, m.write(now, opusFrame(uint32(i)), 0, noLevel))
		}
		r := &receiver{mic: m, now: func() time.Time { return now }}
		_, _ = r.buffer(2, 7).Write(packet)
		require.LessOrEqual(t, len(s.headers), 6)
	})
}

// FuzzReceiveRED feeds a slot RED of any kind.
func FuzzReceiveRED(f *testing.F) {
	f.Add([]byte{0, 1, 0xef, 0x0f, 0, 1, 111, 1, 2, 0, 5}, uint8(7))
	f.Fuzz(func(t *testing.T, script []byte, size uint8) {
		now := time.Unix(1e9, 0)
		in, _, _ := listenTo(t, &now)
		in.receiver.onPacket = func(_ *Slot, p Packet) {
			if len(p.RTP) < len(p.Payload) {
				t.Errorf("payload of %d bytes in a packet of %d", len(p.Payload), len(p.RTP))
			}
		}
		for step := int(size%32) + 2; len(script) >= step; script = script[step:] {
			packet := redPacket(t, binary.BigEndian.Uint16(script)%512, "")
			_, _ = in.Write(append(packet[:16], script[2:step]...))
			now = now.Add(20 * time.Millisecond)
		}
	})
}

// TestReadOpusOutOfRED: what is read is the Opus packet, whatever header the RED had.
func TestReadOpusOutOfRED(t *testing.T) {
	t.Parallel()
	for csrcs := range 4 {
		now := time.Unix(1e9, 0)
		in, _, _ := listenTo(t, &now)
		in.receiver.onPacket = nil
		packet := &rtp.Packet{
			Header:  rtp.Header{Version: 2, SSRC: 5, CSRC: make([]uint32, csrcs), PayloadType: redPayloadType},
			Payload: repair.AppendRED(nil, repair.Block{Data: []byte("opus"), PayloadType: opusPayloadType}),
		}
		raw, err := packet.Marshal()
		require.NoError(t, err)
		_, err = in.Write(raw)
		require.NoError(t, err)
		buf := make([]byte, 100)
		n, _, err := in.slot.ReadOpus(t.Context(), buf)
		require.NoError(t, err)
		require.Equal(t, "opus", string(buf[:n]), "%d CSRCs", csrcs)
	}
}
