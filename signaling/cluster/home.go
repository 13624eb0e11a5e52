package cluster

// Home returns which of these nodes decides about something that one must decide: for each key another, as many for each node, and the same
// on all nodes that see the same ones. When a node goes only its own keys go elsewhere. It is a rendezvous hash; ok is false of no
// nodes.
func Home(key string, nodes []NodeID) (home NodeID, ok bool) {
	var best uint64
	keyed := mix(hash(key))
	for _, n := range nodes {
		weight := mix(hash(n.Name) ^ keyed)
		if !ok || weight > best || weight == best && n.Name < home.Name {
			home, best, ok = n, weight, true
		}
	}
	return home, ok
}

// hash is FNV-1a of 64 bits.
func hash(text string) uint64 {
	h := uint64(0xcbf29ce484222325)
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * 0x100000001b3
	}
	return h
}

// mix is the finalizer of MurmurHash3: names that differ in one letter have weights that have nothing to do with each other.
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
