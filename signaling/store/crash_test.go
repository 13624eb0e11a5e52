package store

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// beWriter names the file in which the test binary writes as fast as it can until it is killed.
const beWriter = "TEST_STORE_BE_WRITER"

// writers is how many goroutines of it do so, each in a channel of its own.
const writers = 4

// writeUntilKilled posts messages, two in each call, and prints the number of the second when they are acknowledged.
func writeUntilKilled(path string) {
	s, err := Open(path)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var wg sync.WaitGroup
	for w := range writers {
		channel := strconv.Itoa(w)
		wg.Go(func() {
			var n int
			if err := s.read.QueryRow("SELECT count(*) FROM messages WHERE channel_id = ?", channel).Scan(&n); err != nil { //nolint:noctx // a child of a test
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			for ; ; n += 2 {
				if _, err := s.Append(context.Background(), noon, said(channel, n), said(channel, n+1)); err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				_, _ = fmt.Fprintf(os.Stdout, "%s %d\n", channel, n+1) // one write
			}
		})
	}
	wg.Wait()
}

// TestKilledWhileWriting kills a process that writes, again and again, at moments of chance: from when it opens the file, and
// from when it was first acknowledged something. What was acknowledged is there, in order, and no call is there by half.
// LIVECHAT_CRASH is how often.
func TestKilledWhileWriting(t *testing.T) {
	t.Parallel()
	rounds := 20
	if text := os.Getenv("LIVECHAT_CRASH"); text != "" {
		var err error
		rounds, err = strconv.Atoi(text)
		require.NoError(t, err)
	}
	path := filepath.Join(t.TempDir(), FileName)
	acknowledged := map[string]int{}
	var total, early int
	for round := range rounds {
		if round%50 == 49 { // the check of a file takes the longer the larger it is
			path, acknowledged = filepath.Join(t.TempDir(), FileName), map[string]int{}
		}
		before := total
		for channel, n := range killedWriter(t, path, round%2 == 0) {
			require.Greater(t, n, acknowledged[channel])
			total += n - acknowledged[channel]
			acknowledged[channel] = n
		}
		if total == before {
			early++
		}
		s, err := Open(path)
		require.NoError(t, err, "round %d", round)
		inOrder(t, s, acknowledged)
		var found string
		require.NoError(t, s.read.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&found))
		require.Equal(t, "ok", found)
		require.NoError(t, s.Close())
	}
	t.Logf("%d kills, %d of them before anything was acknowledged; %d messages were, and none was lost", rounds, early, total)
	require.Positive(t, total)
}

// killedWriter runs a writer for a while, and returns the number of the last message acknowledged in each channel.
func killedWriter(t *testing.T, path string, atWork bool) map[string]int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), beWriter+"="+path)
	var complaints strings.Builder
	cmd.Stderr = &complaints
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewReader(stdout)
	var first string
	if atWork {
		first, err = lines.ReadString('\n')
		require.NoError(t, err, &complaints)
	}
	time.Sleep(5*time.Millisecond + rand.N(45*time.Millisecond))
	require.NoError(t, cmd.Process.Kill())
	last := map[string]int{}
	for line := first; ; {
		if channel, n, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " "); ok {
			last[channel], err = strconv.Atoi(n)
			require.NoError(t, err)
		}
		if line, err = lines.ReadString('\n'); err != nil {
			break
		}
	}
	_ = cmd.Wait()
	require.Empty(t, complaints.String())
	return last
}

// inOrder makes sure that each channel's messages are there from the first to at least the last acknowledged, and by twos.
func inOrder(t *testing.T, s *Store, acknowledged map[string]int) {
	t.Helper()
	rows, err := s.read.QueryContext(t.Context(), "SELECT channel_id, id FROM messages ORDER BY seq")
	require.NoError(t, err)
	defer rows.Close()
	next := map[string]int{}
	for rows.Next() {
		var channel, id string
		require.NoError(t, rows.Scan(&channel, &id))
		require.Equal(t, channel+"-"+strconv.Itoa(next[channel]), id)
		next[channel]++
	}
	require.NoError(t, rows.Err())
	for channel, last := range acknowledged {
		require.Greater(t, next[channel], last)
		require.Zero(t, next[channel]%2, "half a call")
	}
}
