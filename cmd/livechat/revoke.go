package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/httpapi"
)

const revokeOverview = `Take tokens back before they expire: one, or all that somebody has. Whoever is in by one is put out within a second. It works while the server runs, and while it does not.

Usage: livechat revoke TOKEN       one token: itself, or its id, which
                                   "livechat token" prints beside it
       livechat revoke --user=ID   all that this user has by now`

const revokeExamples = `What is made afterwards is good again, from the next second on. All tokens of everybody end with the secret that they are signed with: take it out of --secret-file.

Examples:
  livechat revoke V4G3OT3BLWLYCYIPX2NF5ESGLR
      by its id
  livechat revoke eyJhbGciOiJIUzI1NiIs...
      by itself
  sudo livechat revoke --user=alice --data=/var/lib/livechat
      all that alice has, at the server that is a service`

// revokeCommand takes tokens back.
type revokeCommand struct {
	Token string `arg:"" optional:"" help:"The token, or its id."`
	User  string `group:"token" placeholder:"ID" help:"All tokens of this user."`

	administering `embed:""`
}

// Run takes them back, and says which.
func (c *revokeCommand) Run() error {
	revocation, said, err := c.revocation()
	if err != nil {
		return &app.ConfigError{Mistakes: []error{err}}
	}
	return c.with(func(ctx context.Context, admin *app.Admin) error {
		var done httpapi.AdminRevocation
		if err := admin.Do(ctx, http.MethodPost, "/api/admin/tokens/revoke", revocation, &done); err != nil {
			return err //nolint:wrapcheck // says it all
		}
		return c.print(printRevocation(done), "%s", said)
	})
}

// revocation is what the command line asks for, and what is said when it is done.
func (c *revokeCommand) revocation() (r httpapi.AdminRevocation, said string, err error) {
	switch {
	case (c.Token == "") == (c.User == ""):
		return r, "", errors.New("say which: a token or its id, or --user=ID for all that somebody has")
	case c.User != "":
		if err = auth.CheckUserID(c.User); err != nil {
			return r, "", fmt.Errorf("--user=%q: %w", c.User, err)
		}
		return httpapi.AdminRevocation{UserID: c.User}, "all tokens that " + c.User + " has by now are good for nothing any more", nil
	}
	r.TokenID = c.Token
	if strings.Count(c.Token, ".") == 2 { // no id of ours has dots
		var expires time.Time
		if r.TokenID, expires, err = auth.Read(c.Token); err != nil {
			return r, "", err
		}
		if r.TokenID == "" {
			return r, "", errors.New("this token has no id (jti), so that it cannot be taken back alone; --user=ID takes back all of its user's")
		}
		r.ExpiresAt = expires.UnixMilli()
	}
	if err = auth.CheckTokenID(r.TokenID); err != nil {
		return r, "", fmt.Errorf("%q: %w", r.TokenID, err)
	}
	return r, "the token " + r.TokenID + " is good for nothing any more", nil
}
