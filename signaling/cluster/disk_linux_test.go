package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// later is what is wrong when it is asked for.
type later func() error

func (l later) String() string { return fmt.Sprint(l()) }

// A node whose disk is full says so, and harms no other. When there is room again it has all that was written meanwhile, and is as good as before.
//
// Without LIVECHAT_KILLS it is skipped, since it takes ten seconds and more.
func TestFullDiskOfOneNode(t *testing.T) {
	if os.Getenv(killsOf) == "" {
		t.Skip(killsOf + " is not set; make cluster does")
	}
	tw := found(t, "n1", "n2", "n3")
	disk := t.TempDir()
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=32m"); err != nil {
		t.Skipf("a file system of its own needs root: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, unix.Unmount(disk, unix.MNT_DETACH)) })
	tw.disks = map[string]string{"n3": disk}
	all := tw.keepAll("n1", "n2", "n3")
	want := []string{"before"}
	all[2].write(t, done("before"))

	full, err := os.Create(filepath.Join(disk, "full"))
	require.NoError(t, err)
	for err == nil {
		_, err = full.Write(make([]byte, 4096))
	}
	require.ErrorIs(t, err, unix.ENOSPC)
	require.NoError(t, full.Close())
	for i := 0; all[2].Trouble() == nil; i++ {
		require.Less(t, i, 10_000)
		want = append(want, fmt.Sprintf("full %04d", i))
		all[i%2].write(t, done(want[len(want)-1]))
	}
	require.ErrorContains(t, all[2].Trouble(), "disk is full")
	require.Eventually(t, func() bool { return all[2].store.Trouble() != nil }, patience, 10*time.Millisecond)
	_, err = all[2].store.Append(t.Context(), noon, done("by the full one"))
	require.ErrorContains(t, err, "full", "it says why it remembers nothing")
	require.NoError(t, all[0].Trouble())
	require.NoError(t, all[0].store.Trouble())
	tw.see(all[0].Cluster, "n2", "n3")

	require.NoError(t, os.Remove(full.Name()))
	require.Eventually(t, func() bool {
		return all[2].Trouble() == nil && all[2].store.Trouble() == nil && slices.Equal(deeds(t, all[2].store), deeds(t, all[0].store))
	}, 4*patience, 10*time.Millisecond, "it keeps, and has, all again: %v, %v", later(all[2].Trouble), later(all[2].store.Trouble))
	require.Subset(t, deeds(t, all[2].store), want)
	require.Eventually(t, func() bool {
		info, err := all[0].log.info(t.Context())
		if err != nil || info.Cluster == nil {
			return false
		}
		current := info.Cluster.Leader == "n3"
		for _, replica := range info.Cluster.Replicas {
			current = current || replica.Name == "n3" && replica.Current
		}
		return current
	}, patience, 50*time.Millisecond, "its part of the log is whole")
	all[0].close(t) // so that nothing is settled without it
	all[2].write(t, done("with another one gone"))
	require.Eventually(t, func() bool { return slices.Contains(deeds(t, all[1].store), "with another one gone") }, 4*patience, 10*time.Millisecond)
	for _, k := range all[1:] {
		k.close(t)
	}
}
