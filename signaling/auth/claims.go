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

	Role        string   `json:"role,omitempty"`
	Channels    []string `json:"channels,omitzero"` // empty is not absent
	Create      *bool    `json:"create,omitempty"`
	Publish     *bool    `json:"publish,omitempty"`
	Chat        *bool    `json:"chat,omitempty"`
	Moderate    bool     `json:"moderate,omitempty"`
	Record      bool     `json:"record,omitempty"`
	PriorityMax int      `json:"priority_max,omitempty"`

	// said are the names of the claims that are there.
	said map[string]bool
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
		"role": &c.Role, "channels": &c.Channels, "create": &c.Create, "publish": &c.Publish, "chat": &c.Chat,
		"moderate": &c.Moderate, "record": &c.Record, "priority_max": &c.PriorityMax,
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	if first, err := decoder.Token(); err != nil || first != json.Delim('{') {
		return errors.Join(err, errors.New("the claims are not a JSON object"))
	}
	c.said = make(map[string]bool)
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return err //nolint:wrapcheck // the JWT library wraps it
		}
		name, _ := token.(string) // a key is nothing else
		if c.said[name] {
			return &carriedError{fmt.Errorf("%w: %q: %w", ErrTokenClaims, name, errDuplicateClaim)}
		}
		c.said[name] = true
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return err //nolint:wrapcheck // the JWT library wraps it
		}
		if err := read(value, into[name]); err != nil {
			return &carriedError{fmt.Errorf("%w: %s: %w", ErrTokenClaims, name, err)}
		}
	}
	return nil
}

// read reads a claim's value into target, which is nil for a claim that is not ours. The library takes null for whatever is absent,
// which would make "publish": null a right, and a number in quotes for one without.
func read(value json.RawMessage, target any) error {
	if target == nil {
		return nil
	}
	_, date := target.(**jwt.NumericDate)
	if string(value) == "null" || date && value[0] == '"' {
		return errors.New("it is not of the right type")
	}
	if list, ok := target.(*[]string); ok {
		return readStrings(value, list)
	}
	if json.Unmarshal(value, target) != nil {
		return errors.New("it is not of the right type")
	}
	return nil
}

// readStrings reads a list of texts, none of them null.
func readStrings(value json.RawMessage, list *[]string) error {
	var texts []*string
	if json.Unmarshal(value, &texts) != nil || slices.Contains(texts, nil) {
		return errors.New("it is not a list of texts")
	}
	*list = make([]string, len(texts))
	for i, text := range texts {
		(*list)[i] = *text
	}
	return nil
}

// grants are what the claims say that the bearer may; the error wraps ErrTokenClaims.
func (c *claims) grants() (Grants, error) {
	g := Grants{
		Channels: c.Channels, Create: grantOf(c.Create), Publish: grantOf(c.Publish), Chat: grantOf(c.Chat),
		Moderate: c.Moderate, Record: c.Record, PriorityMax: c.PriorityMax,
	}
	if c.said["role"] {
		role, err := ParseRole(c.Role)
		if err != nil {
			return Grants{}, fmt.Errorf("%w: role: %w", ErrTokenClaims, err)
		}
		g.Role = &role
	}
	if err := g.check(); err != nil {
		return Grants{}, fmt.Errorf("%w: %w", ErrTokenClaims, err)
	}
	return g, nil
}

// grant is the inverse of grants.
func (c *claims) grant(g Grants) {
	c.Channels, c.Create, c.Publish, c.Chat = g.Channels, g.Create.claim(), g.Publish.claim(), g.Chat.claim()
	c.Moderate, c.Record, c.PriorityMax = g.Moderate, g.Record, g.PriorityMax
	if g.Role != nil {
		c.Role = g.Role.String()
	}
}

// check reports what is wrong with the claims of a token whose signature is good and whose dates the library has checked.
func (c *claims) check(now time.Time) error {
	// The leeway is for clocks that differ, where a token's maker says that it begins. Its end is its end: sessions go by it.
	if !now.Before(c.ExpiresAt.Time) {
		return c.expired()
	}
	if c.ExpiresAt.After(now.Add(MaxTTL + Leeway)) {
		return fmt.Errorf("%w: exp is more than ten years ahead", ErrTokenClaims)
	}
	// RFC 7519, section 4.1.3: a token that names its audience is for nobody else.
	if c.said["aud"] && !slices.Contains(c.Audience, Audience) {
		return fmt.Errorf("%w: aud must be absent or have %q in it", ErrTokenClaims, Audience)
	}
	if err := CheckUserID(c.Subject); err != nil {
		return fmt.Errorf("%w: sub: %w", ErrTokenClaims, err)
	}
	if err := CheckTokenID(c.ID); err != nil && c.said["jti"] {
		return fmt.Errorf("%w: jti: %w", ErrTokenClaims, err)
	}
	return nil
}

func (c *claims) expired() error {
	return fmt.Errorf("%w: at %s", ErrTokenExpired, c.ExpiresAt.UTC().Format(time.RFC3339))
}
