package signaling

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

const (
	// maxTraces is how many may look on at a time.
	maxTraces = 8
	// traceLines is how many frames wait for one who looks on; the next are lost to them.
	traceLines = 1024
	// traceBytes is the longest payload that is shown, in bytes.
	traceBytes = 16 << 10
	// traceTick is how often one who looks on hears something, and how many frames were lost.
	traceTick = time.Second
)

// ErrTooManyTraces says that as many look on as may.
var ErrTooManyTraces = errors.New("as many look on as may; end one of the others")

// TraceFilter says which frames somebody wants to see; the zero value all.
type TraceFilter struct {
	// ChannelID is of frames about a channel, and of those of its members.
	ChannelID string `json:"channel,omitempty"`
	// User is an id or a name.
	User string `json:"user,omitempty"`
	// Op is a part of the name of a request or event; of a reply its request's counts.
	Op string `json:"op,omitempty"`
}

// traces are those who look on. The zero value has none, which costs a load for each frame. Safe for concurrent use.
type traces struct {
	mu   sync.Mutex // held by who changes open
	open atomic.Pointer[[]*trace]
}

// trace is one who looks on: at copies, so that nobody waits for them.
type trace struct {
	filter TraceFilter
	frames chan traced
	lost   atomic.Uint64
}

// traced is a frame as it came or went.
type traced struct {
	at           time.Time
	userID, name string
	channelID    string
	in           bool
	op, asked    protocol.Op
	frame        []byte // nil: it was too long
	size         int
}

// Trace calls show with each frame from now on that the filter lets through, on whatever node, until ctx is done or show fails. A frame that comes while
// too many wait is lost, and the next line says how many were. A line with nothing in it comes at once, and each traceTick; it says which nodes do not
// answer, where those are others than before. The error is show's, ErrTooManyTraces, or nil.
func (g *Gateway) Trace(ctx context.Context, filter TraceFilter, show func(protocol.AdminTraceLine) error) error {
	t := &trace{filter: filter, frames: make(chan traced, traceLines)}
	if !g.traces.add(t) {
		return ErrTooManyTraces
	}
	defer g.traces.remove(t)
	ctx, cancel := context.WithCancel(ctx)
	far := g.others.lookOn(ctx, filter)
	defer func() { cancel(); far.wait() }()
	tick := time.NewTicker(traceTick)
	defer tick.Stop()
	silent := far.silent()
	for line := (protocol.AdminTraceLine{Missing: silent}); ; {
		line.Lost = t.lost.Swap(0) + far.lostThere()
		if err := show(line); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			line = protocol.AdminTraceLine{At: g.now().UTC()}
			far.follow(ctx)
			if before := silent; !slices.Equal(before, far.silent()) {
				silent = far.silent()
				line.Missing = silent
			}
		case frame := <-t.frames:
			line = g.lineOf(&frame)
		case line = <-far.frames():
		}
	}
}

func (t *traces) add(one *trace) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	var open []*trace
	if before := t.open.Load(); before != nil {
		open = slices.Clone(*before)
	}
	if len(open) >= maxTraces {
		return false
	}
	open = append(open, one)
	t.open.Store(&open)
	return true
}

func (t *traces) remove(one *trace) {
	t.mu.Lock()
	defer t.mu.Unlock()
	open := slices.DeleteFunc(slices.Clone(*t.open.Load()), func(o *trace) bool { return o == one })
	if len(open) == 0 {
		t.open.Store(nil)
		return
	}
	t.open.Store(&open)
}

// request shows a frame that came on a connection.
func (t *traces) request(c *Conn, frame *protocol.Frame, data []byte) {
	if open := t.open.Load(); open != nil {
		showTo(*open, c.session, traced{in: true, op: frame.Op, size: len(data)}, func() []byte { return bytes.Clone(data) })
	}
}

// entry shows what a session is told.
func (t *traces) entry(s *Session, e *entry) {
	if open := t.open.Load(); open != nil {
		f := traced{op: e.body.Op(), size: e.body.Len()}
		if e.to != nil {
			f.asked = e.to.op
		}
		showTo(*open, s, f, func() []byte { return e.append(nil) })
	}
}

// showTo gives a frame to those who want to see it.
func showTo(open []*trace, s *Session, f traced, copied func() []byte) {
	if s != nil {
		f.userID, f.name = s.userID, s.name
		if m := s.member.Load(); m != nil && m.Active() {
			f.channelID = m.Channel().ID()
		}
	}
	for _, one := range open {
		if !one.filter.wants(&f) {
			continue
		}
		if f.frame == nil && f.size <= traceBytes {
			f.frame = copied()
		}
		if !one.filter.about(&f) {
			continue
		}
		f.at = time.Now()
		select {
		case one.frames <- f:
		default:
			one.lost.Add(1)
		}
	}
}

// wants looks at who and what a frame is.
func (w *TraceFilter) wants(f *traced) bool {
	if w.User != "" && w.User != f.userID && !strings.EqualFold(w.User, f.name) {
		return false
	}
	op := strings.ToUpper(w.Op)
	return strings.Contains(f.op.String(), op) || f.asked != 0 && strings.Contains(f.asked.String(), op)
}

// about looks which channel a frame is about.
func (w *TraceFilter) about(f *traced) bool {
	return w.ChannelID == "" || w.ChannelID == f.channelID || bytes.Contains(f.frame, []byte(`"channel_id":"`+w.ChannelID+`"`))
}

// lineOf is a frame as it is shown, at the time that all nodes tell alike.
func (g *Gateway) lineOf(f *traced) protocol.AdminTraceLine {
	line := f.line(g.others.name())
	line.At = g.now().Add(-time.Since(f.at)).UTC()
	return line
}

// line is the frame as it is shown, without its secrets, of a node.
func (f *traced) line(node string) protocol.AdminTraceLine {
	line := protocol.AdminTraceLine{At: f.at.UTC(), Node: node, UserID: f.userID, Name: f.name, ChannelID: f.channelID, In: f.in, Op: f.op.String()}
	if f.frame == nil {
		line.D = fmt.Sprintf("%d bytes", f.size)
		return line
	}
	frame, err := protocol.Decode(f.frame)
	line.S, line.ID = frame.S, frame.ID
	if err != nil || frame.D == nil {
		return line
	}
	if json.Unmarshal(frame.D, &line.D) != nil {
		line.D = fmt.Sprintf("%d bytes that cannot be read", len(frame.D))
	}
	line.D = redact("", line.D)
	return line
}

// sdpSecrets are the lines of an SDP by which somebody else could take a path or a key.
var sdpSecrets = regexp.MustCompile(`(?m)^(a=(?:ice-pwd|crypto|key-mgmt):)[^\r\n]*`)

// redact takes secrets, and what people write, out of a payload.
func redact(field string, value any) any {
	switch v := value.(type) {
	case map[string]any:
		for name, inner := range v {
			v[name] = redact(name, inner)
		}
	case []any:
		for i := range v {
			v[i] = redact(field, v[i])
		}
	case string:
		switch strings.ToLower(field) { // as the server takes it
		case "token", "login_token", "resume_token", "secret", "credential", "device", "rejoin", "ticket":
			return "[secret]"
		case "content", "query":
			return fmt.Sprintf("[%d characters]", utf8.RuneCountInString(v))
		case "sdp_offer", "sdp_answer":
			return sdpSecrets.ReplaceAllString(v, "${1}[secret]")
		}
	}
	return value
}
