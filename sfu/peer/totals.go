package peer

import (
	"github.com/mini-livechat/mini-livechat/sfu/forward"
	"github.com/mini-livechat/mini-livechat/sfu/wire"
)

// Dropped is what was dropped of all connections that there are and were.
type Dropped struct {
	// Endpoints counts what was dropped before it was decrypted, or because it could not be.
	Endpoints wire.EndpointDrops
	// Clients counts what authenticated and was of no use.
	Clients Drops
}

// Totals is what was counted of all connections that there are and were.
type Totals struct {
	Dropped

	// RTP that came and left encrypted.
	PacketsIn, BytesIn, PacketsOut, BytesOut int64
	// Voice is what the talkers said.
	Voice forward.SourceStats
	// Heard is what the listeners were sent, Open and the last packet apart.
	Heard forward.SlotStats
}

// Dropped returns what was dropped so far, of all connections. It reads a dozen counters of
// each, so not for each packet.
func (f *Factory) Dropped() Dropped {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := f.totals.Dropped
	for _, p := range f.peers {
		all.add(p)
	}
	return all
}

// Totals returns all that was counted so far, of all connections. It takes a lock for each slot, for the time of a copy.
func (f *Factory) Totals() Totals {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := f.totals
	for _, p := range f.peers {
		all.add(p)
	}
	return all
}

// Networks calls each with the number of every connection, and what is known of it.
func (f *Factory) Networks(each func(id uint64, network Network, voice forward.SourceStats)) {
	for _, p := range f.all() {
		each(p.id, p.network.read(), p.talker.Source().Stats())
	}
}

func (f *Factory) all() []*Peer {
	f.mu.Lock()
	defer f.mu.Unlock()
	peers := make([]*Peer, 0, len(f.peers))
	for _, p := range f.peers {
		peers = append(peers, p)
	}
	return peers
}

// add adds what was dropped of a connection.
func (d *Dropped) add(p *Peer) {
	endpoint, client := p.endpoint.Drops(), p.dropped()
	d.Endpoints.Add(&endpoint)
	d.Clients.add(&client)
}

// add adds what was counted of a connection.
func (t *Totals) add(p *Peer) {
	t.Dropped.add(p)
	endpoint := p.endpoint.Stats()
	t.PacketsIn += endpoint.PacketsIn
	t.BytesIn += endpoint.BytesIn
	t.PacketsOut += endpoint.PacketsOut
	t.BytesOut += endpoint.BytesOut
	voice := p.talker.Source().Stats()
	t.Voice.Add(&voice)
	for i := range p.listener.slots {
		heard := p.listener.slots[i].Stats()
		t.Heard.Add(&heard)
	}
}
