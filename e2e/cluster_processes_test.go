package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"
	"golang.org/x/sync/errgroup"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/sfu/porttest"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// clusterRole has TestRoleClusterNode run: which node it is, as JSON.
const clusterRole = "LIVECHAT_CLUSTER_NODE"

// clusterNode is one node of a server of several, each of which is a process.
type clusterNode struct {
	Name, Secret, Data, HTTP, UDP string
	Peers, Channels               []string
	By                            []string // a command that runs it; none
}

// TestRoleClusterNode is no test of its own: it plays a node of a server in a process that is killed, or stopped by SIGTERM.
func TestRoleClusterNode(t *testing.T) {
	said := os.Getenv(clusterRole)
	if said == "" {
		t.Skip("plays one of several nodes for those that end one")
	}
	var node clusterNode
	require.NoError(t, json.Unmarshal([]byte(said), &node))
	cfg := app.Default()
	cfg.Channels, cfg.HTTP, cfg.UDP, cfg.Metrics, cfg.Data = node.Channels, node.HTTP, node.UDP, "", node.Data
	cfg.TURNUDP, cfg.TURNTCP = "", ""
	cfg.Floor.Talk = 0 // who talks is moved until a test has seen enough
	cfg.Slots = protocol.MaxSlots
	cfg.Secret, cfg.AllowGuests = testSecret, new(true)
	cfg.Cluster.Name, cfg.Cluster.SecretFile, cfg.Cluster.Peers = node.Name, node.Secret, node.Peers
	a, err := app.New(cfg, zaptest.NewLogger(t, zaptest.Level(zap.WarnLevel)))
	require.NoError(t, err)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	require.Eventually(t, func() bool {
		status, _ := state(t, &server{URL: a.URL()}, http.MethodGet, "/readyz")
		return status == http.StatusOK
	}, 3*time.Minute, 20*time.Millisecond, "the nodes are there") // each election takes seconds
	fmt.Println("in", a.URL()) //nolint:forbidigo // to the test that ends it
	require.NoError(t, <-ended)
}

// nodeProcess is a node that runs.
type nodeProcess struct {
	*child
	*server

	node clusterNode
}

// startCluster starts three nodes of one server, each a process.
func startCluster(t *testing.T, channels ...string) []*nodeProcess {
	t.Helper()
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	require.NoError(t, os.WriteFile(secret, []byte(strings.Repeat("c", 40)+"\n"), 0o600))
	nodes := make([]*nodeProcess, 3)
	peers := make([]string, 0, len(nodes))
	for i := range nodes {
		peers = append(peers, fmt.Sprintf("n%d=127.0.0.1:%s", i+1, porttest.Free(t)))
	}
	var starting errgroup.Group
	for i := range nodes {
		name := fmt.Sprint("n", i+1)
		node := clusterNode{
			Name: name, Secret: secret, Data: filepath.Join(dir, name), HTTP: porttest.Addr(t), UDP: "127.0.0.1:0", Peers: peers, Channels: channels,
		}
		starting.Go(func() error {
			nodes[i] = node.start(t)
			return nil
		})
	}
	require.NoError(t, starting.Wait())
	together(t, []string{nodes[0].URL, nodes[1].URL, nodes[2].URL})
	return nodes
}

// together waits until each of the nodes knows where people reach the others, so that whoever comes is told.
func together(t *testing.T, urls []string) {
	t.Helper()
	for _, url := range urls {
		eventually(t, "the nodes know of each other", func() bool {
			nodes := nodesAt(t, &server{URL: url})
			return len(nodes) == len(urls) && !slices.ContainsFunc(nodes, func(n protocol.AdminNode) bool { return n.URL == "" })
		})
	}
}

func (n clusterNode) start(t *testing.T) *nodeProcess {
	t.Helper()
	text, err := json.Marshal(n)
	require.NoError(t, err)
	process := startChildBy(t, n.By, "TestRoleClusterNode", clusterRole+"="+string(text))
	return &nodeProcess{child: process, server: &server{URL: process.said}, node: n}
}

// terminate stops the node in order and waits until it has ended.
func (n *nodeProcess) terminate(t *testing.T) {
	t.Helper()
	require.NoError(t, n.signal(syscall.SIGTERM))
	require.NoError(t, n.wait())
}

// nodesAt are the nodes as one of them sees them, that one first.
func nodesAt(t *testing.T, s *server) []protocol.AdminNode {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/api/admin/nodes", http.NoBody)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+mint(t, testSecret, auth.Identity{UserID: "root", Role: auth.RoleAdmin}))
	request.Close = true
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer answer.Body.Close()
	require.Equal(t, http.StatusOK, answer.StatusCode)
	var all protocol.AdminNodes
	require.NoError(t, json.NewDecoder(answer.Body).Decode(&all))
	return all.Nodes
}

// drain empties the node, or lets people in again, as livechat admin drain does.
func (n *nodeProcess) drain(t *testing.T, drain bool) {
	t.Helper()
	body := fmt.Appendf(nil, `{"draining":%t}`, drain)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, n.URL+"/api/admin/drain", bytes.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+mint(t, testSecret, auth.Identity{UserID: "root", Role: auth.RoleAdmin}))
	request.Header.Set("Content-Type", "application/json")
	request.Close = true
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusOK, answer.StatusCode)
}
