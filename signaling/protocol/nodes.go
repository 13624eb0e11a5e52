package protocol

import (
	"cmp"
	"slices"
)

// FeatureNodes is what HELLO names when the server is several nodes, so that one may go on at another: READY and ALIVE say where.
const FeatureNodes = "nodes"

// Rejoin is a ticket by which one goes on at another node as who and where one is, and until when it does.
type Rejoin struct {
	Ticket string `json:"ticket"`
	// ExpiresAt in milliseconds since the Unix epoch, by the server's clock.
	ExpiresAt int64 `json:"expires_at"`
}

// Alive is the d of ALIVE, the server's sign of life; what is absent stays as it was told last.
type Alive struct {
	// Nodes are the URLs of the other nodes that take people; nil: as before.
	Nodes []string `json:"nodes,omitzero"`
	// Rejoin takes the place of the one before.
	Rejoin *Rejoin `json:"rejoin,omitempty"`
	// Alone: the node sees too few of the others, so that nothing is kept and nobody gets a floor.
	Alone *bool `json:"alone,omitempty"`
}

// Rejoined is in READY what the ticket of IDENTIFY said: where one was, and how. All but ChannelID is so in the new session already.
type Rejoined struct {
	ChannelID string `json:"channel_id,omitempty"`
	SelfMute  bool   `json:"self_mute,omitempty"`
	SelfDeaf  bool   `json:"self_deaf,omitempty"`
	Mic       Mic    `json:"mic,omitempty"`
	Sound     Sound  `json:"sound,omitempty"`
}

// NodesFor returns the nodes in the order in which a user is to try them: another one for each user, so that those whom a node has
// lost are spread over all others, and the same each time, so that one who tries again finds the session made before. It is rendezvous
// hashing: without a node the order of the others stays.
func NodesFor(userID string, nodes []string) []string {
	ordered := slices.Clone(nodes)
	slices.SortStableFunc(ordered, func(a, b string) int { return cmp.Compare(nodeScore(userID, b), nodeScore(userID, a)) })
	return ordered
}

// nodeScore is FNV-1a of both, and of a line break between, with the end of MurmurHash3 so that each bit counts: of FNV alone the last
// bytes hardly do, and people would not be spread evenly.
func nodeScore(userID, url string) uint32 {
	h := uint32(2166136261)
	for _, b := range []byte(userID + "\n" + url) {
		h = (h ^ uint32(b)) * 16777619
	}
	h = (h ^ h>>16) * 0x85ebca6b
	h = (h ^ h>>13) * 0xc2b2ae35
	return h ^ h>>16
}
