package cluster

import "hash/fnv"

// Home returns which of these nodes decides about something that one must decide: for each key another, as many for each node, and the same
// on all nodes that see the same ones. When a node goes only its own keys go elsewhere. It is a rendezvous hash; ok is false of no
// nodes.
func Home(key string, nodes []Node) (home Node, ok bool) {
	var best uint64
	for i := range nodes {
		weight := mix(hash(nodes[i].ID.Name) ^ mix(hash(key)))
		if !ok || weight > best || weight == best && nodes[i].ID.Name < home.ID.Name {
			home, best, ok = nodes[i], weight, true
		}
	}
	return home, ok
}

func hash(text string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(text)) // never fails
	return h.Sum64()
}

// mix is the finalizer of MurmurHash3: names that differ in one letter have weights that have nothing to do with each other.
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
