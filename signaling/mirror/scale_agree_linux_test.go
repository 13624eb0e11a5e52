package mirror

import (
	"context"
	"errors"
	"hash/maphash"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu"
)

const (
	// patience is how long nodes may take to agree, and lookEvery how often it is looked whether they do.
	patience  = 20 * time.Second
	lookEvery = 50 * time.Millisecond
	// underWay is how long it takes until what was just asked for or told is known everywhere.
	underWay = 10 * time.Millisecond
)

// disagreements is in how many channels nodes see other members than there are, or another who has the floor than the first node does, all nodes together.
func (l *land) disagreements() (members, floors int) {
	for i := range l.channels {
		name := channelName(i)
		var first uint64
		for n, s := range l.there() {
			c := s.Channel(name)
			if c.Info().MemberCount != len(l.in[i]) {
				members++
			}
			if !byTurns(i) {
				continue
			}
			var grant uint64
			if holders := c.Holders(); len(holders) > 0 {
				grant = holders[0].ID
			}
			if n == 0 {
				first = grant
			} else if grant != first {
				floors++
			}
		}
	}
	if members == 0 { // else it is too early to look closely
		members = l.differences()
	}
	return members, floors
}

// differences is in how many channels nodes see others than there are, one by one, or see them otherwise.
func (l *land) differences() (wrong int) {
	seed := maphash.MakeSeed()
	mark := func(id string, muted bool) uint64 {
		if muted {
			id += " muted"
		}
		return maphash.String(seed, id)
	}
	want := make([]uint64, l.channels)
	for _, p := range l.souls {
		if p.member != nil {
			want[p.channel] ^= mark(userName(p.number), p.muted)
		}
	}
	for i := range l.channels {
		for _, s := range l.there() {
			var sum uint64
			for _, m := range s.Channel(channelName(i)).Members() {
				sum ^= mark(m.UserID, m.SelfMute)
			}
			if sum != want[i] {
				wrong++
			}
		}
	}
	return wrong
}

// there are the nodes that live.
func (l *land) there() []*site {
	sites := make([]*site, 0, len(l.sites))
	for _, s := range l.sites {
		if s != nil {
			sites = append(sites, s)
		}
	}
	return sites
}

// agrees waits until all nodes see the same, and says when that was so of members, and of floors.
func (l *land) agrees(t *testing.T, when string, say func(string, ...any)) (members, floors time.Time) {
	t.Helper()
	began := time.Now()
	for {
		time.Sleep(underWay)
		people, turns := l.disagreements()
		now := time.Now()
		if people > 0 {
			members = time.Time{}
		} else if members.IsZero() {
			members = now
		}
		if turns > 0 {
			floors = time.Time{}
		} else if floors.IsZero() {
			floors = now
		}
		if people+turns == 0 {
			return members, floors
		}
		require.Less(t, now.Sub(began), patience, "%s the nodes see the members of %d channels, and the floors of %d, otherwise than they are", when, people, turns)
		say("  %s, %.2f s: members %d, floors %d", when, now.Sub(began).Seconds(), people, turns)
		l.live(lookEvery, 0, false, nil)
	}
}

// decider is the node that decides about a channel's floors.
func (l *land) decider(channel int) int {
	decides, _ := l.sites[0].arb.Arbiter(channelName(channel))
	return slices.IndexFunc(l.sites, func(s *site) bool { return s.arb.Self() == decides })
}

// decidedBy are those of the channels where one talks at a time about which a node decides, and where somebody is who is not on it.
func (l *land) decidedBy(node int) (channels []int) {
	self := l.sites[node].arb.Self()
	for i := range l.channels {
		if decides, _ := l.sites[node].arb.Arbiter(channelName(i)); byTurns(i) && decides == self && len(l.in[i]) > l.on[i][node] {
			channels = append(channels, i)
		}
	}
	return channels
}

// inquiry is how long it takes until it is decided about floors again.
type inquiry struct {
	of, open atomic.Int64
	took     atomic.Int64 // the longest
}

// inquire has somebody in each of these channels ask for the floor until they have it, or are told that another has.
func (l *land) inquire(channels []int) *inquiry {
	q, began := new(inquiry), time.Now()
	for _, i := range channels {
		m := l.in[i][0].member
		q.of.Add(1)
		q.open.Add(1)
		l.running.Go(func() {
			for time.Since(began) < patience {
				err := m.RequestFloor(context.Background(), sfu.FloorRequest{}, func(sfu.FloorAnswer) {})
				if err == nil {
					_ = m.ReleaseFloor(context.Background(), 0, func() {}) // it is decided, whatever it is
				}
				if err == nil || errors.Is(err, sfu.ErrFloorBusy) {
					q.open.Add(-1)
					took := int64(time.Since(began))
					for was := q.took.Load(); was < took && !q.took.CompareAndSwap(was, took); {
						was = q.took.Load()
					}
					return
				}
				time.Sleep(lookEvery)
			}
		})
	}
	return q
}

// listenForLeaves begins to note of whom anybody is told that they left.
func (l *land) listenForLeaves() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.left = make(map[string]struct{})
}

// leaves are of whom somebody was told since then.
func (l *land) leaves() map[string]struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	left := l.left
	l.left = nil
	return left
}

// tellsLeave notes that somebody is told that one left.
func (l *land) tellsLeave(userID string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.left != nil {
		l.left[userID] = struct{}{}
	}
}
