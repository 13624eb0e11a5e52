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

// maxGuestAnswerBytes bounds the answer to POST /api/guest: a token with the longest
// name and user id stays under 2 KiB.
const maxGuestAnswerBytes = 16 << 10

// GuestToken is a server's answer to a guest: who they are and the proof of it.
type GuestToken struct {
	Token  string `json:"token"`
	UserID string `json:"user_id"`
	Name   string `json:"name"`
}

// Guest asks the server at baseURL, such as "http://127.0.0.1:8080", for a guest's token
// under this display name. A refusal is a *protocol.Error whose Op is IDENTIFY, which is
// what the token is for.
func Guest(ctx context.Context, baseURL, name string) (GuestToken, error) {
	return GuestWith(ctx, http.DefaultClient, baseURL, name)
}

// GuestWith is Guest with an HTTP client of the caller's, for a proxy or a private
// certificate authority. The connection is not kept: a token is fetched once in a while.
func GuestWith(ctx context.Context, hc *http.Client, baseURL, name string) (GuestToken, error) {
	body, err := json.Marshal(map[string]string{"name": name})
	if err != nil {
		return GuestToken{}, fmt.Errorf("guest: %w", err)
	}
	url := strings.TrimRight(baseURL, "/") + "/api/guest"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return GuestToken{}, fmt.Errorf("guest: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Close = true // no idle connection, and so no goroutine, is left behind

	resp, err := hc.Do(req)
	if err != nil {
		return GuestToken{}, fmt.Errorf("guest: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // the answer has been read or given up
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxGuestAnswerBytes))
	if err != nil {
		return GuestToken{}, fmt.Errorf("guest: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return GuestToken{}, guestRefusal(resp, answer)
	}
	var token GuestToken
	if err := json.Unmarshal(answer, &token); err != nil {
		return GuestToken{}, fmt.Errorf("guest: answer is not JSON: %w", err)
	}
	return token, nil
}

func guestRefusal(resp *http.Response, answer []byte) error {
	refusal := &protocol.Error{Op: protocol.OpIdentify}
	if err := json.Unmarshal(answer, refusal); err != nil || refusal.Code == 0 {
		return fmt.Errorf("guest: the server answered %s", resp.Status)
	}
	refusal.Op = protocol.OpIdentify
	if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil {
		refusal.RetryAfterMS = (time.Duration(seconds) * time.Second).Milliseconds()
	}
	return refusal
}
