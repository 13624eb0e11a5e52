package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// UseInvite asks the server at baseURL what the invite of a secret is, when d has only that, and else uses it. A refusal is a
// *protocol.Error. hc may be nil.
func UseInvite(ctx context.Context, hc *http.Client, baseURL string, d protocol.InviteRequest) (protocol.InviteAnswer, error) {
	var made protocol.InviteAnswer
	err := post(ctx, hc, baseURL, "/api/invite", d, &made)
	return made, err
}

// SignOut ends the login that a token is of, with its session. hc may be nil.
func SignOut(ctx context.Context, hc *http.Client, baseURL, token string) error {
	return post(ctx, hc, baseURL, "/api/signout", map[string]string{"token": token}, &struct{}{})
}

// post has the server carry out a request; the connection is not kept, so that no goroutine is left behind.
func post(ctx context.Context, hc *http.Client, baseURL, path string, in, into any) error {
	if hc == nil {
		hc = http.DefaultClient
	}
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(baseURL, "/")+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Close = true
	resp, err := hc.Do(req)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer resp.Body.Close() //nolint:errcheck // the answer has been read or given up
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if resp.StatusCode != http.StatusOK {
		return refusalIn(path, resp, answer)
	}
	if err = json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("%s: the answer is not JSON: %w", path, err)
	}
	return nil
}

// refusalIn returns the *protocol.Error in an answer that is no success.
func refusalIn(path string, resp *http.Response, answer []byte) error {
	refusal := &protocol.Error{}
	if err := json.Unmarshal(answer, refusal); err != nil || refusal.Code == 0 {
		return fmt.Errorf("%s: the server answered %s", path, resp.Status)
	}
	refusal.Op = protocol.OpIdentify // which is what it was for
	if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil {
		refusal.RetryAfterMS = (time.Duration(seconds) * time.Second).Milliseconds()
	}
	return refusal
}

// CreateInvite makes a link by which others come: the page's address, "#invite=" and the answer's Secret.
func (c *Client) CreateInvite(ctx context.Context, d protocol.InviteCreate) (protocol.InviteCreated, error) {
	var made protocol.InviteCreated
	err := c.Request(ctx, protocol.OpInviteCreate, d, &made)
	return made, err
}

// Invites returns the invites that the client's user made, an admin's all there are, the newest first.
func (c *Client) Invites(ctx context.Context) ([]protocol.Invite, error) {
	var list protocol.InviteList
	err := c.Request(ctx, protocol.OpInviteList, struct{}{}, &list)
	return list.Invites, err
}

// Passes returns who was let into a channel by invites, which its owner and admins may know.
func (c *Client) Passes(ctx context.Context, channelID string) ([]protocol.Pass, error) {
	var list protocol.InviteList
	err := c.Request(ctx, protocol.OpInviteList, protocol.InviteQuery{ChannelID: channelID}, &list)
	return list.Passes, err
}

// Uninvite has somebody who was let into a channel be let in no more, and leave it.
func (c *Client) Uninvite(ctx context.Context, channelID, userID string) error {
	return c.Request(ctx, protocol.OpInviteRevoke, protocol.InviteRef{ChannelID: channelID, UserID: userID}, nil)
}

// RevokeInvite makes an invite good for nothing.
func (c *Client) RevokeInvite(ctx context.Context, inviteID string) error {
	return c.Request(ctx, protocol.OpInviteRevoke, protocol.InviteRef{InviteID: inviteID}, nil)
}
