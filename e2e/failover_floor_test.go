package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/cluster"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// presses has somebody ask for the floor until it is theirs, as one does who holds the button: what the servers have to settle first is no answer.
func (p *person) presses() *client.Grant {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	for {
		grant, err := p.Call().Floor().Acquire(ctx, client.FloorRequest{})
		var lost *client.FloorError
		var refused *protocol.Error
		switch {
		case err == nil:
			return grant
		case errors.As(err, &lost) && lost.Cause == protocol.FloorEnded, errors.As(err, &refused) && refused.Code == protocol.CodeUnsettled:
		default:
			require.NoError(p.t, err)
		}
	}
}

// TestFailoverFloor kills the node that decides who talks in a channel, or the holder's, or has the former stop for three seconds, while everybody
// sends all the time: everybody can talk again, and nobody hears anybody but who has the floor. With make failover.
func TestFailoverFloor(t *testing.T) {
	times, _ := strconv.Atoi(os.Getenv(failovers))
	if times == 0 {
		t.Skip("see make failover")
	}
	gaps, grants := make([]time.Duration, 0, times), make([]time.Duration, 0, 10*times)
	for round := range times {
		nodes := startCluster(t, "radio:ptt")
		arbiter := arbiterOf(nodes)
		doomed, stop := arbiter, round%3 == 2
		if round%3 == 1 {
			doomed = (arbiter + 1) % 3
		}
		var all [3]*person
		for i, node := range nodes {
			all[i] = arrive(t, &server{URL: node.said}, fmt.Sprint("person ", i), comesBack).join("radio", slots(2)).talk()
		}
		for _, p := range all {
			eventually(t, "everybody is there", func() bool { return len(p.call.Members()) == 3 })
		}
		asks, hears := all[(doomed+1)%3], all[(doomed+2)%3]
		var wanted []string
		for i := range 10 { // from node to node, in turn
			p := all[i%3]
			eventually(t, "the floor is free", func() bool { return p.call.Floor().State().Holder == nil })
			began := time.Now()
			grant := p.presses()
			if i > 0 { // by then somebody decides
				grants = append(grants, time.Since(began))
			}
			for j, other := range all {
				if j != i%3 {
					other.hears(p)
				}
			}
			if p != hears {
				wanted = append(wanted, p.UserID())
			}
			require.NoError(t, grant.Release(t.Context()))
		}
		all[doomed].presses()
		hears.hears(all[doomed])
		wanted = append(wanted, all[doomed].UserID(), asks.UserID())

		began := time.Now()
		if stop {
			require.NoError(t, nodes[doomed].signal(syscall.SIGSTOP))
		} else {
			require.NoError(t, nodes[doomed].signal(syscall.SIGKILL))
		}
		asks.presses()
		hears.hears(asks)
		heard := hears.heardAt(asks)
		gaps = append(gaps, heard[slices.IndexFunc(heard, func(at time.Time) bool { return at.After(began) })].Sub(began))
		require.Equal(t, slices.Compact(wanted), hears.turns(0), "who was heard is not who had the floor")
		if stop {
			time.Sleep(3*time.Second - time.Since(began))
			require.NoError(t, nodes[doomed].signal(syscall.SIGCONT))
			time.Sleep(time.Second) // by then it knows what happened meanwhile
			hears.hears(asks)
			all[doomed].hears(asks)
			require.Equal(t, slices.Compact(wanted), hears.turns(0), "one who was stopped is heard beside another")
		}
		for _, p := range all {
			p.gone()
		}
		for _, node := range nodes {
			_ = node.signal(syscall.SIGKILL) // one is dead by now
		}
	}
	below(t, "the floor is granted across nodes", grants, 20*time.Millisecond)
	below(t, "another talks after the arbiter's or the holder's node died or stopped", gaps, 4*time.Second)
}

// arbiterOf returns which of the nodes decides about the radio's floor.
func arbiterOf(nodes []*nodeProcess) int {
	ids := make([]cluster.NodeID, len(nodes))
	for i, node := range nodes {
		ids[i].Name = node.node.Name
	}
	home, _ := cluster.Home("radio", ids)
	return slices.Index(ids, home)
}
