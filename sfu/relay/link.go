package relay

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/forward"
	"github.com/mini-livechat/mini-livechat/sfu/repair"
	"github.com/mini-livechat/mini-livechat/sfu/rtp"
	"github.com/mini-livechat/mini-livechat/sfu/voice"
	"github.com/mini-livechat/mini-livechat/sfu/wire"
)

// What the packets of all links are.
const (
	opusType = 111
	redType  = 63
	levelID  = 1
	// reporter is the SSRC under which both ends report and ask; the streams' are from firstSSRC on.
	reporter  = 1
	firstSSRC = 2
	// maxLines is how many talkers a link carries at once: what the wire takes, but for the reporter.
	maxLines = 16_000
	// restTime is how long a line that was given back is not given to another talker, while there are others: longer than any packet is
	// on its way, so that none is taken for the next one's.
	restTime = 10 * time.Second
)

//nolint:gochecknoglobals // constant
var linkFormat = voice.Format{Opus: opusType, RED: redType, NACK: true, LevelID: levelID, Relayed: true}

// Link is the way to one other node, from when it is told of until it is gone or begins anew. Its methods may be called from any goroutine.
type Link struct {
	relay *Relay
	node  Node
	at    []netip.AddrPort
	nonce string // ours

	// arriving is by SSRC, from firstSSRC on, whose voice comes; never changed but replaced. Nil: nobody's.
	arriving atomic.Pointer[[]*arriving]
	// lines is by SSRC likewise what goes out.
	lines   atomic.Pointer[[]*line]
	traffic traffic

	mu       sync.Mutex // guards the fields below
	closed   bool
	theirs   string         // the other end's nonce; "" before it is known
	endpoint *wire.Endpoint // nil before that
	greeted  time.Time      // when it was last told of this link
	outs     map[talker]*line
	resting  []*line // given back, the one for longest first
	pending  Message
	wanted   map[string]*wanted
	up       bool
	since    time.Time // of up
	watch    watch
	blocks   int // redundant ones that the lines carry
}

// line is one stream that goes out.
type line struct {
	ssrc    uint32
	slot    *forward.Slot
	who     talker // zero while it is nobody's
	resting time.Time
}

// wanted is what the other end wants to hear of a channel.
type wanted struct {
	Want

	fed bool // the channel knows
}

// traffic counts what goes and comes.
type traffic struct {
	sent, octets, refused, received, unknown, asked, malformed atomic.Int64
}

// writer sends the packets of one line.
type writer struct {
	sender  *wire.Sender
	traffic *traffic
}

// WriteRTP implements forward.Writer.
func (w writer) WriteRTP(out forward.Batch, header, payload []byte) error {
	batch, ok := out.(*wire.Batch)
	if !ok {
		return wire.ErrNotReady
	}
	if err := w.sender.WriteRTP(batch, header, payload); err != nil {
		w.traffic.refused.Add(1)
		return err
	}
	w.traffic.sent.Add(1)
	w.traffic.octets.Add(int64(len(payload)))
	return nil
}

// Node is the other end.
func (l *Link) Node() Node { return l.node }

// ins is by SSRC whose voice comes. It is not to be changed.
func (l *Link) ins() []*arriving {
	if ins := l.arriving.Load(); ins != nil {
		return *ins
	}
	return nil
}

// outgoing is by SSRC what goes out. It is not to be changed.
func (l *Link) outgoing() []*line {
	if lines := l.lines.Load(); lines != nil {
		return *lines
	}
	return nil
}

func (l *Link) end() *wire.Endpoint {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.endpoint
}

// meets takes note of the other end's nonce. begun is true when the link has keys by that, anew when it had others before, under which it cannot
// go on.
func (l *Link) meets(theirs string) (begun, anew bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed || l.theirs == theirs:
		return false, false
	case l.theirs != "":
		return false, true
	}
	us, them := l.relay.cfg.Self, l.node
	keys, err := wire.LinkKeys(l.relay.cfg.Secret,
		wire.LinkEnd{Node: us.Name, Boot: us.Boot, Nonce: l.nonce}, wire.LinkEnd{Node: them.Name, Boot: them.Boot, Nonce: theirs})
	if err != nil {
		return false, false
	}
	endpoint, err := l.relay.cfg.Engine.NewLink(l, l.at, keys)
	if err != nil { // no address of it can be reached, which may change
		return false, false
	}
	l.theirs, l.endpoint = theirs, endpoint
	return true, false
}

// hello tells the other end of this link.
func (l *Link) hello() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.helloLocked(time.Now())
}

// helloLocked is hello. What cannot be sent is sent again while the link is not up.
func (l *Link) helloLocked(now time.Time) {
	if l.closed {
		return
	}
	l.greeted = now
	m := Message{Nonce: l.nonce, Of: l.theirs}
	_ = l.relay.cfg.Send(l.node, m.Encode())
}

// post adds to what is told next, if there is a link to tell of.
func (l *Link) post(add func(*Message)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.postLocked(add)
}

func (l *Link) postLocked(add func(*Message)) {
	if l.endpoint != nil && !l.closed {
		add(&l.pending)
		l.relay.rouse()
	}
}

// flush tells what waits. Run calls it, so that it goes in order; a loop that waits for mu does not wait for it to be encoded.
func (l *Link) flush() {
	m, ok := l.takePending()
	if !ok {
		return
	}
	for _, part := range m.Parts() {
		_ = l.relay.cfg.Send(l.node, part.Encode())
	}
}

func (l *Link) takePending() (m Message, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.pending.empty() {
		return Message{}, false
	}
	m, l.pending = l.pending, Message{}
	m.Nonce, m.Of = l.nonce, l.theirs
	return m, true
}

// Line returns the stream on which a talker is carried from now on, the same until Free; nil when there is no room.
func (l *Link) Line(channelID, userID string) *forward.Slot {
	l.mu.Lock()
	defer l.mu.Unlock()
	who := talker{channel: channelID, user: userID}
	out := l.outs[who]
	if out == nil {
		if out = l.idleLocked(time.Now()); out == nil {
			return nil
		}
		out.who = who
		l.outs[who] = out
		l.tellLineLocked(out)
	}
	return out.slot
}

// Free gives a talker's line back.
func (l *Link) Free(channelID, userID string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	who := talker{channel: channelID, user: userID}
	out := l.outs[who]
	if out == nil {
		return
	}
	delete(l.outs, who)
	out.who, out.resting = talker{}, time.Now()
	out.slot.Assign(nil)
	l.resting = append(l.resting, out)
	l.tellLineLocked(out)
}

func (l *Link) tellLineLocked(out *line) {
	told := LineTold{out.ssrc, out.who.channel, out.who.user}
	l.postLocked(func(m *Message) { m.Lines = append(m.Lines, told) })
}

// postLines tells of all lines once more.
func (l *Link) postLines() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, out := range l.outs {
		l.tellLineLocked(out)
	}
}

// idleLocked returns a line that is nobody's: one that has rested, or another one, so that none is ever given up and the other end has to
// remember no more streams than there were talkers at once.
func (l *Link) idleLocked(now time.Time) *line {
	lines := l.outgoing()
	if len(l.resting) > 0 && (now.Sub(l.resting[0].resting) >= restTime || len(lines) == maxLines) {
		out := l.resting[0]
		l.resting = slices.Delete(l.resting, 0, 1)
		return out
	}
	if l.endpoint == nil || l.closed || len(lines) == maxLines {
		return nil
	}
	ssrc := firstSSRC + uint32(len(lines)) //nolint:gosec // at most maxLines
	config := forward.RandomSlotConfig(ssrc, opusType, 0)
	config.REDPayloadType, config.LevelID = redType, levelID
	slot, err := forward.NewSlot(config, writer{l.endpoint.Sender(ssrc), &l.traffic})
	if err != nil {
		return nil
	}
	slot.SetRedundancy(max(l.blocks, 1))
	if l.up {
		slot.Open()
	}
	out := &line{ssrc: ssrc, slot: slot}
	lines = append(slices.Clone(lines), out)
	l.lines.Store(&lines)
	return out
}

// want takes note of what the other end wants to hear.
func (l *Link) want(wants []Want) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range wants {
		l.wanted[w.Channel] = &wanted{Want: w}
	}
}

// unfed returns what is wanted and not fed yet.
func (l *Link) unfed() []Want {
	l.mu.Lock()
	defer l.mu.Unlock()
	var unfed []Want
	for _, w := range l.wanted {
		if !w.fed && !l.closed {
			unfed = append(unfed, w.Want)
		}
	}
	return unfed
}

// fed notes that a channel knows what is wanted of it.
func (l *Link) fed(done Want) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.wanted[done.Channel]
	switch {
	case w == nil || w.Slots != done.Slots || !slices.Equal(w.Pins, done.Pins): // it is other than that by now
	case done.Slots == 0:
		delete(l.wanted, done.Channel)
	default:
		w.fed = true
	}
}

// shut ends the link, and returns what was wanted over it.
func (l *Link) shut() []Want {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	for _, out := range l.outgoing() {
		out.slot.Close()
	}
	if l.endpoint != nil {
		l.endpoint.Close()
	}
	if l.up {
		l.setLocked(false, time.Now())
	}
	wants := make([]Want, 0, len(l.wanted))
	for _, w := range l.wanted {
		wants = append(wants, w.Want)
	}
	return wants
}

// broken reports whether the endpoint has ended by itself, as after a panic.
func (l *Link) broken() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.closed && l.endpoint != nil && !l.endpoint.Sending()
}

// OnRTP implements wire.Receiver.
func (l *Link) OnRTP(out *wire.Batch, _ *wire.Endpoint, packet []byte, at time.Time) {
	l.traffic.received.Add(1)
	i, ins := int(rtp.SSRC(packet))-firstSSRC, l.ins()
	if i < 0 || i >= len(ins) || ins[i] == nil {
		l.traffic.unknown.Add(1)
		return
	}
	ins[i].in.receive(out, packet, at)
}

// resend sends again what it can of the packets asked for.
func (l *Link) resend(out *wire.Batch, nack *repair.Feedback, now time.Time) {
	i, lines := int(nack.Media)-firstSSRC, l.outgoing()
	if i < 0 || i >= len(lines) {
		l.traffic.malformed.Add(1)
		return
	}
	for number := range nack.Numbers() {
		l.traffic.asked.Add(1)
		lines[i].slot.Resend(number, now, out)
	}
}

// OnConnected implements wire.Receiver; a link is never told.
func (l *Link) OnConnected(*wire.Endpoint) {}

// OnDisconnected implements wire.Receiver; a link's other end says no goodbye.
func (l *Link) OnDisconnected(*wire.Endpoint, error) {}
