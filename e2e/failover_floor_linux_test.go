package e2e

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// TestFailoverFloorPartition has the network lose, for ten seconds, all between the node of who has the floor and the two others, while everybody sends:
// they lose the floor before anybody else gets it, who is with them gets none, and when it is over all hear the same one. With make failover, as root.
func TestFailoverFloorPartition(t *testing.T) {
	inTowns(t, 3, "TestRoleFloorPartition")
}

// TestRoleFloorPartition is no test of its own: it plays the people of TestFailoverFloorPartition.
func TestRoleFloorPartition(t *testing.T) {
	var there towns
	task(t, &there)
	const lone = 3 // n3
	comes := there.come(t)
	all := make([]*person, 0, 2*len(there.URLs))
	for i := range cap(all) {
		all = append(all, arrive(t, &server{URL: there.URLs[i/2]}, fmt.Sprint("person ", i), comes).join("radio", slots(2)).talkEvery(longFrame))
	}
	for _, p := range all {
		eventually(t, "everybody is there", func() bool { return len(p.call.Members()) == len(all) })
	}
	alone, beside, other := all[4], all[5], all[0]
	again, agreed := make([]time.Duration, 0, there.Rounds), make([]time.Duration, 0, there.Rounds)
	for range there.Rounds {
		require.NoError(t, other.presses().Release(t.Context()))
		grant := alone.presses()
		for _, p := range all {
			if p != alone {
				p.hears(alone)
			}
		}
		cut := time.Now()
		there.between(t, true, lone, 1)
		there.between(t, true, lone, 2)
		next := other.presses()
		all[2].hears(other)
		first := all[2].firstAfter(other, cut)
		last := cut
		for _, p := range all {
			if p != alone && p.lastFrom(alone).After(last) {
				last = p.lastFrom(alone)
			}
		}
		again = append(again, first.Sub(cut))
		require.True(t, last.Before(first), "two are heard at once, on the two sides")
		require.Error(t, grant.Err(), "who is alone has lost it")
		_, err := beside.call.Floor().Acquire(soon(t), client.FloorRequest{})
		refused, _ := errors.AsType[*protocol.Error](err)
		require.NotNil(t, refused, "%v", err)
		require.Equal(t, protocol.CodeUnsettled, refused.Code)
		time.Sleep(time.Until(cut.Add(apart)))
		there.between(t, false, lone, 1)
		there.between(t, false, lone, 2)
		healed := time.Now()
		for _, p := range []*person{alone, beside} {
			eventually(t, "all hear the same one", func() bool { return p.lastFrom(other).After(healed) })
		}
		agreed = append(agreed, time.Since(healed))
		require.NoError(t, next.Err(), "nobody else has it")
		require.NoError(t, next.Release(t.Context()))
	}
	say("another talks after %v, and all hear the same one when it was over for %v", inMilliseconds(again), inMilliseconds(agreed))
	require.Less(t, slices.Max(again), unreachableAgain)
	require.Less(t, slices.Max(agreed), agreeAgain)
	say("done")
}

// firstAfter is when somebody was first heard after at.
func (p *person) firstAfter(other *person, at time.Time) time.Time {
	for _, heard := range p.heardAt(other) {
		if heard.After(at) {
			return heard
		}
	}
	return time.Time{}
}
