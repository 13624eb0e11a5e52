package signaling

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// What an operator is shown of the server that runs. All of it is read as it is at the moment; nothing waits for anybody.

// Overview adds how many there are of what to a status.
func (g *Gateway) Overview(status *protocol.AdminStatus) {
	status.Draining = g.Draining()
	if status.Node = g.others.name(); g.others != nil {
		for _, n := range g.others.nodes.Nodes()[1:] {
			status.SessionsElsewhere += n.People
		}
	}
	sessions := g.users.All()
	status.Sessions = len(sessions)
	for _, s := range sessions {
		if s.attached() != nil {
			status.Connected++
		}
	}
	for _, info := range g.channels.List() {
		status.Channels++
		status.Members += info.MemberCount
		if c, err := g.channels.Get(info.ID); err == nil && info.MemberCount > 0 {
			_, speakers := c.Presence()
			status.Speaking += len(speakers)
		}
	}
}

// AdminChannels returns all channels as an operator sees them.
func (g *Gateway) AdminChannels() protocol.AdminChannels {
	infos := g.channels.List()
	all := protocol.AdminChannels{Channels: make([]protocol.AdminChannel, len(infos))}
	for i := range infos {
		all.Channels[i] = adminChannel(&infos[i])
	}
	return all
}

func adminChannel(c *sfu.ChannelInfo) protocol.AdminChannel {
	return protocol.AdminChannel{
		ChannelID: c.ID, ChannelName: c.Name, Mode: protocol.Mode(c.Mode), Access: protocol.Access(c.Access),
		Speaking: protocol.Speaking(c.Speaking), Topic: c.Topic, OwnerID: c.OwnerID, CreatedAt: c.CreatedAt.UTC(),
		Capacity: c.Capacity, MemberCount: c.MemberCount,
	}
}

// AdminChannel returns one channel with who is in it, on whatever node. The error wraps sfu.ErrChannelNotFound.
func (g *Gateway) AdminChannel(ctx context.Context, id string) (protocol.AdminChannel, error) {
	channel, err := g.channels.Get(id)
	if err != nil {
		return protocol.AdminChannel{}, fmt.Errorf("%w: %s", sfu.ErrChannelNotFound, id)
	}
	info := channel.Info()
	all := adminChannel(&info)
	members, speakers := channel.Presence()
	media := make(map[string]protocol.AdminPeer)
	for _, p := range g.peersOf(ctx, id).Peers {
		media[p.UserID] = p
	}
	all.Members = make([]protocol.AdminMember, len(members))
	for i, m := range members {
		all.Members[i] = protocol.AdminMember{Member: wireMember(m), SpeaksNow: slices.ContainsFunc(speakers, func(s sfu.SpeakerInfo) bool { return s.UserID == m.UserID })}
		all.Members[i].Peer = media[m.UserID]
	}
	all.Listeners = g.listeners(channel)
	if holders := channel.Holders(); len(holders) > 0 {
		all.FloorID, all.FloorName = holders[0].UserID, holders[0].Name
	}
	return all, nil
}

// sessionsHere are those of this node.
func (g *Gateway) sessionsHere() protocol.AdminSessions {
	sessions := g.users.All()
	all := protocol.AdminSessions{Sessions: make([]protocol.AdminSession, len(sessions))}
	for i, s := range sessions {
		all.Sessions[i] = s.admin()
	}
	return all
}

// AdminSessions returns who is here, on whatever node.
func (g *Gateway) AdminSessions(ctx context.Context) protocol.AdminSessions {
	all := g.sessionsHere()
	elsewhere, missing := inquireAll[protocol.AdminSessions](ctx, g.others, question{About: aboutSessions})
	for _, one := range elsewhere {
		all.Sessions = append(all.Sessions, one.Sessions...)
	}
	all.Missing = missing
	slices.SortFunc(all.Sessions, func(a, b protocol.AdminSession) int {
		return cmp.Or(cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), cmp.Compare(a.UserID, b.UserID))
	})
	return all
}

// AdminSession returns somebody who is here, by id or name, on whatever node. The error wraps people.ErrUnknown, or people.ErrBadRequest when
// several have the name.
func (g *Gateway) AdminSession(ctx context.Context, idOrName string) (protocol.AdminSession, error) {
	s, at, err := g.somebody(idOrName)
	switch {
	case err != nil:
		return protocol.AdminSession{}, err
	case s != nil:
		return s.adminWithPeer(), nil
	}
	var one protocol.AdminSession
	err = g.others.inquire(ctx, at.Node, question{About: aboutSession, Of: at.UserID}, &one)
	return one, err
}

func (s *Session) adminWithPeer() protocol.AdminSession {
	one := s.admin()
	if m := s.member.Load(); m != nil && m.Active() {
		one.Peer = new(s.gw.adminPeer(m.Peer(), s.name, time.Now()))
	}
	return one
}

// WhoIs returns the id and name of somebody who is here, by either, on whatever node. The errors are AdminSession's.
func (g *Gateway) WhoIs(idOrName string) (protocol.AdminDone, error) {
	s, at, err := g.somebody(idOrName)
	if s != nil {
		return protocol.AdminDone{UserID: s.userID, Name: s.name}, nil
	}
	return protocol.AdminDone{UserID: at.UserID, Name: at.Name}, err
}

func (s *Session) admin() protocol.AdminSession {
	one := protocol.AdminSession{
		SessionID: s.id, Node: s.gw.others.name(), UserID: s.userID, Name: s.name, Role: s.Role().String(), Client: s.client,
		Since: s.since.UTC(), Connected: s.attached() != nil, Waiting: s.out.waiting(), Muted: s.muted.Load(),
	}
	if via := s.arrival(); via.Network.IsValid() {
		one.Network = via.Network.String()
		if via.Network.IsSingleIP() {
			one.Network = via.Network.Addr().String()
		}
	}
	if m := s.member.Load(); m != nil && m.Active() {
		one.ChannelID = m.Channel().ID()
	}
	return one
}

// People is how many sessions there are.
func (g *Gateway) People() int { return g.users.Len() }

// peersHere are the media connections of this node's members, of one channel or, if it is empty, of all.
func (g *Gateway) peersHere(channelID string) protocol.AdminPeers {
	now := time.Now()
	all := protocol.AdminPeers{Peers: []protocol.AdminPeer{}}
	for _, s := range g.users.All() {
		if m := s.member.Load(); m != nil && m.Active() && (channelID == "" || m.Channel().ID() == channelID) {
			all.Peers = append(all.Peers, g.adminPeer(m.Peer(), s.name, now))
		}
	}
	return all
}

// AdminPeers returns the media connections of all members, on whatever node, by channel and name.
func (g *Gateway) AdminPeers(ctx context.Context) protocol.AdminPeers { return g.peersOf(ctx, "") }

// peersOf are those of one channel, or of all.
func (g *Gateway) peersOf(ctx context.Context, channelID string) protocol.AdminPeers {
	all := g.peersHere(channelID)
	elsewhere, missing := inquireAll[protocol.AdminPeers](ctx, g.others, question{About: aboutPeers, Of: channelID})
	for _, one := range elsewhere {
		all.Peers = append(all.Peers, one.Peers...)
	}
	all.Missing = missing
	slices.SortFunc(all.Peers, func(a, b protocol.AdminPeer) int {
		return cmp.Or(cmp.Compare(a.ChannelID, b.ChannelID), cmp.Compare(a.Name, b.Name), cmp.Compare(a.UserID, b.UserID))
	})
	return all
}

func (g *Gateway) adminPeer(p *sfu.MediaPeer, name string, now time.Time) protocol.AdminPeer {
	stats := p.Stats()
	network, wire := &stats.Network, &stats.Endpoint
	one := protocol.AdminPeer{
		UserID: p.UserID, Name: name, ChannelID: p.ChannelID, Node: g.others.name(), QuietMS: now.Sub(p.LastSeen()).Milliseconds(),
		RTTMS: milliseconds(network.RTT), LossIn: network.LossUp, LossOut: network.LossDown,
		JitterInMS: milliseconds(network.JitterUp), JitterOutMS: milliseconds(network.JitterDown),
		PacketsIn: wire.PacketsIn, PacketsOut: wire.PacketsOut, BytesIn: wire.BytesIn, BytesOut: wire.BytesOut,
		Recovered: stats.Source.Recovered, Restored: stats.Source.Restored,
	}
	if addr := p.RemoteAddr(); addr.IsValid() {
		one.Address = addr.String()
	}
	one.Connected = wire.PacketsIn > 0
	for i := range stats.Slots {
		one.Connected = one.Connected || stats.Slots[i].Open
	}
	d, e := &stats.Dropped, &wire.EndpointDrops
	one.Dropped = d.Malformed + d.PayloadType + d.NoMicrophone + d.SecondSSRC + d.TooLarge + d.Rate + d.RTCP + d.NACK + d.NACKRate +
		uint64(e.RTPRate+e.RTCPRate+e.AuthFailed+e.Replayed+e.Refused+e.Malformed+e.NotReady) //nolint:gosec // they only grow
	return one
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
