package signaling

import (
	"errors"
	"sync"
	"time"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

const (
	// spareEntries is for how many frames an empty outbox keeps its memory.
	spareEntries = 16
	// rememberedReplies is how many replies a session keeps for a client that comes back
	// and repeats what it saw no reply to: more requests than any client has in flight.
	rememberedReplies = 64
)

// Why an outbox cannot go on from the event a client names.
var (
	errFuture = errors.New("that event was never sent")
	errBehind = errors.New("the events after that one are no longer kept")
)

// keeping says how long an entry of an outbox is kept once it was written.
type keeping uint8

const (
	// keepNot: it is of use to nobody but the connection it was written for.
	keepNot keeping = iota
	// keepEvent: until the client has acknowledged its number.
	keepEvent
	// keepNewest: until another of the kind comes, which says everything again. The one
	// before it is dropped even if it was not written.
	keepNewest
	// keepReply: until the client has acknowledged a later event, until rememberedReplies
	// newer ones have come, or until it is old.
	keepReply
)

// entry is one frame for a client, waiting or kept.
type entry struct {
	body *protocol.Body // nil: dropped
	// number is an event's number; of anything else, how many events were numbered before.
	number uint64
	to     *asked // nil: it is an event
	kept   keeping
}

// asked is the request that a reply answers.
type asked struct {
	id string
	op protocol.Op
	// link counts the connections of the session: on which one it was answered.
	link uint32
	// at is when, since the outbox was made.
	at time.Duration
}

// outbox is what a session has to say: what waits for the connection that is attached, and
// what was written and may have to be said again on the next one. Events are numbered as
// they are queued, so a number means the same event on every connection. It is bounded in
// frames and in bytes, both counting what waits and what is kept; what is kept makes way. It
// takes memory for what it holds only, so that many quiet sessions cost little. Pushing
// never waits. Safe for concurrent use.
type outbox struct {
	frames, size int // the bounds
	// resumable says whether anything is kept once it was written.
	resumable bool
	since     time.Time

	mu sync.Mutex // guards the fields below
	// conn is who takes from it; nil while no connection is attached.
	conn *Conn
	link uint32
	// log has what is kept and then what waits, in the order in which it was queued, from head
	// on; next is the first that waits. base is the position of log[0] since the beginning.
	log        []entry
	head, next int
	base       uint64
	// live is how many entries are not dropped, bytes their size, replies how many of them
	// are of keepReply.
	live, bytes, replies int
	// newest is the position of the entry of keepNewest, when there is one.
	newest    uint64
	hasNewest bool
	numbered, written,
	// dropped is the last event that is no longer in the log.
	dropped uint64
	// writing: conn took the last entry before next, and did not ask for another since.
	writing bool
	// full: there was no room for a frame. Nothing is queued after this gap.
	full bool
}

func newOutbox(frames, size int, resumable bool) *outbox {
	return &outbox{frames: frames, size: size, resumable: resumable, since: time.Now()}
}

// event queues an event; every outbox that it waits in shares it.
func (o *outbox) event(body *protocol.Body) {
	kept := keepEvent
	if body.Droppable() {
		kept = keepNewest
	}
	o.push(entry{body: body, kept: kept})
}

// reply queues the reply to a request. When it is not one to be kept, it is for the
// connection that asked, from, and no other.
func (o *outbox) reply(from *Conn, body *protocol.Body, id string, op protocol.Op, kept keeping) {
	e := entry{body: body, kept: kept, to: &asked{id: id, op: op, at: time.Since(o.since)}}
	if kept != keepNot {
		from = nil
	}
	o.pushFor(from, e)
}

// push queues an entry. When there is no room the connection is closed.
func (o *outbox) push(e entry) { o.pushFor(nil, e) }

// pushFor is push for one connection; nil means whichever is attached.
func (o *outbox) pushFor(only *Conn, e entry) {
	o.mu.Lock()
	conn := o.conn
	if only != nil && only != conn {
		o.mu.Unlock()
		return
	}
	ok := o.pushLocked(e)
	o.mu.Unlock()
	switch {
	case conn == nil:
	case ok:
		conn.wake()
	default:
		conn.close(protocol.CloseSlowConsumer)
	}
}

// pushLocked reports false when this entry is the first for which there was no room.
func (o *outbox) pushLocked(e entry) bool {
	if o.full {
		return true
	}
	if e.kept == keepNewest && o.hasNewest {
		o.forgetLocked(int(o.newest - o.base)) //nolint:gosec // an index of log
		o.tidyLocked()
	}
	for o.head < o.next && o.crowdedLocked(e.body.Len()) {
		o.forgetLocked(o.head)
		o.tidyLocked()
	}
	// A single frame is taken whatever its size: a large channel's list of members.
	if o.next < len(o.log) && o.crowdedLocked(e.body.Len()) {
		if e.kept == keepNewest {
			return true
		}
		o.full = true
		o.log, o.head, o.next, o.live, o.bytes, o.replies, o.hasNewest = nil, 0, 0, 0, 0, 0, false
		return false
	}
	if e.kept == keepEvent {
		o.numbered++
	}
	e.number = o.numbered
	if e.to != nil {
		e.to.link = o.link
	}
	o.appendLocked(e)
	return true
}

func (o *outbox) crowdedLocked(more int) bool {
	return o.live >= o.frames || o.bytes+more > o.size
}

func (o *outbox) appendLocked(e entry) {
	if o.head > 0 && len(o.log) == cap(o.log) { // use what is free before growing
		n := copy(o.log, o.log[o.head:])
		clear(o.log[n:])
		o.base += uint64(o.head)
		o.log, o.next, o.head = o.log[:n], o.next-o.head, 0
	}
	position := o.base + uint64(len(o.log))
	o.log = append(o.log, e)
	o.live++
	o.bytes += e.body.Len()
	switch e.kept {
	case keepNewest:
		o.newest, o.hasNewest = position, true
	case keepReply:
		if o.replies++; o.replies > rememberedReplies {
			o.forgetOldestReplyLocked()
		}
	case keepNot, keepEvent:
	}
}

// forgetOldestReplyLocked drops the oldest reply that was written.
func (o *outbox) forgetOldestReplyLocked() {
	for i := o.head; i < o.next; i++ {
		if o.log[i].kept == keepReply && o.log[i].body != nil {
			o.forgetLocked(i)
			break
		}
	}
	o.tidyLocked()
}

// forgetLocked drops an entry. Its place is freed by tidyLocked.
func (o *outbox) forgetLocked(i int) {
	e := &o.log[i]
	if e.body == nil {
		return
	}
	o.live--
	o.bytes -= e.body.Len()
	switch e.kept {
	case keepEvent:
		o.dropped = e.number
	case keepNewest:
		o.hasNewest = false
	case keepReply:
		o.replies--
	case keepNot:
	}
	*e = entry{number: e.number}
}

// tidyLocked frees the places of dropped entries at both ends of the log, and its memory
// when it is empty. Between them stays at most one for each entry that is not dropped.
func (o *outbox) tidyLocked() {
	for o.head < o.next && o.log[o.head].body == nil {
		o.head++
	}
	for n := len(o.log); n > o.head && o.log[n-1].body == nil; n-- {
		o.log = o.log[:n-1]
		o.next = min(o.next, n-1)
	}
	if o.head < len(o.log) {
		return
	}
	o.base += uint64(len(o.log))
	o.log, o.head, o.next = o.log[:0], 0, 0
	if cap(o.log) > spareEntries {
		o.log = nil
	}
}

// pop returns what has waited longest, and false when nothing waits for c.
func (o *outbox) pop(c *Conn) (entry, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.conn != c {
		return entry{}, false
	}
	for o.next < len(o.log) {
		e := o.log[o.next]
		o.next++
		if e.body == nil {
			continue
		}
		if e.kept == keepEvent {
			o.written = max(o.written, e.number)
		}
		if e.kept == keepNot || !o.resumable {
			o.forgetLocked(o.next - 1)
			o.tidyLocked()
		}
		o.writing = true
		return e, true
	}
	o.writing = false
	return entry{}, false
}

// settled reports whether the connection has written all there is, or there is none.
func (o *outbox) settled() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.conn == nil || !o.writing && o.next == len(o.log)
}

// waiting returns how many frames wait, those dropped meanwhile included.
func (o *outbox) waiting() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.log) - o.next
}

// acknowledge drops what the client has if it has seen event s. It fails with errFuture.
func (o *outbox) acknowledge(s uint64) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if s > o.written {
		return errFuture
	}
	for i := o.head; i < o.next; i++ {
		if !o.log[i].seenWith(s) {
			break
		}
		o.forgetLocked(i)
	}
	o.tidyLocked()
	return nil
}

// forgetReplies drops the written replies that are older than age.
func (o *outbox) forgetReplies(now time.Time, age time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.replies == 0 {
		return
	}
	for i := o.head; i < o.next; i++ {
		if e := &o.log[i]; e.body != nil && e.kept == keepReply && now.Sub(o.since)-e.to.at > age {
			o.forgetLocked(i)
		}
	}
	o.tidyLocked()
}

// attach makes c the one who takes from the outbox, and nil nobody.
func (o *outbox) attach(c *Conn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.conn = c
}

// resume makes c the one who takes from the outbox, from what came after event s on, which
// is followed by what resumed returns, as the reply to the request with this id. Resumed is
// told how many events those are. It fails with errFuture or errBehind.
func (o *outbox) resume(c *Conn, s uint64, id string, resumed func(replayed int) (*protocol.Body, error)) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case s > o.written:
		return errFuture
	case o.full || s < o.dropped:
		return errBehind
	}
	body, err := resumed(int(o.numbered - s)) //nolint:gosec // bounded by frames
	if err != nil {
		return err
	}
	// The client has all that was written before event s, and may have what came after it. What
	// it gets twice are replies that it no longer waits for.
	o.next = o.head
	for o.next < len(o.log) && o.log[o.next].seenWith(s) {
		o.next++
	}
	for i := o.head; i < len(o.log); i++ {
		if o.log[i].kept == keepNot { // for a connection that is gone
			o.forgetLocked(i)
		}
	}
	o.tidyLocked()
	o.conn, o.writing = c, false
	o.link++
	o.appendLocked(entry{body: body, number: o.numbered, to: &asked{id: id, op: protocol.OpResume, link: o.link}})
	return nil
}

// seenWith reports whether a client that has seen event s has seen the entry.
func (e *entry) seenWith(s uint64) bool {
	// What is no event was queued before event s if fewer were numbered before it.
	return e.number < s || e.number == s && (e.kept == keepEvent || e.body == nil)
}

// remembered returns the reply that a request with this id and op got on an earlier
// connection, or nil.
func (o *outbox) remembered(id string, op protocol.Op) *protocol.Body {
	o.mu.Lock()
	defer o.mu.Unlock()
	if id == "" || o.link == 0 || o.replies == 0 {
		return nil
	}
	for i := len(o.log) - 1; i >= o.head; i-- {
		e := &o.log[i]
		if e.kept == keepReply && e.body != nil && e.to.link < o.link && e.to.id == id && e.to.op == op {
			return e.body
		}
	}
	return nil
}

// detach leaves nobody to take from the outbox, if it was c who did.
func (o *outbox) detach(c *Conn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.conn == c {
		o.conn = nil
	}
}

// append appends the entry's text frame to dst.
func (e *entry) append(dst []byte) []byte {
	switch e.kept {
	case keepEvent:
		return e.body.AppendEvent(dst, e.number)
	case keepNewest:
		return e.body.AppendEvent(dst, 0)
	default:
		return e.body.AppendReply(dst, e.to.id)
	}
}
