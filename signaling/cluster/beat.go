package cluster

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// beat is a node's word that it is there. Later versions of the protocol add to it and change no meaning, so that nodes of
// different versions can tell each other why they do not go together.
type beat struct {
	Protocol int    `json:"v"`
	Name     string `json:"name"`
	Boot     string `json:"boot"`
	// Proof shows which cluster secret the node has, and Keys which secrets sign its tokens, the first of them those it makes; see
	// Credentials.
	Proof string   `json:"proof"`
	Keys  []string `json:"keys"`
	// Nodes are the names of all nodes that there should be, in order.
	Nodes []string `json:"nodes,omitempty"`
	// Number counts the node's beats, and At is its clock, in milliseconds since 1970.
	Number uint64 `json:"n"`
	At     int64  `json:"at"`
	// Leaving is whether it is its last.
	Leaving bool `json:"leaving,omitempty"`
	Status
}

func (b *beat) id() NodeID { return NodeID{b.Name, b.Boot} }

func (b *beat) encode() []byte {
	data, _ := json.Marshal(b) // of numbers and strings
	return data
}

// Identity is what nodes must have in common: compared when they meet, and never secret.
type Identity struct {
	Protocol int
	// Proof is of the cluster secret.
	Proof string
	// Keys are of the secrets that sign tokens; the first is of the one that signs.
	Keys []string
	// Nodes are the names of all nodes, in order. While the list is changed, one name may be another one, or there be one more or less: of lists
	// that differ by more the most are others. Empty: a version that did not say.
	Nodes []string
}

// differs says why a node with another identity is refused, "" if it is not.
func (i *Identity) differs(other *Identity) string {
	switch {
	case i.Proof != other.Proof:
		return "it has another cluster secret: give all nodes the same --cluster-secret-file"
	case i.Protocol != other.Protocol:
		return fmt.Sprintf("it speaks version %s of the cluster's protocol, and this node %d: run the same version of the server on all nodes",
			strconv.Itoa(other.Protocol), i.Protocol)
	case !i.signsFor(other) || !other.signsFor(i):
		return "its tokens would not be accepted here, or those of here there: give all nodes the same --secret, or --secret-file"
	case max(missing(i.Nodes, other.Nodes), missing(other.Nodes, i.Nodes)) > 1:
		return i.otherList(other) + ": give all nodes the same, or the nodes that they name a --node-name; a list is changed by one name at a time"
	}
	return ""
}

// otherList says that another node's list is another one, "" if it is not.
func (i *Identity) otherList(other *Identity) string {
	if missing(i.Nodes, other.Nodes)+missing(other.Nodes, i.Nodes) == 0 {
		return ""
	}
	return fmt.Sprintf("it has other --cluster-peers (%s) than this node (%s)", strings.Join(other.Nodes, ", "), strings.Join(i.Nodes, ", "))
}

// missing counts the names of a list that another one lacks.
func missing(list, from []string) (n int) {
	for _, name := range list {
		if len(from) > 0 && !slices.Contains(from, name) {
			n++
		}
	}
	return n
}

// signsFor reports whether the other accepts the tokens that are made here.
func (i *Identity) signsFor(other *Identity) bool {
	return len(i.Keys) == 0 && len(other.Keys) == 0 || len(i.Keys) > 0 && slices.Contains(other.Keys, i.Keys[0])
}

// identity of who sent the beat.
func (b *beat) identity() *Identity { return &Identity{b.Protocol, b.Proof, b.Keys, b.Nodes} }
