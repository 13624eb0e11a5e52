// Package porttest chooses ports for tests that must know one before anything listens there, or after it did.
package porttest

import (
	"net"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

const (
	// Systems give out ports from 32768 on (49152 elsewhere than on Linux) to whoever asks for any, as all other tests do. These lie below, and
	// above those that browsers refuse to speak to.
	first, count = 11_000, 21_000
	// each is how many a process has of its own, so that no two that run at the same time choose the same.
	each = 64
)

var chosen atomic.Int32 //nolint:gochecknoglobals // so that no two tests of a process choose the same

// Free returns a port of this machine that is free for TCP and UDP, and stays so until somebody asks for it by its number.
func Free(tb testing.TB) string {
	tb.Helper()
	busy := ports()
	for range each {
		port := first + (os.Getpid()*each+int(chosen.Add(1))%each)%count
		if !busy[port] {
			return strconv.Itoa(port)
		}
	}
	tb.Fatalf("all %d ports of this process are in use", each)
	return ""
}

// Addr is an address on 127.0.0.1 of which Free chooses the port.
func Addr(tb testing.TB) string {
	tb.Helper()
	return net.JoinHostPort("127.0.0.1", Free(tb))
}

// ports are those at which there is something, as Linux says; elsewhere it is not known. To try them would take them for a moment, and longer
// where a process is forked in that moment, which has all that is open until it is the other program.
func ports() map[int]bool {
	busy := make(map[int]bool)
	for _, name := range []string{"tcp", "tcp6", "udp", "udp6"} {
		table, err := os.ReadFile("/proc/net/" + name) //nolint:gosec // one of four
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(table)) {
			// "  sl  local_address ...": "   0: 0100007F:1F90 ..."
			if fields := strings.Fields(line); len(fields) > 1 {
				_, port, _ := strings.Cut(fields[1], ":")
				if n, err := strconv.ParseUint(port, 16, 16); err == nil {
					busy[int(n)] = true
				}
			}
		}
	}
	return busy
}
