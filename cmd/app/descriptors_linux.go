package app

import (
	"os"
	"syscall"
)

// descriptors are how many file descriptors this process has, and how many it may have.
func descriptors() (open, most uint64, known bool) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, 0, false
	}
	dir, err := os.Open("/proc/self/fd")
	if outOfDescriptors(err) {
		return limit.Cur, limit.Cur, true
	}
	if err != nil {
		return 0, 0, false
	}
	defer dir.Close() //nolint:errcheck // it was only read
	names, err := dir.Readdirnames(-1)
	return uint64(len(names)), limit.Cur, err == nil
}
