package why

import (
	"fmt"
	"time"
)

// Step is one link of the way, as it was found.
type Step struct {
	Link Link `json:"link"`
	// Cause is what is wrong with it, OK if nothing is.
	Cause Cause `json:"cause"`
	// Saw is what was looked at, for who wants to know more.
	Saw string `json:"saw"`
}

// Walk goes the way of the talker's voice to the listener, up to the first link that is broken, which is the last of its steps. Where
// none is, the last step is that the talker says nothing just now, or OK.
func Walk(f Facts) []Step {
	var steps []Step
	for _, l := range way() {
		cause, saw := l.look(&f)
		steps = append(steps, Step{l.link, cause, saw})
		if cause != OK {
			return steps
		}
	}
	return steps
}

// Find returns why the talker is not heard: the cause of the last step, OK when nothing is found broken.
func Find(f Facts) Cause {
	steps := Walk(f)
	return steps[len(steps)-1].Cause
}

// way is the way of a voice, in the order in which it is gone.
func way() []struct {
	link Link
	look func(*Facts) (Cause, string)
} {
	return []struct {
		link Link
		look func(*Facts) (Cause, string)
	}{
		{LinkPresence, presence},
		{LinkMicrophone, microphone},
		{LinkGate, gate},
		{LinkICE, func(f *Facts) (Cause, string) { return ice(&f.Talker, NoUDP, MediaLost) }},
		{LinkDTLS, func(f *Facts) (Cause, string) { return dtls(&f.Talker, NoDTLS) }},
		{LinkPacketsIn, packetsIn},
		{LinkNodes, between},
		{LinkSelection, selection},
		{LinkListenerICE, func(f *Facts) (Cause, string) { return ice(&f.Listener, YouNoUDP, YouMediaLost) }},
		{LinkListenerDTLS, func(f *Facts) (Cause, string) { return dtls(&f.Listener, YouNoDTLS) }},
		{LinkReports, reports},
		{LinkPage, page},
		{LinkVoice, voice},
	}
}

func presence(f *Facts) (Cause, string) {
	t, l := &f.Talker, &f.Listener
	switch {
	case f.Yourself:
		return Yourself, "nobody is sent their own voice"
	case t.Gone != "":
		return NodeGone, "node " + t.Gone + " does not answer"
	case !t.Here:
		return NotHere, "no session"
	case t.Channel == "" && t.MediaEnd != "":
		return MediaFailed, t.MediaEnd
	case t.Channel == "":
		return NotInChannel, "a session, in no channel"
	case l.Channel == "" && l.MediaEnd != "":
		return YouMediaFailed, l.MediaEnd
	case l.Channel == "":
		return YouNotInChannel, "the listener is in no channel"
	case !f.Together && !f.Tuned:
		return OtherChannel, fmt.Sprintf("they are in %s, the listener in %s", t.Channel, l.Channel)
	}
	return OK, "in " + t.Channel
}

// microphone is what the talker's client says of it.
func microphone(f *Facts) (Cause, string) {
	switch {
	case !f.Talker.Microphone:
		return NoMicrophone, "the offer has no microphone"
	case f.Talker.Mic == "silent" && f.Talker.SelfMute:
		// What a muted client says of its microphone is of before.
	case f.Talker.Mic == "silent":
		return MicSilent, "their client hears nothing but zeros"
	case f.Talker.Mic == "held":
		return MicHeld, "their system keeps the microphone"
	case f.Talker.Mic == "lost":
		return MicLost, "their microphone went away"
	}
	return OK, "their client says that it works"
}

func ice(p *Party, broken, lost Cause) (Cause, string) {
	switch {
	case !p.Path.Checked && p.Path.Age < settling:
		return Connecting, fmt.Sprintf("no check yet, %s after the join", round(p.Path.Age))
	case !p.Path.Checked:
		return broken, fmt.Sprintf("no check came in %s", round(p.Path.Age))
	case p.MediaLost || p.Path.Silent >= quietMedia:
		return lost, fmt.Sprintf("the last sign of life came %s ago", round(p.Path.Silent))
	}
	return OK, fmt.Sprintf("the last sign of life came %s ago", round(p.Path.Silent))
}

func dtls(p *Party, broken Cause) (Cause, string) {
	switch {
	case !p.Path.Keyed && p.Path.Age < settling:
		return Connecting, fmt.Sprintf("no keys yet, %s after the join", round(p.Path.Age))
	case !p.Path.Keyed:
		return broken, fmt.Sprintf("checks come, but no handshake was done in %s", round(p.Path.Age))
	}
	return OK, "keys are agreed upon"
}

// gate is whether the talker may be heard.
func gate(f *Facts) (Cause, string) {
	t := &f.Talker
	switch {
	case t.Muted:
		return MutedByModerator, "a moderator's mute"
	case t.Suppressed:
		return Audience, "the channel's speaking does not let them"
	case t.SelfDeaf:
		return Deaf, "deaf, which is mute too"
	case t.SelfMute:
		return Muted, "muted by themselves"
	case f.Turns && !f.Open && f.Holder:
		return FloorOther, "somebody else has the floor"
	case f.Turns && !f.Open:
		return FloorIdle, "nobody has the floor"
	}
	return OK, "open"
}

// packetsIn is what comes from the talker.
func packetsIn(f *Facts) (Cause, string) {
	p, v := &f.Talker.Path, &f.Voice
	switch {
	case v.Came && v.Newest > noPackets && p.Silent > v.Newest-sameMoment:
		return MediaLost, fmt.Sprintf("nothing came for %s, no sign of life either", round(p.Silent))
	case (!v.Came || v.Newest > noPackets) && p.Age < settling:
		return Connecting, "no packet yet"
	case !v.Came:
		return NoPackets, "no packet came that may be heard"
	case v.Newest > noPackets:
		return NoPackets, fmt.Sprintf("the last packet came %s ago", round(v.Newest))
	case p.LossUp >= heavyLoss:
		return LossyUp, fmt.Sprintf("%.0f %% are lost on the way to the server", 100*p.LossUp)
	case v.Levels && !v.Speaking && p.Age > zeros && (!v.Sounded || v.Silent > zeros):
		return MicSilent, "packets come with nothing but silence in them"
	}
	return OK, fmt.Sprintf("the last packet came %s ago, %.0f %% are lost", round(v.Newest), 100*p.LossUp)
}

// between is what becomes of the talker's voice on its way from one node to the other.
func between(f *Facts) (Cause, string) {
	b := f.Between
	if b == nil {
		return OK, "both are on one node"
	}
	young := f.Listener.Path.Age < settling || f.Talker.Path.Age < settling
	asks := !f.Listener.SelfDeaf && f.Slots > 0
	sent := b.There.Sent != nil && *b.There.Sent < noPackets
	came := b.Here.Came != nil && *b.Here.Came < noPackets
	switch {
	case !b.Here.Up && !b.Here.Heard && b.Here.Since < settling:
		return Connecting, fmt.Sprintf("the link to %s is %s old", b.Node, round(b.Here.Since))
	case !b.Here.Up:
		return NodeLinkLost, fmt.Sprintf("the link to %s has been down for %s", b.Node, round(b.Here.Since))
	case !b.There.Up && !young:
		return NodeLinkLost, fmt.Sprintf("%s has no link to this node", b.Node)
	case asks && !young && !b.There.Wanted:
		return NodeNotAsked, fmt.Sprintf("%s does not know that anybody here listens to %s", b.Node, f.Talker.Channel)
	case asks && !young && !b.There.Line:
		return NodeNotAsked, fmt.Sprintf("%s has no stream for them", b.Node)
	case b.Here.Loss >= heavyLoss && !mended(f):
		return NodeLinkLossy, fmt.Sprintf("%.0f %% of what comes from %s is lost", 100*b.Here.Loss, b.Node)
	case sent && !came && !young:
		return NodeLinkLost, fmt.Sprintf("%s sends their voice, and nothing of it comes", b.Node)
	}
	return OK, fmt.Sprintf("they are on %s, the link is up, %.0f %% are lost", b.Node, 100*b.Here.Loss)
}

// selection is whether the talker is chosen to be sent to the listener.
func selection(f *Facts) (Cause, string) {
	switch {
	case f.Listener.SelfDeaf:
		return YouDeaf, "the listener is deaf"
	case f.Excluded:
		return Excluded, "the listener excludes them"
	case f.Slots == 0:
		return NoSlots, "the listener offered no slot"
	case !f.Slot && f.Tuned && !f.Together:
		return NotTuned, "the slots for other channels are another's"
	case !f.Slot:
		return NotInSlots, fmt.Sprintf("all %d slots are others'", f.Slots)
	}
	return OK, fmt.Sprintf("on one of %d slots", f.Slots)
}

// reports are what the listener's client says, as all clients do, of what arrives.
func reports(f *Facts) (Cause, string) {
	l := &f.Listener
	got := f.Playback != nil && f.Playback.Packets != nil && *f.Playback.Packets > 0
	switch {
	case !l.Path.Sending:
		return YouMediaLost, "the listener's path has expired"
	case f.Out.Unconfirmed >= unconfirmed && !got:
		return HalfOpen, fmt.Sprintf("no report speaks of the last %d packets", f.Out.Unconfirmed)
	case gotNothing(f):
		return HalfOpen, fmt.Sprintf("the listener's client got no packet in %s", round(f.Playback.Over))
	case l.Path.LossDown >= heavyLoss && !mended(f):
		return LossyDown, fmt.Sprintf("%.0f %% are lost on the way to the listener", 100*l.Path.LossDown)
	}
	return OK, fmt.Sprintf("%d packets sent, %.0f %% lost", f.Out.Sent, 100*l.Path.LossDown)
}

// gotNothing reports whether the listener's client got no packet of one who is sent to it.
func gotNothing(f *Facts) bool {
	p := f.Playback
	return p != nil && p.Packets != nil && *p.Packets == 0 && f.Voice.Speaking && f.Out.Unconfirmed >= few
}

// mended reports whether the listener's client says that it has to make up little of what it plays, whatever was lost on the way.
func mended(f *Facts) bool {
	return f.Playback != nil && f.Playback.Concealed != nil && *f.Playback.Concealed < littleConcealment
}

// page is what the listener's client says of how it plays.
func page(f *Facts) (Cause, string) {
	p := f.Playback
	sound := f.Listener.Sound
	if p != nil && p.Sound != "" {
		sound = p.Sound
	}
	switch {
	case sound == "blocked":
		return SoundBlocked, "the listener's browser does not play"
	case sound == "lost":
		return SoundLost, "the listener's loudspeaker went away"
	case p == nil:
		return OK, "the listener's client says nothing of how it plays"
	case p.Volume != nil && *p.Volume <= 0:
		return OutputMuted, "the listener's volume is 0"
	case p.PersonVolume != nil && *p.PersonVolume <= 0:
		return PersonMuted, "the listener's volume for them is 0"
	case p.Playing != nil && !*p.Playing:
		return NotPlaying, "the listener's client has stopped playing"
	case !mended(f) && p.Packets != nil && p.Lost != nil && float64(*p.Lost) >= heavyLoss*float64(*p.Packets+*p.Lost) && *p.Lost >= few:
		return LossyDown, fmt.Sprintf("the listener's client got %d packets and lost %d", *p.Packets, *p.Lost)
	case p.Concealed != nil && *p.Concealed >= heavyConcealment && f.Voice.Speaking:
		return LossyDown, fmt.Sprintf("%.0f %% of what is played is made up", 100**p.Concealed)
	}
	return OK, "the listener's client plays"
}

// voice is whether there is anything to hear.
func voice(f *Facts) (Cause, string) {
	if f.Voice.Speaking {
		return OK, "they speak"
	}
	return Quiet, "they do not speak just now"
}

func round(d time.Duration) string {
	if d < time.Second {
		return d.Round(10 * time.Millisecond).String()
	}
	return d.Round(100 * time.Millisecond).String()
}
