// Package httpapi is the part of the server that speaks plain HTTP and JSON. Its
// handlers hold no state but their rate limiters and may be called from any goroutine.
package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/signaling/admission"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/people"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// maxBody is the largest request body read, in bytes; a name takes 300, a token some more.
const maxBody = 4 << 10

// Guest answers POST /api/guest. Which web pages may ask is for [Sites] to decide, before.
type Guest struct {
	// Authority signs the tokens.
	Authority *auth.Authority
	// Allowed: guests are welcome.
	Allowed bool
	// TTL is how long a token is valid.
	TTL time.Duration
	// People know which names are taken.
	People *people.People
	// Door bounds how many guests one address makes.
	Door *Door
	Log  *zap.Logger
}

// GuestToken is the answer to POST /api/guest.
type GuestToken struct {
	Token  string `json:"token"`
	UserID string `json:"user_id"`
	Name   string `json:"name"`
}

// Problem is the body of every answer that is not a success.
type Problem struct {
	Code   protocol.ErrorCode `json:"code"`
	Reason string             `json:"reason"`
}

// ServeHTTP implements http.Handler.
func (g *Guest) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if posted(w, r, g.Log) {
		g.create(w, r)
	}
}

// posted reports whether a page posts something; else it has answered.
func posted(w http.ResponseWriter, r *http.Request, log *zap.Logger) bool {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Add("Vary", "Origin")
	if origin := r.Header.Get("Origin"); origin != "" {
		w.Header().Set("Access-Control-Allow-Origin", origin)
	}
	switch r.Method {
	case http.MethodPost:
		return true
	case http.MethodOptions: // a browser asking before a request from another origin
		w.Header().Set("Access-Control-Allow-Methods", http.MethodPost)
		w.Header().Set("Access-Control-Allow-Headers", "Content-Type")
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("Allow", strings.Join([]string{http.MethodPost, http.MethodOptions}, ", "))
		refuse(w, log, http.StatusMethodNotAllowed, protocol.CodeInvalidPayload, "use POST")
	}
	return false
}

func (g *Guest) create(w http.ResponseWriter, r *http.Request) {
	if !g.Allowed {
		g.refuse(w, http.StatusForbidden, protocol.CodeAccessDenied, "guests are not allowed here; ask for an access token")
		return
	}
	var body struct {
		Name *string `json:"name"`
	}
	if status, err := readBody(w, r, &body, `{"name":"Ada"}`); err != nil {
		g.refuse(w, status, protocol.CodeInvalidPayload, err.Error())
		return
	}
	if body.Name == nil {
		g.refuse(w, http.StatusBadRequest, protocol.CodeInvalidPayload, "name is missing")
		return
	}
	name, err := g.People.CheckGuestName(r.Context(), *body.Name)
	switch {
	case errors.Is(err, people.ErrNameTaken):
		g.refuse(w, http.StatusConflict, protocol.CodeNameTaken, err.Error())
		return
	case err != nil:
		g.refuse(w, http.StatusBadRequest, protocol.CodeInvalidPayload, err.Error())
		return
	}
	if !g.Door.admit(w, r, admission.MakeGuest) {
		return
	}
	id := auth.Identity{UserID: auth.GuestPrefix + strings.ToLower(ulid.Make().String()), Name: name}
	token, err := g.Authority.Mint(id, g.People.Now(), g.TTL)
	if err != nil {
		g.Log.Error("mint guest token", zap.Error(err))
		g.refuse(w, http.StatusInternalServerError, protocol.CodeInternal, "internal error")
		return
	}
	writeJSON(w, g.Log, http.StatusOK, GuestToken{Token: token, UserID: id.UserID, Name: id.Name})
}

// readBody reads the request's body; status goes with the error, which shows an example.
func readBody(w http.ResponseWriter, r *http.Request, into any, example string) (status int, err error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || !slices.Contains([]string{"application/json", "text/json"}, kind) {
		return http.StatusUnsupportedMediaType, errors.New("Content-Type must be application/json")
	}
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	if err = decoder.Decode(into); err != nil {
		if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return http.StatusRequestEntityTooLarge, fmt.Errorf("the body is larger than %d bytes", tooLarge.Limit)
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return http.StatusRequestTimeout, errors.New("the body did not come in time")
		}
		return http.StatusBadRequest, errors.New("the body must be a JSON object such as " + example)
	}
	return http.StatusOK, nil
}

func (g *Guest) refuse(w http.ResponseWriter, status int, code protocol.ErrorCode, reason string) {
	refuse(w, g.Log, status, code, reason)
}

// refuse answers with a Problem.
func refuse(w http.ResponseWriter, log *zap.Logger, status int, code protocol.ErrorCode, reason string) {
	writeJSON(w, log, status, Problem{Code: code, Reason: reason})
}

// writeJSON writes body as JSON.
func writeJSON(w http.ResponseWriter, log *zap.Logger, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		log.Debug("answer lost", zap.Error(err))
	}
}
