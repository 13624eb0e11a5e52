package talk

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// screen says what happens in the channel. Its methods may be called from any goroutine.
type screen struct {
	json   bool
	self   func() string // a guest who comes back is another one
	broken chan struct{} // closed when something could not be printed

	mu       sync.Mutex
	out      io.Writer         // guarded by mu
	err      error             // the first of out; guarded by mu
	names    map[string]string // of all who were ever seen; guarded by mu
	speaking []string          // by user id; guarded by mu
}

func newScreen(out io.Writer, json bool, self func() string) *screen {
	return &screen{json: json, self: self, out: out, broken: make(chan struct{}), names: map[string]string{}}
}

// failure is what went wrong with printing, if anything did.
func (s *screen) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// line is what happened, for programs.
type line struct {
	At      time.Time         `json:"at"`
	Event   string            `json:"event"`
	Channel string            `json:"channel_id,omitempty"`
	UserID  string            `json:"user_id,omitempty"`
	Name    string            `json:"name,omitempty"`
	Text    string            `json:"text,omitempty"`
	Cause   string            `json:"cause,omitempty"`
	Who     []protocol.Member `json:"members,omitempty"`
	Speak   *[]string         `json:"speaking,omitempty"`
}

// say prints a line: plain for people, l for programs.
func (s *screen) say(l line, plain string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return
	}
	var err error
	if s.json {
		l.At = time.Now().UTC()
		err = json.NewEncoder(s.out).Encode(l)
	} else {
		_, err = fmt.Fprintf(s.out, plain+"\n", args...)
	}
	if err != nil {
		s.err = fmt.Errorf("what happens cannot be printed: %w", err)
		close(s.broken)
	}
}

// learn notes what people are called.
func (s *screen) learn(members ...protocol.Member) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range members {
		s.names[m.UserID] = m.Name
	}
}

// name is what somebody is called, or their id.
func (s *screen) name(userID string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if name := s.names[userID]; name != "" {
		return name
	}
	return userID
}

// arrived says who is there.
func (s *screen) arrived(call *client.Call) {
	members := call.Members()
	s.learn(members...)
	s.mu.Lock()
	s.speaking = nil
	s.mu.Unlock()
	others := make([]string, 0, len(members))
	for _, m := range members {
		if m.UserID != s.self() {
			others = append(others, printable(m.Name))
		}
	}
	here := "nobody else is there"
	if len(others) > 0 {
		here = "there: " + strings.Join(others, ", ")
	}
	s.say(line{Event: "joined", Channel: call.ChannelID(), Who: members}, "in %s; %s", printable(call.Joined().ChannelName), here)
}

// show says what an event means, when it is worth a line.
func (s *screen) show(call *client.Call, ev client.Event) {
	s.learn(call.Members()...) // of whom nobody has told where events were missed
	switch d := ev.Payload.(type) {
	case *protocol.ChannelEvent:
		if d.ChannelID == call.ChannelID() {
			s.showMember(d)
		}
	case *protocol.MessageEvent:
		if d.AuthorID == s.self() && !s.json {
			return // it stands there as it was typed
		}
		s.say(line{Event: "message", Channel: d.ChannelID, UserID: d.AuthorID, Name: d.AuthorName, Text: d.Content},
			"%s: %s", printable(d.AuthorName), printable(d.Content))
	case *protocol.Speakers:
		if d.ChannelID == call.ChannelID() {
			s.showSpeakers(d)
		}
	case *protocol.FloorTaken:
		if d.ChannelID == call.ChannelID() && d.UserID != s.self() {
			s.say(line{Event: "floor", Channel: d.ChannelID, UserID: d.UserID, Name: d.Name}, "%s has the floor", printable(d.Name))
		}
	case *protocol.FloorIdle:
		if d.ChannelID == call.ChannelID() {
			s.say(line{Event: "floor", Channel: d.ChannelID}, "the floor is free")
		}
	case *protocol.FloorRevoke:
		if d.GraceMS > 0 {
			s.say(line{Event: "floor_ends"}, "the floor is taken back in %d s", (d.GraceMS+999)/1000)
		}
	case *protocol.ModerationEvent:
		if d.Joined != nil { // the second one of a move
			s.arrived(call)
			return
		}
		s.showModeration(d)
	case *client.Disconnected:
		s.say(line{Event: "disconnected"}, "the connection is lost, trying again")
	case *client.Resumed:
		s.say(line{Event: "resumed"}, "the connection is back; nothing was missed")
	case *client.Reidentified:
		s.say(line{Event: "reconnected"}, "the connection is back; something may have been missed")
	case *client.Rejoined:
		s.arrived(call)
	case *client.Missed:
		s.say(line{Event: "missed"}, "%d events were missed", d.Count)
	}
}

func (s *screen) showMember(d *protocol.ChannelEvent) {
	if d.Member == nil || d.Member.UserID == s.self() {
		return
	}
	l := line{Event: string(d.Event), Channel: d.ChannelID, UserID: d.Member.UserID, Name: d.Member.Name, Cause: string(d.Cause)}
	switch d.Event {
	case protocol.ChannelEventJoin:
		s.learn(*d.Member)
		s.say(l, "%s has come", printable(d.Member.Name))
	case protocol.ChannelEventLeave:
		l.Name = s.name(d.Member.UserID)
		s.say(l, "%s has gone (%s)", printable(l.Name), d.Cause)
	default:
	}
}

// showSpeakers says who speaks, when it is others than before.
func (s *screen) showSpeakers(d *protocol.Speakers) {
	ids := make([]string, 0, len(d.Speakers))
	for _, speaker := range d.Speakers {
		ids = append(ids, speaker.UserID)
	}
	slices.Sort(ids)
	s.mu.Lock()
	same := slices.Equal(ids, s.speaking)
	s.speaking = ids
	s.mu.Unlock()
	if same {
		return
	}
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = printable(s.name(id))
	}
	text := "nobody speaks"
	if len(names) > 0 {
		text = "speaking: " + strings.Join(names, ", ")
	}
	s.say(line{Event: "speakers", Channel: d.ChannelID, Speak: &ids}, "%s", text)
}

func (s *screen) showModeration(d *protocol.ModerationEvent) {
	whom, by := printable(d.Name), "the operator"
	if d.UserID == s.self() {
		whom = "you"
	}
	if d.ByName != "" {
		by = printable(d.ByName)
	}
	text := fmt.Sprintf("%s: %s, by %s", d.Action, whom, by)
	if d.Reason != "" {
		text += ": " + printable(d.Reason)
	}
	s.say(line{Event: string(d.Action), Channel: d.ChannelID, UserID: d.UserID, Name: d.Name, Text: d.Reason}, "%s", text)
}

// printable makes what strangers wrote fit for a terminal; further lines are set in.
func printable(text string) string {
	return strings.ReplaceAll(strings.Map(func(r rune) rune {
		if r != '\n' && !unicode.IsPrint(r) && !unicode.Is(unicode.Cf, r) { // joiners make emoji of several
			return unicode.ReplacementChar
		}
		return r
	}, text), "\n", "\n  ")
}
