package mirror

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu/forward"
	"github.com/mini-livechat/mini-livechat/sfu/rtp"
	"github.com/mini-livechat/mini-livechat/signaling/cluster"
)

// What a node is taken to have, to say what runs out first; what a packet of voice takes of it is what livechat bench measures, and what it
// weighs is Opus at 32 kbit/s with the headers of SRTP, UDP and IP.
const (
	nodeCores       = 4
	nodeMemory      = 8 << 30
	nodeBits        = 1e9
	linesOfALink    = 16_000
	packetTime      = 5.5e-6
	packetBytes     = 80 + 12 + 16 + 28
	redundantBytes  = 85
	packetsASecond  = 50
	bytesOfAMessage = 60 // of NATS, TLS and TCP around each, estimated
)

// said is what the nodes said to each other, once for each that it was said to.
type said struct{ changes, snapshots, links, floors, beats cluster.Traffic }

func (l *land) sent() (all said) {
	for _, s := range l.sites {
		if s != nil {
			all.beats = plus(all.beats, s.bus.SentOn("lc.beats"))
			all.links = plus(all.links, s.bus.SentOn(cluster.SubjectRelay))
			all.floors = plus(all.floors, s.bus.SentOn(cluster.SubjectFloor))
			all.changes = plus(all.changes, s.bus.SentOn(cluster.SubjectMembers))
			all.snapshots = plus(all.snapshots, s.bus.SentOn(cluster.SubjectSnapshot))
		}
	}
	all.changes = minus(all.changes, all.snapshots) // whose subject begins likewise
	return all
}

func plus(a, b cluster.Traffic) cluster.Traffic {
	return cluster.Traffic{Messages: a.Messages + b.Messages, Bytes: a.Bytes + b.Bytes}
}

func minus(a, b cluster.Traffic) cluster.Traffic {
	return cluster.Traffic{Messages: a.Messages - b.Messages, Bytes: a.Bytes - b.Bytes}
}

func (s said) minus(o said) said {
	return said{minus(s.changes, o.changes), minus(s.snapshots, o.snapshots), minus(s.links, o.links), minus(s.floors, o.floors), minus(s.beats, o.beats)}
}

// load is what came of packets of those who talk, at some moments: how many were heard by people, and went to other nodes, all nodes together, and how
// many of the latter nobody heard there; could is how many people there were to hear them.
type load struct{ looks, people, relayed, unheard, could int }

// add has everybody who talks send a packet, through the slots that the channels gave them.
func (l *land) add(m *load) {
	m.looks++
	l.load = m
	defer func() { l.load = nil }()
	for _, c := range l.talks {
		if p := c.who; p != nil && p.member != nil {
			p.packets++
			carried := m.relayed
			if fan, ok := p.mic.source.Prepare(p.packet(), time.Now()); ok {
				fan.Send(nil, opus)
				m.people += fan.Len() - (m.relayed - carried)
				m.could += len(l.in[c.channel]) - 1
			}
		}
	}
}

var opus = make([]byte, 80) //nolint:gochecknoglobals // a constant

// packet is the last that somebody sent.
func (p *soul) packet() *rtp.Packet {
	return &rtp.Packet{SSRC: 7, SequenceNumber: p.packets, Timestamp: 960 * uint32(p.packets), PayloadType: 111, Payload: opus}
}

// carrier is a line to another node: what is written to it comes in there.
type carrier struct {
	land *land
	to   string
	user int
}

// WriteRTP implements forward.Writer.
func (c *carrier) WriteRTP(forward.Batch, []byte, []byte) error {
	l := c.land
	m := l.load
	m.relayed++
	l.mu.Lock()
	defer l.mu.Unlock()
	heard := 0
	for _, far := range l.voice[c.user] {
		if far.site.name == c.to {
			if fan, ok := far.f.source.Prepare(l.souls[c.user].packet(), time.Now()); ok {
				heard += fan.Len()
			}
		}
	}
	m.people += heard
	if heard == 0 {
		m.unheard++
	}
	return nil
}

// reportFloors says how often somebody had the floor.
func (l *land) reportFloors(say func(string, ...any)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	say("the floor, in every %dth channel: asked for and had %d times, and %d times not, since somebody had just given it back", turnwise, l.granted, l.denied)
}

// report says what was counted of a steady time.
func (l *land) report(t *testing.T, say func(string, ...any), sent said, took time.Duration, media *load) {
	t.Helper()
	nodes, seconds := float64(l.nodes), l.steady.Seconds()
	each := func(n int) float64 { return float64(n) / nodes / seconds }
	say("a second and node, of %.0f s in which people stay for %s, mute or unmute themselves every %s, and talk in every %dth channel, %s at a time:",
		seconds, stay, toggle, talkative, turnTime)
	all := cluster.Traffic{}
	for _, row := range []struct {
		name string
		t    cluster.Traffic
	}{{"changes of members and speakers", sent.changes}, {"what links tell each other", sent.links}, {"floors", sent.floors}, {"beats", sent.beats}, {"snapshots", sent.snapshots}} {
		say("  %-32s %8.0f messages %10.1f KB sent, as many received", row.name, each(row.t.Messages), each(row.t.Bytes)/1e3)
		all = plus(all, row.t)
	}
	say("  %-32s %8.0f messages %10.1f KB", "together", each(all.Messages), each(all.Bytes)/1e3)

	l.reportFloors(say)
	relayed, mostRelayed, mostOfOne, lines, mostLines := 0, 0, 0, 0, 0
	for _, s := range l.sites {
		f := s.hub.Figures()
		relayed, mostRelayed, mostOfOne = relayed+f.Relayed, max(mostRelayed, f.Relayed), max(mostOfOne, f.RelayedMost)
		n, most := s.lineCount()
		lines, mostLines = lines+n, max(mostLines, most)
	}
	say("streams to other nodes: %.0f of each node on average, %d at most; of one channel at most %d, of %d that it may; lines that are kept ready: %.0f of each node, to one other at most %d",
		float64(relayed)/nodes, mostRelayed, mostOfOne, hearable*(l.nodes-1), float64(lines)/nodes, mostLines)
	require.LessOrEqual(t, mostOfOne, hearable*(l.nodes-1))
	require.Positive(t, media.relayed)
	require.Greater(t, float64(media.people), 0.9*float64(media.could), "all but those whom a new voice has just reached")
	looks := max(float64(media.looks), 1)
	toPeople, toNodes := float64(media.people)/looks/nodes*packetsASecond, float64(media.relayed)/looks/nodes*packetsASecond
	say("voice, of those who talk: %.0f packets a second of each node to its people, %.0f to other nodes, as many from them, of which %.1f %% to where nobody hears them; heard by %.1f %% of those in a channel",
		toPeople, toNodes, 100*float64(media.unheard)/max(float64(media.relayed), 1), 100*float64(media.people)/max(float64(media.could), 1))
	cores := took.Seconds() / seconds / nodes
	runtime.GC()
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	memory := float64(mem.HeapAlloc) / nodes
	say("were all that the simulation takes the nodes', each took %.3f of a core, %.0f MB: %.0f bytes for each who is on another", cores, memory/1e6, memory/float64(l.people))

	bits := 8 * (each(all.Bytes) + bytesOfAMessage*each(all.Messages) + toPeople*packetBytes + toNodes*(packetBytes+redundantBytes))
	limits := []struct {
		what string
		part float64
	}{
		{fmt.Sprintf("what is told (%d cores), at most", nodeCores), cores / nodeCores},
		{fmt.Sprintf("voice (%d cores, %.1f µs a packet)", nodeCores, packetTime*1e6), (toPeople + 2*toNodes) * packetTime / nodeCores},
		{fmt.Sprintf("memory (%d GB), at most", nodeMemory>>30), memory / nodeMemory},
		{"network, one way (1 Gbit/s)", bits / nodeBits},
		{fmt.Sprintf("lines of a link (%d)", linesOfALink), float64(mostLines) / linesOfALink},
	}
	slices.SortFunc(limits, func(a, b struct {
		what string
		part float64
	},
	) int {
		return cmp.Compare(b.part, a.part)
	})
	say("what limits first:")
	for _, one := range limits {
		say("  %-36s %6.2f %%", one.what, one.part*100)
	}
}
