package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/signaling/store"
)

// noon is when all happens.
var noon = time.UnixMilli(1_800_000_000_123) //nolint:gochecknoglobals // constant

// keeper is a node with a store.
type keeper struct {
	*Cluster

	log   *Log
	store *store.Store
}

func (k *keeper) close(t *testing.T) {
	t.Helper()
	require.NoError(t, k.store.Close())
	k.log.Close()
	require.NoError(t, k.Close())
}

// keepQuietly is keepAs for a process of its own, which has no log.
func (tw *town) keepQuietly(ctx context.Context, name string) (*keeper, error) {
	return tw.keepAs(ctx, Config{
		Name: name, Secret: bytes.Repeat([]byte("s"), MinSecretBytes), Keys: func([]byte) []string { return []string{"k1"} },
		Peers: tw.peers, Dir: filepath.Join(tw.dir, name), Log: zap.NewNop(),
	})
}

func (tw *town) keepAs(ctx context.Context, cfg Config) (*keeper, error) {
	var k keeper
	var once sync.Mutex // guards k.store
	name := cfg.Name
	cfg.Status = func() (s Status) {
		once.Lock()
		defer once.Unlock()
		if k.store != nil {
			s.Position = k.store.Position()
		}
		return s
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, err
	}
	c, err := Open(cfg)
	if err != nil {
		return nil, err
	}
	c.Begin()
	k.Cluster, k.log = c, c.Log()
	share, err := k.log.Join(ctx, tw.database(name), false)
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	opened, err := store.OpenShared(tw.database(name), share) //nolint:contextcheck // it has none
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	once.Lock()
	k.store = opened
	once.Unlock()
	return &k, nil
}

func (tw *town) database(name string) string {
	if dir := tw.disks[name]; dir != "" {
		return filepath.Join(dir, "livechat.db")
	}
	return filepath.Join(tw.dir, name+".db")
}

// keepAll starts nodes at the same time.
func (tw *town) keepAll(names ...string) []*keeper {
	tw.t.Helper()
	return tw.keepWith(func(*Config) {}, names...)
}

// keepWith is keepAll with another configuration.
func (tw *town) keepWith(change func(*Config), names ...string) []*keeper {
	tw.t.Helper()
	ctx, cancel := context.WithTimeout(tw.t.Context(), 4*patience)
	defer cancel()
	all := make([]*keeper, len(names))
	var starting sync.WaitGroup
	for i, name := range names {
		starting.Go(func() {
			var err error
			cfg := tw.config(name)
			change(&cfg)
			if all[i], err = tw.keepAs(ctx, cfg); err != nil {
				tw.t.Error(name, err)
			}
		})
	}
	starting.Wait()
	require.False(tw.t, slices.Contains(all, nil))
	return all
}

// done is a fact that is there twice when it is applied twice.
func done(name string) store.Fact { return store.Done{Deed: store.Deed{At: noon, Action: name}} }

// write has a node write until it is acknowledged.
func (k *keeper) write(t *testing.T, facts ...store.Fact) {
	t.Helper()
	var err error
	for begin := time.Now(); time.Since(begin) < 2*patience; {
		if _, err = k.store.Append(t.Context(), noon, facts...); !errors.Is(err, store.ErrUnsettled) {
			break
		}
	}
	require.NoError(t, err)
}

// deeds are what moderators did, as a store has it.
func deeds(t *testing.T, s *store.Store) (all []string) {
	t.Helper()
	found, err := s.Audit(t.Context(), 0, 1_000_000)
	require.NoError(t, err)
	for _, d := range found {
		all = append(all, d.Action)
	}
	slices.Sort(all)
	return all
}

// A server that was alone is made three: the others fetch what it has, all write and have the same, one that was away or has lost its disk
// catches up, and what is of another cluster is refused.
func TestLogOnThreeNodes(t *testing.T) {
	if os.Getenv(killsOf) == "" {
		t.Skip(killsOf + " is not set; make cluster does")
	}
	tw := found(t, "n1", "n2", "n3")
	alone, err := store.Open(tw.database("n2"))
	require.NoError(t, err)
	_, err = alone.Append(t.Context(), noon, done("alone"))
	require.NoError(t, err)
	require.NoError(t, alone.Close())

	all := tw.keepAll("n1", "n2", "n3")
	for i, k := range all {
		k.write(t, done(fmt.Sprint("by ", i)))
	}
	want := []string{"alone", "by 0", "by 1", "by 2"}
	same := func() {
		t.Helper()
		for _, k := range all {
			require.Eventually(t, func() bool { return len(deeds(t, k.store)) >= len(want) }, patience, 10*time.Millisecond, "%v", later(k.store.Trouble))
			require.Equal(t, want, deeds(t, k.store))
		}
	}
	same()

	// One goes, and comes back without its disk, while the log has forgotten.
	all[2].close(t)
	all[0].write(t, done("by two of three"))
	want = append(want, "by two of three")
	require.Eventually(t, func() bool { return len(deeds(t, all[1].store)) == len(want) }, patience, 10*time.Millisecond, "before the log forgets it")
	for _, name := range []string{tw.database("n3"), tw.database("n3") + "-wal", tw.database("n3") + "-shm"} {
		if err = os.Remove(name); err != nil {
			require.ErrorIs(t, err, os.ErrNotExist)
		}
	}
	stream, err := all[0].stream.Stream(t.Context(), logStream)
	require.NoError(t, err)
	require.NoError(t, stream.Purge(t.Context()))
	all[2] = tw.keepAll("n3")[0]
	all[2].write(t, done("again"))
	want = append([]string{"again"}, want...)
	same()

	// Alone, one of three writes nothing and says so, and knows what it knew.
	all[1].close(t)
	all[2].close(t)
	_, err = all[0].store.Append(t.Context(), noon, done("alone again"))
	require.ErrorIs(t, err, store.ErrUnsettled)
	require.Equal(t, want, deeds(t, all[0].store))
	all[0].close(t)
	left, err := filepath.Glob(filepath.Join(tw.dir, "*.db.*"))
	require.NoError(t, err)
	for _, name := range left {
		require.True(t, strings.HasSuffix(name, ".lock") || strings.Contains(name, ".before-restore-"), name)
	}
}
