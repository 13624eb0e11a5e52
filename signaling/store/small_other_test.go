//go:build !linux

package store

import "testing"

// small would make a file system for the test.
func small(t *testing.T) string {
	t.Helper()
	t.Skip("a small file system is made on Linux only")
	return ""
}

func enlarge(t *testing.T, _ string) { t.Helper() }
