package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
)

// defaultTokenTTL is a working day and the night before it.
const defaultTokenTTL = 24 * time.Hour

// serversSecret is how a command finds the secret of the server.
type serversSecret struct {
	Secret     string `group:"secret" placeholder:"TEXT" help:"The server's secret, if it was given one. Better given in LIVECHAT_SECRET."`
	SecretFile string `group:"secret" placeholder:"FILE" help:"The server's file of secrets, if it was given one."`
	Data       string `group:"secret" placeholder:"DIR" help:"The server's data directory, where the secret is that it generated."`
}

func (s *serversSecret) config() app.Config {
	return app.Config{Secret: s.Secret, SecretFile: s.SecretFile, Data: s.Data}
}

// tokenCommand mints a token with the server's secret, which it finds as the server does.
type tokenCommand struct {
	User  string        `required:"" group:"token" placeholder:"ID" help:"Who the person is: a name no one else has."`
	Name  string        `group:"token" placeholder:"NAME" help:"What the others see. Without it: the user id."`
	Admin bool          `group:"token" help:"May change and delete any channel."`
	TTL   time.Duration `name:"ttl" group:"token" placeholder:"TIME" help:"How long the token lets the person in."`

	pageAddress `group:"token"`

	Role        string   `group:"rights" placeholder:"ROLE" help:"guest, member, moderator or admin. Without it: member, or guest where the id begins with guest-."`
	Channel     []string `group:"rights" placeholder:"PATTERN" help:"Opens these channels and no others, such as ops-*; may be given several times."`
	Create      *bool    `negatable:"" group:"rights" help:"May make channels, whatever the role; --no-create: may not."`
	Publish     *bool    `negatable:"" group:"rights" help:"May talk, whatever the role; --no-publish: may listen only."`
	Chat        *bool    `negatable:"" group:"rights" help:"May write messages, whatever the role; --no-chat: may not."`
	Moderate    bool     `group:"rights" help:"May do what a moderator does, in the channels that the token opens."`
	Record      bool     `group:"rights" help:"May record there, as livechat talk --record does."`
	PriorityMax int      `group:"rights" placeholder:"N" help:"The highest priority with which the floor may be asked for, 0 to 255."`

	serversSecret
}

// Run prints the token, and nothing else, on standard output, and the link on standard
// error.
func (c *tokenCommand) Run() error {
	page, err := c.check()
	if err != nil {
		return err
	}
	if c.URL == "" {
		if running := app.RunningURL(context.Background(), c.Data); running != "" {
			page = running + "/"
		}
	}
	token, err := c.mint(time.Now())
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(os.Stdout, token)
	if err != nil {
		return fmt.Errorf("print the token: %w", err)
	}
	_, _ = fmt.Fprintf(os.Stderr, "the link with it: %s#token=%s\n", page, token)
	if onlyHere(page) {
		_, _ = fmt.Fprintln(os.Stderr, "It leads to this machine only; --url says where others find the page.")
	}
	if id, _, err := auth.Read(token); err == nil {
		_, _ = fmt.Fprintf(os.Stderr, "to take it back: livechat revoke %s\n", id)
	}
	return nil
}

// check finds what is wrong with the flags, and returns where the page is.
func (c *tokenCommand) check() (page string, _ error) {
	var mistakes []error
	page, err := c.page()
	if err != nil {
		mistakes = append(mistakes, err)
	}
	if err = auth.CheckUserID(c.User); err != nil {
		mistakes = append(mistakes, fmt.Errorf("--user=%q: %w", c.User, err))
	}
	if c.Name != "" {
		if _, err = auth.CleanName(c.Name); err != nil {
			mistakes = append(mistakes, fmt.Errorf("--name=%q: %w", c.Name, err))
		}
	}
	if c.TTL < auth.MinTTL || c.TTL > auth.MaxTTL {
		mistakes = append(mistakes, fmt.Errorf("--ttl=%s: must be %s to %s",
			app.ShortDuration(c.TTL), app.ShortDuration(auth.MinTTL), app.ShortDuration(auth.MaxTTL)))
	}
	if _, err = c.grants(); err != nil {
		mistakes = append(mistakes, err)
	}
	if err = c.config().CheckSecret(); err != nil {
		mistakes = append(mistakes, err)
	}
	if len(mistakes) > 0 {
		return "", &app.ConfigError{Mistakes: mistakes}
	}
	return page, nil
}

func (c *tokenCommand) mint(now time.Time) (string, error) {
	cfg := c.config()
	_, missing := os.Stat(cfg.KeptSecret())
	if _, none := os.Stat(c.Data); cfg.KeptSecret() != "" && c.Data != "" && errors.Is(none, fs.ErrNotExist) {
		return "", fmt.Errorf("there is no directory %s, so no server has its secret there: name the server's with --data, or start the server first", c.Data)
	}
	authority, err := cfg.Authority()
	if err != nil {
		return "", err
	}
	if kept := cfg.KeptSecret(); kept != "" && errors.Is(missing, fs.ErrNotExist) {
		// Said, not refused: minting the first token before the first start is fine where there is a place for the server.
		_, _ = fmt.Fprintf(os.Stderr, "note: generated a new secret in %s; a server that runs with another --secret, --data or user refuses this token\n",
			kept)
	}
	grants, err := c.grants()
	if err != nil {
		return "", err
	}
	id := auth.Identity{UserID: c.User, Name: c.Name, Grants: grants}
	if c.Admin {
		id.Role = auth.RoleAdmin
	}
	token, err := authority.Mint(id, now, c.TTL)
	if err != nil {
		return "", fmt.Errorf("mint the token: %w", err)
	}
	return token, nil
}

// grants are what the flags say beside the person.
func (c *tokenCommand) grants() (auth.Grants, error) {
	g := auth.Grants{
		Channels: c.Channel, Create: granted(c.Create), Publish: granted(c.Publish), Chat: granted(c.Chat),
		Moderate: c.Moderate, Record: c.Record, PriorityMax: c.PriorityMax,
	}
	if c.Role != "" {
		role, err := auth.ParseRole(c.Role)
		if err != nil {
			return g, fmt.Errorf("--role=%s: %w", c.Role, err)
		}
		g.Role = &role
	}
	if len(g.Channels) > auth.MaxPatterns {
		return g, fmt.Errorf("--channel: %d are too many, at most %d are allowed", len(g.Channels), auth.MaxPatterns)
	}
	for _, pattern := range g.Channels {
		if err := auth.CheckPattern(pattern); err != nil {
			return g, fmt.Errorf("--channel=%q: %w", pattern, err)
		}
	}
	if g.PriorityMax < 0 || g.PriorityMax > auth.MaxPriority {
		return g, fmt.Errorf("--priority-max=%d: must be 0 to %d", g.PriorityMax, auth.MaxPriority)
	}
	return g, nil
}

func granted(flag *bool) auth.Grant {
	switch {
	case flag == nil:
		return auth.Unsaid
	case *flag:
		return auth.Granted
	default:
		return auth.Withheld
	}
}
