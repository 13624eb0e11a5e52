package sfu

import (
	"fmt"
	"slices"
	"time"
)

// roster is who is in a channel, and what everybody may know of it and of them. It is pure:
// it has no lock, no clock and no media. Each command either changes it and returns what is
// to be told of that, in order, or changes nothing and returns an error. Not safe for
// concurrent use.
type roster struct {
	channel ChannelInfo          // MemberCount apart
	closed  bool                 // the channel is deleted, and nobody is in it any more
	members map[string]*occupant // by user id
	order   []*occupant          // as they came
	own     []*occupant          // those of them who are here: of a large channel on many nodes few
	ids     []string             // theirs, replaced and never changed; nil: not collected since own was another
	mirrors                      // those of other nodes' members that are not in members
}

// occupant is somebody in a roster, from enter until leave. It is a handle: the
// same user coming again is another occupant, which the old one cannot touch.
type occupant struct {
	mirrored           // of a member of another node
	userID, name       string
	talker             bool // has a microphone
	selfMute, selfDeaf bool
	Standing

	suppressed bool      // the channel's Speaking lets nobody hear it
	allowed    bool      // a moderator lets it speak
	handAt     time.Time // since when its hand is raised; zero: it is not
	devices    Devices
	unstable   bool // the connection for everything but media is lost
	mediaLost  bool // nothing comes of the media
	keepsFloor bool // came from another node with floor and place
	sentAway   bool // was asked to go to another node
}

// news is something to be told.
type news struct {
	to       []string // user ids; not used when it is for everybody
	everyone bool     // on the server
	except   string   // a user id, "" for nobody
	event    Event
}

func newRoster(channel ChannelInfo) roster {
	return roster{channel: channel, members: make(map[string]*occupant)}
}

// talks reports whether the others may hear p. Who hears nothing cannot know what it talks
// into, so it does not. Whatever else may silence somebody belongs here.
func (p *occupant) talks() bool { return !p.selfMute && !p.selfDeaf && !p.Muted && !p.suppressed }

// hears reports whether p hears the others.
func (p *occupant) hears() bool { return !p.selfDeaf }

func (p *occupant) info() MemberInfo {
	return MemberInfo{
		UserID: p.userID, Name: p.name, Talker: p.talker, SelfMute: p.selfMute || p.selfDeaf, SelfDeaf: p.selfDeaf,
		Muted: p.Muted, Suppressed: p.suppressed, HandAt: p.handAt, Role: p.Role,
		Devices: p.devices, Unstable: p.unstable, MediaLost: p.mediaLost, Apart: p.apart, KeepsFloor: p.keepsFloor,
	}
}

// has reports whether p is in.
func (r *roster) has(p *occupant) bool { return r.members[p.userID] == p }

func (r *roster) empty() bool { return len(r.order) == 0 }

func (r *roster) info() ChannelInfo {
	info := r.channel
	info.MemberCount = len(r.order)
	return info
}

func (r *roster) infos() []MemberInfo {
	infos := make([]MemberInfo, len(r.order))
	for i, p := range r.order {
		infos[i] = p.info()
	}
	return infos
}

// userIDs are those of this node's members: who is to be told of something. They must not be changed.
func (r *roster) userIDs() []string {
	if r.ids == nil {
		r.ids = make([]string, len(r.own))
		for i, p := range r.own {
			r.ids[i] = p.userID
		}
	}
	return r.ids
}

// admit reports why a user cannot enter: ErrChannelNotFound, ErrAlreadyInChannel or
// ErrChannelFull.
func (r *roster) admit(userID string) error {
	there := r.members[userID]
	switch {
	case r.closed:
		return fmt.Errorf("%w: %s", ErrChannelNotFound, r.channel.ID)
	case there != nil && there.here():
		return fmt.Errorf("%w: %s", ErrAlreadyInChannel, r.channel.ID)
	case there == nil && len(r.order) >= r.channel.Capacity:
		return fmt.Errorf("%w: %s has room for %d", ErrChannelFull, r.channel.ID, r.channel.Capacity)
	default:
		return nil
	}
}

// enter takes p in, or fails as admit does.
func (r *roster) enter(p *occupant) ([]news, error) {
	if err := r.admit(p.userID); err != nil {
		return nil, err
	}
	r.judge(p)
	before := r.members[p.userID]
	if before == nil {
		r.add(p)
		return r.tell(p.userID, MemberJoined{ChannelID: r.channel.ID, Member: p.info()}), nil
	}
	r.remove(before) // last are those who join
	r.hide(before)
	r.add(p)
	return r.tellOther(before.info(), p.info(), p.userID), nil
}

// add puts p last.
func (r *roster) add(p *occupant) {
	r.members[p.userID] = p
	r.order = append(r.order, p)
	r.count(p)
}

// count notes that one more is in order, and uncount that one is no more.
func (r *roster) count(p *occupant) {
	if p.here() {
		r.own, r.ids = append(r.own, p), nil
	} else {
		r.elsewhere++
	}
}

func (r *roster) uncount(p *occupant) {
	if p.here() {
		r.own, r.ids = slices.DeleteFunc(r.own, func(o *occupant) bool { return o == p }), nil
	} else {
		r.elsewhere--
	}
}

// remove is the other way round.
func (r *roster) remove(p *occupant) {
	delete(r.members, p.userID)
	r.order = slices.DeleteFunc(r.order, func(o *occupant) bool { return o == p })
	r.uncount(p)
}

// leave takes p out. Who did not ask for it is told too. It fails with ErrNotInChannel.
func (r *roster) leave(p *occupant, cause LeaveCause) ([]news, error) {
	if !r.has(p) {
		return nil, r.notIn()
	}
	left := MemberLeft{ChannelID: r.channel.ID, Member: p.info(), Cause: cause}
	if next := r.best(p.userID); next != nil { // the user goes on elsewhere
		told := r.replace(p, next)
		if cause.surprises() {
			told = append(told, news{to: []string{p.userID}, event: left})
		}
		return told, nil
	}
	except := p.userID
	if cause.surprises() {
		except = ""
	}
	told := r.tell(except, left)
	r.remove(p)
	return told, nil
}

// setVoice changes what p lets out and in; nil leaves a flag as it is. What makes no
// difference to the others is not told. It fails with ErrNotInChannel.
func (r *roster) setVoice(p *occupant, selfMute, selfDeaf *bool) ([]news, error) {
	if !r.has(p) {
		return nil, r.notIn()
	}
	before := p.info()
	if selfMute != nil {
		p.selfMute = *selfMute
	}
	if selfDeaf != nil {
		p.selfDeaf = *selfDeaf
	}
	if p.info() == before {
		return nil, nil
	}
	return r.tell(p.userID, VoiceStateChanged{ChannelID: r.channel.ID, Member: p.info()}), nil
}

// setMuted says whether a moderator, by, lets p be heard. Everybody but them is told, p too. It fails with ErrNotInChannel.
func (r *roster) setMuted(p *occupant, muted bool, by string) ([]news, error) {
	if !r.has(p) {
		return nil, r.notIn()
	}
	if p.Muted == muted {
		return nil, nil
	}
	p.Muted = muted
	return r.tell(by, VoiceStateChanged{ChannelID: r.channel.ID, Member: p.info()}), nil
}

// setDevices changes what is known of p's devices. What is no news is not told. It fails with
// ErrNotInChannel.
func (r *roster) setDevices(p *occupant, devices Devices) ([]news, error) {
	if !r.has(p) {
		return nil, r.notIn()
	}
	if p.devices == devices {
		return nil, nil
	}
	p.devices = devices
	return r.tell(p.userID, VoiceStateChanged{ChannelID: r.channel.ID, Member: p.info()}), nil
}

// setUnstable says whether p's connection for everything but media is lost. What is no news
// is not told. It fails with ErrNotInChannel.
func (r *roster) setUnstable(p *occupant, unstable bool) ([]news, error) {
	if !r.has(p) {
		return nil, r.notIn()
	}
	if p.unstable == unstable {
		return nil, nil
	}
	p.unstable = unstable
	return r.tell(p.userID, ConnectionChanged{ChannelID: r.channel.ID, Member: p.info()}), nil
}

// setMediaLost says whether anything comes of p's media. p is told too: its own end of a path
// that is broken in one direction looks sound to it. It fails with ErrNotInChannel.
func (r *roster) setMediaLost(p *occupant, lost bool) ([]news, error) {
	if !r.has(p) {
		return nil, r.notIn()
	}
	if p.mediaLost == lost {
		return nil, nil
	}
	p.mediaLost = lost
	return r.tell("", MediaStateChanged{ChannelID: r.channel.ID, Member: p.info()}), nil
}

// update replaces the settings. It fails with ErrChannelNotFound. by is who need not be told
// what they did, and what makes no difference nobody is told. A capacity below the number of
// members makes nobody leave. Another Speaking lowers all hands, and nobody is allowed any more.
func (r *roster) update(settings Settings, by string) ([]news, error) {
	if r.closed {
		return nil, fmt.Errorf("%w: %s", ErrChannelNotFound, r.channel.ID)
	}
	if settings == r.channel.Settings {
		return nil, nil
	}
	restage := settings.Speaking != r.channel.Speaking
	r.channel.Settings = settings
	told := []news{{everyone: true, except: by, event: ChannelUpdated{Channel: r.info()}}}
	if restage {
		told = append(told, r.tell(by, r.restage())...)
	}
	return told, nil
}

// close puts everybody out for good. It fails with ErrChannelNotFound when it is closed.
func (r *roster) close(by string) ([]news, error) {
	if r.closed {
		return nil, fmt.Errorf("%w: %s", ErrChannelNotFound, r.channel.ID)
	}
	r.closed = true
	r.order, r.own, r.ids, r.mirrors = nil, nil, nil, mirrors{}
	clear(r.members)
	return []news{{everyone: true, except: by, event: ChannelDeleted{
		ChannelID: r.channel.ID, OwnerID: r.channel.OwnerID, Access: r.channel.Access,
	}}}, nil
}

// tell addresses an event to everybody who is in, without except.
func (r *roster) tell(except string, event Event) []news {
	return []news{{to: r.userIDs(), except: except, event: event}}
}

func (r *roster) notIn() error { return fmt.Errorf("%w: %s", ErrNotInChannel, r.channel.ID) }
