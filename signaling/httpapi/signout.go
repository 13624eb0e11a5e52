package httpapi

import (
	"errors"
	"net/http"

	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/people"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
	"github.com/mini-livechat/mini-livechat/signaling/store"
)

// SignOut answers POST /api/signout: the login that the token is of has ended, and its session with it. Of a token that is good for
// nothing there is nothing to end, and of one that is no login's neither.
type SignOut struct {
	Authority *auth.Authority
	People    *people.People
	Log       *zap.Logger
}

// ServeHTTP implements http.Handler.
func (s *SignOut) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !posted(w, r, s.Log) {
		return
	}
	var body struct {
		Token string `json:"token"`
	}
	if status, err := readBody(w, r, &body, `{"token":"…"}`); err != nil {
		refuse(w, s.Log, status, protocol.CodeInvalidPayload, err.Error())
		return
	}
	now := s.People.Now()
	id, err := s.Authority.Verify(body.Token, now)
	if err == nil {
		err = s.People.SignOut(r.Context(), id, now)
	}
	switch {
	case err == nil, errors.Is(err, auth.ErrInvalidToken):
		writeJSON(w, s.Log, http.StatusOK, struct{}{})
	case errors.Is(err, store.ErrTrouble), errors.Is(err, store.ErrClosed):
		code, reason := unkept(err)
		refuse(w, s.Log, http.StatusServiceUnavailable, code, reason)
	default:
		s.Log.Error("sign out", zap.Error(err))
		refuse(w, s.Log, http.StatusInternalServerError, protocol.CodeInternal, "internal error")
	}
}

// unkept says what the trouble of the memory is, in words for anybody.
func unkept(err error) (code protocol.ErrorCode, reason string) {
	if errors.Is(err, store.ErrUnsettled) {
		return protocol.CodeUnsettled, store.ErrUnsettled.Error()
	}
	return protocol.CodeStorage, store.ErrTrouble.Error()
}
