package wire

import (
	"crypto/rand"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/pion/stun/v4"
)

// The server's side of ICE is that of a lite agent (RFC 8445 §2.5): it has host candidates only, never checks, and is
// always controlled. What is left is to answer the checks of the peer (§7.3) and to follow the pair it nominates (§8.3),
// which needs neither a timer nor a goroutine, so that a connected peer that says nothing costs nothing but its checks.
// A check that does not authenticate is dropped without an answer: there is nothing to tell a stranger.

// Credentials are a username fragment and password (RFC 8445 §5.3).
type Credentials struct{ Ufrag, Pwd string }

// login is what a username fragment of ours stands for.
type login struct {
	ep  *Endpoint
	key stun.MessageIntegrity
}

// logins knows the endpoints by username fragment.
type logins struct {
	mu     sync.RWMutex // guards names
	names  map[string]login
	closed bool
}

// add makes credentials for ep. It returns ErrClosed when the engine is closed.
func (l *logins) add(ep *Endpoint) (Credentials, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return Credentials{}, ErrClosed
	}
	for {
		c := Credentials{Ufrag: rand.Text()[:ufragLen], Pwd: rand.Text()}
		if _, taken := l.names[c.Ufrag]; taken {
			continue
		}
		l.names[c.Ufrag] = login{ep, stun.NewShortTermIntegrity(c.Pwd)}
		return c, nil
	}
}

func (l *logins) remove(ufrag string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.names, ufrag)
}

func (l *logins) find(ufrag []byte) (login, bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	found, ok := l.names[string(ufrag)]
	return found, ok
}

// close forbids new credentials and returns the endpoints that have some.
func (l *logins) close() []*Endpoint {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	return l.endpointsLocked(nil)
}

// endpoints appends those that have credentials to eps; one that restarts comes twice.
func (l *logins) endpoints(eps []*Endpoint) []*Endpoint {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.endpointsLocked(eps)
}

func (l *logins) endpointsLocked(eps []*Endpoint) []*Endpoint {
	for _, found := range l.names {
		eps = append(eps, found.ep)
	}
	return eps
}

// check takes one STUN message, which came to local: the answer to a question of ours (mapped.go, ask.go) or, to be
// answered itself, a binding request that names an endpoint and proves its password (RFC 8445 §7.3, RFC 8489 §9.1.3).
func (l *loop) check(packet []byte, from netip.AddrPort, local netip.Addr, now time.Time) {
	e := l.engine
	defer e.rescue(nil)
	ufrag, ok := stunUfrag(packet)
	if !ok {
		if e.queries.settle(packet, from) {
			return
		}
		if ep := e.table.lookup(flow{from, l.group.index}); ep == nil || !ep.answered(packet, now) {
			e.stat.stunRefused.Add(1)
		}
		return
	}
	found, ok := e.logins.find(ufrag)
	if !ok {
		e.stat.stunUnknown.Add(1)
		return
	}
	if !found.ep.takesChecks(now) {
		e.stat.stunRate.Add(1)
		return
	}
	request := &stun.Message{Raw: packet}
	if request.Decode() != nil || stun.Fingerprint.Check(request) != nil || found.key.Check(request) != nil {
		e.stat.stunRefused.Add(1)
		return
	}
	found.ep.spendCheck(now)
	d, err := newDest(found.ep, l.group, from, local)
	if err != nil {
		return
	}
	answer := refusal(request)
	if answer == nil {
		switch found.ep.checked(string(ufrag), d, request.Contains(stun.AttrUseCandidate), now) {
		case checkIgnored:
			return
		case checkRefused:
			e.stat.stunTaken.Add(1)
			answer = taken()
		case checkTaken:
			answer = success(from)
		}
	}
	response, err := stun.Build(append(append([]stun.Setter{request}, answer...), found.key, stun.Fingerprint)...)
	if err != nil {
		e.stat.stunRefused.Add(1)
		return
	}
	room := l.out.reserve(d, len(response.Raw))
	l.out.commit(d, copy(room, response.Raw))
}

// takesChecks reports whether the endpoint may be checked once more by now.
func (ep *Endpoint) takesChecks(now time.Time) bool {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	return !ep.checks.Empty(ep.engine.cfg.Intake.Checks, now)
}

// spendCheck notes that an authentic check came.
func (ep *Endpoint) spendCheck(now time.Time) {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	ep.checks.Spend(ep.engine.cfg.Intake.Checks, 1, now)
}

// refusal is what an authenticated binding request is answered that cannot be done; nil for others.
func refusal(request *stun.Message) []stun.Setter {
	if unknown := notUnderstood(request); len(unknown) > 0 { // RFC 8489 §6.3.1
		return []stun.Setter{stun.BindingError, stun.CodeUnknownAttribute, unknown}
	}
	if request.Contains(stun.AttrICEControlled) { // RFC 8445 §7.3.1.1: a lite agent cannot take over
		return []stun.Setter{stun.BindingError, stun.CodeRoleConflict}
	}
	return nil
}

// taken is what a check is answered that comes from an address which is another endpoint's. STUN has no code for it. After
// a 403 agents give the pair up and try others.
func taken() []stun.Setter {
	return []stun.Setter{stun.BindingError, stun.ErrorCodeAttribute{
		Code: stun.CodeForbidden, Reason: []byte("this address is another connection's: use a socket for each"),
	}}
}

func success(from netip.AddrPort) []stun.Setter {
	return []stun.Setter{stun.BindingSuccess, &stun.XORMappedAddress{IP: from.Addr().AsSlice(), Port: int(from.Port())}}
}

// notUnderstood lists the attributes that must be understood and are not.
func notUnderstood(m *stun.Message) stun.UnknownAttributes {
	var unknown stun.UnknownAttributes
	for _, a := range m.Attributes {
		if a.Type.Required() && !slices.Contains(understood[:], a.Type) && !slices.Contains(unknown, a.Type) {
			unknown = append(unknown, a.Type)
		}
	}
	return unknown
}

//nolint:gochecknoglobals // constant
var understood = [...]stun.AttrType{
	stun.AttrUsername, stun.AttrMessageIntegrity, stun.AttrPriority, stun.AttrUseCandidate, stun.AttrICEControlled,
	stun.AttrICEControlling,
}

// Accept makes the endpoint reachable: it answers the checks that use the credentials returned, follows the pair the
// peer nominates, and completes a DTLS handshake whose certificate has one of the given fingerprints. It is called once;
// Restart gives new credentials later. peer are the peer's own credentials, without which Ask asks nothing.
func (ep *Endpoint) Accept(peer Credentials, certificate ...Fingerprint) (Credentials, error) {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	if ep.ufrag != "" {
		return Credentials{}, ErrAccepted
	}
	ep.certificate = certificate
	return ep.loginLocked(peer)
}

// Restart gives the endpoint new credentials (RFC 8445 §9). peer are the peer's new ones. Keys, streams and the nominated
// pair stay. The old credentials end when the peer's first check under the new ones comes.
func (ep *Endpoint) Restart(peer Credentials) (Credentials, error) {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	if ep.ufrag == "" {
		return Credentials{}, ErrNotAccepted
	}
	return ep.loginLocked(peer)
}

// Restarting reports whether the peer has not gone on to the credentials of the last Restart yet.
func (ep *Endpoint) Restarting() bool {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	return ep.nextUfrag != ""
}

func (ep *Endpoint) loginLocked(peer Credentials) (Credentials, error) {
	if ep.closed {
		return Credentials{}, ErrClosed
	}
	c, err := ep.engine.logins.add(ep)
	if err != nil {
		return Credentials{}, err
	}
	if ep.nextUfrag != "" { // a restart that never began
		ep.engine.logins.remove(ep.nextUfrag)
		ep.nextUfrag = ""
	}
	if ep.ufrag == "" {
		ep.ufrag, ep.peer = c.Ufrag, peer
	} else {
		ep.nextUfrag, ep.nextPeer = c.Ufrag, peer
	}
	return c, nil
}

// verdict is what becomes of an authenticated check.
type verdict uint8

const (
	checkIgnored verdict = iota // its credentials count no more
	checkRefused                // it came from an address that is another endpoint's
	checkTaken
)

// checked takes an authenticated check that came from d.
func (ep *Endpoint) checked(ufrag string, d *dest, nominated bool, now time.Time) verdict {
	f := d.flow()
	if owner := ep.engine.table.lookup(f); owner != nil && owner != ep && owner.holds(f, now) {
		return checkRefused
	}
	loser, ok := ep.follow(ufrag, d, nominated, now)
	if !ok {
		return checkIgnored
	}
	ep.Touch(now)
	if loser != nil {
		loser.lose(f)
	}
	ep.connect()
	return checkTaken
}

// holds reports whether the endpoint was checked on a flow lately, or was given it.
func (ep *Endpoint) holds(f flow, now time.Time) bool {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	return ep.given || ep.path.holds(now, f)
}

// follow does what the path makes of a check. It returns the endpoint whose flow this was until now, and false when the
// check counts no more.
func (ep *Endpoint) follow(ufrag string, d *dest, nominated bool, now time.Time) (loser *Endpoint, ok bool) {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	if ep.closed || (ufrag != ep.ufrag && ufrag != ep.nextUfrag) { // or restarted meanwhile
		return nil, false
	}
	if ufrag == ep.nextUfrag {
		ep.engine.logins.remove(ep.ufrag)
		ep.ufrag, ep.nextUfrag = ep.nextUfrag, ""
		ep.peer, ep.nextPeer, ep.question = ep.nextPeer, Credentials{}, question{}
		ep.path.restart()
	}
	if ep.firstCheck.IsZero() {
		ep.firstCheck = now
	}
	f, t := d.flow(), &ep.engine.table
	m := ep.path.check(now, f, d.local, nominated)
	if t.lookup(f) != ep {
		loser = t.put(f, ep)
	}
	if !m.forget.none() {
		t.remove(m.forget, ep)
	}
	if m.send { // streams go on: rollover counters and replay windows belong to the keys, not to the address
		d.leaveToRoutes()
		ep.dest.Store(d)
	}
	return loser, true
}

// lose takes note that a flow has become another endpoint's, unless it was had back meanwhile.
func (ep *Endpoint) lose(f flow) {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	if ep.engine.table.lookup(f) == ep {
		return
	}
	if ep.path.lose(f) {
		ep.dest.Store(nil)
	}
}

// Candidates are host candidates at these addresses as values of a=candidate (RFC 8839 §5.1), the preferred first.
func Candidates(addrs []netip.AddrPort) []string {
	list := make([]string, len(addrs))
	for i, a := range addrs {
		// RFC 8445 §5.1.2.1: type preference 126 for host candidates, component 1.
		priority := 126<<24 | (65535-i)<<8 | 255
		list[i] = fmt.Sprintf("%d 1 udp %d %s %d typ host", i+1, priority, a.Addr(), a.Port())
	}
	return list
}
