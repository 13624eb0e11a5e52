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
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// victimURL has the server's address for TestRoleVictim.
const victimURL = "LIVECHAT_VICTIM_URL"

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

// victim is a client in a process of its own.
type victim struct {
	userID string
	signal func(os.Signal) error
}

func startVictim(t *testing.T, s *server, name string) *victim {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestRoleVictim$", "-test.count=1")
	cmd.Env = append(os.Environ(), victimURL+"="+s.URL+" "+name)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait()
	})
	v := &victim{signal: cmd.Process.Signal}
	for lines := bufio.NewScanner(out); v.userID == "" && lines.Scan(); {
		v.userID, _ = strings.CutPrefix(lines.Text(), "in ")
	}
	require.NotEmpty(t, v.userID, "%s did not come in", name)
	return v
}

// TestSurviveKilled kills processes without a word, and measures when the others are told and when they are rid of them. A
// process that is stopped goes on holding its WebSocket, as one behind a dead network does.
func TestSurviveKilled(t *testing.T) {
	if os.Getenv("LIVECHAT_SURVIVE") == "" {
		t.Skip("see make survive")
	}
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
			all := make([]*victim, victims)
			for i := range all {
				all[i] = startVictim(t, s, fmt.Sprint("victim ", i, []string{"", " talker"}[i%2]))
			}
			for _, v := range all {
				time.Sleep(rand.N(100 * time.Millisecond)) // anywhere between two checks
				at[v.userID] = time.Now()
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
			t.Logf("%s: the others are told after %s, and rid of them after %s", name, spread(lost), spread(out))
			require.Less(t, slices.Max(lost), toldWithin)
			require.Less(t, slices.Max(out), test.out+slowMachine)
		})
	}
}

// spread puts a measurement into words.
func spread(took []time.Duration) string {
	slices.Sort(took)
	round := func(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
	return fmt.Sprintf("median %v, p95 %v, longest %v (%d times)",
		round(took[len(took)/2]), round(took[len(took)*95/100]), round(took[len(took)-1]), len(took))
}
