package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// key is a secret and what names it in "kid".
type key struct {
	secret []byte
	id     string
}

// keyring are the secrets of an Authority, never changed: the first signs, all verify.
type keyring []key

// newKeyring copies the secrets. The error wraps ErrSecrets and counts them from 1, as lines are.
func newKeyring(secrets [][]byte) (keyring, error) {
	if len(secrets) == 0 {
		return nil, fmt.Errorf("%w: there is none", ErrSecrets)
	}
	if len(secrets) > MaxSecrets {
		return nil, fmt.Errorf("%w: there are %d, at most %d are allowed", ErrSecrets, len(secrets), MaxSecrets)
	}
	keys := make(keyring, 0, len(secrets))
	for i, secret := range secrets {
		if n := len(secret); n < MinSecretBytes || n > MaxSecretBytes {
			return nil, fmt.Errorf("%w: number %d has %d bytes, %d to %d are allowed", ErrSecrets, i+1, n, MinSecretBytes, MaxSecretBytes)
		}
		sum := sha256.Sum256(secret)
		id := hex.EncodeToString(sum[:keyIDBytes])
		if _, twice := keys.find(id); twice {
			return nil, fmt.Errorf("%w: number %d was there before", ErrSecrets, i+1)
		}
		keys = append(keys, key{append([]byte(nil), secret...), id})
	}
	return keys, nil
}

// find returns the key with this id.
func (k keyring) find(id string) (key, bool) {
	for i := range k {
		if k[i].id == id {
			return k[i], true
		}
	}
	return key{}, false
}

// of returns the key that a token says it is signed with, or else the one that it is, or else the first, whose check will fail.
// It is called after the algorithm and before the signature is checked. Its errors are *carriedError.
func (k keyring) of(token *jwt.Token) (key, error) {
	// RFC 7515, section 4.1.11: extensions that are not understood must not be ignored,
	// and none are.
	if _, ok := token.Header["crit"]; ok {
		return key{}, &carriedError{fmt.Errorf("%w: critical header extensions are not supported", ErrTokenMalformed)}
	}
	named, has := token.Header["kid"]
	if !has {
		signed := token.Raw[:strings.LastIndexByte(token.Raw, '.')]
		for _, one := range k {
			if token.Method.Verify(signed, token.Signature, one.secret) == nil {
				return one, nil
			}
		}
		return k[0], nil
	}
	id, ok := named.(string)
	if !ok {
		return key{}, &carriedError{fmt.Errorf("%w: kid must be a string", ErrTokenMalformed)}
	}
	one, ok := k.find(id)
	if !ok {
		return key{}, &carriedError{ErrTokenKey}
	}
	return one, nil
}

// carriedError carries a reason of ours through the library's error.
type carriedError struct{ reason error }

func (e *carriedError) Error() string { return e.reason.Error() }

// Seal returns what only a server with one of these secrets can make of data, for a purpose: tokens and seals for another purpose
// are none. It lets nobody in.
func (a *Authority) Seal(purpose string, data []byte) []byte {
	return (*a.keys.Load())[0].seal(purpose, data)
}

// Sealed reports whether a seal is that of data.
func (a *Authority) Sealed(purpose string, data, seal []byte) bool {
	return slices.ContainsFunc(*a.keys.Load(), func(one key) bool { return hmac.Equal(seal, one.seal(purpose, data)) })
}

// Marks returns, for each secret in their order, what shows who has it too that it is the same, and nobody else anything. What it is made of
// must be as secret.
func (a *Authority) Marks(of []byte) []string {
	keys := *a.keys.Load()
	marks := make([]string, len(keys))
	for i := range keys {
		marks[i] = hex.EncodeToString(keys[i].seal("mark", of)[:markBytes])
	}
	return marks
}

// markBytes is how much of a mark is shown.
const markBytes = 16

func (k key) seal(purpose string, data []byte) []byte {
	mac := hmac.New(sha256.New, k.secret)
	// What a token's signature is of has no space in it (RFC 7515, section 5.1), and no purpose has a NUL.
	mac.Write([]byte("livechat seal " + purpose + "\x00"))
	mac.Write(data)
	return mac.Sum(nil)
}
