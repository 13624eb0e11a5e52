//go:build unix

package talk

import (
	"os/signal"
	"syscall"
)

// ignoreFileLimit has a file that may not grow any more (RLIMIT_FSIZE) be an error of its writing, as a full disk is, and not the end
// of the process.
func ignoreFileLimit() { signal.Ignore(syscall.SIGXFSZ) }
