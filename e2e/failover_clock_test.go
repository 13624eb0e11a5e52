package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/mini-livechat/mini-livechat/sfu/porttest"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// clockNode is the program itself as one of three nodes, whose clock may be wrong.
type clockNode struct {
	*server

	path, data, log string
	args, env       []string
	cmd             *exec.Cmd
}

// start runs it and returns when it serves.
func (n *clockNode) start(t *testing.T) error {
	t.Helper()
	log, err := os.OpenFile(n.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open its log: %w", err)
	}
	defer log.Close()
	n.cmd = exec.CommandContext(t.Context(), n.path, n.args...)
	n.cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "LIVECHAT_") }), n.env...)
	n.cmd.Stderr = log
	out, err := n.cmd.StdoutPipe()
	if err == nil {
		err = n.cmd.Start()
	}
	if err != nil {
		return fmt.Errorf("start %s: %w", n.path, err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	n.server = &server{URL: strings.TrimSpace(strings.TrimPrefix(line, "Mini LiveChat is at "))}
	if err != nil {
		return fmt.Errorf("it does not serve: %w", err)
	}
	return nil
}

// does runs a command beside the node, by its clock.
func (n *clockNode) does(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), n.path, append(args, "--data="+n.data)...)
	cmd.Env = n.cmd.Env
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return string(out)
}

func (n *clockNode) logged(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(n.log)
	require.NoError(t, err)
	return string(text)
}

// enters identifies, and returns why there is no session.
func enters(t *testing.T, s *server, d protocol.Identify) (why protocol.Error) {
	t.Helper()
	c := dial(t, s)
	d.V = protocol.Version
	c.request(protocol.OpIdentify, d)
	frame := c.read()
	if frame.Op == protocol.OpReady {
		return why
	}
	require.NoError(t, frame.Bind(&why))
	return why
}

// A node whose clock is off by an hour has words, and harms no other: what is said, decided and made on it counts on the others as their own does,
// and the contrary. Nor does anybody notice when its clock is set right. With make failover.
func TestFailoverClock(t *testing.T) {
	if os.Getenv(failovers) == "" {
		t.Skip("see make failover")
	}
	path := buildWithWrongClock(t)
	for words, seconds := range map[string]int{"1h0m0s ahead": 3600, "1h0m0s behind": -3600} {
		t.Run(words, func(t *testing.T) {
			nodes := startWithWrongClock(t, path, seconds)
			clockIsSaid(t, nodes, words)
			clockAndSessions(t, nodes)
			clockAndTokens(t, nodes)
			clockAndDeeds(t, nodes)
			clockIsSetRight(t, nodes)
		})
	}
}

// setRightAfter is how many seconds of a node's life its clock is wrong.
const setRightAfter = 60

// startWithWrongClock starts three nodes, the clock of the last of which is ahead.
func startWithWrongClock(t *testing.T, path string, seconds int) []*clockNode {
	t.Helper()
	dir := t.TempDir()
	secrets := make(map[string]string)
	for name, text := range map[string]string{"cluster": strings.Repeat("c", 40), "tokens": testSecret} {
		secrets[name] = filepath.Join(dir, name+".secret")
		require.NoError(t, os.WriteFile(secrets[name], []byte(text+"\n"), 0o600))
	}
	peers := make([]string, 0, 3)
	for i := range 3 {
		peers = append(peers, fmt.Sprintf("n%d=%s", i+1, porttest.Addr(t)))
	}
	nodes := make([]*clockNode, 3)
	var starting errgroup.Group
	for i := range nodes {
		name := fmt.Sprint("n", i+1)
		n := &clockNode{path: path, data: filepath.Join(dir, name), log: filepath.Join(dir, name+".log")}
		n.args = []string{
			"serve", "--http=" + porttest.Addr(t), "--udp=127.0.0.1:0", "--metrics=", "--no-turn", "--allow-guests", "--data=" + n.data, "--per-address=1000",
			"--node-name=" + name, "--cluster-peers=" + strings.Join(peers, ","), "--cluster-secret-file=" + secrets["cluster"], "--secret-file=" + secrets["tokens"],
		}
		if i == 2 {
			n.env = []string{fmt.Sprint(wrongClock, "=", seconds), fmt.Sprint(wrongClockUntil, "=", setRightAfter)}
		}
		nodes[i] = n
		starting.Go(func() error { return n.start(t) })
		t.Cleanup(func() {
			_ = n.cmd.Process.Kill()
			_ = n.cmd.Wait()
			if t.Failed() {
				t.Log(n.logged(t))
			}
		})
	}
	require.NoError(t, starting.Wait())
	together(t, []string{nodes[0].URL, nodes[1].URL, nodes[2].URL})
	return nodes
}

func clockIsSaid(t *testing.T, nodes []*clockNode, words string) {
	t.Helper()
	for _, n := range []*clockNode{nodes[0], nodes[2]} {
		eventually(t, "an operator reads it", func() bool { return strings.Contains(n.does(t, "admin", "nodes"), "The clock of n3 is "+words) })
	}
	require.Contains(t, nodes[2].logged(t), "this node's clock is off")
	require.Contains(t, nodes[0].logged(t), "the clock of a node is off")
}

// Of a user's sessions the later one stays, on whatever node.
func clockAndSessions(t *testing.T, nodes []*clockNode) {
	t.Helper()
	var before *raw
	for _, at := range []int{2, 0, 2, 1, 2} {
		now := identifyAs(t, nodes[at].server, "ada", false)
		if before != nil {
			require.Equal(t, protocol.CloseReplaced, before.closed(), "at n%d", at+1)
		}
		now.ack(protocol.OpChannelList, struct{}{}, nil)
		before = now
	}
	before.farewell()

	// Who was at one goes on at another, unless a moderator has done something since; not before.
	root := identifyAs(t, nodes[0].server, "root", true)
	for from, to := range map[int]int{2: 0, 0: 2, 1: 0} {
		name := fmt.Sprint("dee", from)
		dee := identifyAs(t, nodes[from].server, name, false)
		dee.joinChannel("lobby")
		for _, mute := range []bool{true, false} {
			eventually(t, "the moderator's node knows them", func() bool {
				id := root.request(protocol.OpMemberMute, protocol.MemberMute{UserID: name, Mute: &mute})
				frame := root.read()
				for frame.ID != id {
					frame = root.read()
				}
				return frame.Op == protocol.OpAck
			})
		}
		time.Sleep(10 * time.Millisecond) // what is dated alike counts as done since
		dee.farewell()
		dee = identifyAs(t, nodes[from].server, name, false)
		ticket := dee.ready.Rejoin.Ticket
		token := mint(t, testSecret, auth.Identity{UserID: name})
		why := enters(t, nodes[to].server, protocol.Identify{Token: token, Rejoin: ticket})
		require.Zero(t, why, "from n%d to n%d", from+1, to+1)
		dee = identifyAs(t, nodes[from].server, name, false)
		dee.joinChannel("lobby")
		ticket = dee.ready.Rejoin.Ticket
		eventually(t, "the moderator's deed counts", func() bool {
			root.request(protocol.OpMemberMute, protocol.MemberMute{UserID: name, Mute: new(true)})
			why := enters(t, nodes[to].server, protocol.Identify{Token: token, Rejoin: ticket})
			return strings.Contains(why.Reason, "a moderator has acted on you since")
		})
	}
}

// Tokens of each node are good on all, for as long as they say, and what is revoked is what was made by then.
func clockAndTokens(t *testing.T, nodes []*clockNode) {
	t.Helper()
	for from, to := range map[int]int{2: 0, 0: 2} {
		token, id := guest(t, nodes[from].server, fmt.Sprint("Gast ", from))
		require.WithinDuration(t, time.Now(), issued(t, token), slowMachine+10*time.Second)
		why := enters(t, nodes[to].server, protocol.Identify{Token: token})
		require.Zero(t, why)
		nodes[to].does(t, "revoke", "--user="+id)
		for _, n := range nodes {
			eventually(t, "it is revoked", func() bool {
				why = enters(t, n.server, protocol.Identify{Token: token})
				return strings.Contains(why.Reason, "revoked")
			})
		}

		name := fmt.Sprint("eve", from)
		nodes[from].does(t, "revoke", "--user="+name)
		time.Sleep(1100 * time.Millisecond) // those of the very second are meant too
		for _, n := range nodes {
			why = enters(t, n.server, protocol.Identify{Token: mint(t, testSecret, auth.Identity{UserID: name})})
			require.Zero(t, why, "a newer one")
		}
	}
	const half = 30 * time.Minute
	for _, n := range nodes {
		why := enters(t, n.server, protocol.Identify{Token: mintAt(t, auth.Identity{UserID: "fay"}, time.Now().Add(-half))})
		require.Zero(t, why)
		why = enters(t, n.server, protocol.Identify{Token: mintAt(t, auth.Identity{UserID: "fay"}, time.Now().Add(-time.Hour-half))})
		require.Contains(t, why.Reason, "expired")
	}
}

// What is said has its place, and what ends at a time does so everywhere.
func clockAndDeeds(t *testing.T, nodes []*clockNode) {
	t.Helper()
	moderators := make([]*raw, len(nodes))
	for i, n := range nodes {
		moderators[i] = identifyAs(t, n.server, fmt.Sprint("mod", i), true)
		moderators[i].joinChannel("lobby")
	}
	said := make([]string, 0, 3*len(moderators))
	for round := range 3 {
		for i, c := range moderators {
			said = append(said, fmt.Sprint(round, i))
			var made protocol.MessageCreated
			c.ack(protocol.OpMessageCreate, protocol.MessageCreate{ChannelID: "lobby", Content: said[len(said)-1]}, &made)
			require.WithinDuration(t, time.Now(), time.UnixMilli(made.Timestamp), slowMachine+10*time.Second)
		}
	}
	for _, c := range moderators {
		eventually(t, "HISTORY has all in their order", func() bool {
			var page protocol.Messages
			c.ack(protocol.OpHistory, protocol.History{ChannelID: "lobby", Limit: 100}, &page)
			found := make([]string, 0, len(page.Messages))
			for _, m := range page.Messages {
				found = append(found, m.Content)
			}
			return slices.Equal(said, found)
		})
	}
	for from, to := range map[int]int{2: 0, 0: 2} {
		token, id := guest(t, nodes[to].server, fmt.Sprint("Bad ", from))
		moderators[from].ack(protocol.OpMemberBan, protocol.MemberBan{UserID: id, DurationS: new(int64(600))}, nil)
		for _, n := range nodes {
			eventually(t, "the ban holds", func() bool {
				why := enters(t, n.server, protocol.Identify{Token: token})
				return why.Code == protocol.CodeBanned && why.RetryAfterMS > 0 && why.RetryAfterMS <= 600_000
			})
		}
		var invite protocol.InviteCreated
		moderators[from].ack(protocol.OpInviteCreate, protocol.InviteCreate{TTLMS: new((10 * time.Minute).Milliseconds())}, &invite)
		body, err := json.Marshal(protocol.InviteRequest{Secret: invite.Secret, Name: fmt.Sprint("Invited ", from)})
		require.NoError(t, err)
		eventually(t, "the invite lets in", func() bool {
			answer, err := http.Post(nodes[to].URL+"/api/invite", "application/json", bytes.NewReader(body)) //nolint:noctx // of a test
			require.NoError(t, err)
			require.NoError(t, answer.Body.Close())
			return answer.StatusCode == http.StatusOK
		})
	}
}

// Who talks when the clock is set right talks on, and so it is when the node comes back.
func clockIsSetRight(t *testing.T, nodes []*clockNode) {
	t.Helper()
	all := make([]*person, len(nodes))
	for i, n := range nodes {
		all[i] = arriveAs(t, n.server, mint(t, testSecret, auth.Identity{UserID: fmt.Sprint("talker", i)})).join("lobby", slots(3)).talk()
	}
	for _, p := range all {
		for _, other := range all {
			if p != other {
				p.hears(other)
			}
		}
	}
	for began := time.Now(); strings.Contains(nodes[0].does(t, "admin", "nodes"), "The clock of n3"); time.Sleep(time.Second) {
		require.Less(t, time.Since(began), 2*setRightAfter*time.Second, "it is never set right")
	}
	for _, p := range all {
		for _, other := range all {
			if p != other {
				p.hears(other)
			}
		}
	}
	for _, p := range all {
		p.gone()
	}

	require.NoError(t, nodes[2].cmd.Process.Signal(syscall.SIGKILL))
	_ = nodes[2].cmd.Wait()
	require.NoError(t, nodes[2].start(t)) // and is wrong again
	eventually(t, "the node lets people in", func() bool {
		status, _ := state(t, nodes[2].server, http.MethodGet, "/readyz")
		return status == http.StatusOK && strings.Contains(nodes[2].does(t, "admin", "nodes"), "The clock of n3")
	})
	late := identifyAs(t, nodes[2].server, "late", false)
	late.joinChannel("lobby")
	made := late.sayInTheEnd("lobby", "late") // who was killed may have led the log
	require.WithinDuration(t, time.Now(), time.UnixMilli(made.Timestamp), slowMachine+10*time.Second)
}

// sayInTheEnd says something again and again until it is kept: where the log has no leader it is refused, until the nodes have elected one.
func (c *raw) sayInTheEnd(channel, content string) (made protocol.MessageCreated) {
	c.t.Helper()
	for began := time.Now(); ; {
		id := c.request(protocol.OpMessageCreate, protocol.MessageCreate{ChannelID: channel, Content: content, Nonce: "in the end"})
		answer := c.read()
		for answer.ID != id {
			answer = c.read()
		}
		if answer.Op == protocol.OpAck {
			ack := struct {
				Data *protocol.MessageCreated `json:"data"`
			}{&made}
			require.NoError(c.t, answer.Bind(&ack))
			return made
		}
		var refused protocol.Error
		require.NoError(c.t, answer.Bind(&refused))
		require.Equal(c.t, protocol.CodeUnsettled, refused.Code, refused.Reason)
		require.Less(c.t, time.Since(began), 2*patience, "the nodes elect nobody")
		time.Sleep(time.Duration(refused.RetryAfterMS) * time.Millisecond)
	}
}
