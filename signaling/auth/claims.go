package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"
)

// claims are the JWT claims of a token, as PROTOCOL.md lists them.
type claims struct {
	jwt.RegisteredClaims

	Name  string `json:"name,omitempty"`
	Admin bool   `json:"admin,omitempty"`
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
		if err := decoder.Decode(target); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}
