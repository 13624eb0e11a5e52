//go:build !linux

package bench

import (
	"context"
	"errors"
)

// Roles of the processes that a benchmark starts from its own executable.
const (
	RoleServer    = "server"
	RoleFloor     = "floor"
	RoleReference = "reference"
)

// errSystem: CPU time, memory and batched I/O are read and done in Linux's own ways.
var errSystem = errors.New("benchmarks run on Linux only")

// Run measures nothing here.
func Run(context.Context, Options) error { return errSystem }

// Child is nothing here.
func Child(string, func() int) (int, error) { return 0, errSystem }
