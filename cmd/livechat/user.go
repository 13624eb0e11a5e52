package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/httpapi"
)

const userOverview = `See and change who is known to the server: whoever came by an invite, or signed in by way of another service. Guests are not. It works while the server runs, which carries it out at once, and while it does not.

Usage: livechat user list [--json]               show everybody
       livechat user show WHO [--json]           show one of them
       livechat user role WHO ROLE               give them another role
       livechat user rename WHO NAME             call somebody otherwise
       livechat user login WHO                   print a link to sign in by
       livechat user logout WHO                  sign somebody out everywhere
       livechat user uninvite WHO CHANNEL        let them into a channel no more
       livechat user delete WHO --erase          forget them, and all they wrote
       livechat user delete WHO --keep-messages  forget them, and keep what they
                                                 wrote without their name`

const userExamples = `WHO is somebody's id, or their name.

Examples:
  livechat user role "Ada L." moderator
      from now on, also where she is already
  livechat user logout user-01jd9zqk2w4m8x1b7c5v3n6t0r
      her sessions end at once
  livechat user login Ada --url=https://voice.example.org
      a link by which she comes back as herself, on one browser, within a day
  livechat user list --json | jq -r '.[] | select(.role == "admin") | .name'
      the admins
  sudo livechat user list --data=/var/lib/livechat
      of the service`

// userPath is where the server has the people.
const userPath = "/api/admin/users"

// userCommand shows and changes who is known.
type userCommand struct {
	List     userListCommand     `cmd:"" default:"withargs" help:"Show everybody who is known."`
	Show     userShowCommand     `cmd:"" help:"Show somebody."`
	Role     userRoleCommand     `cmd:"" help:"Give somebody a role."`
	Rename   userRenameCommand   `cmd:"" help:"Give somebody another name."`
	Login    userLoginCommand    `cmd:"" help:"Print a link that signs one browser in as somebody."`
	Logout   userLogoutCommand   `cmd:"" help:"Sign somebody out everywhere."`
	Uninvite userUninviteCommand `cmd:"" help:"Take back that somebody was let into a channel."`
	Delete   userDeleteCommand   `cmd:"" help:"Forget somebody."`
}

// user is somebody whom a command is about.
type user struct {
	Who string `arg:"" help:"Their id or name."`

	administering `embed:""`
}

// where is where the server has them.
func (u *user) where() string { return userPath + "/" + url.PathEscape(u.Who) }

// change has the server change something about somebody, and says how they are then.
func (u *user) change(method, path string, in any, say func(httpapi.AdminUser) string) error {
	return u.with(func(ctx context.Context, admin *app.Admin) error {
		var now httpapi.AdminUser
		if err := admin.Do(ctx, method, path, in, &now); err != nil {
			return err //nolint:wrapcheck // says it all
		}
		return u.print(now, "%s", say(now))
	})
}

func called(u httpapi.AdminUser) string { return u.Name + " (" + u.UserID + ")" }

type userListCommand struct {
	administering `embed:""`
}

// Run prints everybody who is known, in the order of their ids.
func (c *userListCommand) Run() error {
	return c.with(func(ctx context.Context, admin *app.Admin) error {
		everybody, err := users(ctx, admin)
		switch {
		case err != nil:
			return err
		case c.JSON:
			return printJSON(everybody)
		case len(everybody) == 0:
			_, _ = fmt.Fprintln(os.Stderr, "Nobody is known yet; \"livechat invite\" makes a link by which people come.")
			return nil
		}
		rows := [][]string{{"ID", "ROLE", "HERE LAST", "NAME"}}
		for _, u := range everybody {
			rows = append(rows, []string{u.UserID, u.Role, seen(u), u.Name})
		}
		return table(rows)
	})
}

// users asks for everybody, page by page.
func users(ctx context.Context, admin *app.Admin) ([]httpapi.AdminUser, error) {
	everybody := []httpapi.AdminUser{}
	after := ""
	for {
		var page httpapi.AdminUsers
		if err := admin.Do(ctx, http.MethodGet, userPath+"?after="+url.QueryEscape(after), nil, &page); err != nil {
			return nil, err //nolint:wrapcheck // says it all
		}
		everybody = append(everybody, page.Users...)
		if !page.More || len(page.Users) == 0 {
			return everybody, nil
		}
		after = page.Users[len(page.Users)-1].UserID
	}
}

func seen(u httpapi.AdminUser) string {
	if u.SeenAt == nil {
		return "never"
	}
	return moment(*u.SeenAt)
}

type userShowCommand struct {
	user `embed:""`
}

// Run prints what is remembered of somebody.
func (c *userShowCommand) Run() error {
	return c.with(func(ctx context.Context, admin *app.Admin) error {
		var u httpapi.AdminUser
		if err := admin.Do(ctx, http.MethodGet, c.where(), nil, &u); err != nil {
			return err //nolint:wrapcheck // says it all
		}
		if c.JSON {
			return printJSON(u)
		}
		logins := int64(0)
		if u.Logins != nil {
			logins = int64(*u.Logins)
		}
		return table([][]string{
			{"name", u.Name},
			{"id", u.UserID},
			{"role", u.Role},
			{"known since", moment(u.CreatedAt)},
			{"here last", seen(u)},
			{"signed in on", count(logins, "browser")},
			{"invited to", orDash(strings.Join(u.Channels, ", "))},
		})
	})
}

type userRoleCommand struct {
	user `embed:""`

	Role string `arg:"" help:"What they are from now on: admin, moderator, member or guest."`
}

// Run gives somebody a role.
func (c *userRoleCommand) Run() error {
	if _, err := auth.ParseRole(c.Role); err != nil {
		return &app.ConfigError{Mistakes: []error{err}}
	}
	return c.change(http.MethodPatch, c.where(), httpapi.AdminUserChange{Role: &c.Role}, func(u httpapi.AdminUser) string {
		return called(u) + " is " + roleNoun(u.Role, false) + " now"
	})
}

type userRenameCommand struct {
	user `embed:""`

	Name string `arg:"" help:"What they are called from now on."`
}

// Run gives somebody another name.
func (c *userRenameCommand) Run() error {
	return c.change(http.MethodPatch, c.where(), httpapi.AdminUserChange{Name: &c.Name}, func(u httpapi.AdminUser) string {
		return u.UserID + " is called " + u.Name + " from the next time on that they come"
	})
}

type userLoginCommand struct {
	user `embed:""`

	pageAddress `embed:"" group:"invite"`
}

// Run prints a link that signs one browser in as somebody.
func (c *userLoginCommand) Run() error {
	if _, err := c.page(); err != nil {
		return &app.ConfigError{Mistakes: []error{err}}
	}
	return c.with(func(ctx context.Context, admin *app.Admin) error {
		page, err := c.of(ctx, admin)
		if err != nil {
			return err
		}
		var made httpapi.AdminLogin
		if err = admin.Do(ctx, http.MethodPost, c.where()+"/login", nil, &made); err != nil {
			return err //nolint:wrapcheck // says it all
		}
		return c.printLink(page, made.Invite, fmt.Sprintf("It signs one browser in as %s, once, until %s. \"livechat invite revoke %s\" takes it back.",
			called(made.User), moment(time.UnixMilli(made.Invite.ExpiresAt)), made.Invite.InviteID))
	})
}

type userLogoutCommand struct {
	user `embed:""`
}

// Run signs somebody out everywhere.
func (c *userLogoutCommand) Run() error {
	return c.change(http.MethodPost, c.where()+"/logout", nil, func(u httpapi.AdminUser) string {
		return called(u) + " is signed out everywhere; \"livechat user login " + u.UserID + "\" makes a link by which they come back"
	})
}

type userUninviteCommand struct {
	user `embed:""`

	Channel string `arg:"" help:"The channel's id."`
}

// Run takes back that somebody was let into a channel.
func (c *userUninviteCommand) Run() error {
	return c.change(http.MethodDelete, c.where()+"/channels/"+url.PathEscape(c.Channel), nil, func(u httpapi.AdminUser) string {
		return called(u) + " is let into " + c.Channel + " no more, unless by another invite"
	})
}

type userDeleteCommand struct {
	user `embed:""`

	Erase        bool `xor:"messages" required:"" group:"delete" help:"Erase all that they wrote."`
	KeepMessages bool `xor:"messages" required:"" group:"delete" help:"Keep what they wrote, without their name."`
}

// Run forgets somebody.
func (c *userDeleteCommand) Run() error {
	messages, became := "keep", "goes on without a name"
	if c.Erase {
		messages, became = "erase", "is erased"
	}
	return c.change(http.MethodDelete, c.where()+"?messages="+messages, nil, func(u httpapi.AdminUser) string {
		return called(u) + " is forgotten, and what they wrote " + became
	})
}

func defaultUser(data serversData) userCommand {
	to := administering{serversData: data}
	who := user{administering: to}
	return userCommand{
		List: userListCommand{to}, Show: userShowCommand{who}, Role: userRoleCommand{user: who}, Rename: userRenameCommand{user: who},
		Login: userLoginCommand{user: who, pageAddress: pageAddress{HTTP: app.DefaultHTTP}}, Logout: userLogoutCommand{who},
		Uninvite: userUninviteCommand{user: who}, Delete: userDeleteCommand{user: who},
	}
}

func printJSON(made any) error {
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(made); err != nil {
		return fmt.Errorf("print JSON: %w", err)
	}
	return nil
}

// moment is a time as people here read it.
func moment(t time.Time) string { return t.Local().Format("2006-01-02 15:04") }

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
