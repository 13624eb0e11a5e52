package e2e

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// howLong answers cueSilence and cueSince.
func (p *person) howLong(cue string) time.Duration {
	if since, ok := strings.CutPrefix(cue, cueSince); ok {
		ms, err := strconv.ParseInt(since, 10, 64)
		require.NoError(p.t, err)
		return p.heardSince(time.UnixMilli(ms))
	}
	require.Equal(p.t, cueSilence, cue)
	return p.lastSilence()
}

// silence asks a role how long it heard nothing since it was asked before.
func (a *actor) silence() time.Duration {
	a.t.Helper()
	return a.duration(cueSilence)
}

// since asks a role how long after a moment it heard something.
func (a *actor) since(at time.Time) time.Duration {
	a.t.Helper()
	return a.duration(fmt.Sprint(cueSince, at.UnixMilli()))
}

func (a *actor) duration(cue string) time.Duration {
	a.t.Helper()
	a.tell(cue)
	said := a.says()
	ms, err := strconv.Atoi(said)
	require.NoError(a.t, err, said)
	return time.Duration(ms) * time.Millisecond
}

// twoTalk makes a person beside the server and a talker at the other end of the network. If quiet, the first only listens.
func (n *network) twoTalk(quiet bool) (ada, ben *actor) {
	n.t.Helper()
	ada = n.play(n.server, "TestRoleServer", netServer{HTTP: ":80", URL: "http://127.0.0.1", NoTURN: true, Silent: quiet})
	require.Equal(n.t, "serving", ada.says())
	ben = n.play(n.client, "TestRoleClient", netClient{URL: "http://" + netServerV4, Talk: true})
	if !quiet {
		require.NotEmpty(n.t, ben.listens())
	}
	time.Sleep(2 * time.Second) // until nothing of joining is left
	ada.silence()
	ben.silence()
	return ada, ben
}

// move gives the client another address, as when it goes from one network to another.
func (n *network) move(i int) {
	n.t.Helper()
	from, to := fmt.Sprintf("10.9.0.%d/24", 2+i%2), fmt.Sprintf("10.9.0.%d/24", 2+(i+1)%2)
	n.ip(n.client, "addr del "+from+" dev to-router", "addr add "+to+" dev to-router", "route add default via 10.9.0.1")
}

// silences does something to the network so often, and returns how long each of the two heard nothing.
func silences(ada, ben *actor, times int, what func(i int)) (atAda, atBen []time.Duration) {
	ada.t.Helper()
	for i := range times {
		// At another moment in the rhythm of the checks each time.
		time.Sleep(time.Duration(i%10) * 200 * time.Millisecond)
		what(i)
		a, b := hearAgain(ada, ben, settles)
		atAda, atBen = append(atAda, a), append(atBen, b)
	}
	return atAda, atBen
}

// settles is how long after a move two hear each other again, as a rule.
const settles = 3 * time.Second

// hearAgain waits until two have heard each other again for a while, as a rule for as long as it is told and on a slow machine longer,
// and returns for how long each heard nothing. ben is nil where ada says nothing.
func hearAgain(ada, ben *actor, long time.Duration) (atAda, atBen time.Duration) {
	ada.t.Helper()
	for began := time.Now(); ; {
		time.Sleep(long)
		a, b := ada.silence(), time.Duration(0)
		if ben != nil {
			b = ben.silence()
		}
		atAda, atBen = atAda+a, atBen+b
		if max(a, b) < long-500*time.Millisecond {
			return atAda, atBen
		}
		require.Less(ada.t, time.Since(began), netPatience, "they do not hear each other again: %v and %v", atAda, atBen)
	}
}

// Who goes from one network to another, without a word from the system, talks on in the same session and call.
func TestNetMoves(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, true, false)
	ada, ben := n.twoTalk(false)
	atAda, atBen := silences(ada, ben, 2, n.move)
	t.Logf("silence at the other: %v, at the one who moved: %v", atAda, atBen)
	require.Less(t, slices.Max(slices.Concat(atAda, atBen)), settles+slowMachine)
}

// TestSurviveMove measures the silence when somebody goes from one network to another.
func TestSurviveMove(t *testing.T) {
	survives(t)
	t.Parallel()
	n := newNetwork(t, true, false)
	ada, ben := n.twoTalk(false)
	atAda, atBen := silences(ada, ben, survivals, n.move)
	below(t, "at the other, when one moves to another network", atAda, 1500*time.Millisecond)
	below(t, "at the one who moves", atBen, 1500*time.Millisecond)
}

// TestSurviveNAT measures the silence when a NAT gives somebody another address, of which they know nothing.
func TestSurviveNAT(t *testing.T) {
	survives(t)
	for name, alone := range map[string]bool{"both talk": false, "one talks": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNetwork(t, true, false)
			nat := n.symmetricNAT()
			ada, ben := n.twoTalk(alone)
			if alone {
				ben = nil
			}
			atAda, atBen := silences(ada, ben, survivals, func(int) {
				nat.tell("forget")
				require.Equal(t, "forgot", nat.says())
			})
			below(t, "at the other, when a NAT moves who talks", atAda, time.Second)
			if !alone {
				below(t, "at the one whom it moves", atBen, time.Second)
			}
		})
	}
}

// TestSurviveBlackout measures how long after a network has come back that swallowed everything for a while, WebSockets and
// media alike, voice is there again.
func TestSurviveBlackout(t *testing.T) {
	survives(t)
	t.Parallel()
	const blackout, times = 10 * time.Second, 6
	n := newNetwork(t, true, false)
	ada, ben := n.twoTalk(false)
	atAda, atBen := make([]time.Duration, 0, times), make([]time.Duration, 0, times)
	for range times {
		n.ip(n.router, "rule add pref 5 blackhole")
		time.Sleep(blackout)
		n.ip(n.router, "rule del pref 5 blackhole")
		back := time.Now()
		time.Sleep(4 * time.Second)
		atAda, atBen = append(atAda, ada.since(back)), append(atBen, ben.since(back))
		require.Greater(t, ada.silence(), blackout-time.Second, "it was a blackout")
		ben.silence()
	}
	below(t, fmt.Sprintf("at the other after %v of blackout", blackout), atAda, 500*time.Millisecond)
	below(t, "at the one whose network it was", atBen, 500*time.Millisecond)
}
