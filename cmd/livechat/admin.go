package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

const adminOverview = `See and steer a server that runs: who is here, how their voice gets through, and what to do about it. On the server's machine it needs nothing; from elsewhere --server says where it is, and LIVECHAT_ADMIN_TOKEN holds an admin's token.

Usage: livechat admin status                    how the server is
       livechat admin channels                  its channels
       livechat admin channel ID                one of them, with who is in it
       livechat admin users                     who is here
       livechat admin user WHO                  one of them
       livechat admin peers                     the media connections
       livechat admin nodes                     the nodes that are one server
       livechat admin why LISTENER TALKER       why one does not hear the other
       livechat admin kick WHO [--reason=TEXT]  put somebody out
       livechat admin ban WHO [flags]           and keep them out
       livechat admin unban WHO|BAN             let them in again
       livechat admin mute WHO [--off]          have nobody hear them, or again
       livechat admin move WHO CHANNEL          take somebody to another channel
       livechat admin floor-revoke CHANNEL      take the floor from who has it
       livechat admin drain [--off]             let nobody in any more, or again
       livechat admin log-level [LEVEL]         debug, info, warn or error`

const adminExamples = `WHO is somebody's id, or their name. Who is known, here or not, "livechat user list" shows.

Examples:
  livechat admin why Ada Ben
      Ada says that she does not hear Ben: what is broken, and what mends it
  livechat admin peers
      whose network loses packets
  livechat admin users --json | jq -r '.[] | select(.connected | not) | .name'
      who has no connection just now
  livechat admin drain && livechat admin status
      before a restart: calls go on, nobody new comes, all are told to come back
  LIVECHAT_ADMIN_TOKEN=... livechat admin --server=https://voice.example.org
      from another machine; "livechat token --user=you --admin" prints a token`

// livePath is where a server that runs has what there is to see and to do.
const livePath = "/api/admin/"

// adminCommand sees and steers a server that runs.
type adminCommand struct {
	Status   adminStatusCommand   `cmd:"" default:"withargs" help:"Show how the server is."`
	Channels adminChannelsCommand `cmd:"" help:"Show the channels."`
	Channel  adminChannelCommand  `cmd:"" help:"Show a channel, with who is in it."`
	Users    adminUsersCommand    `cmd:"" help:"Show who is here."`
	User     adminUserCommand     `cmd:"" help:"Show somebody who is here."`
	Peers    adminPeersCommand    `cmd:"" help:"Show the media connections."`
	Nodes    adminNodesCommand    `cmd:"" help:"Show the nodes that are one server."`
	Why      adminWhyCommand      `cmd:"" help:"Say why somebody does not hear somebody."`
	Kick     adminKickCommand     `cmd:"" help:"Put somebody out."`
	Ban      banAddCommand        `cmd:"" help:"Keep somebody out."`
	Unban    banLiftCommand       `cmd:"" help:"Let somebody in again."`
	Mute     adminMuteCommand     `cmd:"" help:"Let nobody hear somebody, or again."`
	Move     adminMoveCommand     `cmd:"" help:"Take somebody to another channel."`
	Floor    adminFloorCommand    `cmd:"" name:"floor-revoke" help:"Take the floor of a channel from who has it."`
	Drain    adminDrainCommand    `cmd:"" help:"Let nobody in any more, or again."`
	LogLevel adminLogLevelCommand `cmd:"" help:"Show or change what the server logs."`
}

func defaultAdmin(data serversData) adminCommand {
	to := administering{serversData: data}
	return adminCommand{
		Status: adminStatusCommand{to}, Channels: adminChannelsCommand{to}, Channel: adminChannelCommand{administering: to},
		Users: adminUsersCommand{to}, User: adminUserCommand{administering: to}, Peers: adminPeersCommand{to},
		Nodes: adminNodesCommand{to},
		Why:   adminWhyCommand{administering: to}, Kick: adminKickCommand{administering: to}, Ban: banAddCommand{administering: to},
		Unban: banLiftCommand{administering: to}, Mute: adminMuteCommand{administering: to}, Move: adminMoveCommand{administering: to},
		Floor: adminFloorCommand{administering: to}, Drain: adminDrainCommand{administering: to}, LogLevel: adminLogLevelCommand{administering: to},
	}
}

// show asks for something and shows it.
func show[T any](a *administering, path string, say func(*T) error) error {
	return send(a, http.MethodGet, path, nil, say)
}

// send has something done and says it.
func send[T any](a *administering, method, path string, in any, show func(*T) error) error {
	return a.with(func(ctx context.Context, admin *app.Admin) error {
		var made T
		if err := admin.Do(ctx, method, livePath+path, in, &made); err != nil {
			return err //nolint:wrapcheck // says it all
		}
		return show(&made)
	})
}

type adminStatusCommand struct {
	administering `embed:""`
}

// Run says how the server is.
func (c *adminStatusCommand) Run() error {
	return show(&c.administering, "status", func(s *protocol.AdminStatus) error {
		if c.JSON {
			return printJSON(s)
		}
		state := "lets people in"
		if s.Draining {
			state = "drains: nobody is let in"
		}
		people := fmt.Sprintf("%d here, %d of them connected", s.Sessions, s.Connected)
		if s.Node != "" {
			people += fmt.Sprintf(", and %d on other nodes", s.SessionsElsewhere)
		}
		rows := [][]string{
			{"server", s.Server},
			{"node", orDash(s.Node)},
			{"page", s.URL},
			{"state", state},
			{"runs since", fmt.Sprintf("%s, for %s", moment(s.StartedAt), since(s.StartedAt))},
			{"people", people},
			{"channels", fmt.Sprintf("%d, with %s, of whom %d speak", s.Channels, count(int64(s.Members), "member"), s.Speaking)},
			{"memory", fmt.Sprintf("%s, %s", size(int64(s.MemoryBytes)), count(int64(s.Goroutines), "goroutine"))}, //nolint:gosec // it fits
			{"metrics", orDash(s.Metrics)},
			{"log level", orDash(s.LogLevel)},
		}
		for _, trouble := range s.Trouble {
			rows = append(rows, []string{"TROUBLE", trouble})
		}
		return table(rows)
	})
}

type adminChannelsCommand struct {
	administering `embed:""`
}

// Run shows the channels.
func (c *adminChannelsCommand) Run() error {
	return show(&c.administering, "channels", func(all *protocol.AdminChannels) error {
		if c.JSON {
			return printJSON(all.Channels)
		}
		rows := [][]string{{"ID", "MODE", "ACCESS", "SPEAKING", "MEMBERS", "OWNER", "NAME"}}
		for i := range all.Channels {
			one := &all.Channels[i]
			rows = append(rows, []string{
				one.ChannelID, string(one.Mode), string(one.Access), string(one.Speaking), fmt.Sprintf("%d/%d", one.MemberCount, one.Capacity),
				orDash(one.OwnerID), one.ChannelName,
			})
		}
		return table(rows)
	})
}

type adminChannelCommand struct {
	Channel string `arg:"" help:"Its id."`

	administering `embed:""`
}

// Run shows a channel.
func (c *adminChannelCommand) Run() error {
	return show(&c.administering, "channels/"+url.PathEscape(c.Channel), func(one *protocol.AdminChannel) error {
		if c.JSON {
			return printJSON(one)
		}
		rows := [][]string{
			{"channel", one.ChannelName + " (" + one.ChannelID + ")"},
			{"mode", string(one.Mode)},
			{"access", string(one.Access)},
			{"who speaks", string(one.Speaking)},
			{"topic", orDash(one.Topic)},
			{"owner", orDash(one.OwnerID)},
			{"made", moment(one.CreatedAt)},
			{"members", fmt.Sprintf("%d of %d", one.MemberCount, one.Capacity)},
		}
		if one.Mode == protocol.ModePTT {
			rows = append(rows, []string{"floor", orDash(one.FloorName)})
		}
		for _, l := range one.Listeners {
			rows = append(rows, []string{"listens in", namedOr(l.Name, l.UserID)})
		}
		if err := table(rows); err != nil || len(one.Members) == 0 {
			return err
		}
		rows = [][]string{{}, {"NAME", "ROLE", nodeHead, "STATE", "RTT", "LOSS IN", "LOSS OUT", "ID"}}
		for i := range one.Members {
			m := &one.Members[i]
			role := m.Role
			if role == "" {
				role = "member"
			}
			rows = append(rows, []string{m.Name, role, orDash(m.Peer.Node), memberState(m), delay(m.Peer.RTTMS), percent(m.Peer.LossIn), percent(m.Peer.LossOut), m.UserID})
		}
		return table(byNode(rows))
	})
}

// memberState is what there is to say of somebody in a channel.
func memberState(m *protocol.AdminMember) string {
	var states []string
	for _, one := range []struct {
		holds bool
		says  string
	}{
		{m.SpeaksNow, "speaks"},
		{m.Muted, "muted by a moderator"},
		{m.SelfDeaf, "deaf"},
		{m.SelfMute && !m.SelfDeaf, "muted"},
		{m.Suppressed, "not let speak"},
		{!m.Talker, "only listens"},
		{m.HandAt != 0, "hand raised"},
		{m.Mic.Trouble() != "", "microphone " + string(m.Mic)},
		{m.Sound.Trouble() != "", "sound " + string(m.Sound)},
		{m.Connection == protocol.ConnectionUnstable, "not connected"},
		{m.Media == protocol.MediaLost, "media lost"},
		{m.Media == protocol.MediaApart, "not heard at this node"},
		{!m.Peer.Connected, "media connecting"},
	} {
		if one.holds {
			states = append(states, one.says)
		}
	}
	return orDash(strings.Join(states, ", "))
}

type adminUsersCommand struct {
	administering `embed:""`
}

// Run shows who is here.
func (c *adminUsersCommand) Run() error {
	return show(&c.administering, "sessions", func(all *protocol.AdminSessions) error {
		switch {
		case c.JSON:
			return printJSON(all.Sessions)
		case len(all.Sessions) == 0:
			_, _ = fmt.Fprintln(os.Stderr, "Nobody is here.")
			return nil
		}
		sayMissing(all.Missing)
		rows := [][]string{{"NAME", "ROLE", "CHANNEL", nodeHead, "FROM", "FOR", "STATE", "ID"}}
		for i := range all.Sessions {
			s := &all.Sessions[i]
			rows = append(rows, []string{s.Name, s.Role, orDash(s.ChannelID), orDash(s.Node), orDash(s.Network), since(s.Since), sessionState(s), s.UserID})
		}
		return table(byNode(rows))
	})
}

func sessionState(s *protocol.AdminSession) string {
	var states []string
	if !s.Connected {
		states = append(states, "not connected")
	}
	if s.Muted {
		states = append(states, "muted by a moderator")
	}
	if s.Waiting > 0 {
		states = append(states, count(int64(s.Waiting), "frame")+" unread")
	}
	return orDash(strings.Join(states, ", "))
}

type adminUserCommand struct {
	Who string `arg:"" help:"Their id or name."`

	administering `embed:""`
}

// Run shows somebody.
func (c *adminUserCommand) Run() error {
	return show(&c.administering, "sessions/"+url.PathEscape(c.Who), func(s *protocol.AdminSession) error {
		if c.JSON {
			return printJSON(s)
		}
		rows := [][]string{
			{"name", s.Name},
			{"id", s.UserID},
			{"role", s.Role},
			{"session", s.SessionID},
			{"node", orDash(s.Node)},
			{"client", orDash(s.Client)},
			{"from", orDash(s.Network)},
			{"here since", fmt.Sprintf("%s, for %s", moment(s.Since), since(s.Since))},
			{"state", sessionState(s)},
			{"channel", orDash(s.ChannelID)},
		}
		if p := s.Peer; p != nil {
			rows = append(
				rows, []string{"media", mediaState(p)}, []string{"round trip", delay(p.RTTMS)},
				[]string{"to the server", fmt.Sprintf("%s, %s, %s lost, jitter %s, %d recovered, %d sent again, %d of no use",
					count(p.PacketsIn, "packet"), size(p.BytesIn), percent(p.LossIn), delay(p.JitterInMS), p.Recovered, p.Restored, p.Dropped)},
				[]string{"from the server", fmt.Sprintf("%s, %s, %s lost, jitter %s",
					count(p.PacketsOut, "packet"), size(p.BytesOut), percent(p.LossOut), delay(p.JitterOutMS))},
			)
		}
		return table(rows)
	})
}

func mediaState(p *protocol.AdminPeer) string {
	switch {
	case p.Address == "":
		return "no path yet: nothing has reached the media port"
	case !p.Connected:
		return "from " + p.Address + ", DTLS not done"
	default:
		return fmt.Sprintf("from %s, the last packet %s ago", p.Address, (time.Duration(p.QuietMS) * time.Millisecond).Round(time.Millisecond))
	}
}

type adminPeersCommand struct {
	administering `embed:""`
}

// Run shows the media connections.
func (c *adminPeersCommand) Run() error {
	return show(&c.administering, "peers", func(all *protocol.AdminPeers) error {
		switch {
		case c.JSON:
			return printJSON(all.Peers)
		case len(all.Peers) == 0:
			_, _ = fmt.Fprintln(os.Stderr, "Nobody is in a channel.")
			return nil
		}
		sayMissing(all.Missing)
		rows := [][]string{{"CHANNEL", "NAME", "ID", nodeHead, "ADDRESS", "QUIET", "RTT", "LOSS IN", "LOSS OUT", "JITTER IN", "JITTER OUT", "PACKETS IN", "PACKETS OUT"}}
		for i := range all.Peers {
			p := &all.Peers[i]
			address := orDash(p.Address)
			if p.Address != "" && !p.Connected {
				address += " (no DTLS)"
			}
			rows = append(rows, []string{
				p.ChannelID, p.Name, p.UserID, orDash(p.Node), address, (time.Duration(p.QuietMS) * time.Millisecond).String(), delay(p.RTTMS), percent(p.LossIn), percent(p.LossOut),
				delay(p.JitterInMS), delay(p.JitterOutMS), fmt.Sprint(p.PacketsIn), fmt.Sprint(p.PacketsOut),
			})
		}
		return table(byNode(rows))
	})
}

// nodeHead is above the nodes that people are on.
const nodeHead = "NODE"

// byNode leaves the column of nodes out where none is said, as by a server that is alone. Rows before the one with the heads are as they are.
func byNode(rows [][]string) [][]string {
	head := slices.IndexFunc(rows, func(row []string) bool { return slices.Contains(row, nodeHead) })
	at := slices.Index(rows[head], nodeHead)
	for _, row := range rows[head+1:] {
		if row[at] != orDash("") {
			return rows
		}
	}
	for i := range rows[head:] {
		rows[head+i] = slices.Delete(rows[head+i], at, at+1)
	}
	return rows
}

// sayMissing says which nodes did not say who is there.
func sayMissing(nodes []string) {
	if len(nodes) > 0 {
		_, _ = fmt.Fprintf(os.Stderr, "Not all is here: no answer came from %s.\n", strings.Join(nodes, ", "))
	}
}

type adminWhyCommand struct {
	Listener string `arg:"" help:"Who does not hear: their id or name."`
	Talker   string `arg:"" help:"Who is not heard."`

	administering `embed:""`
}

// Run says why somebody does not hear somebody.
func (c *adminWhyCommand) Run() error {
	query := url.Values{"listener": {c.Listener}, "talker": {c.Talker}}
	return show(&c.administering, "why?"+query.Encode(), func(w *protocol.AdminWhy) error {
		if c.JSON {
			return printJSON(w)
		}
		rows := [][]string{{"LINK", "FOUND", "SEEN"}}
		for _, s := range w.Steps {
			rows = append(rows, []string{s.Link, s.Cause, s.Saw})
		}
		if err := table(rows); err != nil {
			return err
		}
		where := map[string]string{"them": w.Talker.Name, "you": w.Listener.Name, "channel": "the channel", "server": "between the nodes"}[w.Found.Side]
		rows = [][]string{
			{},
			{"who listens", namedOr(w.Listener.Name, w.Listener.UserID)},
			{"who talks, \"they\"", namedOr(w.Talker.Name, w.Talker.UserID)},
			{"what is wrong", w.Found.What},
			{"where", orDash(where)},
			{"what mends it", w.Found.Mend},
		}
		return table(rows)
	})
}

// since is how long ago a time is, as people say it.
func since(t time.Time) string {
	d := time.Since(t)
	switch {
	case d < time.Minute:
		return d.Round(time.Second).String()
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	default:
		return fmt.Sprintf("%dd", int(d.Hours()/24))
	}
}

func delay(ms float64) string {
	if ms == 0 {
		return "-"
	}
	return fmt.Sprintf("%.3g ms", ms)
}

func percent(fraction float64) string { return fmt.Sprintf("%.1f %%", 100*fraction) }
