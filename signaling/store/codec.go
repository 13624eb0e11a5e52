package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
)

// UnknownKindError is that a fact is of a kind that this program does not know, as one that a newer version wrote.
type UnknownKindError struct{ Kind string }

func (e *UnknownKindError) Error() string {
	return fmt.Sprintf("%q is no kind of fact that this version knows; use the newer version", e.Kind)
}

// decoders read the fields of facts, by their kinds. These are all there are.
//
//nolint:gochecknoglobals // a constant in all but the language
var decoders = decodersOf(
	reader[ChannelSaved], reader[ChannelMade], reader[ChannelChanged], reader[ChannelDeleted],
	reader[MessagePosted], reader[MessageEdited], reader[MessageDeleted], reader[MessagesForgotten], reader[ChatCleared],
	reader[NoncesForgotten], reader[WordsForgotten], reader[ReadUpTo], reader[ReadsForgotten],
	reader[UserMade], reader[UserRenamed], reader[RoleGiven], reader[UserSeen], reader[UserDeleted], reader[MessagesParted], reader[PartingOver],
	reader[Admitted], reader[Unadmitted], reader[LoginMade], reader[LoginUsed], reader[LoginEnded], reader[LoginsForgotten],
	reader[TokenRevoked], reader[TokensRevoked], reader[RevocationsForgotten],
	reader[InviteMade], reader[InviteUsed], reader[InviteRevoked], reader[InvitesRevoked], reader[InvitesForgotten],
	reader[BanMade], reader[BansLifted], reader[BansForgotten], reader[Muted], reader[Done],
)

type decoder func(fields []byte) (Fact, error)

func decodersOf(all ...func() (string, decoder)) map[string]decoder {
	byKind := make(map[string]decoder, len(all))
	for _, one := range all {
		kind, read := one()
		byKind[kind] = read
	}
	return byKind
}

func reader[F Fact]() (kind string, read decoder) {
	var none F
	return none.Kind(), func(fields []byte) (Fact, error) {
		var f F
		err := decode(fields, &f)
		return f, err
	}
}

// logEntry is one call of Append as it is written in a log that several stores have in common.
type logEntry struct {
	// ID is the call's own: an entry that is in the log twice happens once.
	ID string `json:"id"`
	// At is when it happened, in milliseconds since the Unix epoch.
	At    int64      `json:"at"`
	Facts []factLine `json:"facts"`
}

// factLine is a fact in an entry. A field that is not known is a mistake as much as a kind: who passed over it would have other tables.
type factLine struct {
	Kind   string          `json:"kind"`
	Fields json.RawMessage `json:"fields"`
}

// encodeEntry writes a call of Append for a log.
func encodeEntry(id string, at time.Time, facts []Fact) ([]byte, error) {
	e := logEntry{ID: id, At: milliseconds(at), Facts: make([]factLine, len(facts))}
	for i, f := range facts {
		fields, err := json.Marshal(f)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Kind(), err)
		}
		e.Facts[i] = factLine{f.Kind(), fields}
	}
	return json.Marshal(e)
}

// decodeEntry reads what encodeEntry wrote. The error wraps an *UnknownKindError where that is what is wrong.
func decodeEntry(data []byte) (id string, at int64, facts []Fact, err error) {
	if !utf8.Valid(data) {
		return "", 0, nil, errors.New("it is not UTF-8")
	}
	var e logEntry
	if err = decode(data, &e); err != nil {
		return "", 0, nil, err
	}
	if e.ID == "" || len(e.Facts) == 0 {
		return "", 0, nil, errors.New("it has no id, or no facts")
	}
	facts = make([]Fact, len(e.Facts))
	for i, line := range e.Facts {
		read := decoders[line.Kind]
		if read == nil {
			return "", 0, nil, &UnknownKindError{line.Kind}
		}
		if facts[i], err = read(line.Fields); err != nil {
			return "", 0, nil, fmt.Errorf("%s: %w", line.Kind, err)
		}
	}
	return e.ID, e.At, facts, nil
}
