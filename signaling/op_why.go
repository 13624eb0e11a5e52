package signaling

import (
	"context"
	"crypto/rand"
	"errors"
	"math"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/signaling/cluster"
	"github.com/mini-livechat/mini-livechat/signaling/people"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
	"github.com/mini-livechat/mini-livechat/signaling/why"
)

// playbackPatience is how long a client may take to say how it plays somebody: it looks for a second, and its network may be bad.
const playbackPatience = 3 * time.Second

// reportsOld is how old what reports say may be to say anything of now.
const reportsOld = 30 * time.Second

// mediaEnd is how a session's media ended by itself.
type mediaEnd struct {
	channelID string
	text      string
}

// noteMediaEnd keeps why somebody is out of a channel who did not ask for it.
func (g *Gateway) noteMediaEnd(userID, channelID string, cause sfu.LeaveCause, err error) {
	s := g.users.Get(userID)
	if s == nil || cause == sfu.LeaveHungUp {
		return
	}
	text := cause.String()
	if err != nil {
		text += ": " + err.Error()
	}
	s.mediaEnd.Store(&mediaEnd{channelID, text})
}

// whyNotHeard says why the user does not hear somebody. Of who is in no channel of which they may know it says no more than that.
func whyNotHeard(ctx context.Context, s *Session, r *request) error {
	var d protocol.Why
	if err := r.frame.Bind(&d); err != nil {
		return err
	}
	if d.UserID == "" {
		return payloadError("d.user_id is missing")
	}
	now := time.Now()
	facts := s.gw.facts(s, d.UserID, s.gw.said(ctx, d.UserID, now), now)
	if there := facts.Talker.Channel; facts.Hidden || there == "" && !s.sawMediaEnd(d.UserID) {
		facts.Talker = why.Party{}
	}
	facts.Playback = playbackOf(d.Playback)
	steps := why.Walk(facts)
	r.ack(found(d.UserID, steps[len(steps)-1]))
	return nil
}

// sawMediaEnd reports whether the user was told why somebody is in no channel any more: they were in the same one.
func (s *Session) sawMediaEnd(userID string) bool {
	other, m := s.gw.users.Get(userID), s.member.Load()
	if other == nil || m == nil {
		return false
	}
	end := other.mediaEnd.Load()
	return end != nil && end.channelID == m.Channel().ID()
}

func found(userID string, step why.Step) protocol.WhyFound {
	words := step.Cause.Words()
	return protocol.WhyFound{
		UserID: userID, Cause: string(step.Cause), Link: string(step.Link), Side: string(words.Side), What: words.What, Mend: words.Mend,
	}
}

// WhyReport is all that was found of why somebody is not heard.
type WhyReport struct {
	Listener, Talker protocol.Listener // who they are
	protocol.WhyFound
	Steps []why.Step
	// Asked: the listener's client was asked how it plays; Playback is what it said, nil for nothing in time.
	Asked    bool
	Playback *protocol.Playback
}

// Wire is the report as an operator gets it.
func (r *WhyReport) Wire() protocol.AdminWhy {
	wire := protocol.AdminWhy{
		Listener: r.Listener, Talker: r.Talker, Found: r.WhyFound, Asked: r.Asked, Playback: r.Playback, Steps: make([]protocol.AdminWhyStep, len(r.Steps)),
	}
	for i, s := range r.Steps {
		wire.Steps[i] = protocol.AdminWhyStep{Link: string(s.Link), Cause: string(s.Cause), Saw: s.Saw}
	}
	return wire
}

// Why finds out for the operator why the listener does not hear the talker, both by id or, while they are here, by a name that only
// they have. It asks the listener's client, and so takes some seconds. Where the listener is on another node, that one finds it out. The error
// wraps people.ErrUnknown.
func (g *Gateway) Why(ctx context.Context, listener, talker string) (WhyReport, error) {
	l, at, err := g.somebody(listener)
	if err != nil {
		return WhyReport{}, err
	}
	if l == nil {
		var report WhyReport
		return report, g.others.inquire(ctx, at.Node, question{About: aboutWhy, Of: at.UserID, And: talker}, &report)
	}
	report := WhyReport{Listener: protocol.Listener{UserID: l.userID, Name: l.name}}
	if report.Talker, err = g.talker(ctx, talker); err != nil {
		return WhyReport{}, err
	}
	if report.Asked = l.plays && report.Talker.Name != ""; report.Asked {
		report.Playback = l.asks.ask(ctx, l, report.Talker.UserID)
	}
	now := time.Now()
	said := g.said(ctx, report.Talker.UserID, now)
	facts := g.facts(l, report.Talker.UserID, said, now)
	facts.Hidden = false // nothing is, from the operator
	facts.Playback = playbackOf(report.Playback)
	report.Steps = why.Walk(facts)
	report.WhyFound = found(report.Talker.UserID, report.Steps[len(report.Steps)-1])
	return report, nil
}

// talker returns who is called so: who is here or on another node, or else is known; then without a name.
func (g *Gateway) talker(ctx context.Context, idOrName string) (protocol.Listener, error) {
	s, at, err := g.somebody(idOrName)
	switch {
	case errors.Is(err, people.ErrUnknown):
		who, failed := g.cfg.People.Whom(ctx, idOrName)
		if at, gone := g.others.where(idOrName); gone { // with their node
			return protocol.Listener{UserID: idOrName, Name: at.Name}, nil
		}
		if s, at, err = g.somebody(who.UserID); failed != nil || err != nil {
			return protocol.Listener{UserID: who.UserID}, failed
		}
	case err != nil:
		return protocol.Listener{}, err
	}
	if s != nil {
		return protocol.Listener{UserID: s.userID, Name: s.name}, nil
	}
	return protocol.Listener{UserID: at.UserID, Name: at.Name}, nil
}

// spoken is what the node of one who is not heard knows of them.
type spoken struct {
	Party              why.Party
	Turns, Open, Holds bool // Holds: somebody has the floor
	Voice              why.Voice
	// End is what their node knows of the way to another one, from is that node; zero where it is this one.
	End  why.End
	from cluster.NodeID
}

// spoken is what is known of what the session's user says.
func (s *Session) spoken(now time.Time) spoken {
	said := spoken{Party: s.party()}
	if said.Party.Channel == "" {
		return said
	}
	h := s.member.Load().Said(now)
	fill(&said.Party, h.Talker, &h.TalkerMedia, now)
	said.Turns, said.Open, said.Holds = h.Turns, h.Open, h.Holder != ""
	newest := h.TalkerMedia.Newest
	said.Voice = why.Voice{
		Came: !newest.IsZero(), Newest: now.Sub(newest), Levels: h.TalkerMedia.Levels, Sounded: !h.Voice.Sounded.IsZero(),
		Silent: now.Sub(h.Voice.Sounded), Speaking: h.Voice.Speaking,
	}
	return said
}

// said is what is known of what somebody says, who may be on another node. Of who is on none it is nothing.
func (g *Gateway) said(ctx context.Context, userID string, now time.Time) spoken {
	if s := g.users.Get(userID); s != nil {
		return s.spoken(now)
	}
	at, elsewhere := g.others.where(userID)
	if !elsewhere {
		return spoken{}
	}
	found, err := g.others.ask(ctx, at.Node, deed{Op: protocol.OpWhy, UserID: userID})
	if refused, ok := errors.AsType[*refusedError](err); ok && refused.refusal.Code == protocol.CodeUserNotFound { // they have just gone
		return spoken{}
	}
	if err != nil || found.Said == nil {
		return spoken{Party: why.Party{Here: true, Channel: at.Channel, Gone: at.Node.Name}}
	}
	found.Said.from = at.Node
	return *found.Said
}

// facts are what is known of one who is not heard, and of one who does not hear.
func (g *Gateway) facts(listener *Session, userID string, said spoken, now time.Time) why.Facts {
	f := why.Facts{Yourself: listener.userID == userID, Listener: listener.party(), Talker: said.Party}
	var there *sfu.Channel
	if f.Talker.Channel != "" {
		channel, err := g.channels.Get(f.Talker.Channel)
		if err != nil {
			return f
		}
		there = channel
		info := there.Info()
		f.Hidden = !listener.sees(&info)
	}
	if f.Talker.Channel == "" || f.Listener.Channel == "" {
		return f
	}
	h := listener.member.Load().Hears(there, userID)
	f.Together, f.Tuned, f.Excluded = h.Together, h.Tuned, h.Excluded
	f.Turns, f.Open, f.Holder, f.Voice = said.Turns, said.Open, said.Holds, said.Voice
	fill(&f.Listener, h.Listener, &h.ListenerMedia, now)
	if said.from != (cluster.NodeID{}) && g.cfg.Ways != nil {
		f.Between = &why.Between{Node: said.from.Name, There: said.End, Here: g.cfg.Ways(said.from, f.Talker.Channel, userID, now)}
	}
	if f.Slots = len(h.Slots) - h.ScannerSlots; !h.Together {
		f.Slots = h.ScannerSlots
	}
	if f.Slot = h.Slot >= 0; f.Slot && h.Slot < len(h.ListenerMedia.Slots) {
		sent := h.ListenerMedia.Slots[h.Slot].Packets
		f.Out = why.Out{Sent: sent, Unconfirmed: sent - h.ListenerMedia.Confirmed[h.Slot]}
	}
	return f
}

// party is what is known of somebody who is here, without their media.
func (s *Session) party() why.Party {
	p := why.Party{Here: true, Away: s.attached() == nil}
	if m := s.member.Load(); m != nil && m.Active() {
		p.Channel = m.Channel().ID()
	} else if end := s.mediaEnd.Load(); end != nil {
		p.MediaEnd = end.text
	}
	return p
}

// fill adds what is known of a party's place in its channel, and of its media.
func fill(p *why.Party, m sfu.MemberInfo, media *sfu.Media, now time.Time) {
	p.Microphone, p.Mic, p.Sound = m.Talker, m.Devices.Mic, m.Devices.Sound
	p.SelfMute, p.SelfDeaf, p.Muted, p.Suppressed, p.MediaLost = m.SelfMute, m.SelfDeaf, m.Muted, m.Suppressed, m.MediaLost
	p.Path = why.Path{
		Age: now.Sub(media.Made), Checked: !media.Path.FirstCheck.IsZero(), Keyed: media.Path.Keyed, Sending: media.Path.Sending,
		Silent: now.Sub(media.LastSeen),
	}
	if now.Sub(media.Network.UpAt) < reportsOld {
		p.Path.LossUp = media.Network.LossUp
	}
	if now.Sub(media.Network.ConfirmedAt) < reportsOld {
		p.Path.LossDown = media.Network.LossDown
	}
}

// playbackOf is what a client said of how it plays somebody.
func playbackOf(d *protocol.Playback) *why.Playback {
	if d == nil {
		return nil
	}
	over := time.Duration(min(max(d.OverMS, 0), math.MaxInt64/int64(time.Millisecond))) * time.Millisecond
	return &why.Playback{
		Sound: string(d.Sound), Volume: d.Volume, PersonVolume: d.PersonVolume, Playing: d.Playing,
		Over: over, Packets: d.Packets, Lost: d.Lost, Concealed: d.Concealed,
	}
}

// asks are the questions that a session was asked and has not answered. The zero value is ready.
type asks struct {
	mu   sync.Mutex // guards open
	open map[string]chan protocol.Playback
}

// ask has the session's client say how it plays somebody; nil when it does not in time.
func (a *asks) ask(ctx context.Context, s *Session, userID string) *protocol.Playback {
	id := rand.Text()
	event, err := protocol.EncodeBody(protocol.OpPlaybackWanted, protocol.PlaybackWanted{AskID: id, UserID: userID})
	if err != nil {
		s.log.Error("event lost", zap.Error(err))
		return nil
	}
	answer := make(chan protocol.Playback, 1)
	a.mu.Lock()
	if a.open == nil {
		a.open = make(map[string]chan protocol.Playback)
	}
	a.open[id] = answer
	a.mu.Unlock()
	defer a.take(id)
	ctx, cancel := context.WithTimeout(ctx, playbackPatience)
	defer cancel()
	s.out.event(event)
	select {
	case d := <-answer:
		return &d
	case <-s.gone:
	case <-ctx.Done():
	}
	return nil
}

// take returns who waits for an answer, and forgets them; nil for nobody.
func (a *asks) take(id string) chan<- protocol.Playback {
	a.mu.Lock()
	defer a.mu.Unlock()
	answer := a.open[id]
	delete(a.open, id)
	return answer
}

// playback takes how a client plays somebody. One who waited too long for it is not told any more.
func playback(_ context.Context, s *Session, r *request) error {
	var d protocol.PlaybackTold
	if err := r.frame.Bind(&d); err != nil {
		return err
	}
	if d.Playback.Sound != "" && !d.Playback.Sound.Known() {
		return payloadError("d.playback.sound is none of ok, blocked and lost")
	}
	if answer := s.asks.take(d.AskID); answer != nil {
		answer <- d.Playback
	}
	r.ack(nil)
	return nil
}
