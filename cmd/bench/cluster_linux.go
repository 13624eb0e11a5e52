package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/mini-livechat/mini-livechat/signaling/client"
)

const (
	// nodesPort and figuresPort are the first of the ports on which the nodes reach each other, and on which each has its figures.
	nodesPort, figuresPort = 6222, 9464
	// settleTimeout is how long a cluster may take until something that was made on one node is on all of them: it may have to choose a leader
	// first, on a busy machine.
	settleTimeout = time.Minute
	// settlePause is between two looks.
	settlePause = 20 * time.Millisecond
)

// host is an address of loopback that no other program takes, so that ports need not be looked for.
func host() string {
	pid := os.Getpid()
	return net.IPv4(127, byte(128+pid>>16&63), byte(pid>>8), byte(1+pid%254)).String() //nolint:gosec // parts of a number are meant
}

// clusterArgs are, for each of the plan's nodes, what makes a server that node.
func (t *serverTarget) clusterArgs(secret string) ([][]string, error) {
	file := filepath.Join(t.dir, "cluster.secret")
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		return nil, err
	}
	peers, args := make([]string, t.plan.nodes), make([][]string, t.plan.nodes)
	for i := range peers {
		peers[i] = nodeName(i) + "=" + net.JoinHostPort(host(), strconv.Itoa(nodesPort+i))
	}
	for i := range args {
		args[i] = []string{
			"--cluster-peers=" + strings.Join(peers, ","), "--cluster-secret-file=" + file, "--node-name=" + nodeName(i),
			"--data=" + filepath.Join(t.dir, nodeName(i)), "--metrics=" + figuresAt(i),
		}
	}
	return args, nil
}

func nodeName(node int) string { return fmt.Sprintf("n%d", node+1) }

func figuresAt(node int) string { return net.JoinHostPort(host(), strconv.Itoa(figuresPort+node)) }

// settled waits until all nodes have all channels, and hear each other.
func (t *serverTarget) settled(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	for node, url := range t.urls {
		token, err := t.token(ctx, len(t.plan.members)+1+node)
		if err != nil {
			return err
		}
		c, err := t.firstDial(ctx, url, token)
		if err != nil {
			return err
		}
		err = t.knows(ctx, c, node)
		if err = errors.Join(err, c.Close()); err != nil {
			return err
		}
	}
	return nil
}

// knows waits until a node knows all channels, and hears the other nodes.
func (t *serverTarget) knows(ctx context.Context, c *client.Client, node int) error {
	for {
		channels, err := c.Channels(ctx)
		if err != nil {
			return err
		}
		known := 0
		for i := range channels {
			if strings.HasPrefix(channels[i].ChannelID, t.prefix) {
				known++
			}
		}
		figures, err := t.figures(ctx, node)
		if err != nil {
			return err
		}
		if known == t.plan.rooms() && int(figures["livechat_link_up"]) == t.plan.nodes-1 {
			return nil
		}
		if err := wait(ctx, settlePause); err != nil {
			return fmt.Errorf("%s knows %d of %d channels, and hears %v of %d other nodes: %w",
				nodeName(node), known, t.plan.rooms(), figures["livechat_link_up"], t.plan.nodes-1, err)
		}
	}
}

// figures reads what a node has for Prometheus; of what it has several times, by a label, the sum.
func (t *serverTarget) figures(ctx context.Context, node int) (map[string]float64, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+figuresAt(node)+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close() //nolint:errcheck // was read
	all := make(map[string]float64)
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		name, text, _ := strings.Cut(lines.Text(), " ")
		name, _, _ = strings.Cut(name, "{")
		if value, err := strconv.ParseFloat(text, 64); err == nil { // comments are none
			all[name] += value
		}
	}
	return all, lines.Err()
}

// relayed is what a node sends to the others: streams now, of the channel that has most of them, and packets up to now.
type relayed struct{ streams, most, packets float64 }

// readRelayed reads it of all nodes of a cluster.
func (m *measurement) readRelayed(ctx context.Context) ([]relayed, error) {
	server, ok := m.target.(*serverTarget)
	if !ok || m.plan.nodes == 1 {
		return nil, nil
	}
	all := make([]relayed, m.plan.nodes)
	for node := range all {
		f, err := server.figures(ctx, node)
		if err != nil {
			return nil, err
		}
		all[node] = relayed{f["livechat_relayed_streams"], f["livechat_relayed_streams_of_a_channel"], f["livechat_link_packets_out_total"]}
	}
	return all, nil
}

// between works out what only a cluster has.
func (m *measurement) between(seconds Value) *Between {
	b := &Between{Nodes: make([]Node, m.plan.nodes)}
	for _, v := range b.figures() {
		*v = missing()
	}
	b.Same.quantiles(&m.gen.apart[sameNode])
	b.Across.quantiles(&m.gen.apart[otherNode])
	b.AcrossMore = b.Across.P50 - b.Same.P50
	b.RelayedBound = Value(m.plan.slots * (m.plan.nodes - 1))
	for i := range b.Nodes {
		n, used, arrived := &b.Nodes[i], m.used.each[i].total, Value(m.gen.byNode[i].Load())
		n.People, n.ForwardedPPS, n.CPUCores = m.plan.people(i), arrived/seconds, Value(used.Seconds())/seconds
		if m.plan.steady() {
			n.CPUPerPacket = per(Value(used)/Value(time.Microsecond), arrived)
		}
		sent := m.relayed[i]
		n.Relayed, n.RelayedMost, n.RelayedPPS = Value(sent.streams), Value(sent.most), Value(sent.packets)/seconds
	}
	return b
}
