package auth

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/mini-livechat/mini-livechat/signaling/names"
)

// Sentinel errors of [Authority.Verify] and [Authority.Accepts]. Each wraps ErrInvalidToken, and what Verify
// returns wraps one of them; its text is a reason a developer can act on and gives no
// secret away.
var (
	ErrInvalidToken = errors.New("invalid token")
	// ErrTokenMalformed: not a JWT in compact form, or too long to be one of ours.
	ErrTokenMalformed = fmt.Errorf("%w: malformed", ErrInvalidToken)
	// ErrTokenAlgorithm: signed with another algorithm than HS256, or not at all.
	ErrTokenAlgorithm = fmt.Errorf("%w: the algorithm must be %s", ErrInvalidToken, algorithm)
	// ErrTokenKey: "kid" names another secret than this server's.
	ErrTokenKey = fmt.Errorf("%w: it was signed with another secret", ErrInvalidToken)
	// ErrTokenSignature: the signature does not fit; forged, damaged, or, without a
	// "kid", signed with another secret.
	ErrTokenSignature = fmt.Errorf("%w: the signature does not match this server's secret", ErrInvalidToken)
	// ErrTokenExpired: "exp" has passed.
	ErrTokenExpired = fmt.Errorf("%w: it has expired", ErrInvalidToken)
	// ErrTokenRevoked: it was good, and was taken back. An Authority does not know; who does says it in these words.
	ErrTokenRevoked = fmt.Errorf("%w: it was revoked", ErrInvalidToken)
	// ErrTokenNotYet: "nbf" or "iat" lies in the future.
	ErrTokenNotYet = fmt.Errorf("%w: it is not valid yet", ErrInvalidToken)
	// ErrTokenClaims: a required claim is missing or a claim has a value that is not allowed.
	ErrTokenClaims = fmt.Errorf("%w: bad claim", ErrInvalidToken)
)

// Sentinel errors of [New], [Authority.Use] and [Authority.Mint].
var (
	// ErrSecrets: there is none, or one is too short to sign with, too long to be meant as one, or there twice.
	ErrSecrets = errors.New("unsuitable secret")
	// ErrTTL: the life of a token must be MinTTL to MaxTTL.
	ErrTTL = errors.New("invalid time to live")
)

// algorithm is the only one accepted. A token does not choose how it is checked
// (RFC 8725, section 3.1).
const algorithm = "HS256"

// Authority mints and verifies tokens. All it has are its secrets, which [Authority.Use] exchanges; safe for use by any number of
// goroutines.
type Authority struct {
	keys  atomic.Pointer[keyring]
	apart func() time.Duration // as Tolerate was told; nil: it was not
}

// Tolerate says how far the clocks are apart, now, of machines that mint tokens for each other: a token is good that says it was made, or begins,
// that much later than now. It ends when it says all the same. It must not be called beside other methods.
func (a *Authority) Tolerate(apart func() time.Duration) { a.apart = apart }

// Apart is what Tolerate was told; 0 if it was not.
func (a *Authority) Apart() time.Duration {
	if a == nil || a.apart == nil {
		return 0
	}
	return max(a.apart(), 0)
}

// New returns the authority with these secrets, of which it keeps a copy: the first signs, all verify. The error wraps
// ErrSecrets.
func New(secrets ...[]byte) (*Authority, error) {
	a := new(Authority)
	if err := a.Use(secrets...); err != nil {
		return nil, err
	}
	return a, nil
}

// Use exchanges the secrets, all at once. On an error, which wraps ErrSecrets, they stay what they were.
func (a *Authority) Use(secrets ...[]byte) error {
	keys, err := newKeyring(secrets)
	if err != nil {
		return err
	}
	a.keys.Store(&keys)
	return nil
}

// Accepts returns nil while a token that was verified is still good: its secret is still one of ours, and its time is
// not over. Whether it was revoked is not its business.
func (a *Authority) Accepts(id *Identity, now time.Time) error {
	if _, ok := a.keys.Load().find(id.KeyID); !ok {
		return ErrTokenKey
	}
	if !now.Before(id.ExpiresAt) {
		return ErrTokenExpired
	}
	return nil
}

// Mint signs a token that says its bearer is id from now until now+ttl, in whole seconds. It has a name of its own, by which it
// can be revoked. The error wraps ErrUserID, ErrName, ErrGrants or ErrTTL.
func (a *Authority) Mint(id Identity, now time.Time, ttl time.Duration) (string, error) {
	if err := CheckUserID(id.UserID); err != nil {
		return "", err
	}
	name, err := nameFor(id)
	if err != nil {
		return "", err
	}
	if id.Name != "" { // else it is said nowhere, and follows from the id
		id.Name = name
	}
	if ttl < MinTTL || ttl > MaxTTL {
		return "", fmt.Errorf("%w: %s, %s to %s are allowed", ErrTTL, ttl, MinTTL, MaxTTL)
	}
	if err = id.Grants.check(); err != nil {
		return "", err
	}
	c := claims{
		RegisteredClaims: jwt.RegisteredClaims{
			ID:        cmp.Or(id.TokenID, rand.Text()),
			Issuer:    Issuer,
			Subject:   id.UserID,
			ExpiresAt: jwt.NewNumericDate(now.Add(ttl)),
			IssuedAt:  jwt.NewNumericDate(now),
		},
		Name:  id.Name,
		Admin: id.Role == RoleAdmin,
	}
	c.grant(id.Grants)
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, &c)
	signing := (*a.keys.Load())[0]
	token.Header["kid"] = signing.id
	signed, err := token.SignedString(signing.secret)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return signed, nil
}

// Verify returns whose token it is, with Name always set, and until when. The error wraps ErrInvalidToken
// and one of its particular kinds. Nothing in the token is believed before its signature
// was checked; only "alg" and "kid" are looked at earlier, to say better what is wrong. Whether it was revoked is not asked.
func (a *Authority) Verify(token string, now time.Time) (Identity, error) {
	if len(token) > MaxTokenBytes {
		return Identity{}, fmt.Errorf("%w: it has %d bytes, at most %d are allowed", ErrTokenMalformed, len(token), MaxTokenBytes)
	}
	// The base64 decoder skips line breaks, so that one token could be written in many ways.
	if strings.ContainsAny(token, "\r\n") {
		return Identity{}, fmt.Errorf("%w: it contains a line break", ErrTokenMalformed)
	}
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{algorithm}),
		jwt.WithStrictDecoding(),
		jwt.WithIssuer(Issuer),
		jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(),
		jwt.WithLeeway(Leeway+a.Apart()),
		jwt.WithTimeFunc(func() time.Time { return now }),
	)
	var c claims
	var with key
	parsed, err := parser.ParseWithClaims(token, &c, func(t *jwt.Token) (any, error) {
		var err error
		with, err = a.keys.Load().of(t)
		return with.secret, err
	})
	if err != nil {
		return Identity{}, explain(parsed, &c, err)
	}
	if err = c.check(now); err != nil {
		return Identity{}, err
	}
	grants, err := c.grants()
	if err != nil {
		return Identity{}, err
	}
	id := Identity{
		UserID: c.Subject, Name: c.Name, Role: roleOf(c, grants), Grants: grants,
		TokenID: c.ID, KeyID: with.id, ExpiresAt: now.Add(c.ExpiresAt.Sub(now)),
	}
	if c.IssuedAt != nil {
		id.IssuedAt = c.IssuedAt.Time
	}
	if id.Name, err = nameFor(id); err != nil {
		return Identity{}, fmt.Errorf("%w: name: %w", ErrTokenClaims, err)
	}
	return id, nil
}

// roleOf returns the role of a token's bearer. Of two that it says the higher counts.
func roleOf(c claims, g Grants) Role {
	switch {
	case c.Admin:
		return RoleAdmin
	case g.Role != nil:
		return *g.Role
	case IsGuest(c.Subject):
		return RoleGuest
	default:
		return RoleMember
	}
}

// Read returns what a token says of itself, and checks nothing: it may be anybody's writing. It is for who has the token in hand.
func Read(token string) (id string, expires time.Time, err error) {
	var c claims
	if _, _, err = jwt.NewParser().ParseUnverified(token, &c); err != nil {
		return "", time.Time{}, fmt.Errorf("%w: it cannot be read", ErrTokenMalformed)
	}
	if c.ExpiresAt != nil {
		expires = c.ExpiresAt.Time
	}
	return c.ID, expires, nil
}

// nameFor returns the display name of a token, without one the id. Who is an admin may be called so.
func nameFor(id Identity) (string, error) {
	if id.Name == "" {
		id.Name = nameOf(id.UserID)
	}
	if id.Role == RoleAdmin {
		return names.Visible(id.Name, MaxNameChars)
	}
	return CleanName(id.Name)
}

// explain turns the library's error into one of ours. The library joins every claim error
// it finds; the first that a developer would mend is named.
func explain(token *jwt.Token, c *claims, err error) error {
	if ours, ok := errors.AsType[*carriedError](err); ok {
		return ours.reason
	}
	switch {
	case token == nil:
		return fmt.Errorf("%w: a JWT has three parts with dots between them", ErrTokenMalformed)
	case errors.Is(err, jwt.ErrTokenMalformed):
		return fmt.Errorf("%w: its header, claims or signature cannot be decoded", ErrTokenMalformed)
	case token.Header["alg"] != algorithm:
		return ErrTokenAlgorithm
	case errors.Is(err, jwt.ErrTokenSignatureInvalid), errors.Is(err, jwt.ErrTokenUnverifiable):
		return ErrTokenSignature
	case errors.Is(err, jwt.ErrTokenInvalidIssuer), c.Issuer != Issuer:
		return fmt.Errorf("%w: iss must be %q", ErrTokenClaims, Issuer)
	case c.ExpiresAt == nil:
		return fmt.Errorf("%w: exp is required", ErrTokenClaims)
	case errors.Is(err, jwt.ErrTokenExpired):
		return c.expired()
	case errors.Is(err, jwt.ErrTokenNotValidYet):
		return fmt.Errorf("%w: nbf is %s", ErrTokenNotYet, c.NotBefore.UTC().Format(time.RFC3339))
	case errors.Is(err, jwt.ErrTokenUsedBeforeIssued):
		return fmt.Errorf("%w: iat is %s", ErrTokenNotYet, c.IssuedAt.UTC().Format(time.RFC3339))
	default:
		return ErrTokenClaims
	}
}
