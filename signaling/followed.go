package signaling

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/people"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
	"github.com/mini-livechat/mini-livechat/signaling/store"
)

// What is decided on another node comes here by the store, as facts, and is carried out on who and what is here. A channel is made to be
// what the store has of it, so that it does not matter what came in between.

// followed is what was decided elsewhere and is to be carried out here, in order. The zero value is ready but for wake.
type followed struct {
	mu    sync.Mutex // guards the field below
	facts []followedFact
	wake  chan struct{} // of capacity 1: there is something
}

type followedFact struct {
	seq  uint64
	fact store.Fact
}

// follows is told of every fact by what writes them, which it must not hold up.
func (f *followed) follows(seq uint64, fact store.Fact, mine bool) {
	if mine {
		return
	}
	switch fact.(type) {
	case store.ChannelSaved, store.ChannelMade, store.ChannelChanged, store.ChannelDeleted, store.UserDeleted, store.RoleGiven,
		store.TokenRevoked, store.TokensRevoked, store.LoginEnded, store.Admitted, store.Unadmitted, store.BanMade, store.Muted:
	default:
		return
	}
	f.mu.Lock()
	f.facts = append(f.facts, followedFact{seq, fact})
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// take returns what there is to be carried out.
func (f *followed) take() []followedFact {
	f.mu.Lock()
	defer f.mu.Unlock()
	facts := f.facts
	f.facts = nil
	return facts
}

// RunFollowed carries out what is decided on other nodes until ctx is done.
func (g *Gateway) RunFollowed(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-g.followed.wake:
		}
		for _, one := range g.followed.take() {
			g.guard("followed", func() { g.obey(ctx, one) })
		}
	}
}

// obey has a fact of another node be so here.
func (g *Gateway) obey(ctx context.Context, one followedFact) {
	switch f := one.fact.(type) {
	case store.ChannelSaved:
		g.reconcile(ctx, f.ID)
	case store.ChannelMade:
		g.reconcile(ctx, f.ID)
	case store.ChannelChanged:
		g.reconcile(ctx, f.ID)
	case store.ChannelDeleted:
		g.reconcile(ctx, f.ChannelID)
	case store.UserDeleted: // the end of their sessions comes by another fact
		for _, info := range g.channels.List() {
			if info.OwnerID == f.UserID {
				g.reconcile(ctx, info.ID)
			}
		}
	case store.BanMade:
		g.putOutBanned(ctx, f.Ban)
	case store.Muted:
		g.resettle(ctx, f.UserID)
	default:
		if change, ok := g.changeOf(ctx, one); ok {
			g.follow(change) //nolint:contextcheck // it has none
		}
	}
}

// changeOf is what a fact changes about somebody's rights here; ok is false for other facts.
func (g *Gateway) changeOf(ctx context.Context, one followedFact) (change people.Change, ok bool) {
	switch f := one.fact.(type) {
	case store.RoleGiven:
		role, _ := auth.ParseRole(f.Role) // what is not known, as of a newer version, is a guest
		return people.Change{UserID: f.UserID, Role: role}, true
	case store.TokenRevoked:
		return people.Change{SignedOut: true, TokenID: f.TokenID}, true
	case store.TokensRevoked:
		return people.Change{UserID: f.UserID, SignedOut: true}, true
	case store.LoginEnded: // without an id all of them end with all tokens
		return people.Change{UserID: f.UserID, SignedOut: true, TokenID: f.LoginID}, f.LoginID != ""
	case store.Admitted:
		s := g.users.Get(f.UserID)
		if s == nil {
			return change, false
		}
		return people.Change{UserID: f.UserID, Role: s.Role(), ChannelID: f.ChannelID}, true
	case store.Unadmitted:
		return people.Change{UserID: f.UserID, Uninvited: f.ChannelID, By: g.decider(ctx, one.seq)}, true
	default:
		return change, false
	}
}

// decider is who decided the fact before an entry of the audit.
func (g *Gateway) decider(ctx context.Context, seq uint64) auth.Identity {
	deeds, err := g.cfg.Store.Audit(ctx, seq+2, 1)
	if err != nil || len(deeds) == 0 || deeds[0].Seq != seq+1 {
		return auth.Identity{}
	}
	return auth.Identity{UserID: deeds[0].ByID, Name: deeds[0].ByName}
}

// reconcile has a channel be what the store has of it.
func (g *Gateway) reconcile(ctx context.Context, id string) {
	g.administering.Lock()
	defer g.administering.Unlock()
	if g.amnesia.Load() {
		return // all are looked at when they can be read
	}
	remembered, err := g.cfg.Store.Channel(ctx, id)
	c, missing := g.channels.Get(id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		if missing == nil && g.remembers(c.OwnerID()) {
			defer g.forgetAdmissions(id)
			g.channels.Delete(c, "")
		}
	case err != nil:
		g.log.Error("a channel that was changed on another node cannot be read", zap.String("channel", id), zap.Error(err))
	case missing != nil:
		if err = g.channels.Restore(specOf(remembered), time.Now(), true); err == nil {
			g.others.channelMade(id)
		}
	default:
		g.adjust(c, specOf(remembered))
	}
}

// adjust has a channel be as another node changed it.
func (g *Gateway) adjust(c *sfu.Channel, spec sfu.ChannelSpec) {
	was := c.Info()
	if spec.Capacity == 0 {
		spec.Capacity = g.cfg.ChannelCapacity
	}
	if spec.OwnerID != was.OwnerID {
		g.channels.Assign(c, spec.OwnerID)
	}
	info, err := g.channels.Revert(c, spec.Settings)
	if err != nil { // it is deleted by now
		return
	}
	if info.Access != was.Access {
		g.relisten(c)
	}
	g.rehide(c, was, info)
}

// putOutBanned ends the sessions of those who are kept out from now on.
func (g *Gateway) putOutBanned(ctx context.Context, ban store.Ban) {
	for _, s := range g.users.All() {
		if s.userID != ban.UserID && (ban.Device == "" || !auth.IsGuest(s.userID)) {
			continue
		}
		// The address is for those who come.
		banned, ok := errors.AsType[*people.BannedError](g.cfg.People.Admit(ctx, s.who(), people.Origin{Device: s.device}, g.now()))
		if !ok {
			continue
		}
		t := target{who: s.who(), session: s}
		if s.userID == ban.UserID {
			event := protocol.ModerationEvent{Action: protocol.ModerationBan, Reason: ban.Reason, DurationS: int64(banned.Left / time.Second)}
			if m := s.member.Load(); m != nil && m.Active() {
				t.member, event.ChannelID = m, m.Channel().ID()
			}
			g.announce(t, event, auth.Identity{UserID: ban.ByID, Name: ban.ByName})
		}
		t.putOut(protocol.CloseBanned, banned.Error())
	}
}

// resettle has somebody be heard, or not, as it was decided; what is muted may be a device.
func (g *Gateway) resettle(ctx context.Context, id string) {
	if s := g.users.Get(id); s != nil {
		s.settle(ctx)
		return
	}
	if !strings.HasPrefix(id, people.DevicePrefix) {
		return
	}
	for _, s := range g.users.All() {
		if auth.IsGuest(s.userID) && s.device != "" {
			s.settle(ctx)
		}
	}
}
