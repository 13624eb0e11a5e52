package turn

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

const (
	// realm is the REALM of every challenge (RFC 8489, section 9.2.1). It is short
	// because it counts against what a stranger may be answered.
	realm = "livechat"
	// secretBytes is the size of the key of all credentials, in bytes.
	secretBytes = 32
	// maxUsernameBytes bounds a USERNAME (RFC 8489, section 14.3, allows 508 bytes): ours
	// have an expiry of ten digits and a session id.
	maxUsernameBytes = 256
)

// Credentials let one session use the relay: the username and password of an
// RTCIceServer. They cannot start anything after Expires.
type Credentials struct {
	Username, Password string
	Expires            time.Time
}

// minter makes and recognises credentials. Nothing is stored: the username carries the
// expiry and the session, and the password is a MAC of it. Immutable.
type minter struct {
	secret []byte
}

func newMinter() minter {
	secret := make([]byte, secretBytes)
	_, _ = rand.Read(secret) // never fails
	return minter{secret: secret}
}

// mint makes credentials that expire at the given time, rounded up to a second.
func (m minter) mint(session string, expires time.Time) Credentials {
	seconds := expires.Add(time.Second - 1).Unix()
	username := strconv.FormatInt(seconds, 10) + ":" + session
	return Credentials{Username: username, Password: m.password(username), Expires: time.Unix(seconds, 0)}
}

func (m minter) password(username string) string {
	mac := hmac.New(sha256.New, m.secret)
	mac.Write([]byte(username))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// parseUsername takes a username apart. Whether it is genuine shows only in the
// MESSAGE-INTEGRITY made with its password.
func parseUsername(username string) (session string, expires time.Time, ok bool) {
	if len(username) > maxUsernameBytes {
		return "", time.Time{}, false
	}
	seconds, session, ok := strings.Cut(username, ":")
	if !ok || session == "" {
		return "", time.Time{}, false
	}
	at, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil || strconv.FormatInt(at, 10) != seconds {
		return "", time.Time{}, false
	}
	return session, time.Unix(at, 0), true
}
