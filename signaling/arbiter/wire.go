package arbiter

import (
	"encoding/json"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/sfu/floor"
	"github.com/mini-livechat/mini-livechat/signaling/cluster"
)

// message is what a node says: whom it takes for those that may decide, or what concerns one channel. Times are told as distances from now, in
// nanoseconds, since other machines have other clocks.
type message struct {
	Sees    []cluster.NodeID `json:"sees,omitempty"`
	Channel string           `json:"c,omitempty"`
	Asked   *asked           `json:"a,omitempty"`
	Decided *decided         `json:"d,omitempty"`
}

type asked struct {
	To    string `json:"to"`
	Call  uint64 `json:"id,omitempty"`
	Over  bool   `json:"over,omitempty"`
	Term  uint64 `json:"t,omitempty"`
	Event *event `json:"e,omitempty"`
}

type event struct {
	Kind     string `json:"k"`
	User     string `json:"u,omitempty"`
	Priority uint8  `json:"p,omitempty"`
	Queue    bool   `json:"q,omitempty"`
	Grant    uint64 `json:"g,omitempty"`
}

type decided struct {
	Term    uint64   `json:"t"`
	Number  uint64   `json:"n"`
	First   uint64   `json:"f"`
	Lines   []state  `json:"l"`
	Over    bool     `json:"over,omitempty"`
	Effects []effect `json:"e,omitempty"`
	Node    string   `json:"to,omitempty"`
	Call    uint64   `json:"id,omitempty"`
	Heir    string   `json:"heir,omitempty"`
}

type state struct {
	Phase   int      `json:"at,omitempty"`
	Holder  *grant   `json:"h,omitempty"`
	Warned  bool     `json:"w,omitempty"`
	Ends    int64    `json:"ends,omitempty"`
	Waiting []waiter `json:"q,omitempty"`
	LastID  uint64   `json:"last,omitempty"`
}

type waiter struct {
	User     string `json:"u"`
	Priority uint8  `json:"p,omitempty"`
	Patient  bool   `json:"q,omitempty"`
}

type grant struct {
	User     string `json:"u"`
	ID       uint64 `json:"id"`
	Priority uint8  `json:"p,omitempty"`
	Since    int64  `json:"since"`
	Until    *int64 `json:"until,omitempty"` // nil: there is no end
}

// effect is any of package floor's. Which fields count depends on Kind.
type effect struct {
	Kind     string `json:"k"`
	User     string `json:"u,omitempty"`
	Grant    *grant `json:"g,omitempty"`
	Again    bool   `json:"again,omitempty"`
	Cause    int    `json:"why,omitempty"`
	By       string `json:"by,omitempty"`
	For      int64  `json:"for,omitempty"` // Grace, or Left
	Position int    `json:"pos,omitempty"`
	Size     int    `json:"of,omitempty"`
	Priority uint8  `json:"p,omitempty"`
	ID       uint64 `json:"id,omitempty"`
}

// messageOf is what is told of a channel's floors at now.
func messageOf(m sfu.FloorMessage, now time.Time) message {
	told := message{Channel: m.ChannelID}
	if a := m.Asked; a != nil {
		told.Asked = &asked{a.To, a.Call, a.Over, a.Term, eventOf(a.Event)}
	}
	if d := m.Decided; d != nil {
		told.Decided = &decided{Term: d.Term, Number: d.Number, First: d.First, Over: d.Over, Node: d.Node, Call: d.Call, Heir: d.Heir}
		for i := range d.Lines {
			told.Decided.Lines = append(told.Decided.Lines, stateOf(&d.Lines[i], now))
		}
		for _, e := range d.Effects {
			told.Decided.Effects = append(told.Decided.Effects, effectOf(e, now))
		}
	}
	return told
}

// floor is the other way round. What makes no sense is left out.
func (m *message) floor(channelID string, now time.Time) sfu.FloorMessage {
	heard := sfu.FloorMessage{ChannelID: channelID}
	if a := m.Asked; a != nil {
		heard.Asked = &sfu.FloorAsked{To: a.To, Call: a.Call, Over: a.Over, Term: a.Term, Event: a.Event.floor()}
		if a.Event != nil && heard.Asked.Event == nil {
			heard.Asked = nil
		}
	}
	if d := m.Decided; d != nil {
		h := &sfu.FloorDecided{Term: d.Term, Number: d.Number, First: d.First, Over: d.Over, Node: d.Node, Call: d.Call, Heir: d.Heir}
		for i := range min(len(d.Lines), len(h.Lines)) {
			h.Lines[i] = d.Lines[i].floor(now)
		}
		for i := range d.Effects {
			if e := d.Effects[i].floor(now); e != nil {
				h.Effects = append(h.Effects, e)
			}
		}
		heard.Decided = h
	}
	return heard
}

func eventOf(e floor.Event) *event {
	switch e := e.(type) {
	case floor.Request:
		return &event{Kind: "request", User: e.User, Priority: e.Priority, Queue: e.Queue}
	case floor.Release:
		return &event{Kind: "release", User: e.User, Grant: e.Grant}
	case floor.Ping:
		return &event{Kind: "ping", User: e.User, Grant: e.Grant}
	case floor.Leave:
		return &event{Kind: "leave", User: e.User}
	case floor.Revoke:
		return &event{Kind: "revoke", User: e.By, Grant: e.Grant}
	default:
		return nil
	}
}

func (e *event) floor() floor.Event {
	if e == nil {
		return nil
	}
	switch e.Kind {
	case "request":
		return floor.Request{User: e.User, Priority: e.Priority, Queue: e.Queue}
	case "release":
		return floor.Release{User: e.User, Grant: e.Grant}
	case "ping":
		return floor.Ping{User: e.User, Grant: e.Grant}
	case "leave":
		return floor.Leave{User: e.User}
	case "revoke":
		return floor.Revoke{By: e.User, Grant: e.Grant}
	default:
		return nil
	}
}

func stateOf(s *floor.State, now time.Time) state {
	told := state{Phase: int(s.Phase), Warned: s.Warned, LastID: s.LastID}
	switch s.Phase {
	case floor.PhaseTaken, floor.PhaseTailing:
		told.Holder = grantOf(&s.Holder, now)
	case floor.PhaseIdle, floor.PhasePausing:
	}
	if !s.Ends.IsZero() {
		told.Ends = int64(s.Ends.Sub(now))
	}
	for _, w := range s.Waiting {
		told.Waiting = append(told.Waiting, waiter(w))
	}
	return told
}

func (s *state) floor(now time.Time) floor.State {
	heard := floor.State{Phase: floor.Phase(s.Phase), Warned: s.Warned, LastID: s.LastID, Ends: now.Add(time.Duration(s.Ends))}
	if s.Phase < 0 || heard.Phase > floor.PhasePausing {
		heard.Phase = floor.PhaseIdle
	}
	if s.Holder != nil {
		heard.Holder = s.Holder.floor(now)
	}
	for _, w := range s.Waiting {
		heard.Waiting = append(heard.Waiting, floor.Waiter(w))
	}
	return heard
}

func grantOf(g *floor.Grant, now time.Time) *grant {
	told := &grant{User: g.User, ID: g.ID, Priority: g.Priority, Since: int64(g.Since.Sub(now))}
	if !g.Until.IsZero() {
		told.Until = new(int64(g.Until.Sub(now)))
	}
	return told
}

func (g *grant) floor(now time.Time) floor.Grant {
	if g == nil {
		return floor.Grant{}
	}
	heard := floor.Grant{User: g.User, ID: g.ID, Priority: g.Priority, Since: now.Add(time.Duration(g.Since))}
	if g.Until != nil {
		heard.Until = now.Add(time.Duration(*g.Until))
	}
	return heard
}

func effectOf(e floor.Effect, now time.Time) effect {
	switch e := e.(type) {
	case floor.Open:
		return effect{Kind: "open", User: e.User}
	case floor.Shut:
		return effect{Kind: "shut", User: e.User}
	case floor.Granted:
		return effect{Kind: "granted", Grant: grantOf(&e.Grant, now), Again: e.Again}
	case floor.Taken:
		return effect{Kind: "taken", Grant: grantOf(&e.Grant, now)}
	case floor.Idle:
		return effect{Kind: "idle"}
	case floor.Revoked:
		return effect{Kind: "revoked", Grant: grantOf(&e.Grant, now), Cause: int(e.Cause), By: e.By, For: int64(e.Grace)}
	case floor.Denied:
		return effect{Kind: "denied", User: e.User, Cause: int(e.Cause)}
	case floor.Queued:
		return effect{Kind: "queued", User: e.User, Position: e.Position, Size: e.Size, Priority: e.Priority}
	case floor.Released:
		return effect{Kind: "released", User: e.User}
	case floor.Pong:
		return effect{Kind: "pong", User: e.User, ID: e.ID, For: int64(e.Left)}
	case floor.Stale:
		return effect{Kind: "stale", User: e.User}
	default:
		return effect{}
	}
}

func (e *effect) floor(now time.Time) floor.Effect {
	switch e.Kind {
	case "open":
		return floor.Open{User: e.User}
	case "shut":
		return floor.Shut{User: e.User}
	case "granted":
		return floor.Granted{Grant: e.Grant.floor(now), Again: e.Again}
	case "taken":
		return floor.Taken{Grant: e.Grant.floor(now)}
	case "idle":
		return floor.Idle{}
	case "revoked":
		return floor.Revoked{Grant: e.Grant.floor(now), Cause: floor.Cause(e.Cause), By: e.By, Grace: time.Duration(e.For)}
	case "denied":
		return floor.Denied{User: e.User, Cause: floor.Cause(e.Cause)}
	case "queued":
		return floor.Queued{User: e.User, Position: e.Position, Size: e.Size, Priority: e.Priority}
	case "released":
		return floor.Released{User: e.User}
	case "pong":
		return floor.Pong{User: e.User, ID: e.ID, Left: time.Duration(e.For)}
	case "stale":
		return floor.Stale{User: e.User}
	default:
		return nil
	}
}

// encode is for what is made of numbers, texts and names.
func encode(m message) []byte {
	data, _ := json.Marshal(m)
	return data
}
