package signaling

import (
	"context"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oklog/ulid/v2"
	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/signaling/admission"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/people"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// Session is a person who has identified: who it is, where it is, and what it has been
// told. What it says to its client waits in its outbox for the Conn that is attached.
type Session struct {
	id           string
	userID, name string
	role         atomic.Uint32 // an auth.Role, as it is now
	identity     auth.Identity // of the token that the session was begun with, and lives no longer than
	gw           *Gateway
	log          *zap.Logger
	out          *outbox
	probes       probes
	// gone is closed when the session is out of every hub.
	gone chan struct{}

	mu    sync.Mutex // guards the fields below; none is taken while it is held but an outbox's and a Conn's
	conn  *Conn      // nil while detached
	via   Arrival    // how the client reached the server, the last time
	ended bool
	// tokens are those that RESUME takes, absence the time without a connection.
	tokens  resumeTokens
	absence absence

	// member is of the last channel joined; it may be out of it again. Whoever carries out a request of the session sets it, or moves
	// it to another channel.
	member atomic.Pointer[sfu.Member]
	// admitted are the channels for the invited into which the user was let; never changed in place.
	admitted atomic.Pointer[map[string]struct{}]
	// muted: a moderator lets nobody hear the user where they are, or were.
	muted atomic.Bool
	// since is when the session began, and rank how it ranks among those of the user on all nodes.
	since time.Time
	rank  uint64
	// device is what the client says of itself, and client what it is called; may be empty.
	device, client string
	// replaces is the id of the session at another node that this one takes the place of, and came where that was; empty: none.
	replaces string
	came     whereabouts
	// brought is the channel to which a moderator moved the user at that node, and that they may enter for that; nil: none.
	brought atomic.Pointer[string]
	// superseded: the user has a session at another node, and goes from here by themselves.
	superseded atomic.Bool
	// plays says that the client answers how it plays somebody; asks are such questions that it was asked.
	plays bool
	asks  asks
	// mediaEnd is how the media ended last that ended by itself; nil: it did not.
	mediaEnd atomic.Pointer[mediaEnd]

	// turn is held by who carries out a request of the session, or ends it: one at a time, also
	// when the client comes back on another connection. It guards the fields below, and is
	// taken before all other locks.
	turn               sync.Mutex
	selfMute, selfDeaf bool
	devices            sfu.Devices
	pin, exclude       []string
	life               life
}

// newSession returns a session with c attached, not yet in any hub.
func newSession(c *Conn, identity auth.Identity) *Session {
	s := &Session{
		id: ulid.Make().String(), userID: identity.UserID, name: identity.Name, identity: identity,
		gw: c.gw, gone: make(chan struct{}), conn: c, via: c.via,
		out: newOutbox(c.gw.cfg.EgressQueue, c.gw.cfg.EgressBytes, c.gw.cfg.ResumeWindow > 0),
	}
	s.log = c.log.With(zap.String("session", s.id))
	s.role.Store(uint32(identity.Role))
	s.since = time.Now()
	s.out.attach(c)
	return s
}

// standing is what package admission goes by.
func standing(role auth.Role) admission.Standing {
	switch {
	case role >= auth.RoleAdmin:
		return admission.Admin
	case role > auth.RoleGuest:
		return admission.Member
	default:
		return admission.Guest
	}
}

// Role returns what the user may do now.
func (s *Session) Role() auth.Role {
	return auth.Role(s.role.Load()) //nolint:gosec // nothing else was stored
}

// end asks the session to end; the Conn, if there is one, is closed with this code. It
// does not wait: gone is closed when the session has ended.
func (s *Session) end(code protocol.CloseCode) { s.endBecause(code, code.String()) }

// endBecause is end with a reason in other words than the code's own.
func (s *Session) endBecause(code protocol.CloseCode, reason string) {
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return
	}
	s.ended = true
	s.absence.end()
	conn := s.conn
	s.mu.Unlock()
	if conn != nil {
		conn.closeBecause(code, reason) // its reader finishes the session
		return
	}
	go s.finish()
}

// finish takes the session, which has ended, out of every hub; the others are told.
func (s *Session) finish() {
	defer s.gw.running.Done()
	defer s.gw.seen(s.userID)
	if auth.IsGuest(s.userID) {
		s.gw.kicked.note(s.userID, s.blame(), time.Now())
	}
	defer close(s.gone)
	defer s.gw.others.end(s)
	defer s.gw.users.Unregister(s)
	s.gw.contain(s.log, "end of session", s.depart)
	s.gw.contain(s.log, "end of session's relay", func() { s.gw.cfg.Relay.Revoke(s.id) })
}

// depart ends all media of the session.
func (s *Session) depart() {
	s.turn.Lock()
	defer s.turn.Unlock()
	defer s.probes.close()
	s.gw.lookout.unwatch(s)
	if m := s.member.Load(); m != nil {
		m.Leave(sfu.LeaveGone)
	}
}

// over reports whether the session has ended, or is about to.
func (s *Session) over() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}

// origin is where the user came from, the last time. Of who comes through this machine that says nothing.
func (s *Session) origin() people.Origin {
	return originOf(s.arrival(), s.device)
}

// blame is by what one who is put out is known when they come again as somebody else: not by an address that all have who come
// through a proxy.
func (s *Session) blame() people.Origin {
	via := s.arrival()
	if via.Shared {
		via.Network = netip.Prefix{}
	}
	return originOf(via, s.device)
}

func originOf(via Arrival, device string) people.Origin {
	return people.OriginOf(via.Network, device)
}

// holds reports whether c is attached and the session goes on.
func (s *Session) holds(c *Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conn == c && !s.ended
}

// attached returns the Conn that is attached, or nil.
func (s *Session) attached() *Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conn
}

// arrival returns how the client reached the server.
func (s *Session) arrival() Arrival {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.via
}

// mediaAddrs are the addresses at which the session's client reaches the media port, as
// things are now; the machine may have got others since. The session's relay leads there.
func (s *Session) mediaAddrs() []netip.AddrPort {
	via := s.arrival()
	s.gw.cfg.Relay.Admit(s.id, via)
	return s.gw.cfg.MediaAddrs(via)
}

func (s *Session) iceServers(now time.Time) []protocol.ICEServer {
	return s.gw.cfg.Relay.ICEServers(s.id, s.arrival(), now)
}

// carryOut runs the handler of a request that came on c, unless it is repeated from an
// earlier connection: then it is answered as it was there.
func (s *Session) carryOut(ctx context.Context, c *Conn, row op, r *request) error {
	s.turn.Lock()
	defer s.turn.Unlock()
	defer s.tellMoved(c)
	if !s.holds(c) {
		return errDetached
	}
	if body := s.out.remembered(r.frame.ID, r.frame.Op); body != nil {
		r.replied = true
		s.out.reply(c, body, r.frame.ID, r.frame.Op, keepNot)
		return nil
	}
	return row.handle(ctx, s, r)
}
