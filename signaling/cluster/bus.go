package cluster

import (
	"context"
	"errors"
	"net/netip"
	"time"
)

const (
	// Protocol is the version of what nodes say to each other. Nodes of another version are refused.
	Protocol = 1
	// BeatEvery is how often a node says that it is there.
	BeatEvery = 250 * time.Millisecond
	// DeadAfter is how long a node may be silent: three beats may be lost.
	DeadAfter = time.Second
	// MaxMessageBytes is the longest message: a little less than what a NATS server takes unless it is told otherwise.
	MaxMessageBytes = 1<<20 - 4<<10
)

var (
	// ErrGone means that the node that was asked is not there, or went before it answered.
	ErrGone = errors.New("cluster: the node is not there")
	// ErrNoAnswer means that the node that was asked answers nothing on this subject.
	ErrNoAnswer = errors.New("cluster: the node does not answer this")
	// ErrTooLong means that a message has more than MaxMessageBytes.
	ErrTooLong = errors.New("cluster: the message is too long")
	// ErrBusy means that more waits to be sent than may wait.
	ErrBusy = errors.New("cluster: too much waits to be sent")
	// ErrClosed means that this node has left the cluster.
	ErrClosed = errors.New("cluster: this node has left")
)

// AnswerError is what a node that was asked answered instead: its error, in words.
type AnswerError struct{ Text string }

func (e *AnswerError) Error() string { return e.Text }

// NodeID names one start of one node. It is comparable.
type NodeID struct {
	// Name is the node's, unique in its cluster.
	Name string
	// Boot is random, and another after each start.
	Boot string
}

// String is the name and the boot id, as keys of maps in which a node is one string.
func (id NodeID) String() string { return id.Name + "/" + id.Boot }

// Status is what a node says of itself.
type Status struct {
	// URL is where people reach its page; "" when it does not say.
	URL string `json:"url,omitempty"`
	// Media is where other nodes reach its media port.
	Media []netip.AddrPort `json:"media,omitempty"`
	// People is how many sessions it has.
	People int `json:"people"`
	// Load is how much of its cores is in use, 0 to 1.
	Load float64 `json:"load"`
	// Position is how far it has applied the log.
	Position uint64 `json:"position"`
	// Draining is whether it lets nobody in any more.
	Draining bool `json:"draining,omitempty"`
}

// Node is a node that is there, as it is known here.
type Node struct {
	ID NodeID
	Status
	// Since is when it was first seen here, with a monotonic reading.
	Since time.Time
}

// Change says that a node is there, or is gone.
type Change struct {
	Node  Node
	Alive bool
	// Why says in words why it is gone.
	Why string
}

// WhyLeft is why a node is gone that was stopped in order.
const WhyLeft = "it has left"

// Bus carries messages between nodes. Messages of one node come in the order in which they were published, each at most once. Some
// may be lost when the link breaks, after which Changed says that the node is gone, or gone and back. Messages of nodes that are not
// there by [Members] are dropped. Safe for concurrent use.
type Bus interface {
	Self() NodeID
	// Publish sends to all other nodes that subscribe. It never waits, and keeps no data. An error says that nothing was sent.
	Publish(subject string, data []byte) error
	// Subscribe has receive called for what others publish, one call at a time and on the goroutine of all that a node is told. receive
	// must not wait, and may keep data. After cancel no call begins.
	Subscribe(subject string, receive func(from NodeID, data []byte)) (cancel func(), err error)
	// Request asks one node and waits for its answer, for ctx, or for the node to go. What the other's handle returned as an error comes
	// as an *AnswerError. It must not be called by what must not wait.
	Request(ctx context.Context, to NodeID, subject string, data []byte) ([]byte, error)
	// Answer has handle called for what is asked of this node, each call on its own goroutine. There is one handle for a subject.
	Answer(subject string, handle func(ctx context.Context, from NodeID, data []byte) ([]byte, error)) (cancel func(), err error)
}

// Members are the nodes of the cluster. Safe for concurrent use.
type Members interface {
	// Nodes returns those that are there, this one first and then by name.
	Nodes() []Node
	// Changed has told called for each node that comes or goes, in order, and at first for each other that is there; on the goroutine of all
	// that a node is told. After cancel no call begins.
	Changed(told func(Change)) (cancel func())
	// Quorum reports whether most of the nodes that there should be are there: 2 of 3, 1 of 1.
	Quorum() bool
	// Most reports whether so many nodes are most of those that there should be.
	Most(count int) bool
}
