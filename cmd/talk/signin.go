package talk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// place is where one goes, and by what.
type place struct {
	base    string // the server's page
	token   string
	invite  string
	channel string
}

// find reads an address: that of a page, or a link with something behind its #, as the page and the server's commands make them.
func (o *Options) find() (place, error) {
	text := strings.TrimSpace(o.URL)
	if !strings.Contains(text, "://") {
		scheme := "https://"
		host, _, _ := strings.Cut(text, "/")
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
			scheme = "http://"
		}
		text = scheme + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return place{}, fmt.Errorf("%w: %q is no address of a server; it must be like https://voice.example.org", ErrOption, o.URL)
	}
	behind, err := url.ParseQuery(u.Fragment)
	if err != nil {
		return place{}, fmt.Errorf("%w: %q is not a whole link; put it in quotes", ErrOption, o.URL)
	}
	u.Fragment, u.RawFragment, u.RawQuery, u.User = "", "", "", nil
	return place{
		base:    strings.TrimRight(u.String(), "/"),
		token:   cmp.Or(behind.Get("token"), o.Token),
		invite:  behind.Get("invite"),
		channel: cmp.Or(o.Channel, behind.Get("channel")),
	}, nil
}

// signIn finds out who one is. A login that comes of it is told, since it is told only once.
func (o *Options) signIn(ctx context.Context, p *place, notes func(format string, args ...any)) error {
	switch {
	case p.invite != "":
		request := protocol.InviteRequest{Secret: p.invite, Token: p.token}
		if p.token == "" {
			request.Name = o.Name
		}
		made, err := client.UseInvite(ctx, nil, p.base, request)
		if err != nil {
			return p.explain(err)
		}
		p.channel = cmp.Or(p.channel, made.ChannelID)
		if p.token == "" {
			p.token = made.Token
			notes("you are %s now; to come back as the same person, keep this and set it: LIVECHAT_TOKEN=%s", printable(made.Name), made.Token)
		}
	case p.token == "":
		guest, err := client.Guest(ctx, p.base, o.Name)
		if err != nil {
			return p.explain(err)
		}
		p.token = guest.Token
	}
	return nil
}

// explain says what to do about an error of coming in.
func (p *place) explain(err error) error {
	if refused, ok := errors.AsType[*protocol.Error](err); ok {
		advice := ""
		switch refused.Code {
		case protocol.CodeInvalidToken:
			advice = "ask whoever runs the server for another one (livechat token, livechat user login)"
		case protocol.CodeAccessDenied:
			advice = "guests may not come in there: give the link of an invite, or a token with LIVECHAT_TOKEN"
		case protocol.CodeNameTaken:
			advice = "choose another one with --name, or sign in as them with LIVECHAT_TOKEN"
		case protocol.CodeInvalidPayload:
			advice = "choose another name with --name"
		case protocol.CodeInvite:
			advice = "ask for another link"
		case protocol.CodeBanned, protocol.CodeSiteRefused, protocol.CodeRateLimited, protocol.CodeDraining:
			advice = "try again later, or ask whoever runs the server"
		default:
			return fmt.Errorf("%s refuses: %s", p.base, printable(refused.Reason))
		}
		return fmt.Errorf("%s refuses: %s; %s", p.base, printable(refused.Reason), advice)
	}
	if closed, ok := errors.AsType[*client.CloseError](err); ok {
		return fmt.Errorf("%s ended the connection: %s", p.base, printable(closed.Error()))
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("cannot reach %s: %w; does it run, and is the address right? \"livechat doctor %s\" tells more", p.base, err, p.base)
}
