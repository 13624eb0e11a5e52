package e2e

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// silence asks a role how long it heard nothing since it was asked before.
func (a *actor) silence() time.Duration {
	a.t.Helper()
	a.tell(cueSilence)
	said := a.says()
	ms, err := strconv.Atoi(said)
	require.NoError(a.t, err, said)
	return time.Duration(ms) * time.Millisecond
}

// twoTalk makes a talker beside the server and another at the other end of the network, who hear each other.
func (n *network) twoTalk() (ada, ben *actor) {
	n.t.Helper()
	ada = n.play(n.server, "TestRoleServer", netServer{HTTP: ":80", URL: "http://127.0.0.1", NoTURN: true})
	require.Equal(n.t, "serving", ada.says())
	ben = n.play(n.client, "TestRoleClient", netClient{URL: "http://" + netServerV4, Talk: true})
	require.NotEmpty(n.t, ben.listens())
	time.Sleep(time.Second) // until nothing of joining is left
	ada.silence()
	ben.silence()
	return ada, ben
}

// moves gives the client another address so often, as when it goes from one network to another, and returns how long
// each of the two heard nothing.
func (n *network) moves(ada, ben *actor, times int) (atOther, atMover []time.Duration) {
	n.t.Helper()
	for i := range times {
		from, to := fmt.Sprintf("10.9.0.%d/24", 2+i%2), fmt.Sprintf("10.9.0.%d/24", 2+(i+1)%2)
		n.ip(n.client, "addr del "+from+" dev to-router", "addr add "+to+" dev to-router", "route add default via 10.9.0.1")
		time.Sleep(4 * time.Second)
		atOther, atMover = append(atOther, ada.silence()), append(atMover, ben.silence())
	}
	return atOther, atMover
}

// Who goes from one network to another, without a word from the system, talks on in the same session and call.
func TestNetMoves(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, true, false)
	ada, ben := n.twoTalk()
	atOther, atMover := n.moves(ada, ben, 2)
	t.Logf("silence at the other: %v, at the one who moved: %v", atOther, atMover)
	require.Less(t, slices.Max(slices.Concat(atOther, atMover)), 4*time.Second, "they hear each other again")
}
