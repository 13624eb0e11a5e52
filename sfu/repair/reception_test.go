package repair

import (
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// listen feeds packets with these numbers, 20 ms apart in time and timestamp, each late
// by so many milliseconds.
func listen(r *Arrivals, late func(i int) int, numbers ...uint16) {
	for i, number := range numbers {
		at := time.UnixMilli(1_700_000_000_000 + int64(i)*20 + int64(late(i)))
		r.Observe(7, number, 4_294_960_000+uint32(i)*960, at)
	}
}

func onTime(int) int { return 0 }

func TestReceptionOfAPerfectStream(t *testing.T) {
	var r Arrivals
	_, ok := r.Report()
	require.False(t, ok, "nothing to report of nothing")
	listen(&r, onTime, 65534, 65535, 0, 1)
	report, ok := r.Report()
	require.True(t, ok)
	require.Equal(t, Reception{SSRC: 7, HighestSequenceNumber: 1<<16 + 1}, report, "a wrap is counted")
	_, ok = r.Report()
	require.False(t, ok, "nothing since")
}

func TestReceptionOfLoss(t *testing.T) {
	var r Arrivals
	listen(&r, onTime, 10, 11, 13, 12, 16) // 14 and 15 are missing, 12 only late
	report, _ := r.Report()
	require.Equal(t, Reception{
		SSRC: 7, FractionLost: 2 * 256 / 7, TotalLost: 2, HighestSequenceNumber: 16, Jitter: report.Jitter,
	}, report)
	listen(&r, onTime, 17, 18)
	report, _ = r.Report()
	require.Zero(t, report.FractionLost, "none of the last two")
	require.EqualValues(t, 2, report.TotalLost)
	listen(&r, onTime, 14, 15, 18) // late ones and a duplicate
	report, _ = r.Report()
	require.Zero(t, report.TotalLost, "never negative")
}

func TestReceptionBeginsAnewWithAnotherStream(t *testing.T) {
	var r Arrivals
	listen(&r, onTime, 10, 20)
	r.Report()
	listen(&r, onTime, 20_000, 20_001)
	report, _ := r.Report()
	require.Zero(t, report.TotalLost)
	require.EqualValues(t, 20_001, report.HighestSequenceNumber)
	r.Observe(8, 5, 0, time.UnixMilli(0))
	report, _ = r.Report()
	require.EqualValues(t, 8, report.SSRC)
	require.EqualValues(t, 5, report.HighestSequenceNumber)
}

func TestReceptionJitter(t *testing.T) {
	var r Arrivals
	numbers := make([]uint16, 500)
	for i := range numbers {
		numbers[i] = uint16(i)
	}
	// Every second packet is 10 ms late: each differs from the one before by 480 ticks.
	listen(&r, func(i int) int { return i % 2 * 10 }, numbers...)
	report, _ := r.Report()
	require.InDelta(t, 480, report.Jitter, 2)
}

// A wall clock that is set between two packets, or between a report and its answer, changes neither jitter nor round trip.
func TestClocksThatAreSetChangeNothing(t *testing.T) {
	for _, step := range []time.Duration{-time.Hour, 61 * time.Second, 24 * time.Hour} {
		var r Arrivals
		now := time.Now()
		for i := range 100 {
			at := now.Add(time.Duration(i) * 20 * time.Millisecond)
			if i >= 50 {
				at = stepped(at, step)
			}
			r.Observe(7, uint16(i), uint32(i)*960, at)
		}
		report, ok := r.Report()
		require.True(t, ok)
		require.Less(t, report.Jitter, uint32(5), "%v", step)
		later := stepped(now.Add(time.Second), step)
		require.InDelta(t, 1<<32, float64(NTP(later)-NTP(now)), 1<<12, "%v", step)
	}
}

// stepped is the moment t as time.Now returns it after the wall clock was set by step: another wall, the same monotonic
// reading. Package time has no way to make one, so its fields are (wall, ext, loc) as of Go 1.9.
func stepped(t time.Time, step time.Duration) time.Time {
	const secondsAt = 30 // in wall, below them the nanoseconds
	*(*uint64)(unsafe.Pointer(&t)) += uint64(int64(step/time.Second)) << secondsAt
	return t
}
