package bench

import (
	"io"
	"strings"
	"sync"
	"unicode/utf8"
)

// progress is one line on a terminal that says what is going on.
type progress struct {
	out    io.Writer // nil for nowhere
	prefix string    // set while nothing else runs

	mu    sync.Mutex
	shown int // characters on the line; guarded by mu
}

func newProgress(out io.Writer) *progress { return &progress{out: out} }

// say replaces the line.
func (p *progress) say(text string) {
	if p.out == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	line := p.prefix + " · " + text
	n := utf8.RuneCountInString(line)
	_, _ = io.WriteString(p.out, "\r"+line+strings.Repeat(" ", max(p.shown-n, 0))) // only for the eye
	p.shown = n
}

// clear leaves an empty line.
func (p *progress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.out != nil && p.shown > 0 {
		_, _ = io.WriteString(p.out, "\r"+strings.Repeat(" ", p.shown)+"\r") // only for the eye
		p.shown = 0
	}
}
