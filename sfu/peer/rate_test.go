package peer

import (
	"strings"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/stretchr/testify/require"
)

// TestTalkersRateIsBounded: whatever a talker sends, listeners get no more than Opus could be, and the best Opus whole.
func TestTalkersRateIsBounded(t *testing.T) {
	const seconds = 10
	for name, test := range map[string]struct {
		perSecond, size int
		most            uint64 // packets that pass
		whole           bool
	}{
		"voice":                     {perSecond: 50, size: 120, whole: true},
		"the best Opus":             {perSecond: 50, size: 1275, whole: true},
		"the best in short frames":  {perSecond: 400, size: 160, whole: true},
		"small packets, too many":   {perSecond: 5000, size: 20, most: 500 * (seconds + 1)},
		"the largest, too many":     {perSecond: 1000, size: 1275, most: 80_000 * (seconds + 1) / 1275},
		"what is larger than Opus":  {perSecond: 5000, size: 1960, most: 0},
		"one byte larger than Opus": {perSecond: 50, size: 1276, most: 0},
	} {
		t.Run(name, func(t *testing.T) {
			p := bare(&line{format: format{opus: testOpus}})
			now := time.Unix(1e9, 0)
			payload := strings.Repeat("x", test.size)
			for i := range test.perSecond * seconds {
				p.OnRTP(nil, nil, rtpOf(plain, testOpus, uint16(i), payload), now)
				now = now.Add(time.Second / time.Duration(test.perSecond))
			}
			stats, drops := p.talker.source.Stats(), p.dropped()
			require.EqualValues(t, test.perSecond*seconds, stats.Packets+drops.Rate+drops.TooLarge, "each is counted")
			if test.whole {
				require.Zero(t, drops)
				return
			}
			require.LessOrEqual(t, stats.Packets, test.most)
			require.GreaterOrEqual(t, stats.Packets, test.most/2)
		})
	}
}

// TestStallIsNoFlood: what a network held back for most of a second comes at once, and passes.
func TestStallIsNoFlood(t *testing.T) {
	p := bare(&line{format: format{opus: testOpus}})
	now := time.Unix(1e9, 0)
	for i := range 45 {
		p.OnRTP(nil, nil, rtpOf(plain, testOpus, uint16(i), strings.Repeat("x", 1275)), now)
	}
	require.Zero(t, p.dropped())
}

// TestRedundancyIsNoWayAroundTheRate: what is taken out of RED goes to the listeners like any other packet, and counts
// like one: numbers that jump over nine, with all nine in the next packet's blocks.
func TestRedundancyIsNoWayAroundTheRate(t *testing.T) {
	const seconds, perSecond, blocks = 5, 400, 9
	p := bare(&line{format: format{opus: testOpus, red: testRED}})
	now := time.Unix(1e9, 0)
	payloads := make([]string, blocks+1)
	for i := range payloads {
		payloads[i] = "x"
	}
	for i := range perSecond * seconds {
		p.OnRTP(nil, nil, rtpOf(plain, testRED, uint16((blocks+1)*i), wrapped(payloads...)), now)
		now = now.Add(time.Second / perSecond)
	}
	stats := p.talker.source.Stats()
	require.NotZero(t, stats.Recovered)
	require.LessOrEqual(t, stats.Packets, uint64(500*(seconds+1)))
	require.NotZero(t, p.dropped().Rate)
}

// TestRTCPRateIsBounded: what a client says of the network is read as often as any has something to say, and no more.
func TestRTCPRateIsBounded(t *testing.T) {
	const seconds = 5
	report, err := rtcp.Marshal([]rtcp.Packet{&rtcp.SenderReport{SSRC: 1}})
	require.NoError(t, err)
	for name, test := range map[string]struct {
		perSecond int
		raw       []byte
		most      uint64 // that are read
	}{
		"reports and a NACK for each loss": {perSecond: 1000, raw: report, most: 1000 * seconds},
		"a flood":                          {perSecond: 20_000, raw: report, most: 1000*seconds + 256},
		"a flood of nonsense":              {perSecond: 20_000, raw: report[:9], most: 1000*seconds + 256},
	} {
		t.Run(name, func(t *testing.T) {
			p := bare(&line{format: format{opus: testOpus}})
			now := time.Unix(1e9, 0)
			for range test.perSecond * seconds {
				p.OnRTCP(nil, nil, test.raw, now)
				now = now.Add(time.Second / time.Duration(test.perSecond))
			}
			drops := p.dropped()
			read := uint64(test.perSecond*seconds) - drops.RTCPRate
			require.InDelta(t, test.most, read, 1)
			if len(test.raw) < len(report) {
				require.Equal(t, read, drops.RTCP, "what is dropped for coming too often is not looked at")
			}
		})
	}
}

// TestRTCPAfterAStall: what a network held back comes at once, and is read.
func TestRTCPAfterAStall(t *testing.T) {
	p := bare(&line{format: format{opus: testOpus}})
	now := time.Unix(1e9, 0)
	report, err := rtcp.Marshal([]rtcp.Packet{&rtcp.SenderReport{SSRC: 1}})
	require.NoError(t, err)
	for range 250 {
		p.OnRTCP(nil, nil, report, now)
	}
	require.Zero(t, p.dropped())
}
