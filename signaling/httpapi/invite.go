package httpapi

import (
	"errors"
	"net/http"

	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/signaling/admission"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/people"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
	"github.com/mini-livechat/mini-livechat/signaling/store"
)

// Invites answers POST /api/invite: what an invite is, and who uses it becomes a person. Which web pages may ask is for [Sites] to
// decide, before.
type Invites struct {
	// Authority verifies the tokens of people who are known already.
	Authority *auth.Authority
	People    *people.People
	// ChannelName returns what a channel is called, or "" when there is none.
	ChannelName func(channelID string) string
	// Door bounds how many people one address makes, and how often it guesses.
	Door *Door
	Log  *zap.Logger
}

// ServeHTTP implements http.Handler.
func (i *Invites) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !posted(w, r, i.Log) {
		return
	}
	var body protocol.InviteRequest
	if status, err := readBody(w, r, &body, `{"secret":"…","name":"Ada"}`); err != nil {
		refuse(w, i.Log, status, protocol.CodeInvalidPayload, err.Error())
		return
	}
	if !i.Door.mayTry(w, r) || body.Name != "" && !i.Door.admit(w, r, admission.MakeGuest) {
		return
	}
	made, err := i.carryOut(r, body)
	if errors.Is(err, people.ErrInvite) || errors.Is(err, auth.ErrInvalidToken) {
		i.Door.failed(r)
	}
	if err != nil {
		status, code, reason := i.explain(err)
		refuse(w, i.Log, status, code, reason)
		return
	}
	writeJSON(w, i.Log, http.StatusOK, made)
}

func (i *Invites) carryOut(r *http.Request, body protocol.InviteRequest) (protocol.InviteAnswer, error) {
	now := i.People.Now()
	invite, err := i.People.Look(r.Context(), body.Secret, now)
	if err != nil {
		return protocol.InviteAnswer{}, err
	}
	made := protocol.InviteAnswer{Role: invite.Role, ChannelID: invite.ChannelID, ByName: invite.ByName}
	if invite.ChannelID != "" {
		made.ChannelName = i.ChannelName(invite.ChannelID)
	}
	if invite.UserID != "" {
		person, failed := i.People.User(r.Context(), invite.UserID)
		if failed != nil {
			return protocol.InviteAnswer{}, failed
		}
		made.ForName = person.Name
	}
	if !invite.Until.IsZero() {
		made.ExpiresAt = invite.Until.UnixMilli()
	}
	var signing people.Signing
	switch {
	case body.Token != "":
		id, failed := i.Authority.Verify(body.Token, now)
		if failed != nil {
			return protocol.InviteAnswer{}, failed
		}
		signing, err = i.People.AcceptAs(r.Context(), body.Secret, id, now)
	case body.Name != "":
		from := people.OriginOf(admission.Network(i.Door.Proxies.Client(r)), body.Device)
		signing, err = i.People.Accept(r.Context(), body.Secret, body.Name, from, now)
	}
	made.Token, made.UserID, made.Name = signing.Token, signing.User.ID, signing.User.Name
	return made, err
}

// explain says what a client is told of an error.
func (i *Invites) explain(err error) (status int, code protocol.ErrorCode, reason string) {
	switch {
	case errors.Is(err, people.ErrInvite):
		return http.StatusGone, protocol.CodeInvite, err.Error()
	case isBanned(err):
		return http.StatusForbidden, protocol.CodeBanned, err.Error()
	case errors.Is(err, people.ErrNameTaken):
		return http.StatusConflict, protocol.CodeNameTaken, err.Error()
	case errors.Is(err, auth.ErrInvalidToken):
		return http.StatusUnauthorized, protocol.CodeInvalidToken, err.Error()
	case errors.Is(err, people.ErrUnknown):
		return http.StatusNotFound, protocol.CodeUserNotFound, err.Error()
	case errors.Is(err, auth.ErrName):
		return http.StatusBadRequest, protocol.CodeInvalidPayload, err.Error()
	case errors.Is(err, store.ErrTrouble), errors.Is(err, store.ErrClosed):
		code, reason := unkept(err)
		return http.StatusServiceUnavailable, code, reason
	default:
		i.Log.Error("invite", zap.Error(err))
		return http.StatusInternalServerError, protocol.CodeInternal, "internal error"
	}
}

func isBanned(err error) bool {
	_, banned := errors.AsType[*people.BannedError](err)
	return banned
}
