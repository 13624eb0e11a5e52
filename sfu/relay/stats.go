package relay

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/wire"
)

// Stats is what is known of one link. Counters begin with the link.
type Stats struct {
	Node   Node
	Remote netip.AddrPort // where packets go; not valid before the other end is known
	// Up: both ends hear each other. Since is since when that, or the contrary, is so.
	Up    bool
	Since time.Time
	// Heard is when the other end last reported; zero: never.
	Heard time.Time
	// RTT is there and back. Losses are fractions of the packets between the last two reports, jitters the worst of all streams'.
	RTT                 time.Duration
	LossIn, LossOut     float64
	JitterIn, JitterOut time.Duration
	// LinesOut and LinesIn are the talkers for whom there is a stream, whether it carries anything or not.
	LinesOut, LinesIn int
	// PacketsOut and PacketsIn are SRTP; Resent of those that went were asked for again.
	PacketsOut, PacketsIn, Resent int64
	// LostIn is how many of the other end's packets did not come.
	LostIn int64
	// Unknown came on an SSRC that nobody has told of; Malformed was no report or about no stream of ours; Refused could not be sent. Drops
	// is what was not the other end's, or came twice.
	Unknown, Malformed, Refused int64
	Drops                       wire.EndpointDrops
}

// Links returns what is known of all links, by the names of their nodes.
func (r *Relay) Links() []Stats {
	links := r.all()
	stats := make([]Stats, len(links))
	for i, l := range links {
		stats[i] = l.stats()
	}
	slices.SortFunc(stats, func(a, b Stats) int { return cmp.Compare(a.Node.String(), b.Node.String()) })
	return stats
}

func (l *Link) stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	w, t := &l.watch, &l.traffic
	s := Stats{
		Node: l.node, Up: l.up, Since: l.since, Heard: w.heard, RTT: w.rtt, LossIn: w.lossIn, LossOut: w.lossOut,
		JitterIn: time.Duration(w.jitter) * time.Second / clockRate, JitterOut: w.jitterOut, LinesOut: len(l.outs), LostIn: max(w.lost, 0),
		PacketsOut: t.sent.Load(), PacketsIn: t.received.Load(),
		Unknown: t.unknown.Load(), Malformed: t.malformed.Load(), Refused: t.refused.Load(),
	}
	for _, a := range l.ins() {
		if a != nil {
			s.LinesIn++
		}
	}
	for _, out := range l.outgoing() {
		s.Resent += int64(out.slot.Stats().Resent) //nolint:gosec // a count of packets
	}
	if l.endpoint != nil {
		s.Remote, s.Drops = l.endpoint.Remote(), l.endpoint.Drops()
	}
	return s
}

// Way is what this node knows of how a talker's voice goes to another node, or comes from there.
type Way struct {
	// Linked: there is a link; the rest is of it.
	Linked bool
	// Up, Since, Heard and LossIn are as in Stats.
	Up     bool
	Since  time.Time
	Heard  time.Time
	LossIn float64
	// Wanted: the other end wants to hear the talker's channel, and the channel here knows. Line: the talker has a stream.
	Wanted, Line bool
	// Sent and Came are when a packet of the talker's last went, or came; zero: none has.
	Sent, Came time.Time
}

// Way returns what is known of a talker's way to or from another node.
func (r *Relay) Way(node Node, channelID, userID string) (way Way) {
	r.mu.Lock()
	l, in := r.links[node], r.ins[talker{node.String(), channelID, userID}]
	r.mu.Unlock()
	if in != nil {
		way.Came = in.Source().Newest()
	}
	if l == nil {
		return way
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	way.Linked, way.Up, way.Since, way.Heard, way.LossIn = true, l.up, l.since, l.watch.heard, max(l.watch.lossIn, 0)
	if w := l.wanted[channelID]; w != nil {
		way.Wanted = w.fed && w.Slots > 0
	}
	if out := l.outs[talker{channel: channelID, user: userID}]; out != nil {
		way.Line, way.Sent = true, out.slot.Stats().LastTime
	}
	return way
}
