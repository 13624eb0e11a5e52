package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"
)

// claims are the JWT claims of a token, as PROTOCOL.md lists them.
type claims struct {
	jwt.RegisteredClaims

	Name  string `json:"name,omitempty"`
	Admin bool   `json:"admin,omitempty"`

	// named: the token says for whom it is, be it for nobody.
	named bool
}

// errDuplicateClaim: which of two values counts would be for the parser to choose (RFC 7519, section 4).
var errDuplicateClaim = errors.New("a claim stands twice")

// UnmarshalJSON reads claims by their exact names (RFC 7519, section 4), each at most once, from valid UTF-8. The standard
// library's way would take "ADMIN" for "admin", the last of two, and a replacement character for every broken one, so that
// two different subjects became the same.
func (c *claims) UnmarshalJSON(data []byte) error {
	if !utf8.Valid(data) {
		return errors.New("the claims are not valid UTF-8")
	}
	into := map[string]any{
		"iss": &c.Issuer, "sub": &c.Subject, "aud": &c.Audience, "exp": &c.ExpiresAt, "nbf": &c.NotBefore,
		"iat": &c.IssuedAt, "jti": &c.ID, "name": &c.Name, "admin": &c.Admin,
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	if first, err := decoder.Token(); err != nil || first != json.Delim('{') {
		return errors.Join(err, errors.New("the claims are not a JSON object"))
	}
	seen := make(map[string]bool)
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return err //nolint:wrapcheck // the JWT library wraps it
		}
		name, _ := token.(string) // a key is nothing else
		if seen[name] {
			return fmt.Errorf("%w: %q: %w", ErrTokenClaims, name, errDuplicateClaim)
		}
		seen[name] = true
		target := into[name]
		if target == nil {
			target = new(json.RawMessage)
		}
		if err := decoder.Decode(strict(target)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	c.named = seen["aud"]
	return nil
}

// strict returns what reads a claim into target as target's type is written, and no other way.
func strict(target any) any {
	if date, ok := target.(**jwt.NumericDate); ok {
		return &numericDate{date}
	}
	return target
}

// numericDate reads a number (RFC 7519, section 2), where the library would take one in quotes too.
type numericDate struct{ to **jwt.NumericDate }

// UnmarshalJSON implements json.Unmarshaler.
func (d *numericDate) UnmarshalJSON(data []byte) error {
	if bytes.HasPrefix(data, []byte(`"`)) {
		return errors.New("it must be a number")
	}
	return json.Unmarshal(data, d.to) //nolint:wrapcheck // the JWT library wraps it
}

// check reports what is wrong with the claims of a token whose signature is good and whose dates the library has checked.
func (c *claims) check(now time.Time) error {
	// The leeway is for clocks that differ, where a token's maker says that it begins. Its end is its end: sessions go by it.
	if !now.Before(c.ExpiresAt.Time) {
		return c.expired()
	}
	if c.ExpiresAt.Year() > lastYear {
		return fmt.Errorf("%w: exp is after the year %d", ErrTokenClaims, lastYear)
	}
	// RFC 7519, section 4.1.3: a token that names its audience is for nobody else.
	if c.named && !slices.Contains(c.Audience, Audience) {
		return fmt.Errorf("%w: aud must be absent or have %q in it", ErrTokenClaims, Audience)
	}
	if err := CheckUserID(c.Subject); err != nil {
		return fmt.Errorf("%w: sub: %w", ErrTokenClaims, err)
	}
	if err := CheckTokenID(c.ID); err != nil && c.ID != "" {
		return fmt.Errorf("%w: jti: %w", ErrTokenClaims, err)
	}
	return nil
}

func (c *claims) expired() error {
	return fmt.Errorf("%w: at %s", ErrTokenExpired, c.ExpiresAt.UTC().Format(time.RFC3339))
}
