package cluster

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu/porttest"
	"github.com/mini-livechat/mini-livechat/signaling/store"
)

// startThree starts a NATS of three servers, and returns what the first two reach the third by.
func startThree(t *testing.T) (urls []string, way *bridge) {
	t.Helper()
	at := []string{porttest.Addr(t), porttest.Addr(t), porttest.Addr(t)}
	way = &bridge{t: t, from: porttest.Addr(t), to: at[2]}
	way.open()
	t.Cleanup(func() {
		if way.door != nil {
			way.breakOff()
		}
	})
	routes := [][]string{{at[1], way.from}, {at[0], way.from}, {"127.0.0.1:1", "127.0.0.1:2"}} // a server of several has to have routes; nobody is there
	servers := make([]*server.Server, len(at))
	for i := range at {
		host, port, err := listenOn(Peer{Address: at[i]}, "")
		require.NoError(t, err)
		opts := &server.Options{
			ServerName: fmt.Sprint("s", i+1), Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true,
			JetStream: true, StoreDir: t.TempDir(), JetStreamMaxMemory: 1 << 20,
			// Servers tell each other of where others are, which would be a way round the bridge.
			Cluster: server.ClusterOpts{Name: "elsewhere", Host: host, Port: port, Advertise: "127.0.0.1:1"},
		}
		for _, r := range routes[i] {
			opts.Routes = append(opts.Routes, &url.URL{Scheme: "nats-route", Host: r})
		}
		servers[i], err = server.NewServer(opts)
		require.NoError(t, err)
		servers[i].Start()
		t.Cleanup(func() {
			servers[i].Shutdown()
			servers[i].WaitForShutdown()
		})
	}
	for _, s := range servers {
		require.True(t, s.ReadyForConnections(patience))
		urls = append(urls, s.ClientURL())
	}
	return urls, way
}

// A NATS of three servers comes apart, 2 to 1, and all nodes are connected to it all the while. Only the side on which most of the nodes are
// decides and writes; when it is one again all have the same.
func TestNATSComesApart(t *testing.T) {
	if os.Getenv(killsOf) == "" {
		t.Skip(killsOf + " is not set; make cluster does")
	}
	tw := found(t, "a", "b", "c")
	urls, way := startThree(t)
	by := map[string]string{"a": urls[0], "b": urls[1], "c": urls[2]}
	all := tw.keepWith(func(c *Config) { c.NATS = []string{by[c.Name]} }, "a", "b", "c")
	a, b, c := all[0], all[1], all[2]
	together := func() {
		t.Helper()
		tw.see(a.Cluster, "b", "c")
		tw.see(b.Cluster, "a", "c")
		tw.see(c.Cluster, "a", "b")
	}
	together()
	for _, k := range all {
		k.write(t, done("together, by "+k.Self().Name))
	}
	way.breakOff()
	tw.see(c.Cluster)
	tw.see(a.Cluster, "b")
	tw.see(b.Cluster, "a")
	apart, over := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	watching.Go(func() { // that it stays so
		for apart.Err() == nil {
			if !a.Quorum() || !b.Quorum() || c.Quorum() || c.Most(len(c.Nodes())) {
				t.Errorf("quorum of a %v, b %v, c %v", a.Quorum(), b.Quorum(), c.Quorum())
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	})
	a.write(t, done("by most, a"))
	b.write(t, done("by most, b"))
	_, err := c.store.Append(t.Context(), noon, done("by the lone one"))
	require.ErrorIs(t, err, store.ErrUnsettled)
	require.True(t, c.conn.IsConnected(), "to NATS")
	over()
	watching.Wait()
	way.open()
	together()
	for _, k := range all {
		require.True(t, k.Quorum())
		k.write(t, done("together again, by "+k.Self().Name))
	}
	// What the lone one wrote may have come to the log later.
	for _, k := range all {
		require.Eventually(t, func() bool { return len(deeds(t, k.store)) >= 8 && k.store.Position() == a.store.Position() }, patience, 10*time.Millisecond)
	}
	want := deeds(t, a.store)
	for _, k := range all {
		require.Equal(t, want, deeds(t, k.store))
		k.close(t)
	}
}
