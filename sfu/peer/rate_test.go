package peer

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu/bounded"
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
			stats, drops := p.talker.Source().Stats(), p.dropped()
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
	stats := p.talker.Source().Stats()
	require.NotZero(t, stats.Recovered)
	require.LessOrEqual(t, stats.Packets, uint64(500*(seconds+1)))
	require.NotZero(t, p.dropped().Rate)
}

// TestIntakeTakesEveryVoice: what is decrypted of a client is all of any voice that there is, over any network, and little
// of what is none.
func TestIntakeTakesEveryVoice(t *testing.T) {
	const seconds = 10
	const overhead = 12 + 8 + 16 // an RTP header, its extension and SRTP's tag
	for name, test := range map[string]struct {
		perSecond, size int // of Opus, with its redundancy
		stall           time.Duration
		again           float64 // how much of it is asked for again
		most            int     // packets that pass; 0: all
	}{
		"voice":                                    {perSecond: 50, size: 120},
		"voice, after a stall":                     {perSecond: 50, size: 120, stall: 2 * time.Second},
		"the best, 10 ms":                          {perSecond: 100, size: 638},
		"the best, 10 ms, after a stall":           {perSecond: 100, size: 638, stall: time.Second},
		"the best, 10 ms, RED":                     {perSecond: 100, size: 2*638 + 5},
		"the best, 10 ms, RED, a third lost":       {perSecond: 100, size: 2*638 + 5, again: 0.5},
		"the best, 20 ms, a third lost":            {perSecond: 50, size: 1275, again: 0.5},
		"the best, 2.5 ms":                         {perSecond: 400, size: 160},
		"2.5 ms at 64 kbit/s, RED, a third lost":   {perSecond: 400, size: 4*20 + 13, again: 0.5},
		"2.5 ms at 128 kbit/s, RED of two":         {perSecond: 400, size: 3*40 + 9},
		"2.5 ms, after a stall":                    {perSecond: 400, size: 40, stall: time.Second},
		"20,000 packets of 1,900 bytes":            {perSecond: 20_000, size: 1900, most: intakeBytes * (seconds + 1) / 1900},
		"20,000 small ones":                        {perSecond: 20_000, size: 20, most: intakePackets * (seconds + 1)},
		"100 of 9,000 bytes, which wire drops all": {perSecond: 100, size: 9000, most: intakeBytes*(seconds+1)/9000 + 1},
	} {
		t.Run(name, func(t *testing.T) {
			var packets, bytes bounded.Bucket // as wire keeps them
			began := time.Unix(1e9, 0)
			sent, passed := 0, 0
			for i := range test.perSecond * seconds {
				at := began.Add(time.Duration(i) * time.Second / time.Duration(test.perSecond))
				if at.Sub(began) < test.stall {
					at = began.Add(test.stall)
				}
				for copies := 1 + int(float64(i+1)*test.again) - int(float64(i)*test.again); copies > 0; copies-- {
					sent++
					if packets.Empty(intake.Packets, at) || bytes.Empty(intake.Bytes, at) {
						continue
					}
					packets.Spend(intake.Packets, 1, at)
					bytes.Spend(intake.Bytes, test.size+overhead, at)
					passed++
				}
			}
			if test.most == 0 {
				require.Equal(t, sent, passed)
				return
			}
			require.LessOrEqual(t, passed, test.most)
		})
	}
}

// TestDroppedOfAll: what was dropped of a client is known when it is gone.
func TestDroppedOfAll(t *testing.T) {
	f := newFactory(t)
	drop := func() *Peer {
		_, p := connectOf(t, f, 1, lossEngine(t))
		p.OnRTP(nil, nil, []byte{0}, time.Now())
		p.OnRTCP(nil, nil, []byte{0}, time.Now())
		return p
	}
	gone := drop()
	require.NoError(t, gone.Close())
	require.NoError(t, gone.Close())
	drop()
	dropped := f.Dropped().Clients
	require.Equal(t, Drops{Malformed: 2, RTCP: 2}, dropped)
}
