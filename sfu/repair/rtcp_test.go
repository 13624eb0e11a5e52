package repair

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/stretchr/testify/require"
)

func marshal(tb testing.TB, packets ...rtcp.Packet) []byte {
	tb.Helper()
	b, err := rtcp.Marshal(packets)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// TestParseRTCP reads what pion wrote.
func TestParseRTCP(t *testing.T) {
	blocks := []rtcp.ReceptionReport{
		{SSRC: 7, FractionLost: 25, TotalLost: 1<<24 - 3, LastSequenceNumber: 1<<16 + 5, Jitter: 48, LastSenderReport: 99, Delay: 65536},
		{SSRC: 8, TotalLost: 1<<23 - 1},
	}
	b := marshal(t,
		&rtcp.SenderReport{SSRC: 1, NTPTime: 0x1122334455667788, Reports: blocks[:1]},
		rtcp.NewCNAMESourceDescription(1, "x"),
		&rtcp.ReceiverReport{SSRC: 2, Reports: blocks},
		&rtcp.TransportLayerNack{SenderSSRC: 3, MediaSSRC: 4, Nacks: []rtcp.NackPair{{PacketID: 65_530, LostPackets: 0x8041}, {PacketID: 9}}},
		&rtcp.PictureLossIndication{SenderSSRC: 1, MediaSSRC: 2},
	)
	compound, err := ParseRTCP(b)
	if err != nil {
		t.Fatal(err)
	}
	got := slices.Collect(compound.Packets())
	if len(got) != 3 {
		t.Fatalf("got %+v", got)
	}
	sr, rr, nack := got[0], got[1], got[2]
	if sr.Kind != KindReport || sr.Sender != 1 || !sr.FromSender || sr.NTP != 0x33445566 {
		t.Errorf("sender report %+v", sr)
	}
	if rr.Kind != KindReport || rr.Sender != 2 || rr.FromSender {
		t.Errorf("receiver report %+v", rr)
	}
	want := ReportBlock{SSRC: 7, FractionLost: 25, TotalLost: -3, Highest: 1<<16 + 5, Jitter: 48, LastReport: 99, Delay: 65536}
	if all := slices.Collect(rr.Blocks()); len(all) != 2 || all[0] != want || all[1].TotalLost != 1<<23-1 {
		t.Errorf("blocks %+v", all)
	}
	if all := slices.Collect(sr.Blocks()); len(all) != 1 || all[0] != want {
		t.Errorf("blocks %+v", all)
	}
	if all := slices.Collect(nack.Numbers()); nack.Kind != KindNACK || nack.Media != 4 || !slices.Equal(all, []uint16{65_530, 65_531, 1, 10, 9}) {
		t.Errorf("NACK %+v for %v", nack, all)
	}
	if slices.Collect(nack.Blocks()) != nil || slices.Collect(rr.Numbers()) != nil {
		t.Error("a NACK is no report")
	}
	// Cut anywhere, it is refused; but between two packets it is a shorter compound.
	whole := 0
	for n := range b {
		if _, err := ParseRTCP(b[:n]); err == nil {
			whole++
		} else if !errors.Is(err, ErrRTCP) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	if whole != 4 {
		t.Errorf("%d of the beginnings are taken, want 4", whole)
	}
}

func TestParseRTCPRefuses(t *testing.T) {
	for name, b := range map[string][]byte{
		"nothing":                   {},
		"version 1":                 {0x40, 201, 0, 1, 0, 0, 0, 1},
		"longer than the packet":    {0x80, 201, 0, 2, 0, 0, 0, 1},
		"report without SSRC":       {0x80, 201, 0, 0},
		"fewer blocks than told":    {0x81, 201, 0, 1, 0, 0, 0, 1},
		"no sender info":            {0x80, 200, 0, 1, 0, 0, 0, 1},
		"NACK of nothing":           {0x81, 205, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2},
		"NACK without media":        {0x81, 205, 0, 1, 0, 0, 0, 1},
		"padding of 0":              {0xa0, 201, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0},
		"padding over the header":   {0xa0, 201, 0, 2, 0, 0, 0, 1, 0, 0, 0, 9},
		"padding before the last":   {0xa0, 203, 0, 1, 0, 0, 0, 4, 0x80, 203, 0, 0},
		"padding takes the SSRC":    {0xa0, 201, 0, 2, 0, 0, 0, 1, 0, 0, 0, 8},
		"padding takes half a NACK": {0xa1, 205, 0, 4, 0, 0, 0, 1, 0, 0, 0, 2, 0, 9, 0, 0, 0, 0, 0, 2},
	} {
		if _, err := ParseRTCP(b); !errors.Is(err, ErrRTCP) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := ParseRTCP([]byte{0xa0, 201, 0, 2, 0, 0, 0, 1, 0, 0, 0, 4}); err != nil {
		t.Errorf("padding: got %v", err)
	}
}

// TestAppendNACK: pion reads what was asked for.
func TestAppendNACK(t *testing.T) {
	for _, numbers := range [][]uint16{
		{5}, {65_535, 0}, {1, 17}, {1, 18}, {1, 2, 3, 50, 51, 90}, {9, 3}, {4, 4},
	} {
		b := AppendNACK([]byte("before"), 11, 12, numbers)
		packets, err := rtcp.Unmarshal(b[len("before"):])
		if err != nil || len(packets) != 2 {
			t.Fatalf("%v: got %v, %v", numbers, packets, err)
		}
		nack, ok := packets[1].(*rtcp.TransportLayerNack)
		if !ok || nack.SenderSSRC != 11 || nack.MediaSSRC != 12 {
			t.Fatalf("%v: got %v", numbers, packets[1])
		}
		var got []uint16
		for _, pair := range nack.Nacks {
			got = append(got, pair.PacketList()...)
		}
		if !slices.Equal(got, numbers) {
			t.Errorf("got %v, want %v", got, numbers)
		}
	}
}

func TestRTT(t *testing.T) {
	sent := time.Unix(1_700_000_000, 900_000_000)
	for _, test := range []struct {
		block ReportBlock
		after time.Duration
		want  time.Duration
		ok    bool
	}{
		{ReportBlock{Delay: 65536 / 2}, 620 * time.Millisecond, 120 * time.Millisecond, true},
		{ReportBlock{Delay: 65536 / 2}, 500 * time.Millisecond, time.Millisecond, true},
		{ReportBlock{Delay: 65536 / 2}, 400 * time.Millisecond, 0, false},
		{ReportBlock{}, time.Minute, 0, false},
		{ReportBlock{Delay: 1<<32 - 1}, time.Millisecond, 0, true}, // rounding
	} {
		test.block.LastReport = uint32(NTP(sent) >> 16)
		got, ok := test.block.RTT(uint32(NTP(sent.Add(test.after)) >> 16))
		if ok != test.ok || ok && test.want > 0 && (got-test.want).Abs() > 100*time.Microsecond {
			t.Errorf("%+v: got %v, %v", test, got, ok)
		}
	}
	if _, ok := (&ReportBlock{}).RTT(5); ok {
		t.Error("a round trip without a sender report")
	}
}

func TestAllocsRTCP(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	numbers := []uint16{1, 2, 3, 40}
	var b []byte
	if got := testing.AllocsPerRun(100, func() {
		b = AppendNACK(b[:0], 1, 2, numbers)
		compound, err := ParseRTCP(b)
		n := 0
		for f := range compound.Packets() {
			for range f.Numbers() {
				n++
			}
			for range f.Blocks() {
				n++
			}
		}
		if err != nil || n != len(numbers) {
			t.Errorf("got %d numbers, %v", n, err)
		}
	}); got != 0 {
		t.Errorf("got %v allocations", got)
	}
}

// FuzzRTCP: whatever comes is refused or read to its end, never more of it than there is,
// and as pion reads it.
func FuzzRTCP(f *testing.F) {
	f.Add(AppendNACK(nil, 1, 2, []uint16{1, 2, 60}))
	f.Add(marshal(f, &rtcp.SenderReport{SSRC: 1, NTPTime: 5, Reports: []rtcp.ReceptionReport{{SSRC: 3}}}, rtcp.NewCNAMESourceDescription(1, "x")))
	f.Add([]byte{0xa0, 201, 0, 2, 0, 0, 0, 1, 0, 0, 0, 4})
	f.Add([]byte{0x81, 201, 0, 1, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		compound, err := ParseRTCP(b)
		if err != nil {
			if slices.Collect(compound.Packets()) != nil {
				t.Error("refused, but read")
			}
			return
		}
		var numbers []uint16
		blocks, size := 0, 0
		for packet := range compound.Packets() {
			size += len(packet.list)
			for block := range packet.Blocks() {
				blocks++
				if rtt, ok := block.RTT(1 << 31); ok && (rtt <= 0 || rtt > MaxRTT) {
					t.Errorf("round trip %v", rtt)
				}
			}
			numbers = slices.AppendSeq(numbers, packet.Numbers())
		}
		if size > len(b) || len(numbers) > 17*len(b)/4 || blocks > len(b)/24 {
			t.Errorf("%d numbers and %d blocks in %d bytes", len(numbers), blocks, len(b))
		}
		packets, err := rtcp.Unmarshal(b)
		if err != nil {
			return // pion reads the other packets too
		}
		var want []uint16
		for _, packet := range packets {
			if nack, ok := packet.(*rtcp.TransportLayerNack); ok {
				for _, pair := range nack.Nacks {
					want = append(want, pair.PacketList()...)
				}
			}
		}
		if !slices.Equal(numbers, want) && b[0]&rtcpPaddingBit == 0 {
			t.Errorf("got %v, pion %v", numbers, want)
		}
	})
}

// TestTicksWrap: a delay of more than 18 hours, and a timestamp from before the packet, count on modulo 2^32 and not as
// the processor happens to convert them.
func TestTicksWrap(t *testing.T) {
	for _, test := range []struct {
		d    time.Duration
		rate uint32
		want uint32
	}{
		{0, 48_000, 0},
		{20 * time.Millisecond, 48_000, 960},
		{-20 * time.Millisecond, 48_000, 1<<32 - 960},
		{1500 * time.Millisecond, DelayRate, 98_304},
		{65_536 * time.Second, DelayRate, 0},
		{65_537 * time.Second, DelayRate, 65_536},
		{365 * 24 * time.Hour, 48_000, uint32(365 * 24 * 3600 * 48_000 % (1 << 32))},
	} {
		require.Equal(t, test.want, Ticks(test.d, test.rate), "%v at %d Hz", test.d, test.rate)
	}
}

// TestRTTOfAnOldSenderReport: both counts have wrapped, and their difference is right.
func TestRTTOfAnOldSenderReport(t *testing.T) {
	now := time.Unix(1e9, 0)
	block := ReportBlock{LastReport: uint32(NTP(now) >> 16), Delay: Ticks(70_000*time.Second, DelayRate)}
	rtt, ok := block.RTT(uint32(NTP(now.Add(70_000*time.Second+80*time.Millisecond)) >> 16))
	require.True(t, ok)
	require.InDelta(t, 0.08, rtt.Seconds(), 0.001)
}
