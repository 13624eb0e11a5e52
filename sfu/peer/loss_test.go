package peer

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu/repair"
)

const (
	testOpus = 109
	testRED  = 63
)

// lossEngine offers RED before Opus, and NACK.
func lossEngine(t *testing.T) *webrtc.MediaEngine {
	t.Helper()
	media := &webrtc.MediaEngine{}
	nack := []webrtc.RTCPFeedback{{Type: "nack"}}
	for _, codec := range []webrtc.RTPCodecParameters{
		{
			RTPCodecCapability: webrtc.RTPCodecCapability{
				MimeType: "audio/red", ClockRate: 48000, Channels: 2, SDPFmtpLine: "109/109", RTCPFeedback: nack,
			},
			PayloadType: testRED,
		},
		{
			RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2, RTCPFeedback: nack},
			PayloadType:        testOpus,
		},
	} {
		require.NoError(t, media.RegisterCodec(codec, webrtc.RTPCodecTypeAudio))
	}
	return media
}

// wrapped is a RED payload of these Opus packets, 20 ms apart.
func wrapped(payloads ...string) string {
	blocks := make([]repair.Block, len(payloads))
	for i, payload := range payloads {
		blocks[i] = repair.Block{Data: []byte(payload), Offset: uint16(960 * (len(payloads) - 1 - i)), PayloadType: testOpus}
	}
	return string(repair.AppendRED(nil, blocks...))
}

func TestAnswerTakesREDAndNACK(t *testing.T) {
	f := newFactory(t)
	_, offer := newClientOf(t, 1, lossEngine(t))
	for name, test := range map[string]struct {
		change    *strings.Replacer
		red, nack bool
		formats   string
	}{
		"as offered":                 {strings.NewReplacer(), true, true, "63 109"},
		"Opus first":                 {strings.NewReplacer("SAVPF 63 109", "SAVPF 109 63"), true, true, "109 63"},
		"RED of another codec":       {strings.NewReplacer("a=fmtp:63 109/109", "a=fmtp:63 109/8"), false, true, "109"},
		"RED of nothing":             {strings.NewReplacer("a=fmtp:63 109/109", "a=x"), false, true, "109"},
		"RED that looks like RTCP":   {strings.NewReplacer("63", "72"), false, true, "109"},
		"RED of type 0":              {strings.NewReplacer(":63 ", ":0 ", "SAVPF 63", "SAVPF 0"), false, true, "109"},
		"RED without a format":       {strings.NewReplacer("SAVPF 63 109", "SAVPF 109"), false, true, "109"},
		"NACK for all formats":       {strings.NewReplacer("a=rtcp-fb:109 nack", "a=rtcp-fb:* nack"), true, true, "63 109"},
		"NACK for RED only":          {strings.NewReplacer("a=rtcp-fb:109 nack", "a=x"), true, false, "63 109"},
		"picture loss is no NACK":    {strings.NewReplacer("a=rtcp-fb:109 nack", "a=rtcp-fb:109 nack pli"), true, false, "63 109"},
		"a lot of redundancy is RED": {strings.NewReplacer("109/109", "109/109/109/109"), true, true, "63 109"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := f.Answer(test.change.Replace(offer))
			require.NoError(t, err)
			defer p.Close()
			require.Equal(t, 2, strings.Count(p.Answer(), "SAVPF "+test.formats+"\r\n"), p.Answer())
			count := func(found bool) int {
				if found {
					return 2
				}
				return 0
			}
			require.Equal(t, count(test.nack), strings.Count(p.Answer(), "a=rtcp-fb:109 nack\r\n"))
			require.Equal(t, count(test.red), strings.Count(p.Answer(), "a=rtpmap:63 red/48000/2\r\n"))
			require.Equal(t, count(test.red), strings.Count(p.Answer(), "a=fmtp:63 109/109\r\n"))
			require.Equal(t, 1, strings.Count(p.Answer(), "a=fmtp:109 "+testParameters+"\r\n"), "on the microphone's line")
		})
	}
}

// opened is the Opus packets in one that was heard, the oldest first.
func opened(t *testing.T, p *rtp.Packet) []string {
	t.Helper()
	if p.PayloadType == testOpus {
		return []string{string(p.Payload)}
	}
	require.EqualValues(t, testRED, p.PayloadType)
	var red repair.RED
	require.NoError(t, red.Unmarshal(p.Payload))
	var all []string
	for _, b := range append(slices.Clone(red.Redundant()), red.Primary()) {
		require.EqualValues(t, testOpus, b.PayloadType)
		all = append(all, string(b.Data))
	}
	return all
}

// TestREDInAllDirections: who sends it and who takes it need not be the same.
func TestREDInAllDirections(t *testing.T) {
	verifyNoLeaks(t)
	f := newFactory(t)
	for _, sends := range []bool{false, true} {
		for _, takes := range []bool{false, true} {
			engines := map[bool]*webrtc.MediaEngine{false: opusEngine(t), true: lossEngine(t)}
			ada, adaPeer := connectOf(t, f, 0, engines[sends])
			bob, bobPeer := connectOf(t, f, 1, engines[takes])
			link(adaPeer, bobPeer)
			say := func(seq uint16, payloads ...string) {
				if sends {
					ada.say(t, ada.ssrc(), seq, testRED, wrapped(payloads...))
				} else {
					ada.say(t, ada.ssrc(), seq, testOpus, payloads[len(payloads)-1])
				}
			}
			say(1, "a")
			require.Equal(t, []string{"a"}, opened(t, bob.hear(t)))
			say(2, "a", "b")
			bob.hear(t) // the listener's wish is known from now on
			say(3, "b", "c")
			want := []string{"c"}
			if takes {
				want = []string{"b", "c"}
			}
			heard := bob.hear(t)
			require.Equal(t, want, opened(t, heard), "sends %v, takes %v", sends, takes)
			if !sends {
				continue
			}
			// 4 and 5 are lost, and come out of 6 in their places.
			say(6, "d", "e", "f")
			for i, payload := range []string{"d", "e", "f"} {
				p := bob.hear(t)
				all := opened(t, p)
				require.Equal(t, payload, all[len(all)-1])
				require.Equal(t, heard.SequenceNumber+uint16(1+i), p.SequenceNumber)
				require.Equal(t, heard.Timestamp+uint32(1+i)*960, p.Timestamp)
			}
			require.EqualValues(t, 2, adaPeer.Source().Stats().Recovered)
		}
	}
}

// TestRedundancyFitsThePath: as many blocks as fit, and every packet arrives, in a datagram of at most 1,200 bytes if its
// own sound leaves that room.
func TestRedundancyFitsThePath(t *testing.T) {
	const srtpTag = 16
	f := newFactory(t)
	ada, adaPeer := connect(t, f, 0)
	bob, bobPeer := connectOf(t, f, 1, lossEngine(t))
	link(adaPeer, bobPeer)
	bobPeer.Slots()[0].SetRedundancy(3)
	seq := uint16(0)
	for _, test := range []struct{ size, blocks int }{
		{1, 3}, {120, 3}, {287, 3}, {288, 2}, {385, 2}, {386, 1}, {520, 1}, {579, 1}, {580, 0}, {1024, 0}, {1275, 0},
	} {
		for i := range 6 { // the first follow packets of another size
			seq++
			ada.say(t, ada.ssrc(), seq, testOpus, strings.Repeat("x", test.size))
			p := bob.hear(t)
			all := opened(t, p)
			require.Len(t, all[len(all)-1], test.size)
			require.LessOrEqual(t, p.MarshalSize()+srtpTag, max(1200, 12+4+test.size+srtpTag), "with %d blocks", len(all)-1)
			if i > 3 && seq > 12 { // by then the listener's wish is known
				require.Len(t, all, 1+test.blocks, "of %d bytes", test.size)
			}
		}
	}
}

// TestPaddingIsNoSound: padding under either payload type, and a packet of nothing, reach nobody, leave no gap and are
// asked for by nobody; what is lost beside them is still recovered.
func TestPaddingIsNoSound(t *testing.T) {
	f := newFactory(t)
	ada, adaPeer := connectOf(t, f, 0, lossEngine(t))
	bob, bobPeer := connectOf(t, f, 1, lossEngine(t))
	link(adaPeer, bobPeer)
	pad := func(seq uint16, payloadType uint8, padding bool, payload string) {
		t.Helper()
		w := ada.mic.writer.Load()
		_, err := (*w).WriteRTP(&rtp.Header{
			Version: 2, Padding: padding, SSRC: ada.ssrc(), SequenceNumber: seq, Timestamp: uint32(seq-1) * 960, PayloadType: payloadType,
		}, []byte(payload))
		require.NoError(t, err)
	}
	ada.say(t, ada.ssrc(), 1, testOpus, "a")
	first := bob.hear(t)
	pad(2, testOpus, true, "\x00\x00\x03")
	pad(3, testRED, true, "\x01")
	pad(4, testRED, false, "")
	pad(5, testOpus, false, "")
	ada.say(t, ada.ssrc(), 6, testOpus, "b")
	second := bob.hear(t)
	require.Equal(t, first.SequenceNumber+1, second.SequenceNumber)
	all := opened(t, second)
	require.Equal(t, "b", all[len(all)-1])
	ada.say(t, ada.ssrc(), 8, testRED, wrapped("c", "d"))
	for i, want := range []string{"c", "d"} {
		p := bob.hear(t)
		all := opened(t, p)
		require.Equal(t, want, all[len(all)-1])
		require.Equal(t, second.SequenceNumber+1+uint16(i), p.SequenceNumber)
	}
	stats, slot := adaPeer.Source().Stats(), bobPeer.Slots()[0].Stats()
	require.EqualValues(t, 4, stats.Dropped.Skipped)
	require.Zero(t, stats.Requested)
	require.Zero(t, slot.Missing)
	require.Zero(t, slot.Asked)
	require.Zero(t, total(adaPeer.dropped()))
}

func TestBrokenREDIsDropped(t *testing.T) {
	f := newFactory(t)
	ada, adaPeer := connectOf(t, f, 0, lossEngine(t))
	for i, payload := range []string{
		"\xed", "\xed\x0f\x00\xff\x6d123", "\xed\x0f\x00\x01", wrapped("a"), strings.Repeat("\xff", 100),
		"\x08primary of another codec",
	} {
		before := total(adaPeer.dropped())
		ada.say(t, ada.ssrc(), uint16(1+i), testRED, payload)
		if payload == wrapped("a") {
			eventually(t, "sound RED to pass", func() bool { return adaPeer.Source().Stats().Packets == 1 })
			continue
		}
		eventually(t, "broken RED to be dropped", func() bool { return total(adaPeer.dropped()) == before+1 })
	}
	require.EqualValues(t, 1, adaPeer.Source().Stats().Packets)
}

// TestListenerAsks: what a listener asks for it gets again, the same bytes under the same
// number, and not more often than anybody needs.
func TestListenerAsks(t *testing.T) {
	verifyNoLeaks(t)
	f := newFactory(t)
	ada, adaPeer := connect(t, f, 0)
	bob, bobPeer := connectOf(t, f, 1, lossEngine(t))
	link(adaPeer, bobPeer)
	ada.say(t, ada.ssrc(), 1, testOpus, "hello")
	first := bob.hear(t)
	ask := func(media uint32, numbers ...uint16) {
		require.NoError(t, bob.pc.WriteRTCP([]rtcp.Packet{&rtcp.TransportLayerNack{
			SenderSSRC: 1, MediaSSRC: media, Nacks: rtcp.NackPairsFromSequenceNumbers(numbers),
		}}))
	}
	// The client's SRTP takes a packet only once, so it is counted where it leaves.
	slot := bobPeer.Slots()[0]
	ask(first.SSRC, first.SequenceNumber)
	eventually(t, "the packet to be sent again", func() bool { return slot.Stats().Resent == 1 })
	ask(first.SSRC+1, first.SequenceNumber)
	eventually(t, "a NACK of an unknown stream to be dropped", func() bool { return bobPeer.dropped() == Drops{NACK: 1} })

	// A storm: a thousand compounds that ask for everything.
	all := make([]uint16, 2000)
	for i := range all {
		all[i] = first.SequenceNumber - 1000 + uint16(i)
	}
	for range 1000 {
		ask(first.SSRC, all...)
	}
	eventually(t, "the storm to be cut off", func() bool { return bobPeer.dropped().NACKRate > 100 })
	ada.say(t, ada.ssrc(), 2, testOpus, "still here")
	require.Equal(t, "still here", func() string { all := opened(t, bob.hear(t)); return all[len(all)-1] }())
	require.LessOrEqual(t, slot.Stats().Resent, uint64(6))
	require.Zero(t, slot.Stats().Dropped.WriteError)
}

// TestListenerWithoutNACKIsNotAnswered: it did not say that it would ask.
func TestListenerWithoutNACKIsNotAnswered(t *testing.T) {
	f := newFactory(t)
	ada, adaPeer := connect(t, f, 0)
	bob, bobPeer := connect(t, f, 1)
	link(adaPeer, bobPeer)
	ada.say(t, ada.ssrc(), 1, testOpus, "hello")
	first := bob.hear(t)
	require.NoError(t, bob.pc.WriteRTCP([]rtcp.Packet{&rtcp.TransportLayerNack{
		MediaSSRC: first.SSRC, Nacks: []rtcp.NackPair{{PacketID: first.SequenceNumber}},
	}}))
	eventually(t, "the NACK to be dropped", func() bool { return bobPeer.dropped() == Drops{NACK: 1} })
	require.Zero(t, bobPeer.Slots()[0].Stats().Resent)
}

// TestPublisherIsAsked: the server asks for what is missing and hears the answer in its place.
func TestPublisherIsAsked(t *testing.T) {
	verifyNoLeaks(t)
	f := newFactory(t)
	ada, adaPeer := connectOf(t, f, 0, lossEngine(t))
	bob, bobPeer := connect(t, f, 1)
	link(adaPeer, bobPeer)
	ada.say(t, ada.ssrc(), 100, testOpus, "a")
	first := bob.hear(t)
	ada.say(t, ada.ssrc(), 103, testOpus, "d")
	require.Equal(t, first.SequenceNumber+3, bob.hear(t).SequenceNumber)
	nack := readRTCP[*rtcp.TransportLayerNack](t, func() ([]rtcp.Packet, error) {
		packets, _, err := ada.pc.GetSenders()[0].ReadRTCP()
		return packets, err
	})
	require.Equal(t, ada.ssrc(), nack.MediaSSRC)
	require.Equal(t, []uint16{101, 102}, nack.Nacks[0].PacketList())
	ada.say(t, ada.ssrc(), 101, testOpus, "b")
	packet := bob.hear(t)
	require.Equal(t, "b", string(packet.Payload))
	require.Equal(t, first.SequenceNumber+1, packet.SequenceNumber)
	require.EqualValues(t, 1, adaPeer.Source().Stats().Restored)
}

// TestReportsChooseRedundancy: a listener that loses gets more, and its network is known.
func TestReportsChooseRedundancy(t *testing.T) {
	f := newFactory(t)
	f.stop() // the test reports in its place
	f.running.Wait()
	ada, adaPeer := connect(t, f, 0)
	bob, bobPeer := connectOf(t, f, 1, lossEngine(t))
	link(adaPeer, bobPeer)
	say := func(n int) (last *rtp.Packet) {
		for range n {
			seq := uint16(adaPeer.Source().Stats().Packets + 1)
			ada.say(t, ada.ssrc(), seq, testOpus, "x")
			last = bob.hear(t)
		}
		return last
	}
	now := time.Now()
	report := func(total uint32, highest *rtp.Packet, later time.Duration) {
		raw, err := rtcp.Marshal([]rtcp.Packet{&rtcp.ReceiverReport{Reports: []rtcp.ReceptionReport{{
			SSRC: highest.SSRC, TotalLost: total, LastSequenceNumber: uint32(highest.SequenceNumber), Jitter: 480,
			LastSenderReport: uint32(repair.NTP(now) >> 16), Delay: 65536,
		}}}})
		require.NoError(t, err)
		bobPeer.endpoint.Touch(now)
		bobPeer.OnRTCP(nil, nil, raw, now.Add(time.Second+later))
	}
	require.Equal(t, Network{}, bobPeer.network.read())
	report(10, say(50), 200*time.Millisecond)
	got := bobPeer.network.read()
	require.InDelta(t, 0.2, got.LossDown, 0.001)
	require.Equal(t, 3, got.Redundancy)
	require.Equal(t, 10*time.Millisecond, got.JitterDown)
	require.InDelta(t, 0.2, got.RTT.Seconds(), 0.001)
	report(10, say(5), 0) // of too few packets to tell
	require.Equal(t, 3, bobPeer.network.read().Redundancy)
	require.InDelta(t, 0.2, bobPeer.network.read().LossDown, 0.001)
	report(14, say(5), 0) // but two of them are not
	require.InDelta(t, 0.4, bobPeer.network.read().LossDown, 0.001)
	require.InDelta(t, 0.2*7/8*7/8, bobPeer.network.read().RTT.Seconds(), 0.001)
	for range 20 {
		report(14, say(15), 0)
	}
	require.Zero(t, bobPeer.network.read().Redundancy)
	require.Zero(t, bobPeer.network.read().LossDown)
	require.Len(t, opened(t, say(70)), 1)

	// What the talker's network lost is not the listener's loss.
	for range 10 {
		ada.say(t, ada.ssrc(), uint16(2+2*adaPeer.Source().Stats().Packets), testOpus, "x")
		bob.hear(t)
	}
	missing := uint32(bobPeer.Slots()[0].Stats().Missing)
	require.NotZero(t, missing)
	ada.say(t, ada.ssrc(), uint16(2+2*adaPeer.Source().Stats().Packets), testOpus, "x")
	report(14+missing, bob.hear(t), 0)
	require.Zero(t, bobPeer.network.read().Redundancy)
}

// TestBrokenRTCPIsDropped: compounds cut short do nothing, and do no harm.
func TestBrokenRTCPIsDropped(t *testing.T) {
	f := newFactory(t)
	_, p := connectOf(t, f, 1, lossEngine(t))
	raw, err := rtcp.Marshal([]rtcp.Packet{
		&rtcp.SenderReport{SSRC: 1, Reports: []rtcp.ReceptionReport{{SSRC: p.Slots()[0].ssrc, TotalLost: 5}}},
		&rtcp.TransportLayerNack{MediaSSRC: p.Slots()[0].ssrc, Nacks: []rtcp.NackPair{{PacketID: 1}}},
	})
	require.NoError(t, err)
	first := 28 + 24 // the sender report alone is sound
	now := time.Now()
	for n := range raw {
		want := p.dropped()
		p.OnRTCP(nil, nil, raw[:n], now)
		if n != first {
			want.RTCP++
		}
		require.Equal(t, want, p.dropped(), "%d of %d bytes", n, len(raw))
	}
}

// FuzzMicrophone feeds a talker whatever may come decrypted, as RTP and as RTCP.
func FuzzMicrophone(f *testing.F) {
	f.Add([]byte{0x80, testOpus, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 9}, []byte{0x80, testRED, 0, 4, 0, 0, 11, 0x60, 0, 0, 0, 1, 0xed, 0x0f, 0, 1, testOpus, 1, 2})
	f.Add([]byte{0xb0, testRED, 0, 1}, []byte{0x81, 205, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 9, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, first, second []byte) {
		p := bare(&line{format: format{opus: testOpus, red: testRED}})
		for i, b := range [][]byte{first, second, first, second} {
			before := total(p.dropped())
			now := time.Unix(1e9, 0).Add(time.Duration(i) * 20 * time.Millisecond)
			p.OnRTP(nil, nil, b, now)
			stats := p.talker.Source().Stats()
			if d := total(p.dropped()) - before; d > 1 || stats.Recovered > stats.Packets+stats.Dropped.Late+stats.Dropped.Duplicate {
				t.Errorf("dropped %d, %+v", d, stats)
			}
			p.OnRTCP(nil, nil, b, now)
			p.talker.Source().Requests(now, nil)
		}
	})
}
