package signaling

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/signaling/people"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// What an operator is shown of the server that runs. All of it is read as it is at the moment; nothing waits for anybody.

// Overview adds how many there are of what to a status.
func (g *Gateway) Overview(status *protocol.AdminStatus) {
	status.Draining = g.Draining()
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

// AdminChannel returns one channel with who is in it. The error wraps sfu.ErrChannelNotFound.
func (g *Gateway) AdminChannel(id string) (protocol.AdminChannel, error) {
	channel, err := g.channels.Get(id)
	if err != nil {
		return protocol.AdminChannel{}, fmt.Errorf("%w: %s", sfu.ErrChannelNotFound, id)
	}
	info := channel.Info()
	all := adminChannel(&info)
	members, speakers := channel.Presence()
	media := make(map[string]*sfu.MediaPeer)
	for _, p := range g.peers.ChannelPeers(id) {
		media[p.UserID] = p
	}
	now := time.Now()
	all.Members = make([]protocol.AdminMember, len(members))
	for i, m := range members {
		all.Members[i] = protocol.AdminMember{Member: wireMember(m), SpeaksNow: slices.ContainsFunc(speakers, func(s sfu.SpeakerInfo) bool { return s.UserID == m.UserID })}
		if p := media[m.UserID]; p != nil {
			all.Members[i].Peer = adminPeer(p, m.Name, now)
		}
	}
	all.Listeners = wireListeners(channel.Listeners())
	if holders := channel.Holders(); len(holders) > 0 {
		all.FloorID, all.FloorName = holders[0].UserID, holders[0].Name
	}
	return all, nil
}

// AdminSessions returns who is here.
func (g *Gateway) AdminSessions() protocol.AdminSessions {
	sessions := g.users.All()
	all := protocol.AdminSessions{Sessions: make([]protocol.AdminSession, len(sessions))}
	for i, s := range sessions {
		all.Sessions[i] = s.admin()
	}
	slices.SortFunc(all.Sessions, func(a, b protocol.AdminSession) int {
		return cmp.Or(cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), cmp.Compare(a.UserID, b.UserID))
	})
	return all
}

// AdminSession returns somebody who is here, by id or name. The error wraps people.ErrUnknown, or people.ErrBadRequest when several have
// the name.
func (g *Gateway) AdminSession(idOrName string) (protocol.AdminSession, error) {
	s, err := g.whoIs(idOrName)
	if err != nil {
		return protocol.AdminSession{}, err
	}
	one := s.admin()
	if m := s.member.Load(); m != nil && m.Active() {
		one.Peer = new(adminPeer(m.Peer(), s.name, time.Now()))
	}
	return one, nil
}

// whoIs returns the session of somebody who is here.
func (g *Gateway) whoIs(idOrName string) (*Session, error) {
	if s := g.users.Get(idOrName); s != nil {
		return s, nil
	}
	switch named := g.users.those(func(s *Session) bool { return strings.EqualFold(s.name, idOrName) }); len(named) {
	case 0:
		return nil, fmt.Errorf("%w: %q is not here", people.ErrUnknown, idOrName)
	case 1:
		return named[0], nil
	default:
		return nil, fmt.Errorf("%w: %d people here are called %q; say whom you mean by their id", people.ErrBadRequest, len(named), idOrName)
	}
}

// WhoIs returns the id and name of somebody who is here, by either. The errors are AdminSession's.
func (g *Gateway) WhoIs(idOrName string) (protocol.AdminDone, error) {
	s, err := g.whoIs(idOrName)
	if err != nil {
		return protocol.AdminDone{}, err
	}
	return protocol.AdminDone{UserID: s.userID, Name: s.name}, nil
}

func (s *Session) admin() protocol.AdminSession {
	one := protocol.AdminSession{
		SessionID: s.id, UserID: s.userID, Name: s.name, Role: s.Role().String(), Client: s.client,
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

// AdminPeers returns the media connections of all members, by channel and name.
func (g *Gateway) AdminPeers() protocol.AdminPeers {
	now := time.Now()
	all := protocol.AdminPeers{Peers: []protocol.AdminPeer{}}
	for _, s := range g.users.All() {
		if m := s.member.Load(); m != nil && m.Active() {
			all.Peers = append(all.Peers, adminPeer(m.Peer(), s.name, now))
		}
	}
	slices.SortFunc(all.Peers, func(a, b protocol.AdminPeer) int {
		return cmp.Or(cmp.Compare(a.ChannelID, b.ChannelID), cmp.Compare(a.Name, b.Name), cmp.Compare(a.UserID, b.UserID))
	})
	return all
}

func adminPeer(p *sfu.MediaPeer, name string, now time.Time) protocol.AdminPeer {
	stats := p.Stats()
	network, wire := &stats.Network, &stats.Endpoint
	one := protocol.AdminPeer{
		UserID: p.UserID, Name: name, ChannelID: p.ChannelID, QuietMS: now.Sub(p.LastSeen()).Milliseconds(),
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
