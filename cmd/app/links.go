package app

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/sfu/pulse"
	between "github.com/mini-livechat/mini-livechat/sfu/relay"
	"github.com/mini-livechat/mini-livechat/signaling"
	"github.com/mini-livechat/mini-livechat/signaling/cluster"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
	"github.com/mini-livechat/mini-livechat/signaling/why"
)

const (
	// linkPurpose names what the key is for that nodes make their links' of.
	linkPurpose   = "media links"
	linkSecretLen = 32
	// relink is how often it is looked where the other nodes are: they find out where they can be reached some time after they are there.
	relink = time.Second
)

// links are the media links to the other nodes, as these come and go. The methods of a nil one, of a server that is alone, do nothing.
type links struct {
	relay   *between.Relay
	nodes   signaling.Nodes
	gateway *signaling.Gateway // nil before start
	cancels []func()

	mu sync.Mutex // held while links follow nodes
	at map[cluster.NodeID]struct{}

	parting sync.Map // of between.Node: those whose links are being removed
	closing atomic.Bool

	sound sound
}

// openLinks makes ready for links to other nodes, if there are any.
func (a *App) openLinks() error {
	if a.cfg.Nodes == nil {
		return nil
	}
	secret, err := linkSecret(a.cfg)
	if err != nil {
		return err
	}
	l := &links{nodes: a.cfg.Nodes, at: make(map[cluster.NodeID]struct{}), sound: newSound()}
	self := a.cfg.Nodes.Self()
	l.relay = between.New(between.Config{
		Self: between.Node(self), Secret: secret, Engine: a.media.Engine(),
		Send: func(to between.Node, message []byte) error { return l.nodes.Publish(linkSubject(to.Boot), message) },
		Feed: func(channelID string, over *between.Link, slots int, pins []string) bool {
			return l.gateway.Feed(channelID, over, slots, pins)
		},
		Changed: func(node between.Node, up bool) {
			l.sound.changed(node, up)
			switch _, meant := l.parting.Load(node); {
			case up:
				a.log.Info("voice of another node comes", zap.String("node", node.Name))
			case !meant && !l.closing.Load(): // else it has been said why
				a.log.Warn("no voice of another node comes any more; it is tried again", zap.String("node", node.Name))
			}
		},
	})
	a.links = l
	return nil
}

// linkSecret is what no stranger knows and all nodes do.
func linkSecret(cfg Config) ([]byte, error) {
	if keyed, ok := cfg.Nodes.(interface {
		Key(purpose string, length int) []byte
	}); ok {
		return keyed.Key(linkPurpose, linkSecretLen), nil
	}
	return hkdf.Key(sha256.New, []byte(cfg.Secret), nil, linkPurpose, linkSecretLen)
}

// linkSubject is what a start of a node listens to.
func linkSubject(boot string) string { return cluster.SubjectRelay + "." + boot }

// start has links follow the nodes. The gateway has its channels by then.
func (l *links) start(gateway *signaling.Gateway) error {
	if l == nil {
		return nil
	}
	l.gateway = gateway
	cancel, err := l.nodes.Subscribe(linkSubject(l.nodes.Self().Boot), func(from cluster.NodeID, message []byte) {
		l.relay.Receive(between.Node(from), message)
	})
	if err != nil {
		return err
	}
	l.cancels = []func(){cancel, l.nodes.Changed(l.changed)}
	return nil
}

// changed is told which nodes come and go.
func (l *links) changed(change cluster.Change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if change.Alive {
		l.putLocked(change.Node)
		return
	}
	l.removeLocked(change.Node.ID)
}

// removeLocked ends the link to a node that is gone.
func (l *links) removeLocked(id cluster.NodeID) {
	delete(l.at, id)
	node := between.Node(id)
	l.parting.Store(node, nil)
	defer l.parting.Delete(node)
	l.relay.Remove(node)
}

// follow has there be a link to each node that says where it can be reached, and to no other.
func (l *links) follow() {
	l.mu.Lock()
	defer l.mu.Unlock()
	there := make(map[cluster.NodeID]struct{})
	for _, n := range l.nodes.Nodes()[1:] {
		there[n.ID] = struct{}{}
		l.putLocked(n)
	}
	for id := range l.at {
		if _, ok := there[id]; !ok {
			l.removeLocked(id)
		}
	}
}

func (l *links) putLocked(n cluster.Node) {
	if len(n.Media) > 0 {
		l.at[n.ID] = struct{}{}
		l.relay.Put(between.Node(n.ID), n.Media)
	}
}

// run keeps the links until ctx is done.
func (l *links) run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() { l.relay.Run(ctx) })
	ticker := pulse.NewTicker(relink)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			l.follow()
		case <-l.sound.wake:
		}
		l.sound.judge(l.nodes.Nodes()[1:], time.Now(), l.gateway.SetApart)
	}
}

// close ends all links, which the media port must outlive.
func (l *links) close() {
	if l == nil {
		return
	}
	for _, cancel := range l.cancels {
		cancel()
	}
	l.closing.Store(true)
	l.relay.Close()
}

// voice is what is heard of somebody on another node.
func (l *links) voice(node, channelID, userID string) sfu.Voice {
	return l.relay.Voice(node, channelID, userID)
}

// admin are the links as an operator is shown them.
func (l *links) admin() []protocol.AdminLink {
	stats := l.relay.Links()
	all := make([]protocol.AdminLink, len(stats))
	for i := range stats {
		s := &stats[i]
		all[i] = protocol.AdminLink{
			Node: s.Node.Name, Up: s.Up, Since: s.Since.UTC(), RTTMS: milliseconds(s.RTT), LossIn: max(s.LossIn, 0), LossOut: s.LossOut,
			JitterInMS: milliseconds(s.JitterIn), JitterOutMS: milliseconds(s.JitterOut), TalkersIn: s.LinesIn, TalkersOut: s.LinesOut,
			PacketsIn: s.PacketsIn, PacketsOut: s.PacketsOut, Resent: s.Resent, Refused: int64(refusedOn(s)),
		}
	}
	return all
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// way is what is known of the way of somebody's voice to or from another node.
func (l *links) way(node cluster.NodeID, channelID, userID string, now time.Time) why.End {
	w := l.relay.Way(between.Node(node), channelID, userID)
	end := why.End{Up: w.Up, Heard: !w.Heard.IsZero(), Loss: w.LossIn, Wanted: w.Wanted, Line: w.Line}
	if w.Linked {
		end.Since = now.Sub(w.Since)
	}
	if !w.Sent.IsZero() {
		end.Sent = new(now.Sub(w.Sent))
	}
	if !w.Came.IsZero() {
		end.Came = new(now.Sub(w.Came))
	}
	return end
}

// MediaForNodes are the addresses at which other nodes reach the media port: those announced to all, of which the first that a node has a way to
// is used, and all are taken as the sender's.
func (a *App) MediaForNodes() []netip.AddrPort { return a.announcer.mediaAddrs(signaling.Arrival{}) }

// aboutLinks adds figures of the links to other nodes; of a server that is alone there are none.
func (f *figures) aboutLinks() {
	if f.app.links == nil {
		return
	}
	f.gauge("relayed_streams", "Streams of voice that go to other nodes: one for each talker and node.", func(l *look) int { return l.gateway.Relayed })
	f.gauge("relayed_streams_of_a_channel", "The same of the channel that has most of them.", func(l *look) int { return l.gateway.RelayedMost })
	gauge, counter := prometheus.GaugeValue, prometheus.CounterValue
	for _, row := range []struct {
		kind       prometheus.ValueType
		name, help string
		value      func(*between.Stats) float64
	}{
		{gauge, "up", "1 while voice goes to another node and comes from it.", func(s *between.Stats) float64 { return float64(oneIf(s.Up)) }},
		{gauge, "round_trip_seconds", "How long a packet takes to another node and back.", func(s *between.Stats) float64 { return s.RTT.Seconds() }},
		{gauge, "loss_in", "Fraction of another node's packets that did not come, lately.", func(s *between.Stats) float64 { return max(s.LossIn, 0) }},
		{gauge, "loss_out", "Fraction of the packets to another node that did not come there, lately.", func(s *between.Stats) float64 { return s.LossOut }},
		{gauge, "jitter_in_seconds", "The worst jitter of the talkers of another node.", func(s *between.Stats) float64 { return s.JitterIn.Seconds() }},
		{gauge, "lines_out", "Talkers here for whom there is a stream to another node.", func(s *between.Stats) float64 { return float64(s.LinesOut) }},
		{gauge, "lines_in", "Talkers of another node for whom there is a stream.", func(s *between.Stats) float64 { return float64(s.LinesIn) }},
		{counter, "packets_out_total", "Packets of voice sent to another node.", func(s *between.Stats) float64 { return float64(s.PacketsOut) }},
		{counter, "packets_in_total", "Packets of voice that came from another node.", func(s *between.Stats) float64 { return float64(s.PacketsIn) }},
		{counter, "resent_total", "Packets of voice that another node asked for again and was sent.", func(s *between.Stats) float64 { return float64(s.Resent) }},
		{counter, "unknown_total", "Packets from another node of whose talker nobody has told.", func(s *between.Stats) float64 { return float64(s.Unknown) }},
		{counter, "refused_total", "Packets from another node's address that were not its own, or came twice.", refusedOn},
	} {
		f.add(row.kind, "link_"+row.name, row.help, "node", func(l *look, tell func(float64, ...string)) {
			for i := range l.links {
				tell(row.value(&l.links[i]), l.links[i].Node.Name)
			}
		})
	}
}

func refusedOn(s *between.Stats) float64 {
	return float64(s.Drops.AuthFailed + s.Drops.Replayed + s.Drops.Malformed + s.Drops.Refused)
}
