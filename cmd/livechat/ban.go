package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

const banOverview = `Keep somebody out, and see who is kept out. It works while the server runs, which ends their session at once, and while it does not.

Usage: livechat ban list [--json]          show the bans that hold
       livechat ban add WHO [flags]        keep somebody out
       livechat ban lift BAN|WHO           let them in again`

const banExamples = `WHO is somebody's id, or, of those who are known, their name. A guest is another one for the asking: while they are here, their device and address are kept out with them.

Examples:
  livechat ban add guest-01jd9zqk2w4m8x1b7c5v3n6t0r --for=24h --reason=shouting
      until tomorrow
  livechat ban add "Ada L."
      for good
  livechat ban lift ban-01jd9zr0c5x8m2k4v7b1n3q6te
      by the id that "livechat ban list" shows`

const auditOverview = `Show what moderators did: whom they muted, moved, removed and banned, and why. The newest comes first.

Usage: livechat audit [--limit=N] [--json]`

const auditExamples = `Examples:
  livechat audit
      the last fifty
  livechat audit --limit=1000 --json | jq -r '.[] | select(.action=="ban").name'
      who was banned
  sudo livechat audit --data=/var/lib/livechat
      of the service`

// bansPath and auditPath are where the server has them.
const (
	bansPath  = "/api/admin/bans"
	auditPath = "/api/admin/audit"
	// defaultAudit is how many deeds are shown, maxAudit the most.
	defaultAudit, maxAudit = 50, 1_000_000
)

// banCommand shows, makes and lifts bans.
type banCommand struct {
	List banListCommand `cmd:"" default:"withargs" help:"Show the bans that hold."`
	Add  banAddCommand  `cmd:"" help:"Keep somebody out."`
	Lift banLiftCommand `cmd:"" help:"Let somebody in again."`
}

type banListCommand struct {
	administering `embed:""`
}

// Run prints the bans that hold, the newest first.
func (c *banListCommand) Run() error {
	return c.with(func(ctx context.Context, admin *app.Admin) error {
		var list protocol.Audit
		if err := admin.Do(ctx, http.MethodGet, bansPath, nil, &list); err != nil {
			return err //nolint:wrapcheck // says it all
		}
		switch {
		case c.JSON:
			return printJSON(each(list.Bans, printBan))
		case len(list.Bans) == 0:
			_, _ = fmt.Fprintln(os.Stderr, "Nobody is banned.")
			return nil
		}
		rows := [][]string{{"BAN", "UNTIL", "BY", "WHO", "WHY"}}
		for _, b := range list.Bans {
			rows = append(rows, []string{b.BanID, banUntil(b.Until), orOperator(b.ByName), namedOr(b.Name, b.UserID), orDash(b.Reason)})
		}
		return table(rows)
	})
}

type banAddCommand struct {
	Who    string        `arg:"" help:"Their id or name."`
	For    time.Duration `group:"ban" placeholder:"TIME" help:"How long; 0 for good."`
	Reason string        `group:"ban" placeholder:"TEXT" help:"What they are told."`

	administering `embed:""`
}

// Run bans somebody.
func (c *banAddCommand) Run() error {
	return c.with(func(ctx context.Context, admin *app.Admin) error {
		seconds := int64(c.For / time.Second)
		if c.For > 0 {
			seconds = max(seconds, 1)
		}
		ban, made := protocol.MemberBan{UserID: c.Who, DurationS: &seconds, Reason: c.Reason}, protocol.MemberBan{}
		if err := admin.Do(ctx, http.MethodPost, bansPath, ban, &made); err != nil {
			return err //nolint:wrapcheck // says it all
		}
		lasts := "for good"
		if c.For > 0 {
			lasts = "for " + app.ShortDuration(c.For)
		}
		return c.print(made, "%s is banned %s", made.UserID, lasts)
	})
}

type banLiftCommand struct {
	Which string `arg:"" help:"The id of the ban, or of whom it keeps out."`

	administering `embed:""`
}

// Run lifts a ban.
func (c *banLiftCommand) Run() error {
	return c.with(func(ctx context.Context, admin *app.Admin) error {
		var lifted protocol.BanLift
		if err := admin.Do(ctx, http.MethodDelete, bansPath+"/"+url.PathEscape(c.Which), nil, &lifted); err != nil {
			return err //nolint:wrapcheck // says it all
		}
		return c.print(lifted, "no ban of %s holds any more", c.Which)
	})
}

// auditCommand shows what moderators did.
type auditCommand struct {
	Limit int `group:"ban" placeholder:"N" help:"How much."`

	administering `embed:""`
}

// Run prints what was done, the newest first.
func (c *auditCommand) Run() error {
	if c.Limit < 1 || c.Limit > maxAudit {
		return &app.ConfigError{Mistakes: []error{fmt.Errorf("--limit=%d: must be 1 to %d", c.Limit, maxAudit)}}
	}
	return c.with(func(ctx context.Context, admin *app.Admin) error {
		deeds, err := c.deeds(ctx, admin)
		switch {
		case err != nil:
			return err
		case c.JSON:
			return printJSON(each(deeds, printDeed))
		case len(deeds) == 0:
			_, _ = fmt.Fprintln(os.Stderr, "Moderators have done nothing yet.")
			return nil
		}
		rows := [][]string{{"WHEN", "WHO", "DID", "TO", "WHERE", "UNTIL", "WHY"}}
		for _, d := range deeds {
			ends := "-"
			if d.Action == protocol.ModerationBan {
				ends = banUntil(d.Until)
			}
			rows = append(rows, []string{
				moment(time.UnixMilli(d.At)), orOperator(d.ByName), string(d.Action), orDash(namedOr(d.Name, d.UserID)), orDash(d.ChannelID), ends, orDash(strings.TrimSpace(d.Role + " " + d.Reason)),
			})
		}
		return table(rows)
	})
}

// deeds asks for them page by page.
func (c *auditCommand) deeds(ctx context.Context, admin *app.Admin) ([]protocol.Deed, error) {
	all := []protocol.Deed{}
	for before := uint64(0); len(all) < c.Limit; before = all[len(all)-1].Seq {
		var page protocol.Audit
		if err := admin.Do(ctx, http.MethodGet, auditPath+"?before="+strconv.FormatUint(before, 10), nil, &page); err != nil {
			return nil, err //nolint:wrapcheck // says it all
		}
		all = append(all, page.Deeds...)
		if !page.More || len(page.Deeds) == 0 {
			break
		}
	}
	return all[:min(len(all), c.Limit)], nil
}

func banUntil(ms int64) string {
	if ms == 0 {
		return "for good"
	}
	return moment(time.UnixMilli(ms))
}

func orOperator(name string) string {
	if name == "" {
		return "operator"
	}
	return name
}

func namedOr(name, id string) string {
	if name == "" || name == id {
		return id
	}
	return name + " (" + id + ")"
}

func defaultBan(data serversData) banCommand {
	to := administering{serversData: data}
	return banCommand{List: banListCommand{to}, Add: banAddCommand{administering: to}, Lift: banLiftCommand{administering: to}}
}
