package app

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/mini-livechat/mini-livechat/sfu/leaktest"
	"github.com/mini-livechat/mini-livechat/sfu/porttest"
	"github.com/mini-livechat/mini-livechat/signaling/cluster"
	"github.com/mini-livechat/mini-livechat/signaling/store"
)

// slow is set by make cluster, for what takes long.
const slow = "LIVECHAT_KILLS"

// stoppedRole has TestRoleStoppedNode run: its configuration, as JSON.
const stoppedRole = "LIVECHAT_STOPPED_NODE"

// nodeSettings is a node of a server.
type nodeSettings struct{ Name, Secret, Data, HTTP, Peers string }

func (n nodeSettings) config() Config {
	cfg := Default()
	cfg.HTTP, cfg.UDP, cfg.TURN, cfg.Metrics, cfg.Data = n.HTTP, "127.0.0.1:0", false, "", n.Data
	cfg.Secret, cfg.AllowGuests = strings.Repeat("s", 40), new(true)
	cfg.Cluster.Name, cfg.Cluster.SecretFile, cfg.Cluster.Peers = n.Name, n.Secret, strings.Fields(n.Peers)
	return cfg
}

// TestRoleStoppedNode is no test of its own: it plays a node in a process that is held up, until its input ends. What it says to its operator
// goes to its output.
func TestRoleStoppedNode(t *testing.T) {
	said := os.Getenv(stoppedRole)
	if said == "" {
		t.Skip("plays a node for the test that holds it up")
	}
	var node nodeSettings
	require.NoError(t, json.Unmarshal([]byte(said), &node))
	log, _ := NewLogger("info", os.Stdout)
	server := serveAll(t, node.config(), log)
	_, _ = io.Copy(io.Discard, os.Stdin)
	require.NoError(t, server.end(t))
}

// heldNode is such a node.
type heldNode struct {
	cmd *exec.Cmd
	end func() error

	mu   sync.Mutex // guards the field below
	said bytes.Buffer
}

func (h *heldNode) Write(data []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.said.Write(data)
}

// String is all that it said.
func (h *heldNode) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.said.String()
}

// times is how often it said something.
func (h *heldNode) times(text string) int { return strings.Count(h.String(), text) }

func startHeld(t *testing.T, node nodeSettings) *heldNode {
	t.Helper()
	text, err := json.Marshal(node)
	require.NoError(t, err)
	h := &heldNode{cmd: exec.Command(os.Args[0], "-test.run=^TestRoleStoppedNode$", "-test.count=1")} //nolint:noctx // killed below
	h.cmd.Env, h.cmd.Stdout, h.cmd.Stderr = append(os.Environ(), stoppedRole+"="+string(text)), h, h
	input, err := h.cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, h.cmd.Start())
	wait := sync.OnceValue(h.cmd.Wait)
	h.end = func() error { return errors.Join(input.Close(), wait()) }
	t.Cleanup(func() {
		_ = h.cmd.Process.Kill()
		_ = wait()
	})
	return h
}

// Three whole servers are one, over real NATS. One is stopped while the log goes on without it, and forgets what that one does not have. When it
// goes on it begins anew by itself, with what the others have, and takes people.
func TestNodeThatTheLogWentPast(t *testing.T) {
	if os.Getenv(slow) == "" {
		t.Skip(slow + " is not set; make cluster does")
	}
	leaktest.Check(t, http.DefaultClient.CloseIdleConnections)
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	require.NoError(t, os.WriteFile(secret, []byte(strings.Repeat("c", 40)+"\n"), 0o600))
	peers := fmt.Sprintf("n1=%s n2=%s n3=%s", porttest.Addr(t), porttest.Addr(t), porttest.Addr(t))
	settings := func(name string) nodeSettings {
		return nodeSettings{Name: name, Secret: secret, Data: filepath.Join(dir, name), HTTP: porttest.Addr(t), Peers: peers}
	}
	all := []nodeSettings{settings("n1"), settings("n2"), settings("n3")}
	held := startHeld(t, all[2])
	servers, nodes := make([]*lives, 2), make([]*App, 2)
	for i := range servers {
		servers[i] = serveAll(t, all[i].config(), zaptest.NewLogger(t, zaptest.Level(zap.WarnLevel)))
	}
	for i, s := range servers {
		nodes[i] = s.next(t)
	}
	takes := func() {
		t.Helper()
		for _, n := range all {
			require.Eventually(t, func() bool { status := ready(t, "http://"+n.HTTP); return status == http.StatusOK },
				2*patience, 50*time.Millisecond, "%s takes people; n3 says %v", n.Name, held)
		}
	}
	write := func(i int, name string, bytes ...int) {
		t.Helper()
		deed := store.Deed{At: time.Now(), Action: name}
		for _, n := range bytes {
			deed.Reason = strings.Repeat("x", n)
		}
		var err error
		require.Eventually(t, func() bool {
			_, err = nodes[i].memory.Append(t.Context(), time.Now(), store.Done{Deed: deed})
			return !errors.Is(err, store.ErrUnsettled)
		}, patience, 10*time.Millisecond)
		require.NoError(t, err)
	}
	// same waits until all nodes that are there have what n1 has.
	same := func(count int) {
		t.Helper()
		require.Eventually(t, func() bool {
			there, position := nodes[0].nodes.Nodes(), nodes[0].memory.Position()
			return len(there) == count && !slices.ContainsFunc(there, func(n cluster.Node) bool { return n.Position != position })
		}, patience, 50*time.Millisecond, "%d nodes have the same", count)
	}
	takes()
	write(0, "together")
	same(3)

	require.NoError(t, held.cmd.Process.Signal(syscall.SIGSTOP))
	// More than lies in sockets, or than NATS keeps for those that are away besides the log itself, 8 MB.
	const keep, entries, each = 3, 40, 400_000
	for i := range entries {
		write(i%2, fmt.Sprint("without n3, ", i), each)
	}
	same(2)
	require.NoError(t, nodes[0].nodeLog.Trim(t.Context(), keep))
	write(1, "without n3, last")
	require.NoError(t, held.cmd.Process.Signal(syscall.SIGCONT))
	goesOn := time.Now()
	require.Eventually(t, func() bool { return held.times("the copy is here") == 1 }, patience, 10*time.Millisecond, "n3 says %v", held)
	takes()
	t.Logf("it takes people again %v after it goes on", time.Since(goesOn).Round(time.Millisecond))
	require.Equal(t, 1, held.times("away for longer"), "once")
	require.Equal(t, 2, held.times(`"serving"`), "two lives")
	write(0, "together again")
	same(3)
	for _, s := range servers {
		s.stop()
	}
	require.NoError(t, held.end())
	var first string
	for i, n := range all {
		if i < len(servers) {
			require.NoError(t, servers[i].over(t))
		}
		has := dump(t, filepath.Join(n.Data, store.FileName))
		if i == 0 {
			first = has
		}
		require.Equal(t, first, has, n.Name)
		for _, name := range []string{"together", "without n3, 0", "without n3, last", "together again"} {
			require.Contains(t, has, `"`+name+`"`)
		}
	}
}

// dump is all that a database's tables hold, but for the index, whose words are in the messages.
func dump(t *testing.T, path string) string {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'words%' ORDER BY name`)
	require.NoError(t, err)
	var tables []string
	for rows.Next() {
		tables = append(tables, "")
		require.NoError(t, rows.Scan(&tables[len(tables)-1]))
	}
	require.NoError(t, rows.Err())
	var out strings.Builder
	for _, table := range tables {
		fmt.Fprintln(&out, "--", table)
		rows, err = db.QueryContext(t.Context(), "SELECT * FROM "+table)
		require.NoError(t, err)
		columns, err := rows.Columns()
		require.NoError(t, err)
		for rows.Next() {
			values, into := make([]any, len(columns)), make([]any, len(columns))
			for i := range values {
				into[i] = &values[i]
			}
			require.NoError(t, rows.Scan(into...))
			fmt.Fprintf(&out, "%#v\n", values)
		}
		require.NoError(t, rows.Err())
	}
	return out.String()
}
