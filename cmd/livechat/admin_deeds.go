package main

import (
	"net/http"
	"net/url"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

type adminKickCommand struct {
	Who    string `arg:"" help:"Their id or name."`
	Reason string `group:"ban" placeholder:"TEXT" help:"What they are told."`

	administering `embed:""`
}

// Run puts somebody out.
func (c *adminKickCommand) Run() error {
	return c.does("kick", c.Who, protocol.AdminKick{Reason: c.Reason}, "was put out")
}

// does has something done to somebody who is here, and says it.
func (a *administering) does(what, who string, in any, done string) error {
	return send(a, http.MethodPost, "sessions/"+url.PathEscape(who)+"/"+what, in, func(d *protocol.AdminDone) error {
		return a.print(d, "%s %s", namedOr(d.Name, d.UserID), done)
	})
}

type adminMuteCommand struct {
	Who string `arg:"" help:"Their id or name."`
	Off bool   `group:"ban" help:"Undo it: they are heard again."`

	administering `embed:""`
}

// Run lets nobody hear somebody, or again.
func (c *adminMuteCommand) Run() error {
	done := "is heard by nobody"
	if c.Off {
		done = "is heard again"
	}
	return c.does("mute", c.Who, protocol.AdminMute{Mute: new(!c.Off)}, done)
}

type adminMoveCommand struct {
	Who     string `arg:"" help:"Their id or name."`
	Channel string `arg:"" help:"The channel's id."`

	administering `embed:""`
}

// Run takes somebody to another channel.
func (c *adminMoveCommand) Run() error {
	return c.does("move", c.Who, protocol.AdminMove{ChannelID: c.Channel}, "is in "+c.Channel+" now")
}

type adminFloorCommand struct {
	Channel string `arg:"" help:"Its id."`
	Reason  string `group:"ban" placeholder:"TEXT" help:"Why, for the audit."`

	administering `embed:""`
}

// Run takes the floor from who has it.
func (c *adminFloorCommand) Run() error {
	path := "channels/" + url.PathEscape(c.Channel) + "/floor/revoke"
	return send(&c.administering, http.MethodPost, path, protocol.AdminKick{Reason: c.Reason}, func(d *protocol.AdminDone) error {
		return c.print(d, "the floor of %s is free", d.ChannelID)
	})
}

type adminDrainCommand struct {
	Off bool `group:"ban" help:"Undo it: people are let in again."`

	administering `embed:""`
}

// Run lets nobody in any more, or again.
func (c *adminDrainCommand) Run() error {
	return send(&c.administering, http.MethodPost, "drain", protocol.AdminDrain{Draining: new(!c.Off)}, func(d *protocol.AdminDrain) error {
		switch {
		case c.Off:
			return c.print(d, "people are let in again")
		case d.Unread > 0:
			return c.print(d, "nobody is let in any more; %d were told to come back, of whom %d have not read it yet; calls go on until the server is stopped", d.Told, d.Unread)
		default:
			return c.print(d, "nobody is let in any more; %d were told to come back; calls go on until the server is stopped", d.Told)
		}
	})
}

type adminLogLevelCommand struct {
	Level string `arg:"" optional:"" help:"debug, info, warn or error."`

	administering `embed:""`
}

// Run shows or changes what the server logs.
func (c *adminLogLevelCommand) Run() error {
	method, in := http.MethodGet, any(nil)
	if c.Level != "" {
		method, in = http.MethodPut, protocol.AdminLogLevel{Level: c.Level}
	}
	return send(&c.administering, method, "log-level", in, func(d *protocol.AdminLogLevel) error {
		return c.print(d, "%s", d.Level)
	})
}
