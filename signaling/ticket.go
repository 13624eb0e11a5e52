package signaling

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/signaling/people"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

const (
	// ticketTTL is how long a rejoin ticket is good for: longer than the death of a node and the way to another one take.
	ticketTTL = 2 * time.Minute
	// ticketLeeway is how far the clocks of two nodes may be apart, beside what is known of them.
	ticketLeeway = 30 * time.Second
	// ticketPurpose keeps a ticket's seal from being good for anything else, and what is sealed otherwise from being a ticket.
	ticketPurpose = "rejoin"
	// maxTicketBytes bounds a ticket that is read.
	maxTicketBytes = 2 << 10
)

// whereabouts are where a session is and how it is heard, which another node has to know to go on with it. Comparable.
type whereabouts struct {
	ChannelID string `json:"channel,omitempty"`
	// Brought: a moderator moved the user there, where they may not go by themselves.
	Brought bool `json:"brought,omitempty"`
	// Allowed: a moderator lets the user speak there.
	Allowed  bool           `json:"allowed,omitempty"`
	SelfMute bool           `json:"mute,omitempty"`
	SelfDeaf bool           `json:"deaf,omitempty"`
	Mic      protocol.Mic   `json:"mic,omitempty"`
	Sound    protocol.Sound `json:"sound,omitempty"`
}

// ticket is what a node says of a session of its own to whichever node the client goes to when this one is gone. It lets nobody in by
// itself: it goes with a token of the same user, which is looked at as ever, and so are bans.
type ticket struct {
	whereabouts

	ID      string `json:"id"`
	UserID  string `json:"user"`
	Session string `json:"session"`
	// Issued and Expires are milliseconds since the epoch.
	Issued  int64 `json:"iat"`
	Expires int64 `json:"exp"`
}

// whereabouts returns where the session is. The caller holds turn.
func (s *Session) whereabouts() whereabouts {
	p := whereabouts{
		SelfMute: s.selfMute, SelfDeaf: s.selfDeaf, Mic: protocol.Mic(s.devices.Mic), Sound: protocol.Sound(s.devices.Sound),
	}
	if m := s.member.Load(); m != nil && m.Active() {
		p.ChannelID, p.Allowed = m.Channel().ID(), m.Allowed()
		p.Brought = s.mayEnter(m.Channel()) != nil
	}
	return p
}

// rejoin makes a ticket for the session as it is at such a place.
func (s *Session) rejoin(at whereabouts, now time.Time) (*protocol.Rejoin, error) {
	expires := now.Add(ticketTTL).UnixMilli()
	text, err := json.Marshal(ticket{
		whereabouts: at, ID: rand.Text(), UserID: s.userID, Session: s.id, Issued: now.UnixMilli(), Expires: expires,
	})
	if err != nil {
		return nil, fmt.Errorf("rejoin ticket: %w", err)
	}
	seal := s.gw.auth.Seal(ticketPurpose, text)
	encode := base64.RawURLEncoding.EncodeToString
	return &protocol.Rejoin{Ticket: encode(text) + "." + encode(seal), ExpiresAt: expires}, nil
}

// redeem reads a ticket that a user came with, who is known by their token. It can be redeemed once here, and at no node when a
// moderator has done something to the user since. The error wraps errRejoin.
func (g *Gateway) redeem(ctx context.Context, text, userID string, now time.Time) (*ticket, error) {
	if !g.Several() {
		return nil, fmt.Errorf("%w: this server is no node of several", errRejoin)
	}
	t, err := g.openTicket(text)
	if err != nil {
		return nil, err
	}
	switch {
	case t.UserID != userID:
		return nil, fmt.Errorf("%w: it is another user's than the token", errRejoin)
	case now.After(time.UnixMilli(t.Expires).Add(ticketLeeway + g.auth.Apart())):
		return nil, fmt.Errorf("%w: it has expired", errRejoin)
	case now.Before(time.UnixMilli(t.Issued).Add(-ticketLeeway - g.auth.Apart())):
		return nil, fmt.Errorf("%w: it was made in the future: the clocks of two nodes differ", errRejoin)
	}
	judged, err := g.judgedSince(ctx, userID, time.UnixMilli(t.Issued).Add(-g.auth.Apart())) // perhaps before, but never not since
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", errRejoin, err)
	case judged:
		return nil, fmt.Errorf("%w: a moderator has acted on you since", errRejoin)
	case !g.tickets.use(t.ID, time.UnixMilli(t.Expires).Add(ticketLeeway+g.auth.Apart()), now):
		return nil, fmt.Errorf("%w: it was used", errRejoin)
	}
	return t, nil
}

func (g *Gateway) openTicket(text string) (*ticket, error) {
	bad := fmt.Errorf("%w: it is none of this server's", errRejoin)
	body, seal, ok := strings.Cut(text, ".")
	if !ok || len(text) > maxTicketBytes {
		return nil, bad
	}
	decoding := base64.RawURLEncoding.Strict()
	said, err := decoding.DecodeString(body)
	if err != nil {
		return nil, bad
	}
	sealed, err := decoding.DecodeString(seal)
	if err != nil || !g.auth.Sealed(ticketPurpose, said, sealed) {
		return nil, bad
	}
	t := new(ticket)
	if json.Unmarshal(said, t) != nil {
		return nil, bad
	}
	return t, nil
}

// judgedSince reports whether a moderator did anything to a user after a time, or may have: where so much was done that not all of it
// is looked at.
func (g *Gateway) judgedSince(ctx context.Context, userID string, since time.Time) (bool, error) {
	deeds, err := g.cfg.People.Audit(ctx, 0, people.MaxAudit)
	if err != nil {
		return false, err
	}
	for _, d := range deeds {
		if !d.At.After(since) {
			return false, nil
		}
		if d.UserID == userID {
			return true, nil
		}
	}
	return len(deeds) == people.MaxAudit, nil
}

// goOn has a session that is in no hub yet be as the ticket says.
func (s *Session) goOn(t *ticket) {
	if t == nil {
		return
	}
	s.replaces, s.came = t.Session, t.whereabouts
	s.selfMute, s.selfDeaf = t.SelfMute, t.SelfDeaf
	s.devices = sfu.Devices{Mic: string(t.Mic), Sound: string(t.Sound)}
	if t.Brought {
		s.brought.Store(&t.ChannelID)
	}
}

// rejoined is what READY says of the ticket.
func (t *ticket) rejoined() *protocol.Rejoined {
	if t == nil {
		return nil
	}
	return &protocol.Rejoined{ChannelID: t.ChannelID, SelfMute: t.SelfMute, SelfDeaf: t.SelfDeaf, Mic: t.Mic, Sound: t.Sound}
}

// wasBrought reports whether a moderator moved the user to a channel before they came to this node, and they have not been in it here.
func (s *Session) wasBrought(channelID string) bool {
	to := s.brought.Load()
	return to != nil && *to == channelID
}

// usedTickets are the tickets that were redeemed, while they would be good. The zero value is ready. Safe for concurrent use.
type usedTickets struct {
	mu    sync.Mutex // guards the fields below
	used  map[string]time.Time
	swept time.Time
}

// use reports false when a ticket was used before; until is how long it is good for.
func (u *usedTickets) use(id string, until, now time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.used == nil {
		u.used = make(map[string]time.Time)
	}
	if now.Sub(u.swept).Abs() > ticketTTL {
		u.swept = now
		for id, until := range u.used {
			if now.After(until) {
				delete(u.used, id)
			}
		}
	}
	if _, used := u.used[id]; used {
		return false
	}
	u.used[id] = until
	return true
}
