package wire

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// onFlow is a flow of a test.
func onFlow(n int) flow {
	return flow{remote: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, 1}), uint16(n)), group: 0}
}

// step is what happens to a path at a time, and what is to come of it.
type step struct {
	at   time.Duration
	what func(p *path, now time.Time) any
	want any
}

func checkOn(n int) func(*path, time.Time) any {
	return func(p *path, now time.Time) any { return p.check(now, onFlow(n), netip.Addr{}, false) }
}

func nominate(n int) func(*path, time.Time) any {
	return func(p *path, now time.Time) any { return p.check(now, onFlow(n), netip.Addr{}, true) }
}

func loseFirst(p *path, _ time.Time) any { return p.lose(onFlow(1)) }

func expire(p *path, now time.Time) any { return p.expire(now) }

func holds(n int) func(*path, time.Time) any {
	return func(p *path, now time.Time) any { return p.holds(now, onFlow(n)) }
}

func heardOn(n int) func(*path, time.Time) any {
	return func(p *path, now time.Time) any { return p.heard(now, onFlow(n)) }
}

func restartAndCheckOn(n int) func(*path, time.Time) any {
	return func(p *path, now time.Time) any {
		p.restart()
		return p.check(now, onFlow(n), netip.Addr{}, false)
	}
}

// Steps of the same kind of check, over and over.
func checksOn(from, to int) []step {
	var steps []step
	for n := from; n <= to; n++ {
		steps = append(steps, step{time.Duration(n) * time.Millisecond, checkOn(n), move{}})
	}
	return steps
}

func TestPath(t *testing.T) {
	const silent, expired = pairSilence + time.Millisecond, ConsentLifetime - sweepInterval
	stay, send := move{}, move{send: true}
	for name, steps := range map[string][]step{
		"nothing is sent before a nomination": {{0, checkOn(1), stay}, {time.Hour, checkOn(1), stay}, {time.Hour, checkOn(2), stay}},
		"the nominated pair is sent to":       {{0, checkOn(1), stay}, {1, nominate(1), send}, {2, nominate(1), stay}, {3, checkOn(1), stay}},
		"the latest nomination counts":        {{0, nominate(1), send}, {1, nominate(2), send}, {2, nominate(1), send}},
		"another check does not move it":      {{0, nominate(1), send}, {pairSilence, checkOn(2), stay}},
		"a silent pair gives way":             {{0, nominate(1), send}, {silent, checkOn(2), send}, {silent + 1, checkOn(1), stay}},
		"a pair that is checked is not silent": {
			{0, nominate(1), send}, {silent, checkOn(1), stay}, {silent + 1, checkOn(2), stay},
		},
		"where media comes from a check moves it": {{0, nominate(1), send}, {1, heardOn(2), flow{}}, {2, checkOn(2), send}, {3, checkOn(1), stay}},
		"where media comes from no other check moves it": {
			{0, nominate(1), send}, {1, heardOn(4), flow{}}, {2, checkOn(3), stay}, {3, checkOn(4), send},
		},
		"media from elsewhere says nothing once the pair is checked again": {
			{0, nominate(1), send}, {1, heardOn(2), flow{}}, {2, checkOn(1), stay}, {3, checkOn(2), stay},
		},
		"media alone nominates nothing":      {{0, checkOn(1), stay}, {1, heardOn(2), flow{}}, {2, checkOn(2), stay}},
		"after a restart any check moves it": {{0, nominate(1), send}, {1, restartAndCheckOn(2), send}, {2, checkOn(3), stay}},
		"a restart on the same pair stays":   {{0, nominate(1), send}, {1, restartAndCheckOn(1), stay}, {2, checkOn(2), stay}},
		"a lost pair is sent to no more, and any check says where to": {
			{0, nominate(1), send}, {1, loseFirst, true}, {2, loseFirst, false}, {3, checkOn(2), send},
		},
		"a lost pair comes back": {{0, nominate(1), send}, {1, loseFirst, true}, {2, checkOn(1), send}},
		"what was only checked is lost without harm": {
			{0, checkOn(1), stay}, {1, nominate(2), send}, {2, loseFirst, false}, {3, checkOn(2), stay},
		},
		"consent expires once": {
			{0, nominate(1), send}, {expired - 1, expire, false}, {expired, expire, true}, {expired + 1, expire, false},
		},
		"consent is renewed by checks on the pair": {
			{0, nominate(1), send}, {expired - 1, checkOn(1), stay}, {expired, expire, false}, {2*expired - 1, expire, true},
		},
		"a check on the pair renews consent that expired": {
			{0, nominate(1), send},
			{expired, expire, true},
			{time.Hour, checkOn(1), send},
			{time.Hour, expire, false},
			{time.Hour + 1, checkOn(1), stay},
			{time.Hour + 1 + expired, expire, true},
		},
		"a check elsewhere moves a pair that expired": {
			{0, nominate(1), send}, {expired, expire, true}, {time.Hour, checkOn(2), send}, {time.Hour, expire, false},
		},
		"nothing expires that was not nominated": {{0, checkOn(1), stay}, {time.Hour, expire, false}},
		"nothing expires that was lost":          {{0, nominate(1), send}, {1, loseFirst, true}, {time.Hour, expire, false}},
		"who is checked holds its flows": {
			{0, holds(1), false},
			{0, checkOn(1), stay},
			{0, nominate(2), send},
			{addressHold - 1, holds(1), true},
			{addressHold - 1, holds(2), true},
			{addressHold - 1, holds(3), false},
			{addressHold - 1, checkOn(1), send},
			{addressHold, holds(1), true},
			{addressHold, holds(2), false},
		},
		"what is lost is not held": {{0, checkOn(1), stay}, {1, loseFirst, false}, {2, holds(1), false}},
		"the flow not checked for longest goes": append(checksOn(1, maxPaths),
			step{time.Second, checkOn(1), stay},
			step{time.Second, checkOn(maxPaths + 1), move{forget: onFlow(2)}},
			step{time.Second, checkOn(maxPaths + 2), move{forget: onFlow(3)}}),
		"the nominated one stays": append(checksOn(2, maxPaths),
			step{0, nominate(1), send},
			step{time.Second, checkOn(maxPaths + 1), move{forget: onFlow(2)}}),
	} {
		t.Run(name, func(t *testing.T) {
			var p path
			start := time.Unix(1e9, 0)
			for i, s := range steps {
				require.Equal(t, s.want, s.what(&p, start.Add(s.at)), fmt.Sprintf("step %d at %v", i, s.at))
			}
			require.LessOrEqual(t, len(p.flows), maxPaths)
		})
	}
}
