package relay

import (
	"encoding/json"
	"fmt"
)

// maxPart is how many lines or wants stand in one message, so that none exceeds what carries it.
const maxPart = 2000

// Message is what one node tells another of the link between them. Nonce is the sender's of that link; Of is the receiver's, "" when the
// sender does not know it. What else is in it is good for the link that these two make and for no other.
type Message struct {
	Nonce string     `json:"nonce"`
	Of    string     `json:"of,omitempty"`
	Lines []LineTold `json:"lines,omitempty"`
	Wants []Want     `json:"wants,omitempty"`
	// Again asks for all lines once more: packets come that nobody has told of.
	Again bool `json:"again,omitempty"`
}

// LineTold says whose voice an SSRC of the sender's carries; nobody's without a user.
type LineTold struct {
	SSRC    uint32 `json:"ssrc"`
	Channel string `json:"channel,omitempty"`
	User    string `json:"user,omitempty"`
}

// empty reports whether there is nothing to tell.
func (m *Message) empty() bool { return len(m.Lines) == 0 && len(m.Wants) == 0 && !m.Again }

// Parts cuts a message into such as can be carried, in their order.
func (m *Message) Parts() []Message {
	var parts []Message
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

// Encode returns the message as it is sent.
func (m *Message) Encode() []byte {
	b, err := json.Marshal(m)
	if err != nil {
		panic(fmt.Sprintf("relay: a message that is none: %v", err)) // it has strings and numbers only
	}
	return b
}

// Decode is the other way round; ok is false of what is no message.
func Decode(raw []byte) (m *Message, ok bool) {
	m = new(Message)
	return m, json.Unmarshal(raw, m) == nil && m.Nonce != ""
}

// Receive takes a message that came from a node. One that is none, or from a node that no link is to, is dropped.
func (r *Relay) Receive(from Node, raw []byte) {
	l := r.link(from)
	if l == nil {
		return
	}
	m, ok := Decode(raw)
	if !ok {
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
	r.take(l, m)
}

// begin tells a node whose nonce has just become known what this one wants.
func (r *Relay) begin(l *Link, begun bool) {
	if begun {
		wants := r.allWants()
		l.post(func(m *Message) { m.Wants = append(wants, m.Wants...) })
	}
}

// take does what a message of the present link says.
func (r *Relay) take(l *Link, m *Message) {
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
