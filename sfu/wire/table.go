package wire

import (
	"encoding/binary"
	"maps"
	"net/netip"
	"sync"
	"sync/atomic"
)

// tableShards keeps the copy that a Bind makes small: with 10,000 peers a shard has 40 entries.
const tableShards = 256

// table finds the endpoint of a flow. Safe for concurrent use. It is read for every packet and written once per join, so
// each shard is a map that is never changed but replaced: readers take no lock and share no cache line that anybody writes
// to. (sync.Map would box the key, which allocates.)
type table struct {
	mu     sync.Mutex // serializes writers
	shards [tableShards]atomic.Pointer[map[flow]*Endpoint]
}

func (t *table) shard(remote netip.AddrPort) *atomic.Pointer[map[flow]*Endpoint] {
	a := remote.Addr().As16()
	h := binary.LittleEndian.Uint64(a[:]) ^ binary.LittleEndian.Uint64(a[8:]) ^ uint64(remote.Port())<<32
	h *= 0x9e3779b97f4a7c15 // spreads; who chooses addresses to collide slows down a Bind, no more
	return &t.shards[h>>56]
}

func (t *table) lookup(f flow) *Endpoint {
	m := t.shard(f.remote).Load()
	if m == nil {
		return nil
	}
	return (*m)[f]
}

// put gives a flow to an endpoint and returns the one that had it.
func (t *table) put(f flow, ep *Endpoint) *Endpoint {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.shard(f.remote)
	next := make(map[flow]*Endpoint)
	if m := p.Load(); m != nil {
		maps.Copy(next, *m)
	}
	was := next[f]
	next[f] = ep
	p.Store(&next)
	return was
}

// remove takes a flow from an endpoint, if it still has it.
func (t *table) remove(f flow, ep *Endpoint) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.shard(f.remote)
	m := p.Load()
	if m == nil || (*m)[f] != ep {
		return
	}
	if len(*m) == 1 {
		p.Store(nil)
		return
	}
	next := maps.Clone(*m)
	delete(next, f)
	p.Store(&next)
}

// canonical gives each address one form: IPv4 unmapped, and a zone only where it means something.
func canonical(a netip.AddrPort) netip.AddrPort {
	ip := a.Addr().Unmap()
	if ip.Zone() != "" && !ip.IsLinkLocalUnicast() {
		ip = ip.WithZone("")
	}
	return netip.AddrPortFrom(ip, a.Port())
}
