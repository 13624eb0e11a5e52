package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"
)

// patient is how long something takes before it is said that it goes on.
const patient = time.Second

// progress says on out, a terminal, what takes long, and how much of it has been written, until the function that it returns is called. A nil out says
// nothing.
func progress(out io.Writer, what string, written func() int64) (done func()) {
	if out == nil {
		return func() {}
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		ticker := time.NewTicker(patient)
		defer ticker.Stop()
		shown, begun := 0, time.Now()
		for {
			select {
			case <-ticker.C:
				line := fmt.Sprintf("%s: %s, %.0f s", what, size(written()), time.Since(begun).Seconds())
				_, _ = fmt.Fprintf(out, "\r%-*s", shown, line) // only for the eye
				shown = max(shown, len(line))
			case <-stop:
				if shown > 0 {
					_, _ = fmt.Fprintf(out, "\r%s\r", strings.Repeat(" ", shown))
				}
				return
			}
		}
	}()
	return func() {
		close(stop)
		<-stopped
	}
}

// watcher is where progress is said: standard error, where somebody looks at it.
func watcher() io.Writer {
	if isTerminal(os.Stderr) {
		return os.Stderr
	}
	return nil
}

// growing is how large the files are that path is being made of.
func growing(path string) func() int64 {
	return func() int64 {
		total := int64(0)
		parts, _ := filepath.Glob(path + ".part-*")
		for _, part := range parts {
			if info, err := os.Stat(part); err == nil {
				total += info.Size()
			}
		}
		return total
	}
}

// counting says how much was read so far.
type counting struct {
	io.Reader

	n atomic.Int64
}

// Read reads and counts.
func (c *counting) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n.Add(int64(n))
	return n, err //nolint:wrapcheck // io.EOF is looked for
}

func (c *counting) soFar() int64 { return c.n.Load() }
