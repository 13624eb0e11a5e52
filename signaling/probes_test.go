package signaling

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/signaling/people"
	"github.com/mini-livechat/mini-livechat/signaling/store"
)

// closable is a connection of which nothing matters but its end.
type closable struct {
	sfu.Conn

	closed int
	ended  func(error)
}

func (c *closable) OnEnd(ended func(error)) { c.ended = ended }

func (c *closable) Close() error {
	c.closed++
	return nil
}

func TestProbesEnd(t *testing.T) {
	t.Parallel()
	begin := time.Unix(1_700_000_000, 0)
	var p probes
	conns := make([]*closable, maxProbes+2)
	for i := range conns {
		conns[i] = &closable{}
		p.add(conns[i], begin.Add(time.Duration(i)*time.Second))
	}
	ended := func() (n int) {
		for i, c := range conns {
			require.LessOrEqual(t, c.closed, 1, "closed once")
			if c.closed == 1 {
				require.Equal(t, n, i, "the oldest first")
				n++
			}
		}
		return n
	}
	require.Equal(t, 2, ended(), "newer ones take the place of the oldest")
	p.reap(begin.Add(probeLife + time.Second))
	require.Equal(t, 2, ended(), "none is old yet")
	p.reap(begin.Add(probeLife + 4*time.Second))
	require.Equal(t, 5, ended(), "the old ones are reaped")
	p.close()
	require.Equal(t, len(conns), ended())
	p.reap(begin.Add(time.Hour))
	p.close()
	require.Equal(t, len(conns), ended(), "nothing is closed twice")
}

// A probe that fails, or that its client has seen enough of, makes room at once.
func TestProbeThatEndsIsDropped(t *testing.T) {
	t.Parallel()
	now := time.Now()
	var p probes
	first, second := &closable{}, &closable{}
	p.add(first, now)
	p.add(second, now)
	first.ended(sfu.ErrEnded)
	require.Equal(t, 1, first.closed)
	require.Zero(t, second.closed)
	require.Len(t, p.open, 1)
	first.ended(sfu.ErrEnded)
	p.close()
	second.ended(sfu.ErrEnded)
	require.Equal(t, 1, first.closed, "nothing is closed twice")
	require.Equal(t, 1, second.closed)
}

func TestSweepEndsOldProbes(t *testing.T) {
	t.Parallel()
	memory, err := store.Open("")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, memory.Close()) })
	g, err := NewGateway(Config{Store: memory, People: people.New(memory, nil, 0), HeartbeatInterval: time.Second, ZombieTimeout: time.Minute, MaxSessions: 1, Admission: generous()}, nil, nil, zap.NewNop())
	require.NoError(t, err)
	s := newUser("ada", 1)
	register(t, g.users, s)
	now := time.Now()
	conn := &closable{}
	s.probes.add(conn, now)
	g.Sweep(now.Add(probeLife - 1))
	require.Zero(t, conn.closed)
	g.Sweep(now.Add(probeLife))
	require.Equal(t, 1, conn.closed)
}
