package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"

	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/people"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
	"github.com/mini-livechat/mini-livechat/signaling/store"
)

// Admin answers /api/admin/…, by which an operator's commands do what they do. It asks nobody who they are: it is served where only
// the operator gets to, or behind a Bearer.
type Admin struct {
	People *people.People
	// ChannelName returns what a channel is called, or "" when there is none.
	ChannelName func(channelID string) string
	// Ban keeps somebody out, by id or name, and returns their id.
	Ban func(ctx context.Context, by auth.Identity, idOrName string, lasts time.Duration, reason string) (userID string, err error)
	// PageURL is where the page of the server that runs is, by its own settings; empty: none runs.
	PageURL string
	// Live is the server that runs; nil: none does.
	Live *Live
	Log  *zap.Logger
}

// The bodies of requests and answers.
type (
	// AdminUser is a person.
	AdminUser struct {
		UserID    string     `json:"user_id"`
		Name      string     `json:"name"`
		Role      string     `json:"role"`
		CreatedAt time.Time  `json:"created_at"`
		SeenAt    *time.Time `json:"seen_at,omitempty"`
		// Logins is on how many browsers they are signed in, and Channels are those they were let into; only where one person is asked for.
		Logins   *int     `json:"logins,omitempty"`
		Channels []string `json:"channels,omitempty"`
	}
	// AdminUsers is a list of people; More says that there are more after the last.
	AdminUsers struct {
		Users []AdminUser `json:"users"`
		More  bool        `json:"more"`
	}
	// AdminServer is the server; its URL is empty while it does not run.
	AdminServer struct {
		URL string `json:"url"`
	}
	// AdminLogin is a link that signs somebody in.
	AdminLogin struct {
		User   AdminUser              `json:"user"`
		Invite protocol.InviteCreated `json:"invite"`
	}
	// AdminUserChange is what is to be changed of somebody; absent: nothing.
	AdminUserChange struct {
		Role *string `json:"role,omitempty"`
		Name *string `json:"name,omitempty"`
	}
)

// route is a method and a path of /api/admin, and what answers it.
type route struct {
	pattern string
	do      func(r *http.Request, w http.ResponseWriter) (any, error)
}

// routes are all but those that stream.
func (a *Admin) routes() []route {
	return append([]route{
		{"GET /api/admin/server", a.server},
		{"GET /api/admin/invites", a.invites},
		{"POST /api/admin/invites", a.invite},
		{"DELETE /api/admin/invites/{id}", a.revoke},
		{"GET /api/admin/users", a.users},
		{"GET /api/admin/users/{id}", a.user},
		{"PATCH /api/admin/users/{id}", a.change},
		{"DELETE /api/admin/users/{id}", a.remove},
		{"POST /api/admin/users/{id}/login", a.login},
		{"POST /api/admin/users/{id}/logout", a.logout},
		{"DELETE /api/admin/users/{id}/channels/{channel}", a.uninvite},
		{"POST /api/admin/tokens/revoke", a.revokeTokens},
		{"GET /api/admin/audit", a.audit},
		{"GET /api/admin/bans", a.bans},
		{"POST /api/admin/bans", a.ban},
		{"DELETE /api/admin/bans/{id}", a.liftBan},
	}, a.liveRoutes()...)
}

// Handler returns the handler of all of it.
func (a *Admin) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, route := range a.routes() {
		mux.HandleFunc(route.pattern, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "no-store")
			made, err := route.do(r, w)
			if err != nil {
				status, code := a.explain(err)
				refuse(w, a.Log, status, code, err.Error())
				return
			}
			writeJSON(w, a.Log, http.StatusOK, made)
		})
	}
	mux.HandleFunc("GET "+tracePath, a.trace)
	mux.HandleFunc("GET "+openAPIPath, a.openAPI)
	mux.HandleFunc("/api/admin/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, a.Log, http.StatusNotFound, protocol.CodeInvalidPayload, "there is no "+r.Method+" "+r.URL.Path+"; "+openAPIPath+" says what there is")
	})
	return mux
}

// badRequestError is what is wrong with a request, and the status that says so.
type badRequestError struct {
	status int
	error
}

func (a *Admin) explain(err error) (int, protocol.ErrorCode) {
	bad, isBad := errors.AsType[*badRequestError](err)
	refused, isRefused := errors.AsType[refusing](err)
	switch {
	case isRefused:
		code := refused.Refusal().Code
		return refusalStatus(code), code
	case isBad:
		return bad.status, protocol.CodeInvalidPayload
	case errors.Is(err, people.ErrUnknown):
		return http.StatusNotFound, protocol.CodeUserNotFound
	case errors.Is(err, people.ErrAccessDenied), errors.Is(err, people.ErrNotAllowed):
		return http.StatusForbidden, protocol.CodeAccessDenied
	case errors.Is(err, people.ErrInvite):
		return http.StatusNotFound, protocol.CodeInvite
	case errors.Is(err, people.ErrNameTaken):
		return http.StatusConflict, protocol.CodeNameTaken
	case errors.Is(err, errNoChannel), errors.Is(err, sfu.ErrChannelNotFound):
		return http.StatusNotFound, protocol.CodeChannelNotFound
	case errors.Is(err, sfu.ErrNotInChannel):
		return http.StatusConflict, protocol.CodeNotInChannel
	case errors.Is(err, sfu.ErrAlreadyInChannel):
		return http.StatusConflict, protocol.CodeAlreadyInChannel
	case errors.Is(err, sfu.ErrChannelFull):
		return http.StatusConflict, protocol.CodeChannelFull
	case errors.Is(err, sfu.ErrNobodyHolds):
		return http.StatusConflict, protocol.CodeNotHolder
	case errors.Is(err, errNotRunning):
		return http.StatusServiceUnavailable, protocol.CodeInternal
	case errors.Is(err, protocol.ErrPayload):
		return http.StatusBadRequest, protocol.CodeInvalidPayload
	case errors.Is(err, people.ErrBadRequest), errors.Is(err, auth.ErrName), errors.Is(err, auth.ErrRole):
		return http.StatusBadRequest, protocol.CodeInvalidPayload
	case errors.Is(err, store.ErrTrouble), errors.Is(err, store.ErrClosed):
		code, _ := unkept(err)
		return http.StatusServiceUnavailable, code
	default:
		return http.StatusInternalServerError, protocol.CodeInternal
	}
}

// refusing is what another node refused, or could not be asked for.
type refusing interface {
	error
	Refusal() protocol.Error
}

func refusalStatus(code protocol.ErrorCode) int {
	switch code {
	case protocol.CodeUserNotFound, protocol.CodeChannelNotFound:
		return http.StatusNotFound
	case protocol.CodeAccessDenied:
		return http.StatusForbidden
	case protocol.CodeNotInChannel, protocol.CodeAlreadyInChannel, protocol.CodeChannelFull, protocol.CodeNotHolder:
		return http.StatusConflict
	case protocol.CodeInvalidPayload:
		return http.StatusBadRequest
	case protocol.CodeUnsettled, protocol.CodeStorage:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}

var errNoChannel = errors.New("there is no such channel")

func (a *Admin) body(w http.ResponseWriter, r *http.Request, into any, example string) error {
	if status, err := readBody(w, r, into, example); err != nil {
		return &badRequestError{status, err}
	}
	return nil
}

func (a *Admin) server(*http.Request, http.ResponseWriter) (any, error) {
	return AdminServer{URL: a.PageURL}, nil
}

func (a *Admin) invites(r *http.Request, _ http.ResponseWriter) (any, error) {
	invites, err := a.People.Invites(r.Context(), by(r))
	list := protocol.InviteList{Invites: make([]protocol.Invite, len(invites))}
	for i, invite := range invites {
		list.Invites[i] = people.Wire(invite)
	}
	return list, err
}

func (a *Admin) invite(r *http.Request, w http.ResponseWriter) (any, error) {
	var d protocol.InviteCreate
	if err := a.body(w, r, &d, `{"role":"member","uses":5,"ttl_ms":86400000}`); err != nil {
		return nil, err
	}
	spec, err := people.SpecOf(d)
	if err != nil {
		return nil, err
	}
	if d.ChannelID != "" && a.ChannelName(d.ChannelID) == "" {
		return nil, errNoChannel
	}
	invite, secret, err := a.People.Invite(r.Context(), by(r), spec, a.People.Now())
	return protocol.InviteCreated{Invite: people.Wire(invite), Secret: secret}, err
}

func (a *Admin) revoke(r *http.Request, _ http.ResponseWriter) (any, error) {
	id := r.PathValue("id")
	return protocol.InviteRef{InviteID: id}, a.People.Revoke(r.Context(), by(r), id, a.People.Now())
}

func (a *Admin) users(r *http.Request, _ http.ResponseWriter) (any, error) {
	users, err := a.People.Users(r.Context(), r.URL.Query().Get("after"))
	list := AdminUsers{Users: make([]AdminUser, len(users)), More: len(users) == people.MaxUsers}
	for i, user := range users {
		list.Users[i] = adminUser(user)
	}
	return list, err
}

func (a *Admin) user(r *http.Request, _ http.ResponseWriter) (any, error) {
	person, err := a.People.User(r.Context(), r.PathValue("id"))
	user := adminUser(person.User)
	user.Logins, user.Channels = &person.Logins, person.Channels
	return user, err
}

// named returns whom the path names, by id or name.
func (a *Admin) named(r *http.Request) (people.Person, error) {
	return a.People.User(r.Context(), r.PathValue("id"))
}

func (a *Admin) change(r *http.Request, w http.ResponseWriter) (any, error) {
	var d AdminUserChange
	if err := a.body(w, r, &d, `{"role":"moderator"}`); err != nil {
		return nil, err
	}
	person, err := a.named(r)
	if err != nil {
		return nil, err
	}
	now := a.People.Now()
	if d.Name != nil {
		if err = a.People.Rename(r.Context(), person.ID, *d.Name, now); err != nil {
			return nil, err
		}
	}
	if d.Role != nil {
		role, failed := auth.ParseRole(*d.Role)
		if failed == nil {
			failed = a.People.SetRole(r.Context(), by(r), person.ID, role, now)
		}
		if failed != nil {
			return nil, failed
		}
	}
	person, err = a.People.User(r.Context(), person.ID)
	return adminUser(person.User), err
}

func (a *Admin) remove(r *http.Request, _ http.ResponseWriter) (any, error) {
	messages := r.URL.Query().Get("messages")
	if messages != "erase" && messages != "keep" {
		return nil, &badRequestError{http.StatusBadRequest, errors.New("say what becomes of the person's messages: ?messages=erase or ?messages=keep")}
	}
	person, err := a.named(r)
	if err != nil {
		return nil, err
	}
	return adminUser(person.User), a.People.Delete(r.Context(), by(r), person.ID, messages == "erase", a.People.Now())
}

func (a *Admin) login(r *http.Request, _ http.ResponseWriter) (any, error) {
	person, err := a.named(r)
	if err != nil {
		return nil, err
	}
	link, secret, err := a.People.SignInLink(r.Context(), by(r), person.ID, a.People.Now())
	return AdminLogin{adminUser(person.User), protocol.InviteCreated{Invite: people.Wire(link), Secret: secret}}, err
}

func (a *Admin) uninvite(r *http.Request, _ http.ResponseWriter) (any, error) {
	person, err := a.named(r)
	if err != nil {
		return nil, err
	}
	return adminUser(person.User), a.People.Uninvite(r.Context(), by(r), r.PathValue("channel"), person.ID, a.People.Now(), func() {})
}

func (a *Admin) logout(r *http.Request, _ http.ResponseWriter) (any, error) {
	person, err := a.named(r)
	if err != nil {
		return nil, err
	}
	return adminUser(person.User), a.People.Logout(r.Context(), by(r), person.ID, a.People.Now())
}

func (a *Admin) audit(r *http.Request, _ http.ResponseWriter) (any, error) {
	d := protocol.AuditRequest{Limit: people.MaxAudit}
	if before := r.URL.Query().Get("before"); before != "" {
		var err error
		if d.Before, err = strconv.ParseUint(before, 10, 63); err != nil {
			return nil, &badRequestError{http.StatusBadRequest, errors.New("before must be the seq of a deed")}
		}
	}
	return a.People.AuditPage(r.Context(), d, a.People.Now())
}

func (a *Admin) bans(r *http.Request, _ http.ResponseWriter) (any, error) {
	return a.People.AuditPage(r.Context(), protocol.AuditRequest{Bans: true}, a.People.Now())
}

func (a *Admin) ban(r *http.Request, w http.ResponseWriter) (any, error) {
	var d protocol.MemberBan
	if err := a.body(w, r, &d, `{"user_id":"user-…","duration_s":3600}`); err != nil {
		return nil, err
	}
	switch {
	case d.UserID == "":
		return nil, &badRequestError{http.StatusBadRequest, errors.New("user_id is missing; it is somebody's id or name")}
	case d.DurationS == nil || *d.DurationS < 0 || *d.DurationS > int64(people.MaxBan/time.Second):
		return nil, &badRequestError{http.StatusBadRequest, errors.New("a ban lasts up to a hundred years, or 0 for good")}
	case utf8.RuneCountInString(d.Reason) > protocol.MaxReasonChars:
		return nil, &badRequestError{http.StatusBadRequest, fmt.Errorf("the reason has more than %d characters", protocol.MaxReasonChars)}
	}
	userID, err := a.Ban(r.Context(), by(r), d.UserID, time.Duration(*d.DurationS)*time.Second, d.Reason)
	d.UserID = userID
	return d, err
}

func (a *Admin) liftBan(r *http.Request, _ http.ResponseWriter) (any, error) {
	id := r.PathValue("id")
	return protocol.BanLift{BanID: id}, a.People.LiftBan(r.Context(), by(r), id, a.People.Now())
}

func adminUser(u store.User) AdminUser {
	user := AdminUser{UserID: u.ID, Name: u.Name, Role: u.Role, CreatedAt: u.CreatedAt.UTC()}
	if !u.SeenAt.IsZero() {
		user.SeenAt = new(u.SeenAt.UTC())
	}
	return user
}
