package signaling

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// resumeTokenBytes is the entropy of a resume token: nobody guesses it.
const resumeTokenBytes = 32

// resumeTokens are those by which a session may be resumed, as hashes. Each RESUME makes a
// new one. The one it came with stays good until the client is known to have the new one,
// or else a connection that breaks between RESUME and RESUMED would be the session's end;
// from then on it is good for nothing, whoever may have copied it.
type resumeTokens struct {
	current [sha256.Size]byte
	former  [sha256.Size]byte // good while unsure
	unsure  bool
}

// newResumeToken returns a token and its hash.
func newResumeToken() (token string, hash [sha256.Size]byte) {
	var secret [resumeTokenBytes]byte
	_, _ = rand.Read(secret[:]) // never fails
	token = base64.RawURLEncoding.EncodeToString(secret[:])
	return token, sha256.Sum256([]byte(token))
}

// admits reports whether a token is good, in a time that says nothing about those that are.
func (t *resumeTokens) admits(hash [sha256.Size]byte) bool {
	current := subtle.ConstantTimeCompare(hash[:], t.current[:])
	former := subtle.ConstantTimeCompare(hash[:], t.former[:])
	return current == 1 || t.unsure && former == 1
}

// follow makes next the newest token, after used was presented. Who uses the newest one has
// it; who uses the former one has not, so the newest one is nobody's.
func (t *resumeTokens) follow(used, next [sha256.Size]byte) {
	t.former, t.current, t.unsure = used, next, true
}

// confirm notes that the client has the newest token.
func (t *resumeTokens) confirm() { t.unsure = false }

// Why a session cannot be resumed: what INVALID_SESSION says.
const (
	// invalidUnknown: there is no such session, or not any more, or the token is not its. Which
	// of them is nobody's business.
	invalidUnknown = "unknown"
	// invalidBehind: events after the one that was named are no longer kept.
	invalidBehind = "behind"
	// invalidFuture: the event that was named was never sent.
	invalidFuture = "future"
)

// resume attaches the connection to a session that lost its own, or has one that the client
// has given up.
func resume(_ context.Context, c *Conn, r *request) error {
	if c.session != nil {
		return errAlreadyIdentified
	}
	if c.gw.Draining() {
		return &closeError{errDraining, protocol.CloseDraining}
	}
	var d protocol.Resume
	if err := r.frame.Bind(&d); err != nil {
		return err
	}
	if d.V != protocol.Version {
		return &closeError{
			fmt.Errorf("%w: v is %d, this server speaks %d", errUnsupportedVersion, d.V, protocol.Version),
			protocol.CloseVersion,
		}
	}
	if d.SessionID == "" || d.ResumeToken == "" {
		return payloadError("d.session_id and d.resume_token are READY's, and not empty")
	}
	s, invalid := c.gw.users.session(d.SessionID), invalidUnknown
	if s != nil {
		invalid = s.resume(c, r, d)
	}
	if invalid != "" {
		c.gw.cfg.Tally.Count("resume_refused")
		r.reply(protocol.OpInvalidSession, protocol.InvalidSession{Reason: invalid})
		return nil
	}
	c.gw.cfg.Observer.Resumed()
	c.log.Debug("resumed")
	return nil
}

// resume makes c the session's connection, in place of the one it may have, and has it say
// what the client has missed and then RESUMED. Else it returns why not.
func (s *Session) resume(c *Conn, r *request, d protocol.Resume) (invalid string) {
	used := sha256.Sum256([]byte(d.ResumeToken))
	if !s.admits(used) {
		return invalidUnknown
	}
	if err := s.gw.auth.Accepts(&s.identity, s.gw.now()); err != nil {
		s.refuse(err)
		return invalidUnknown
	}
	// What is being carried out is done first, so that its reply is among what is replayed.
	s.turn.Lock()
	defer s.turn.Unlock()
	s.gw.cfg.Relay.Admit(s.id, c.via)
	servers := s.gw.cfg.Relay.ICEServers(s.id, c.via, time.Now())
	token, hash := newResumeToken()
	var before *Conn
	s.withFloor(func(floor *protocol.Floor) {
		before, invalid = s.reattach(c, used, hash, d.S, r.frame.ID, func(replayed int) (*protocol.Body, error) {
			return protocol.EncodeBody(protocol.OpResumed, protocol.Resumed{
				Replayed: replayed, ResumeToken: token, ICEServers: servers, Floor: floor,
			})
		})
	})
	if invalid != "" {
		return invalid
	}
	r.replied = true // in order with the events
	c.unconfirmed = true
	c.serve(s) // from here on the end of c is seen to
	if before != nil {
		before.closeBecause(protocol.CloseReplaced, "the session was resumed on another connection")
	}
	s.showUnstable(false)
	s.life = life{} // what the connection before was told may not have arrived
	return ""
}

// reattach makes c the session's connection, if the token that was used is still good, and next the newest one. What has
// happened after event seen is queued, and behind it what resumed returns. It returns the connection before, or why not.
func (s *Session) reattach(
	c *Conn, used, next [sha256.Size]byte, seen uint64, id string, resumed func(replayed int) (*protocol.Body, error),
) (before *Conn, invalid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || !s.tokens.admits(used) { // another was quicker
		return nil, invalidUnknown
	}
	switch err := s.out.resume(c, seen, id, resumed); {
	case errors.Is(err, errFuture):
		return nil, invalidFuture
	case err != nil:
		return nil, invalidBehind
	}
	before = s.conn
	s.conn, s.via = c, c.via
	s.tokens.follow(used, next)
	s.absence.end()
	return before, ""
}

func (s *Session) admits(hash [sha256.Size]byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.ended && s.tokens.admits(hash)
}

// confirm notes that the client of c has RESUMED, and the token in it: it goes on.
func (s *Session) confirm(c *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == c {
		s.tokens.confirm()
	}
}
