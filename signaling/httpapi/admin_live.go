package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/people"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
	"github.com/mini-livechat/mini-livechat/signaling/store"
)

// Live is what there is to see and to do while the server runs.
type Live struct {
	Status   func() protocol.AdminStatus
	Channels func() protocol.AdminChannels
	Channel  func(ctx context.Context, id string) (protocol.AdminChannel, error)
	Sessions func(ctx context.Context) protocol.AdminSessions
	Session  func(ctx context.Context, idOrName string) (protocol.AdminSession, error)
	Peers    func(ctx context.Context) protocol.AdminPeers
	Nodes    func(ctx context.Context) protocol.AdminNodes
	// WhoIs returns the id and name of somebody who is here, by either.
	WhoIs      func(idOrName string) (protocol.AdminDone, error)
	Kick       func(ctx context.Context, by auth.Identity, userID, reason string) error
	Mute       func(ctx context.Context, by auth.Identity, userID string, mute bool) error
	Move       func(ctx context.Context, by auth.Identity, userID, channelID string) error
	ClearFloor func(ctx context.Context, by auth.Identity, channelID, reason string) error
	// Drain lets nobody in from now on, or again, and says how many were told and how many of them have not read it.
	Drain func(ctx context.Context, drain bool) (told, unread int)
	// LogLevel sets the level of the log, unless it is empty, and returns it. The error is what is wrong with the level.
	LogLevel func(level string) (string, error)
	// Why says why the listener does not hear the talker, each by id or name.
	Why func(ctx context.Context, listener, talker string) (protocol.AdminWhy, error)
	// Trace shows what is said, until ctx is done or show fails.
	Trace func(ctx context.Context, channelID, user, op string, show func(protocol.AdminTraceLine) error) error
}

// tracePath is where frames are streamed as they come and go.
const tracePath = "/api/admin/trace"

var errNotRunning = errors.New("the server does not run, so there is nothing to see or to do; start it, or say where it is with --data or --server")

// liveRoutes are those of a server that runs.
func (a *Admin) liveRoutes() []route {
	live := []route{
		{"GET /api/admin/status", func(*http.Request, http.ResponseWriter) (any, error) { return a.Live.Status(), nil }},
		{"GET /api/admin/channels", func(*http.Request, http.ResponseWriter) (any, error) { return a.Live.Channels(), nil }},
		{"GET /api/admin/channels/{id}", func(r *http.Request, _ http.ResponseWriter) (any, error) {
			return a.Live.Channel(r.Context(), r.PathValue("id"))
		}},
		{"POST /api/admin/channels/{id}/floor/revoke", a.clearFloor},
		{"GET /api/admin/sessions", func(r *http.Request, _ http.ResponseWriter) (any, error) { return a.Live.Sessions(r.Context()), nil }},
		{"GET /api/admin/sessions/{id}", func(r *http.Request, _ http.ResponseWriter) (any, error) {
			return a.Live.Session(r.Context(), r.PathValue("id"))
		}},
		{"POST /api/admin/sessions/{id}/kick", a.kick},
		{"POST /api/admin/sessions/{id}/mute", a.mute},
		{"POST /api/admin/sessions/{id}/move", a.move},
		{"GET /api/admin/peers", func(r *http.Request, _ http.ResponseWriter) (any, error) { return a.Live.Peers(r.Context()), nil }},
		{"GET /api/admin/nodes", func(r *http.Request, _ http.ResponseWriter) (any, error) { return a.Live.Nodes(r.Context()), nil }},
		{"GET /api/admin/why", a.why},
		{"POST /api/admin/drain", a.drain},
		{"GET /api/admin/log-level", a.logLevel},
		{"PUT /api/admin/log-level", a.logLevel},
	}
	for i := range live {
		do := live[i].do
		live[i].do = func(r *http.Request, w http.ResponseWriter) (any, error) {
			if a.Live == nil {
				return nil, errNotRunning
			}
			return do(r, w)
		}
	}
	return live
}

// whom returns who is here of whom a path speaks.
func (a *Admin) whom(r *http.Request) (protocol.AdminDone, error) {
	return a.Live.WhoIs(r.PathValue("id"))
}

func (a *Admin) kick(r *http.Request, w http.ResponseWriter) (any, error) {
	var d protocol.AdminKick
	if err := a.body(w, r, &d, `{"reason":"shouting"}`); err != nil {
		return nil, err
	}
	who, err := a.whom(r)
	if err != nil {
		return nil, err
	}
	return who, a.Live.Kick(r.Context(), by(r), who.UserID, d.Reason)
}

func (a *Admin) mute(r *http.Request, w http.ResponseWriter) (any, error) {
	var d protocol.AdminMute
	if err := a.body(w, r, &d, `{"mute":true}`); err != nil {
		return nil, err
	}
	if d.Mute == nil {
		return nil, &badRequestError{http.StatusBadRequest, errors.New("mute is missing; it is true or false")}
	}
	who, err := a.whom(r)
	if errors.Is(err, people.ErrUnknown) && !*d.Mute { // who is not here can be unmuted all the same
		who, err = protocol.AdminDone{UserID: r.PathValue("id")}, nil
	}
	if err != nil {
		return nil, err
	}
	return who, a.Live.Mute(r.Context(), by(r), who.UserID, *d.Mute)
}

func (a *Admin) move(r *http.Request, w http.ResponseWriter) (any, error) {
	var d protocol.AdminMove
	if err := a.body(w, r, &d, `{"channel_id":"lobby"}`); err != nil {
		return nil, err
	}
	if d.ChannelID == "" {
		return nil, &badRequestError{http.StatusBadRequest, errors.New("channel_id is missing")}
	}
	who, err := a.whom(r)
	if err != nil {
		return nil, err
	}
	who.ChannelID = d.ChannelID
	return who, a.Live.Move(r.Context(), by(r), who.UserID, d.ChannelID)
}

func (a *Admin) why(r *http.Request, _ http.ResponseWriter) (any, error) {
	query := r.URL.Query()
	listener, talker := query.Get("listener"), query.Get("talker")
	if listener == "" || talker == "" {
		return nil, &badRequestError{http.StatusBadRequest, errors.New("say who does not hear whom: ?listener=…&talker=…")}
	}
	return a.Live.Why(r.Context(), listener, talker)
}

func (a *Admin) clearFloor(r *http.Request, w http.ResponseWriter) (any, error) {
	var d protocol.AdminKick
	if err := a.body(w, r, &d, `{"reason":"an emergency"}`); err != nil {
		return nil, err
	}
	id := r.PathValue("id")
	return protocol.AdminDone{ChannelID: id}, a.Live.ClearFloor(r.Context(), by(r), id, d.Reason)
}

func (a *Admin) drain(r *http.Request, w http.ResponseWriter) (any, error) {
	var d protocol.AdminDrain
	if err := a.body(w, r, &d, `{"draining":true}`); err != nil {
		return nil, err
	}
	if d.Draining == nil {
		return nil, &badRequestError{http.StatusBadRequest, errors.New("draining is missing; it is true or false")}
	}
	action := people.ActionUndrain
	if *d.Draining {
		action = people.ActionDrain
	}
	d.Told, d.Unread = a.Live.Drain(r.Context(), *d.Draining)
	a.note(r, action, "")
	return d, nil
}

func (a *Admin) logLevel(r *http.Request, w http.ResponseWriter) (any, error) {
	var d protocol.AdminLogLevel
	if r.Method == http.MethodPut {
		if err := a.body(w, r, &d, `{"level":"debug"}`); err != nil {
			return nil, err
		}
		if d.Level == "" {
			return nil, &badRequestError{http.StatusBadRequest, errors.New("level is missing; it is debug, info, warn or error")}
		}
	}
	level, err := a.Live.LogLevel(d.Level)
	if err != nil {
		err = &badRequestError{http.StatusBadRequest, err}
	} else if d.Level != "" {
		a.note(r, people.ActionLogLevel, level)
	}
	return protocol.AdminLogLevel{Level: level}, err
}

// note remembers what was done to the server. What cannot be remembered has been done all the same, and the log says so.
func (a *Admin) note(r *http.Request, action, how string) {
	if err := a.People.Note(r.Context(), by(r), auth.Identity{}, store.Deed{Action: action, Reason: how}, a.People.Now()); err != nil {
		a.Log.Error("what an operator did is not in the audit", zap.String("action", action), zap.Error(err))
	}
}

// trace streams frames as server-sent events (HTML, section 9.2): one line of data each, and a comment now and then while there are none.
func (a *Admin) trace(w http.ResponseWriter, r *http.Request) {
	if a.Live == nil {
		refuse(w, a.Log, http.StatusServiceUnavailable, protocol.CodeInternal, errNotRunning.Error())
		return
	}
	query, stream := r.URL.Query(), http.NewResponseController(w)
	for name := range query {
		if !slices.Contains([]string{"channel", "user", "op"}, name) {
			refuse(w, a.Log, http.StatusBadRequest, protocol.CodeInvalidPayload, fmt.Sprintf("there is no filter %q; they are channel, user and op", name))
			return
		}
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	begun := false
	send := func(text string) error {
		if !begun {
			begun = true
			w.Header().Set("Content-Type", "text/event-stream")
			w.Header().Set("Cache-Control", "no-store")
			w.WriteHeader(http.StatusOK)
		}
		_ = stream.SetWriteDeadline(time.Now().Add(traceWriteTimeout)) // a server has its own for all of an answer
		if _, err := fmt.Fprint(w, text); err != nil {
			return err
		}
		return stream.Flush()
	}
	_ = stream.SetReadDeadline(time.Time{})
	err := a.Live.Trace(ctx, query.Get("channel"), query.Get("user"), query.Get("op"), func(line protocol.AdminTraceLine) error {
		if line.Op == "" && line.Lost == 0 && len(line.Missing) == 0 {
			if refusal := still(r); refusal.Code != 0 {
				text, _ := json.Marshal(refusal) //nolint:errchkjson // it is ours
				return errors.Join(send("event: refused\ndata: "+string(text)+"\n\n"), errRefused)
			}
			return send(": nothing\n\n")
		}
		text, err := json.Marshal(line)
		if err != nil {
			return fmt.Errorf("trace: %w", err)
		}
		return send("data: " + string(text) + "\n\n")
	})
	if err != nil && !begun {
		w.Header().Set("Cache-Control", "no-store")
		status, code := http.StatusServiceUnavailable, protocol.CodeRateLimited
		if refused, ok := errors.AsType[refusing](err); ok {
			code = refused.Refusal().Code
			status = refusalStatus(code)
		}
		refuse(w, a.Log, status, code, err.Error())
	}
}

// errRefused ends what somebody may not have any more.
var errRefused = errors.New("refused")

// stillKey is the key of a request's context under which is what says whether who asks still may; then the code is 0.
type stillKey struct{}

func still(r *http.Request) Problem {
	if may, ok := r.Context().Value(stillKey{}).(func() Problem); ok {
		return may()
	}
	return Problem{}
}

// traceWriteTimeout is how long one who looks on may take to read what is sent.
const traceWriteTimeout = 15 * time.Second

// byKey is the key of a request's context under which is who asks.
type byKey struct{}

// by returns who asks: who showed a token, or else the operator.
func by(r *http.Request) auth.Identity {
	if id, ok := r.Context().Value(byKey{}).(auth.Identity); ok {
		return id
	}
	return people.Operator()
}
