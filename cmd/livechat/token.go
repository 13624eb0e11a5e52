package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
)

const (
	// defaultTokenTTL is a working day and the night before it.
	defaultTokenTTL = 24 * time.Hour
	// maxTokenTTL bounds a token's life: a token cannot be taken back, except by changing
	// the secret for everybody.
	maxTokenTTL = 10 * 365 * 24 * time.Hour
)

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
	serversSecret
}

// Run prints the token, and nothing else, on standard output, and the link on standard
// error.
func (c *tokenCommand) Run() error {
	page, err := c.check()
	if err != nil {
		return err
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
	if c.TTL < auth.MinTTL || c.TTL > maxTokenTTL {
		mistakes = append(mistakes, fmt.Errorf("--ttl=%s: must be %s to %s",
			app.ShortDuration(c.TTL), app.ShortDuration(auth.MinTTL), app.ShortDuration(maxTokenTTL)))
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
	authority, err := cfg.Authority()
	if err != nil {
		return "", err
	}
	if kept := cfg.KeptSecret(); kept != "" && errors.Is(missing, fs.ErrNotExist) {
		// Said, not refused: minting the first token before the first start is fine.
		_, _ = fmt.Fprintf(os.Stderr, "note: generated a new secret in %s; a server that runs with another --secret, --data or user refuses this token\n",
			kept)
	}
	id := auth.Identity{UserID: c.User, Name: c.Name}
	if c.Admin {
		id.Role = auth.RoleAdmin
	}
	token, err := authority.Mint(id, now, c.TTL)
	if err != nil {
		return "", fmt.Errorf("mint the token: %w", err)
	}
	return token, nil
}
