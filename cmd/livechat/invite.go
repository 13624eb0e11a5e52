package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/httpapi"
	"github.com/mini-livechat/mini-livechat/signaling/people"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

const inviteOverview = `Make a link by which people come. Whoever opens it chooses a name, is known to the server from then on, and stays signed in. The link is all that is printed on standard output; what it is good for goes to standard error. It works while the server runs, and while it does not.

Usage: livechat invite [flags]             make an invite, and print its link
       livechat invite list [--json]       show the invites that there are
       livechat invite revoke ID [--json]  make one good for nothing`

const inviteExamples = `A link is as good as a key, and is shown only once: "livechat invite list" has its id alone.

Examples:
  livechat invite
      for one person, within a week
  livechat invite --role=admin --ttl=1h --url=https://voice.example.org
      for an admin, to a server behind a proxy
  livechat invite --channel=ops --uses=5 --ttl=30d | qrencode -t ANSI
      for five people, to the channel ops, as a code that phones read
  sudo livechat invite --data=/var/lib/livechat
      of the service`

// invitePath is where the server has the invites.
const invitePath = "/api/admin/invites"

// administering is how a command reaches the server.
type administering struct {
	serversData

	Server string `env:"LIVECHAT_ADMIN_SERVER" group:"care" placeholder:"URL" help:"Do it on another machine's server, whose page is there; with an admin's token in LIVECHAT_ADMIN_TOKEN. LIVECHAT_ADMIN_SERVER says it too."`
	Token  string `name:"admin-token" hidden:"" env:"LIVECHAT_ADMIN_TOKEN" group:"care" placeholder:"TOKEN" help:"An admin's."`
	JSON   bool   `name:"json" group:"care" help:"Print JSON, for programs."`
}

// open reaches the server, which runs or does not.
func (a *administering) open(ctx context.Context) (*app.Admin, error) {
	if a.Server != "" {
		return app.OpenRemoteAdmin(a.Server, a.Token)
	}
	if _, err := a.path(); err != nil {
		return nil, err
	}
	return app.OpenAdmin(ctx, a.Data)
}

// with does something with the server.
func (a *administering) with(do func(context.Context, *app.Admin) error) error {
	return interruptible(func(ctx context.Context) error {
		admin, err := a.open(ctx)
		if err != nil {
			return err
		}
		err = do(ctx, admin)
		if closing := admin.Close(); err == nil {
			err = closing
		}
		return err
	})
}

// print prints what was made as JSON, or else says it.
func (a *administering) print(made any, format string, args ...any) error {
	if a.JSON {
		return printJSON(made)
	}
	return tell(format, args...)
}

// inviteCommand makes, lists and revokes invites.
type inviteCommand struct {
	Create inviteCreateCommand `cmd:"" default:"withargs" help:"Make an invite, and print its link."`
	List   inviteListCommand   `cmd:"" help:"Show the invites that there are."`
	Revoke inviteRevokeCommand `cmd:"" help:"Make an invite good for nothing."`
}

type inviteCreateCommand struct {
	Role    string        `group:"invite" placeholder:"ROLE" help:"What people become by it: admin, moderator, member or guest."`
	Channel string        `group:"invite" placeholder:"ID" help:"The channel that it leads to."`
	Uses    int           `group:"invite" placeholder:"N" help:"How many people may use it; 0 for any number."`
	TTL     time.Duration `name:"ttl" group:"invite" placeholder:"TIME" help:"How long it is good for; 0 for good."`

	pageAddress   `embed:"" group:"invite"`
	administering `embed:""`
}

// Run makes an invite, and prints its link.
func (c *inviteCreateCommand) Run() error {
	if err := c.check(); err != nil {
		return err
	}
	return c.with(func(ctx context.Context, admin *app.Admin) error {
		page, err := c.of(ctx, admin)
		if err != nil {
			return err
		}
		var made protocol.InviteCreated
		err = admin.Do(ctx, http.MethodPost, invitePath, protocol.InviteCreate{
			Role: c.Role, ChannelID: c.Channel, Uses: &c.Uses, TTLMS: new(c.TTL.Milliseconds()),
		}, &made)
		if err != nil {
			return err //nolint:wrapcheck // says it all
		}
		return c.printLink(page, made, promise(made.Invite))
	})
}

// printLink prints the link of an invite on standard output, and on standard error what it is good for.
func (a *administering) printLink(page string, made protocol.InviteCreated, promise string) error {
	link := page + "#invite=" + made.Secret
	if a.JSON {
		return printJSON(struct {
			Link string `json:"link"`
			printedInvite
			Secret string `json:"secret"`
		}{link, printInvite(made.Invite), made.Secret})
	}
	if err := tell("%s", link); err != nil {
		return err
	}
	_, _ = fmt.Fprintln(os.Stderr, promise)
	if onlyHere(page) {
		_, _ = fmt.Fprintln(os.Stderr, "It leads to this machine only; --url says where others find the page.")
	}
	return nil
}

// of is where --url says, or else the server that runs, or else its settings.
func (p *pageAddress) of(ctx context.Context, admin *app.Admin) (string, error) {
	if p.URL == "" {
		var server httpapi.AdminServer
		if err := admin.Do(ctx, http.MethodGet, "/api/admin/server", nil, &server); err != nil {
			return "", err //nolint:wrapcheck // says it all
		}
		if server.URL != "" {
			return server.URL + "/", nil
		}
	}
	return p.page()
}

// check finds what is wrong with the flags.
func (c *inviteCreateCommand) check() error {
	var mistakes []error
	if _, err := c.page(); err != nil {
		mistakes = append(mistakes, err)
	}
	if _, err := auth.ParseRole(c.Role); err != nil {
		mistakes = append(mistakes, fmt.Errorf("--role: %w", err))
	}
	if c.Uses < 0 || c.Uses > people.MaxInviteUses {
		mistakes = append(mistakes, fmt.Errorf("--uses=%d: must be 1 to %d, or 0 for any number of people", c.Uses, people.MaxInviteUses))
	}
	if c.TTL != 0 && (c.TTL < people.MinInviteTTL || c.TTL > people.MaxInviteTTL) {
		mistakes = append(mistakes, fmt.Errorf("--ttl=%s: must be %s to %s, or 0 for good", app.ShortDuration(c.TTL),
			app.ShortDuration(people.MinInviteTTL), app.ShortDuration(people.MaxInviteTTL)))
	}
	if len(mistakes) > 0 {
		return &app.ConfigError{Mistakes: mistakes}
	}
	return nil
}

// promise says what an invite is good for.
func promise(i protocol.Invite) string {
	who := "one person"
	switch {
	case i.Uses == 0:
		who = "any number of people"
	case i.Uses > 1:
		who = strconv.Itoa(i.Uses) + " people"
	}
	until := "for good"
	if i.ExpiresAt != 0 {
		until = "until " + moment(time.UnixMilli(i.ExpiresAt))
	}
	into := ""
	if i.ChannelID != "" {
		into = " and leads them to " + i.ChannelID
	}
	return fmt.Sprintf("It makes %s %s%s, %s. \"livechat invite revoke %s\" takes it back.", who, roleNoun(i.Role, i.Uses != 1), into, until, i.InviteID)
}

// roleNoun is a role as something that people become.
func roleNoun(role string, several bool) string {
	switch {
	case several:
		return role + "s"
	case role == "admin":
		return "an admin"
	default:
		return "a " + role
	}
}

type inviteListCommand struct {
	administering `embed:""`
}

// Run prints the invites that there are, the newest first.
func (c *inviteListCommand) Run() error {
	return c.with(func(ctx context.Context, admin *app.Admin) error {
		var list protocol.InviteList
		if err := admin.Do(ctx, http.MethodGet, invitePath, nil, &list); err != nil {
			return err //nolint:wrapcheck // says it all
		}
		if c.JSON {
			return printJSON(each(list.Invites, printInvite))
		}
		if len(list.Invites) == 0 {
			_, _ = fmt.Fprintln(os.Stderr, "There are no invites; \"livechat invite\" makes one.")
			return nil
		}
		rows := [][]string{{"ID", "ROLE", "CHANNEL", "USED", "UNTIL", "BY"}}
		for _, i := range list.Invites {
			rows = append(rows, []string{i.InviteID, gives(i), orDash(i.ChannelID), used(i), until(i, time.Now()), by(i)})
		}
		return table(rows)
	})
}

// gives is what an invite makes of people.
func gives(i protocol.Invite) string {
	if i.UserID != "" {
		return "signs in " + i.UserID
	}
	return orDash(i.Role)
}

func used(i protocol.Invite) string {
	if i.Uses == 0 {
		return strconv.Itoa(i.Used)
	}
	return fmt.Sprintf("%d of %d", i.Used, i.Uses)
}

func until(i protocol.Invite, now time.Time) string {
	end := time.UnixMilli(i.ExpiresAt)
	switch {
	case i.Uses > 0 && i.Used >= i.Uses:
		return "used up"
	case i.ExpiresAt == 0:
		return "for good"
	case !now.Before(end):
		return "over"
	}
	return moment(end)
}

func by(i protocol.Invite) string {
	if i.ByID == "" {
		return "the operator"
	}
	return i.ByName + " (" + i.ByID + ")"
}

type inviteRevokeCommand struct {
	ID string `arg:"" name:"id" help:"The invite's id."`

	administering `embed:""`
}

// Run makes an invite good for nothing.
func (c *inviteRevokeCommand) Run() error {
	return c.with(func(ctx context.Context, admin *app.Admin) error {
		var revoked protocol.InviteRef
		err := admin.Do(ctx, http.MethodDelete, invitePath+"/"+url.PathEscape(c.ID), nil, &revoked)
		if refusal, ok := errors.AsType[*protocol.Error](err); ok && refusal.Code == protocol.CodeInvite {
			return fmt.Errorf("there is no invite with the id %q; \"livechat invite list\" has them", c.ID)
		}
		if err != nil {
			return err //nolint:wrapcheck // says it all
		}
		return c.print(revoked, "%s is good for nothing any more; who came by it stays", revoked.InviteID)
	})
}

func defaultInvite(data serversData) inviteCommand {
	to := administering{serversData: data}
	return inviteCommand{
		Create: inviteCreateCommand{
			Role: "member", Uses: 1, TTL: people.DefaultInviteTTL, pageAddress: pageAddress{HTTP: app.DefaultHTTP}, administering: to,
		},
		List:   inviteListCommand{to},
		Revoke: inviteRevokeCommand{administering: to},
	}
}
