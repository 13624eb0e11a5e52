package relay

import (
	"encoding/json"
	"fmt"
)

// maxPart is how many lines or wants stand in one message, so that none exceeds what carries it.
const maxPart = 2000

// message is what one node tells another of the link between them. Nonce is the sender's of that link; Of is the receiver's, "" when the
// sender does not know it. What else is in it is good for the link that these two make and for no other.
type message struct {
	Nonce string     `json:"nonce"`
	Of    string     `json:"of,omitempty"`
	Lines []lineTold `json:"lines,omitempty"`
	Wants []want     `json:"wants,omitempty"`
	// Again asks for all lines once more: packets come that nobody has told of.
	Again bool `json:"again,omitempty"`
}

// lineTold says whose voice an SSRC of the sender's carries; nobody's without a user.
type lineTold struct {
	SSRC    uint32 `json:"ssrc"`
	Channel string `json:"channel,omitempty"`
	User    string `json:"user,omitempty"`
}

// empty reports whether there is nothing to tell.
func (m *message) empty() bool { return len(m.Lines) == 0 && len(m.Wants) == 0 && !m.Again }

// parts cuts a message into such as can be carried, in their order.
func (m *message) parts() []message {
	var parts []message
	for {
		part := *m
		part.Lines, m.Lines = cut(m.Lines)
		part.Wants, m.Wants = cut(m.Wants)
		parts = append(parts, part)
		m.Again = false
		if m.empty() {
			return parts
		}
	}
}

func cut[T any](all []T) (first, rest []T) {
	n := min(len(all), maxPart)
	return all[:n], all[n:]
}

func (m *message) encode() []byte {
	b, err := json.Marshal(m)
	if err != nil {
		panic(fmt.Sprintf("relay: a message that is none: %v", err)) // it has strings and numbers only
	}
	return b
}

// Receive takes a message that came from a node. One that is none, or from a node that no link is to, is dropped.
func (r *Relay) Receive(from Node, raw []byte) {
	var m message
	l := r.link(from)
	if l == nil || json.Unmarshal(raw, &m) != nil || m.Nonce == "" {
		return
	}
	if begun, anew := l.meets(m.Nonce); anew {
		if l = r.renew(l, l.nonce); l == nil {
			return
		}
		begun, _ = l.meets(m.Nonce)
		r.begin(l, begun)
	} else {
		r.begin(l, begun)
	}
	if m.Of != l.nonce {
		l.hello() // it does not know yet, or knows the link before
		return
	}
	r.take(l, &m)
}

// begin tells a node whose nonce has just become known what this one wants.
func (r *Relay) begin(l *Link, begun bool) {
	if begun {
		wants := r.allWants()
		l.post(func(m *message) { m.Wants = append(wants, m.Wants...) })
	}
}

// take does what a message of the present link says.
func (r *Relay) take(l *Link, m *message) {
	if len(m.Lines) > 0 {
		r.assign(l, m.Lines)
	}
	if len(m.Wants) > 0 {
		l.want(m.Wants)
		r.feed()
	}
	if m.Again {
		l.postLines()
	}
}
