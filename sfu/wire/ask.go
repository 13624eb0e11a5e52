package wire

import (
	"crypto/rand"
	"time"

	"github.com/pion/stun/v4"
)

// A lite agent checks nothing (RFC 8445 §2.5), and learns that a peer is there from what the peer sends by itself. That
// may be seldom: who listens only sends consent checks, and RFC 7675 §5.1 has up to 6 s between two of them. So a peer
// that was silent for longer than usual is asked, by the same Binding request that consent takes: a full agent answers it
// (RFC 8445 §7.3). The answer is a sign of life and no more; which pair is used stays the peer's decision.

// askedPriority stands in our requests as that of a peer-reflexive candidate (RFC 8445 §5.1.2.1, §7.1.1).
var askedPriority = [4]byte{110, 0xff, 0xff, 0xff} //nolint:gochecknoglobals // constant

// question is the request that an endpoint has open. It is repeated under one transaction id until it is answered, so that
// an answer counts however late it is.
type question struct {
	id   [stun.TransactionIDSize]byte
	open bool
}

// Ask asks the peer for a sign of life on the nominated pair, if there is one. It does not wait, and what is lost is not
// repeated but by the next call. It may be called from any goroutine.
func (ep *Endpoint) Ask() {
	d := ep.dest.Load()
	if d == nil {
		return
	}
	request := ep.ask()
	if request == nil {
		return
	}
	ep.engine.stat.asked.Add(1)
	// One that cannot be sent now is as good as lost.
	_ = d.group.socks[0].writeTo(request.Raw, d, &ep.engine.stat)
}

// ask builds the request; nil when the peer's credentials are not known.
func (ep *Endpoint) ask() *stun.Message {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	if ep.closed || ep.peer.Pwd == "" {
		return nil
	}
	if !ep.question.open {
		_, _ = rand.Read(ep.question.id[:])
		ep.question.open = true
	}
	request, err := stun.Build(
		stun.NewTransactionIDSetter(ep.question.id), stun.BindingRequest, stun.NewUsername(ep.peer.Ufrag+":"+ep.ufrag),
		stun.RawAttribute{Type: stun.AttrPriority, Value: askedPriority[:]},
		// The least tie-breaker there is: we are controlled in any case (RFC 8445 §6.1.1).
		stun.RawAttribute{Type: stun.AttrICEControlled, Value: make([]byte, 8)},
		stun.NewShortTermIntegrity(ep.peer.Pwd), stun.Fingerprint,
	)
	if err != nil { // a username longer than STUN's may be: the peer's own fault
		return nil
	}
	return request
}

// answered takes a STUN message from one of the endpoint's addresses that is no request. It reports whether it answers our
// question; a refusal under the peer's password is an answer too.
func (ep *Endpoint) answered(packet []byte, now time.Time) bool {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	if !ep.question.open || len(packet) < stunHeader || [stun.TransactionIDSize]byte(packet[8:stunHeader]) != ep.question.id {
		return false
	}
	m := &stun.Message{Raw: packet}
	if m.Decode() != nil || (m.Type != stun.BindingSuccess && m.Type != stun.BindingError) ||
		stun.NewShortTermIntegrity(ep.peer.Pwd).Check(m) != nil {
		return false
	}
	ep.question.open = false
	ep.Touch(now)
	return true
}
