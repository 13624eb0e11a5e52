// Package auth says who somebody is: it mints and verifies the signed tokens of
// PROTOCOL.md ("Tokens"), keeps the secrets they are signed with, and holds the rule for
// user ids; that for names is package names.
//
// It knows neither the wire nor the hubs nor what was revoked. Every function may be called from any goroutine. The clock is
// always an argument.
package auth

import "time"

// Limits and constants of tokens. The lengths are part of PROTOCOL.md.
const (
	// Issuer is the "iss" of every token.
	Issuer = "livechat"
	// Audience is what "aud" must have among its values when a token has one.
	Audience = "livechat"
	// MinSecretBytes is the shortest signing secret, in bytes: RFC 7518, section 3.2,
	// wants a key at least as long as the hash's output, 256 bits for HS256.
	MinSecretBytes = 32
	// MaxSecretBytes is the longest signing secret, in bytes. HMAC hashes anything over
	// 64 bytes down, so more than this is a mistake: another file given as the secret.
	MaxSecretBytes = 4 << 10
	// MaxSecrets is how many secrets there may be at once: a new one, an old one, and those of some who mint tokens themselves.
	MaxSecrets = 16
	// MaxTokenIDBytes is the longest name of a token ("jti"), in bytes.
	MaxTokenIDBytes = 128
	// MaxTokenBytes is the longest token looked at, in bytes. Ours take about 300; it
	// bounds what a stranger can make the server decode before the signature is checked.
	MaxTokenBytes = 8 << 10
	// MaxUserIDBytes is the longest user id (the token's "sub"), in bytes.
	MaxUserIDBytes = 128
	// MaxNameChars is the longest display name, in Unicode code points.
	MaxNameChars = 64
	// MaxTTL is how far ahead a token may expire: as long as it is remembered that somebody's tokens were revoked.
	MaxTTL = 10 * 365 * 24 * time.Hour
	// MinTTL is the shortest life of a token: "exp" counts whole seconds.
	MinTTL = time.Second
	// Leeway is how far the clocks of the minting and the verifying machine may differ
	// on "nbf" and "iat". NTP keeps machines within a second; half a minute also
	// forgives a virtual machine that has just been woken.
	Leeway = 30 * time.Second
)

// keyIDBytes is how much of the secret's SHA-256 names it in "kid": enough to tell a
// deployment's secrets apart, too little to be worth anything else.
const keyIDBytes = 8
