package doctor

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

const (
	nameWebSocket = "WebSocket"
	nameSignIn    = "Sign-in"

	// guestName is how this guest is called in the server's log; others do not see it.
	guestName = "Connection check"
	// clientName is how this program is called there.
	clientName = "doctor/1"
)

// connect checks the WebSocket and signs in. The client is nil when that fails.
func (x *examination) connect(ctx context.Context) *client.Client {
	hello := x.knock(ctx)
	x.add(hello)
	if hello.Status == Failed {
		return nil
	}
	c, check := x.signIn(ctx)
	x.add(check)
	return c
}

func (x *examination) gatewayURL() string {
	return "ws" + strings.TrimPrefix(x.base.String(), "http") + "/ws"
}

func (x *examination) tlsConfig() *tls.Config {
	return &tls.Config{RootCAs: x.opts.Roots, MinVersion: tls.VersionTLS12}
}

// knock opens the WebSocket as a browser does and waits for HELLO.
func (x *examination) knock(ctx context.Context) Check {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	dialer := websocket.Dialer{TLSClientConfig: x.tlsConfig()}
	// Browsers say which page they come from, and the server compares that with Host.
	origin := http.Header{"Origin": {x.base.Scheme + "://" + x.base.Host}}
	begin := time.Now()
	conn, resp, err := dialer.DialContext(ctx, x.gatewayURL(), origin)
	if resp != nil {
		defer resp.Body.Close() //nolint:errcheck // nothing in it matters
	}
	if err != nil {
		return x.noWebSocket(resp, err)
	}
	defer conn.Close() //nolint:errcheck // it was only a knock
	took := time.Since(begin)
	deadline, _ := ctx.Deadline()
	_ = conn.SetReadDeadline(deadline)
	conn.SetReadLimit(protocol.MaxFrameBytes)
	var hello protocol.Hello
	_, data, err := conn.ReadMessage()
	if err == nil {
		var frame protocol.Frame
		if frame, err = protocol.Decode(data); err == nil {
			err = frame.Bind(&hello)
		}
	}
	if err != nil || hello.Server == "" {
		return Check{nameWebSocket, Failed, "opened, but the server does not speak", []string{
			"Something between here and the server, most often a reverse proxy, holds WebSocket messages back: switch its buffering off for /ws.",
		}}
	}
	return Check{Name: nameWebSocket, Status: Good, Text: fmt.Sprintf("%s, opened in %s", hello.Server, roundTrip(took))}
}

// noWebSocket is the check when there is none; resp is the HTTP answer, if there was one.
func (x *examination) noWebSocket(resp *http.Response, err error) Check {
	c := Check{Name: nameWebSocket, Status: Failed, Advice: []string{wordsWebSocket}}
	switch {
	case resp == nil && errors.Is(err, context.DeadlineExceeded):
		c.Text = "no answer to the Upgrade request"
	case resp == nil:
		c.Text = "not opened: " + innermost(err)
	case resp.StatusCode == http.StatusUpgradeRequired || resp.StatusCode == http.StatusOK:
		c.Text = fmt.Sprintf("status %d: the Upgrade header did not reach the server", resp.StatusCode)
	case resp.StatusCode == http.StatusForbidden:
		c.Text = "status 403: the server takes this page for another site's"
		if reason := siteRefusal(resp); reason != "" {
			c.Text = "status 403: " + reason
		}
		c.Advice = []string{fmt.Sprintf("The reverse proxy must leave the Host header as it is, %s (nginx: proxy_set_header Host $http_host); "+
			"or start the server with --allow-origin=%s://%s.", x.base.Host, x.base.Scheme, x.base.Host)}
	case resp.StatusCode == http.StatusServiceUnavailable:
		c.Text = "status 503: the server has no room for another connection"
		c.Advice = []string{"It has as many connections as --max-sessions allows."}
	default:
		c.Text = fmt.Sprintf("status %d instead of 101", resp.StatusCode)
	}
	return c
}

// siteRefusal is the server's own reason in an answer of 403, "" when a proxy gave it.
func siteRefusal(resp *http.Response) string {
	var refusal protocol.Error
	if json.NewDecoder(resp.Body).Decode(&refusal) != nil || refusal.Code != protocol.CodeSiteRefused {
		return ""
	}
	return refusal.Reason
}

// signIn identifies, as a guest unless there is a token.
func (x *examination) signIn(ctx context.Context) (*client.Client, Check) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	failed := func(text string, advice ...string) (*client.Client, Check) {
		return nil, Check{nameSignIn, Failed, text, advice}
	}
	token, as := x.opts.Token, "by the token"
	if token == "" {
		hc := &http.Client{Transport: &http.Transport{TLSClientConfig: x.tlsConfig(), DisableKeepAlives: true}}
		guest, err := client.GuestWith(ctx, hc, x.base.String(), guestName)
		refusal, refused := errors.AsType[*protocol.Error](err)
		switch {
		case refused && refusal.Code == protocol.CodeAccessDenied:
			return failed("guests are not allowed", wordsNoGuests+
				" Mint one where the server runs, livechat token --user=doctor, and give it as --token or LIVECHAT_TOKEN.")
		case refused:
			return failed(refusal.Reason, "Try again in a moment.")
		case err != nil:
			return failed("no guest's token: "+innermost(err), "A reverse proxy must pass /api/guest on to the server, too.")
		}
		token, as = guest.Token, "as a guest"
	}
	c, err := client.Dial(ctx, x.gatewayURL(), client.Options{
		Token: token, ClientName: clientName, EventBuffer: -1, NoReconnect: true, Dialer: &websocket.Dialer{TLSClientConfig: x.tlsConfig()},
	})
	if refusal, refused := errors.AsType[*protocol.Error](err); refused {
		return failed("the token is refused: "+refusal.Reason,
			"Mint another one where the server runs: livechat token --user=doctor. If it is new, look at the clocks of both machines.")
	}
	if err != nil {
		return failed(innermost(err), "The connection was opened and then lost: look at the server's log.")
	}
	return c, Check{Name: nameSignIn, Status: Good, Text: as}
}
