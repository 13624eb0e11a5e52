package e2e

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// victimURL has the server's address for TestRoleVictim; heldServer has TestRoleHeldServer run.
const (
	victimURL  = "LIVECHAT_VICTIM_URL"
	heldServer = "LIVECHAT_HELD_SERVER"
)

// TestRoleVictim is no test of its own: it plays a client in a process that is killed. Every second one talks.
func TestRoleVictim(t *testing.T) {
	url, name, ok := strings.Cut(os.Getenv(victimURL), " ")
	if !ok {
		t.Skip("plays a client for TestSurviveKilled")
	}
	guest, err := client.Guest(soon(t), url, name)
	require.NoError(t, err)
	v := arriveAs(t, &server{URL: url}, guest.Token).join("lobby", slots(1))
	require.NoError(t, v.call.WaitConnected(soon(t)))
	if strings.HasSuffix(name, "talker") {
		v.talk()
	}
	fmt.Println("in", v.UserID()) //nolint:forbidigo // to the test that killed it
	<-v.Done()
}

// TestRoleHeldServer is no test of its own: it plays a server in a process that is stopped and goes on.
func TestRoleHeldServer(t *testing.T) {
	if os.Getenv(heldServer) == "" {
		t.Skip("plays a server for TestHeldServerBlamesNobody")
	}
	fmt.Println("in", startServer(t).URL) //nolint:forbidigo // to the test that stops it
	select {}
}

// child is a role of this program in a process of its own.
type child struct {
	said   string // behind "in "
	signal func(os.Signal) error
	wait   func() error // until it has ended
}

func startVictim(t *testing.T, s *server, name string) *child {
	t.Helper()
	return startChild(t, "TestRoleVictim", victimURL+"="+s.URL+" "+name)
}

// startChild starts a role and waits until it is in. It is killed at the end of the test.
func startChild(t *testing.T, role, environment string) *child {
	t.Helper()
	return startChildBy(t, nil, role, environment)
}

// startChildBy is startChild by a command that runs another one.
func startChildBy(t *testing.T, by []string, role, environment string) *child {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	args := append(slices.Clone(by), os.Args[0], "-test.run=^"+role+"$", "-test.count=1")
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = append(os.Environ(), environment)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	wait := sync.OnceValue(cmd.Wait)
	t.Cleanup(func() {
		cancel()
		_ = wait()
	})
	c := &child{signal: cmd.Process.Signal, wait: wait}
	for lines := bufio.NewScanner(out); c.said == "" && lines.Scan(); {
		if said, ok := strings.CutPrefix(lines.Text(), "in "); ok {
			c.said = said
		}
	}
	require.NotEmpty(t, c.said, "%s did not come in", role)
	return c
}

// A server that was held up longer than silence is suffered calls nobody lost: what its clients sent waits to be read.
func TestHeldServerBlamesNobody(t *testing.T) {
	verifyNoLeaks(t)
	held := startChild(t, "TestRoleHeldServer", heldServer+"=yes")
	s := &server{URL: held.said}
	ada := arrive(t, s, "ada").join("lobby", slots(1)).talk()
	bo := arrive(t, s, "bo").join("lobby", slots(1))
	arrive(t, s, "cyd").join("lobby", listenOnly)
	bo.hears(ada)
	require.NoError(t, held.signal(syscall.SIGSTOP))
	time.Sleep(toldWithin + time.Second)
	require.NoError(t, held.signal(syscall.SIGCONT))
	bo.hears(ada)
	for over := time.After(3 * time.Second); ; {
		select {
		case ev := <-bo.Events():
			require.NotEqual(t, protocol.OpMediaState, ev.Op, "%+v", ev.Payload)
			continue
		case <-over:
		}
		break
	}
	require.Len(t, bo.call.Members(), 3)
}

// TestSurviveKilled kills processes without a word, and measures when the others are told and when they are rid of them. A
// process that is stopped goes on holding its WebSocket, as one behind a dead network does.
func TestSurviveKilled(t *testing.T) {
	survives(t)
	const victims = 20
	for name, test := range map[string]struct {
		signal os.Signal
		out    time.Duration
	}{
		"killed":  {syscall.SIGKILL, 30 * time.Second}, // its WebSocket breaks: RFC 7675's consent is the shorter timeout
		"stopped": {syscall.SIGSTOP, 45 * time.Second}, // it stands: the zombie timeout
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startServer(t)
			bo := arrive(t, s, "bo", roomy).join("lobby", slots(4))
			at := make(map[string]time.Time) // when each was killed, by user id
			all := make([]*child, victims)
			for i := range all {
				all[i] = startVictim(t, s, fmt.Sprint("victim ", i, []string{"", " talker"}[i%2]))
			}
			for _, v := range all {
				time.Sleep(rand.N(100 * time.Millisecond)) // anywhere between two checks
				at[v.said] = time.Now()
				require.NoError(t, v.signal(test.signal))
			}
			var lost, out []time.Duration
			for deadline := time.After(test.out + patience); len(out) < victims; {
				select {
				case ev := <-bo.Events():
					switch d := ev.Payload.(type) {
					case *protocol.MediaState:
						require.Equal(t, protocol.MediaLost, d.State)
						lost = append(lost, time.Since(at[d.UserID]))
					case *protocol.ChannelEvent:
						if d.Event == protocol.ChannelEventLeave {
							require.Equal(t, protocol.LeaveMediaTimeout, d.Cause)
							out = append(out, time.Since(at[d.Member.UserID]))
						}
					}
				case <-deadline:
					t.Fatalf("%d of %d are told to be lost, %d are out", len(lost), victims, len(out))
				}
			}
			require.Len(t, lost, victims, "each once")
			below(t, "told of one "+name, lost, toldWithin)
			below(t, "rid of one "+name, out, test.out+time.Second)
			require.Less(t, lost[victims-1], toldWithin, "the longest, too")
		})
	}
}
