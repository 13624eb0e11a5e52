package cluster

import (
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"
)

const (
	// maxNameBytes is how long a node's name may be, as a label of DNS times four.
	maxNameBytes = 255
	// DefaultPort is the usual port of NATS's routes.
	DefaultPort = 6222
)

// Config is what a node must know to be one of several.
type Config struct {
	// Name is this node's.
	Name string
	// Secret is what all nodes have.
	Secret []byte
	// Keys shows which secrets sign the server's tokens, those it makes first: see Identity.
	Keys func(proofOf []byte) []string
	// Peers are all nodes, this one too. Their addresses are looked at where they run NATS inside.
	Peers []Peer
	// Listen is where the others reach this node. Empty: where Peers say it is, on all interfaces unless that is on loopback.
	Listen string
	// Dir is where the durable log is kept.
	Dir string
	// NATS are the URLs of a NATS that exists. Empty: one runs inside. Credentials is a file by which it knows this server; empty: none.
	NATS        []string
	Credentials string
	// CA is a file of who signs its certificate; empty: whom the system knows.
	CA string
	// Status is asked for each beat.
	Status func() Status
	Log    *zap.Logger

	// ahead is how far the node's clock is ahead, and protocol the version that it says it speaks: for tests.
	ahead    time.Duration
	protocol int
}

// Peer is a node as the configuration names it.
type Peer struct {
	Name string
	// Address is where it listens for the others.
	Address string
}

// ErrPeers means that a list of nodes cannot be used.
var ErrPeers = errors.New("must name every node once")

// ParsePeers reads a list of nodes: "host", "host:port", or either with "name=" in front, where the name is not the host. It is the same list on all nodes.
func ParsePeers(list []string) ([]Peer, error) {
	peers := make([]Peer, 0, len(list))
	for _, s := range list {
		name, address, named := strings.Cut(strings.TrimSpace(s), "=")
		if !named {
			address = name
		}
		host, port, err := net.SplitHostPort(address)
		if err != nil { // no port
			host, port = strings.Trim(address, "[]"), strconv.Itoa(DefaultPort)
		}
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || host == "" {
			return nil, fmt.Errorf("%w: %q should be a host and a port, such as n1:%d, with name= in front where that is not the host", ErrPeers, s, DefaultPort)
		}
		if !named {
			name = host
		}
		if err := checkName(name); err != nil {
			return nil, fmt.Errorf("%w: %q: %w", ErrPeers, s, err)
		}
		one := Peer{name, net.JoinHostPort(host, port)}
		for _, other := range peers {
			switch {
			case other.Name == one.Name:
				return nil, fmt.Errorf("%w: %s is there twice (where several are on one host, put a name= in front of each)", ErrPeers, one.Name)
			case other.Address == one.Address:
				return nil, fmt.Errorf("%w: %s and %s have the same address, %s", ErrPeers, other.Name, one.Name, one.Address)
			}
		}
		peers = append(peers, one)
	}
	return peers, nil
}

// Self finds this node in the list. Its name decides, also one of which the other is the first part, as n1 of n1.example.org. Without a
// name it is that of the host, and where the list knows none such, the only entry with an address of this machine.
func Self(peers []Peer, name string) (Peer, error) {
	called := name
	if called == "" {
		called = HostName()
	}
	if i := slices.IndexFunc(peers, func(p Peer) bool { return p.Name == called }); i >= 0 {
		return peers[i], nil
	}
	found := slices.DeleteFunc(slices.Clone(peers), func(p Peer) bool {
		return !strings.HasPrefix(p.Name, called+".") && !strings.HasPrefix(called, p.Name+".")
	})
	if len(found) == 0 && name == "" {
		here, _ := net.InterfaceAddrs() // without them, none is here
		found = slices.DeleteFunc(slices.Clone(peers), func(p Peer) bool { return !onThisMachine(p, here) })
	}
	if len(found) != 1 {
		return Peer{}, fmt.Errorf("%w, this one too, and this one is called %s, which of %s is not clear: say it with --node-name",
			ErrPeers, called, strings.Join(namesOf(peers), ", "))
	}
	return found[0], nil
}

// HostName is what the machine is called; "" where that is not known.
func HostName() string {
	name, _ := os.Hostname()
	return name
}

func onThisMachine(p Peer, here []net.Addr) bool {
	host, _, _ := net.SplitHostPort(p.Address) // was checked
	ip := net.ParseIP(host)
	return ip != nil && slices.ContainsFunc(here, func(a net.Addr) bool {
		network, ok := a.(*net.IPNet)
		return ok && network.IP.Equal(ip)
	})
}

// nameRule is what hosts may be called, and a little more.
var nameRule = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_.:-]*[A-Za-z0-9_])?$`)

func checkName(name string) error {
	if len(name) > maxNameBytes || !nameRule.MatchString(name) {
		return fmt.Errorf("a node's name has letters, digits, and between them dots and dashes, at most %d", maxNameBytes)
	}
	return nil
}

func namesOf(peers []Peer) []string {
	all := make([]string, len(peers))
	for i := range peers {
		all[i] = peers[i].Name
	}
	return all
}
