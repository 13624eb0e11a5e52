package cluster

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// clerk keeps a roll, with a clock that is told.
type clerk struct {
	roll
	now time.Time
	n   uint64
}

func newClerk() *clerk {
	return &clerk{now: time.Now(), roll: roll{
		self: NodeID{"a", "1"}, identity: func() Identity { return Identity{Protocol: Protocol} }, expected: []string{"a", "b", "c"},
		alive: make(map[string]*member),
	}}
}

// beat has a node say that it is there, and returns what comes of it, as "+b", "-b: why" or "b: words".
func (c *clerk) beat(name, boot string, change ...func(*beat)) string {
	c.n++
	b := &beat{Protocol: Protocol, Name: name, Boot: boot, Number: c.n, At: c.now.UnixMilli()}
	for _, f := range change {
		f(b)
	}
	return written(c.hear(c.now, b))
}

// wait lets time pass, looking now and then who is silent.
func (c *clerk) wait(d time.Duration) string {
	var all []string
	for end := c.now.Add(d); c.now.Before(end); {
		c.now = c.now.Add(routesEvery)
		if s := written(c.look(c.now)); s != "" {
			all = append(all, s)
		}
	}
	return strings.Join(all, " | ")
}

func written(f finding) string {
	var all []string
	for _, change := range f.changes {
		if change.Alive {
			all = append(all, "+"+change.Node.ID.Name+change.Node.ID.Boot)
		} else {
			all = append(all, "-"+change.Node.ID.Name+change.Node.ID.Boot+": "+change.Why)
		}
	}
	for _, w := range f.words {
		all = append(all, w.node+": "+w.text)
	}
	return strings.Join(all, " | ")
}

func TestRollBeatsAndSilence(t *testing.T) {
	t.Parallel()
	c := newClerk()
	require.Empty(t, c.beat("a", "1"), "itself")
	require.False(t, c.quorum())
	require.Equal(t, "+b1", c.beat("b", "1"))
	require.True(t, c.quorum())
	require.Empty(t, c.wait(DeadAfter))
	require.Empty(t, c.beat("b", "1"), "just in time")
	require.Contains(t, c.wait(2*DeadAfter), "-b1: nothing was heard")
	require.Equal(t, "+b1", c.beat("b", "1"))
	require.Equal(t, "-b1: it has left", c.beat("b", "1", func(b *beat) { b.Leaving = true }))
	require.Empty(t, c.beat("b", "1", func(b *beat) { b.Leaving = true }), "known")
}

// A process that was stopped for a while must not take the others for dead.
func TestRollAfterStandstill(t *testing.T) {
	t.Parallel()
	c := newClerk()
	c.beat("b", "1")
	require.Empty(t, c.wait(routesEvery))
	c.now = c.now.Add(time.Minute)
	require.Empty(t, written(c.look(c.now)))
	require.Empty(t, c.wait(DeadAfter))
	require.Contains(t, c.wait(DeadAfter), "-b1")
}

func TestRollStartedAnew(t *testing.T) {
	t.Parallel()
	c := newClerk()
	c.beat("b", "1")
	require.Empty(t, c.beat("b", "2"), "the old one may be dead, and nobody knows yet")
	require.Contains(t, c.wait(2*DeadAfter), "-b1")
	require.Equal(t, "+b2", c.beat("b", "2"))
	require.Equal(t, "-b2: closed", written(c.cut("b", "closed")))
	require.Equal(t, "+b3", c.beat("b", "3"), "at once, when the way was closed")
	// While both speak there are two.
	require.Empty(t, c.beat("b", "4"))
	require.Equal(t, "b: a node was refused: "+twoOfOneName, c.beat("b", "3"))
	require.Empty(t, c.beat("b", "4"))
	require.Empty(t, c.beat("b", "3"), "said once")
	require.Len(t, c.refused, 1)
	c.now = c.now.Add(refusedAnew)
	require.NotEmpty(t, c.beat("b", "4")+c.beat("b", "3"), "somebody has started it again")
	require.NotEmpty(t, c.refusal(NodeID{"b", "4"}))
	require.Empty(t, c.refusal(NodeID{"b", "3"}))
	require.Contains(t, c.beat("a", "2"), "the name of this node")
}

func TestRollLostBeats(t *testing.T) {
	t.Parallel()
	c := newClerk()
	c.beat("b", "1")
	c.n += 3
	c.beat("b", "1")
	require.EqualValues(t, 3, c.lost)
}

// ahead has a beat show a clock that is.
func ahead(by time.Duration) func(*beat) {
	return func(b *beat) { b.At += by.Milliseconds() }
}

func TestRollClocks(t *testing.T) {
	t.Parallel()
	c := newClerk()
	then := func(by time.Duration) string { // in a while
		for range 2 * clockWindow / BeatEvery {
			c.now = c.now.Add(BeatEvery)
			c.beat("b", "1", ahead(by))
		}
		return c.beat("b", "1", ahead(by))
	}
	require.NotContains(t, newClerk().beat("b", "1", ahead(time.Second)), "clock", "as the network may delay it")
	require.Contains(t, c.beat("b", "1", ahead(time.Hour)), clocksDiffer)
	require.Empty(t, c.beat("b", "1", ahead(time.Hour)), "said once")
	require.Empty(t, c.beat("b", "1", ahead(-time.Hour)), "it came late")
	require.Equal(t, c.now, c.clocks.time(c.now), "nobody can tell")
	require.Equal(t, time.Hour, c.clocks.forgiven().Round(time.Second))
	require.Empty(t, then(0), "mended")
	require.Contains(t, c.beat("b", "1", ahead(time.Hour)), clockOff)
}

// Most nodes' clocks are right, and the others go by those, also when most are gone again.
func TestRollGoesByMostClocks(t *testing.T) {
	t.Parallel()
	for _, off := range []time.Duration{time.Hour, -time.Hour} {
		c := newClerk()
		require.Contains(t, c.beat("b", "1", ahead(-off)), clocksDiffer)
		require.Equal(t, c.now, c.clocks.time(c.now), "one of two")
		require.Contains(t, c.beat("c", "1", ahead(-off)), "a: "+ownClockOff)
		require.WithinDuration(t, c.now.Add(-off), c.clocks.time(c.now), time.Second)
		require.InDelta(t, off.Seconds(), c.clocks.off(c.now).Seconds(), 1)
		require.InDelta(t, 0, c.ahead(c.alive["b"], c.now).Seconds(), 1)

		c.wait(2 * DeadAfter)
		require.Empty(t, c.alive)
		require.Contains(t, c.beat("c", "2", ahead(off)), clockOff, "one alone does not make it wrong")
		require.WithinDuration(t, c.now.Add(-off), c.clocks.time(c.now), time.Second)
		require.Zero(t, c.clocks.forgiven(), "nothing is dated otherwise any more")
	}
}

// Of this node's clock all is well: one of two others that is off changes nothing here.
func TestRollClockOfOneIsOff(t *testing.T) {
	t.Parallel()
	c := newClerk()
	c.beat("b", "1")
	require.Contains(t, c.beat("c", "1", ahead(time.Hour)), "c: "+clockOff)
	require.Equal(t, c.now, c.clocks.time(c.now))
	require.Zero(t, c.clocks.off(c.now))
	require.InDelta(t, time.Hour.Seconds(), c.ahead(c.alive["c"], c.now).Seconds(), 1)
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	own := Identity{Protocol: 1, Proof: "p", Keys: []string{"k1", "k2"}, Nodes: []string{"a", "b"}}
	for _, one := range []struct {
		other Identity
		words string
	}{
		{Identity{1, "p", []string{"k1", "k2"}, nil}, ""},
		{Identity{1, "p", []string{"k2", "k1"}, nil}, ""}, // a change of secrets that is under way
		{Identity{1, "p", []string{"k1"}, nil}, ""},
		{Identity{1, "p", []string{"k2"}, nil}, "tokens"}, // it would not take what is signed here
		{Identity{1, "p", []string{"k3", "k1"}, nil}, "tokens"},
		{Identity{1, "p", nil, nil}, "tokens"},
		{Identity{2, "p", []string{"k1"}, nil}, "version 2"},
		{Identity{2, "q", nil, nil}, "cluster secret"},
		{Identity{1, "p", []string{"k1"}, []string{"a", "b"}}, ""},
		{Identity{1, "p", []string{"k1"}, []string{"a", "b", "c"}}, ""}, // a change of the list that is under way
		{Identity{1, "p", []string{"k1"}, []string{"a", "c"}}, ""},
		{Identity{1, "p", []string{"k1"}, []string{"a", "b", "c", "d"}}, "other --cluster-peers (a, b, c, d) than this node (a, b)"},
		{Identity{1, "p", []string{"k1"}, []string{"c", "d"}}, "other --cluster-peers (c, d) than this node (a, b)"},
	} {
		why := own.differs(&one.other)
		if one.words == "" {
			require.Empty(t, why, one.other)
		}
		require.Contains(t, why, one.words, one.other)
	}
}

func TestKeysOfSecretHaveNothingInCommon(t *testing.T) {
	t.Parallel()
	one, other := secret("one"), secret("other")
	require.NotEqual(t, one.proof(), other.proof())
	require.Equal(t, one.proof(), secret("one").proof())
	require.NotEqual(t, one.key("a", 32), one.key("b", 32))
	require.NotContains(t, string(one.identity()), string(one.key("proof", proofBytes)))
}

func TestEnvelope(t *testing.T) {
	t.Parallel()
	from, data, err := opened(envelope([]byte("data"), "a", "1"))
	require.NoError(t, err)
	require.Equal(t, NodeID{"a", "1"}, from)
	require.Equal(t, "data", string(data))
	for _, broken := range []string{"", "\x05a", "\x01a", "\x01a\x02b"} {
		_, _, err = opened([]byte(broken))
		require.ErrorIs(t, err, errEnvelope, "%q", broken)
	}
	for _, kind := range []error{nil, ErrNoAnswer, ErrGone, &AnswerError{"no"}} {
		data, err = openAnswer(sealAnswer([]byte("x"), kind))
		if kind == nil {
			require.Equal(t, "x", string(data))
		}
		require.Equal(t, kind, err)
	}
	_, err = openAnswer([]byte{99})
	require.ErrorIs(t, err, errEnvelope)
}

func TestParsePeers(t *testing.T) {
	t.Parallel()
	peers, err := ParsePeers([]string{"n1", "n2:7000", "c=10.0.0.3", "d=[::1]:7000", "e=::2"})
	require.NoError(t, err)
	require.Equal(t, []Peer{{"n1", "n1:6222"}, {"n2", "n2:7000"}, {"c", "10.0.0.3:6222"}, {"d", "[::1]:7000"}, {"e", "[::2]:6222"}}, peers)
	for list, words := range map[string]string{
		"n1 n1":                     "n1 is there twice",
		"n1:1 n1:2":                 "n1 is there twice",
		"a=n1 b=n1":                 "the same address",
		"n1:0":                      "host and a port",
		"n1:x":                      "host and a port",
		"=n1":                       "name",
		"a=":                        "host and a port",
		strings.Repeat("x", 300):    "name",
		"bad name=10.0.0.1":         "name",
		"a=10.0.0.1:1 b=10.0.0.1:1": "the same address",
	} {
		fields := strings.Fields(list)
		if strings.HasPrefix(list, "bad") {
			fields = []string{list}
		}
		_, err := ParsePeers(fields)
		require.ErrorIs(t, err, ErrPeers, list)
		require.ErrorContains(t, err, words, list)
	}
}

func TestSelf(t *testing.T) {
	t.Parallel()
	peers, err := ParsePeers([]string{"n1.example.org", "n2.example.org", "c=10.0.0.3"})
	require.NoError(t, err)
	for name, want := range map[string]string{"n1.example.org": "n1.example.org", "n2": "n2.example.org", "c": "c", "c.lan": "c"} {
		self, failed := Self(peers, name)
		require.NoError(t, failed, name)
		require.Equal(t, want, self.Name)
	}
	for _, name := range []string{"n3", "n", "example.org"} {
		_, err = Self(peers, name)
		require.ErrorIs(t, err, ErrPeers, name)
		require.ErrorContains(t, err, "--node-name")
	}
	local, err := ParsePeers([]string{"198.51.100.1", "127.0.0.1", "198.51.100.2"})
	require.NoError(t, err)
	self, err := Self(local, "")
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1", self.Name, "the only one on this machine")
}
