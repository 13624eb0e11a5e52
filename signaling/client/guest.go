package client

import (
	"context"
	"net/http"
)

// maxAnswerBytes bounds the answer to what is posted: a token with the longest name and user id stays under 2 KiB.
const maxAnswerBytes = 16 << 10

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
	var token GuestToken
	err := post(ctx, hc, baseURL, "/api/guest", map[string]string{"name": name}, &token)
	return token, err
}
