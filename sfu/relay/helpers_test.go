package relay

import (
	"context"
	"encoding/binary"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu/forward"
	"github.com/mini-livechat/mini-livechat/sfu/rtp"
	"github.com/mini-livechat/mini-livechat/sfu/wire"
)

const (
	patience = 20 * time.Second
	poll     = time.Millisecond
	frame    = 20 * time.Millisecond
	hall     = "hall" // the channel of all tests
)

// bus carries the messages of a test's nodes, in order, on one goroutine.
type bus struct {
	mu    sync.Mutex
	nodes map[Node]*node
	cut   bool // messages are lost

	queue chan func()
	done  chan struct{}
}

func newBus(t *testing.T) *bus {
	t.Helper()
	b := &bus{nodes: make(map[Node]*node), queue: make(chan func(), 10_000), done: make(chan struct{})}
	go func() {
		defer close(b.done)
		for deliver := range b.queue {
			deliver()
		}
	}()
	t.Cleanup(func() {
		close(b.queue)
		<-b.done
	})
	return b
}

func (b *bus) send(from, to Node, raw []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.nodes[to]
	if n == nil || b.cut {
		return nil
	}
	b.queue <- func() { n.relay.Receive(from, raw) }
	return nil
}

func (b *bus) setCut(cut bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cut = cut
}

// node is a server with nothing but its media port and a relay; its channels are what a test says.
type node struct {
	t      *testing.T
	id     Node
	engine *wire.Engine
	relay  *Relay
	bus    *bus
	stop   func() // ends Run and closes

	mu    sync.Mutex
	fed   map[string]Want            // as the other end wants it
	over  map[string]*Link           // likewise
	voice map[string]*talking        // by user, all in one channel
	ups   []bool                     // what Changed said
	lines map[*talking]*forward.Slot // on the last link fed
}

// talking is somebody who talks at a node.
type talking struct {
	source *forward.Source
	packet rtp.Packet
	now    time.Time
}

func newNode(t *testing.T, b *bus, name, boot string, edit ...func(*Config)) *node {
	t.Helper()
	n := &node{
		t: t, id: Node{name, boot}, bus: b, fed: make(map[string]Want), over: make(map[string]*Link),
		voice: make(map[string]*talking), lines: make(map[*talking]*forward.Slot),
	}
	engine, err := wire.Listen(wire.Config{Addrs: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}, Loops: 1})
	require.NoError(t, err)
	n.engine = engine
	cfg := Config{
		Self: n.id, Secret: []byte("a secret of this cluster"), Engine: engine,
		Send: func(to Node, raw []byte) error { return b.send(n.id, to, raw) },
		Feed: n.feed,
		Changed: func(_ Node, up bool) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.ups = append(n.ups, up)
		},
	}
	for _, e := range edit {
		e(&cfg)
	}
	n.relay = New(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { n.relay.Run(ctx) })
	n.stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
		b.mu.Lock()
		delete(b.nodes, n.id)
		b.mu.Unlock()
		n.relay.Close()
		require.NoError(t, engine.Close())
	})
	t.Cleanup(n.stop)
	b.mu.Lock()
	b.nodes[n.id] = n
	b.mu.Unlock()
	return n
}

// feed carries everybody in the channel that is wanted.
func (n *node) feed(channelID string, over *Link, slots int, pins []string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if slots == 0 {
		if n.over[channelID] == over {
			delete(n.fed, channelID)
			delete(n.over, channelID)
		}
		return true
	}
	n.fed[channelID], n.over[channelID] = Want{channelID, slots, pins}, over
	for user, v := range n.voice {
		n.carryLocked(user, v)
	}
	return true
}

func (n *node) carryLocked(user string, v *talking) {
	if over := n.over[hall]; over != nil {
		if slot := over.Line(hall, user); slot != nil {
			v.source.SetSlots([]*forward.Slot{slot})
			slot.Assign(v.source)
			n.lines[v] = slot
		}
	}
}

// enter has somebody talk at the node.
func (n *node) enter(user string) *talking {
	n.mu.Lock()
	defer n.mu.Unlock()
	v := &talking{source: forward.NewSource(), now: time.Now()}
	v.packet.SSRC = 1000
	n.voice[user] = v
	n.carryLocked(user, v)
	return v
}

// leave is the other way round.
func (n *node) leave(user string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	v := n.voice[user]
	delete(n.voice, user)
	v.source.SetSlots(nil)
	if over := n.over[hall]; over != nil {
		n.lines[v].Assign(nil)
		over.Free(hall, user)
	}
}

func (n *node) wanted() Want {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.fed[hall]
}

func (n *node) said() []bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]bool(nil), n.ups...)
}

// say sends one packet of a talker, with a payload that says which.
func (v *talking) say(out *wire.Batch, level uint8) {
	v.now = v.now.Add(frame)
	v.packet.SequenceNumber++
	v.packet.Timestamp += 960
	v.packet.Level = level
	v.packet.Payload = binary.BigEndian.AppendUint16(make([]byte, 0, 40), v.packet.SequenceNumber)
	v.packet.Payload = append(v.packet.Payload, "thirty bytes of something said"...)
	if fanout, ok := v.source.Prepare(&v.packet, v.now); ok {
		fanout.Send(out, v.packet.Payload)
	}
	out.Flush()
}

// hears is a listener's slot that keeps what is forwarded on it.
type hears struct {
	mu   sync.Mutex
	said []uint16 // by the numbers of say
}

func (h *hears) WriteRTP(_ forward.Batch, _, payload []byte) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.said = append(h.said, binary.BigEndian.Uint16(payload))
	return nil
}

func (h *hears) numbers() []uint16 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]uint16(nil), h.said...)
}

// listen has somebody at the node hear a talker of another.
func (n *node) listen(from Node, user string) (*In, *hears) {
	n.t.Helper()
	in, h := n.relay.Voice(from.String(), hall, user), new(hears)
	slot, err := forward.NewSlot(forward.RandomSlotConfig(1, opusType, 0), h)
	require.NoError(n.t, err)
	slot.Open()
	slot.Assign(in.Source())
	in.Source().SetSlots([]*forward.Slot{slot})
	return in, h
}

// meet has two nodes know of each other and waits until their link is up.
func meet(t *testing.T, a, b *node) {
	t.Helper()
	a.relay.Put(b.id, b.engine.LocalAddrs())
	b.relay.Put(a.id, a.engine.LocalAddrs())
	awaitUp(t, a, b)
}

func awaitUp(t *testing.T, nodes ...*node) {
	t.Helper()
	require.Eventually(t, func() bool {
		for _, n := range nodes {
			for _, l := range n.relay.Links() {
				if !l.Up {
					return false
				}
			}
			if len(n.relay.Links()) == 0 {
				return false
			}
		}
		return true
	}, patience, poll, "the links to come up")
}

// awaitLine waits until a node knows whose voice comes.
func awaitLines(t *testing.T, n *node, lines int) {
	t.Helper()
	require.Eventually(t, func() bool { return n.relay.Links()[0].LinesIn == lines }, patience, poll, "the lines to be told")
}
