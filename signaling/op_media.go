package signaling

import (
	"context"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// renegotiate moves the session's media to another path (RFC 8445, section 9).
func renegotiate(_ context.Context, s *Session, r *request) error {
	var d protocol.Renegotiate
	if err := r.frame.Bind(&d); err != nil {
		return err
	}
	m := s.member.Load()
	if m == nil || !m.Active() {
		return sfu.ErrNotInChannel
	}
	answer, err := m.Peer().Renegotiate(d.SDPOffer, time.Now(), s.mediaAddrs()...)
	if err != nil {
		return err
	}
	r.ack(protocol.Renegotiated{SDPAnswer: answer})
	return nil
}

// iceCandidate takes whatever clients trickle. An ICE-lite server learns their addresses from their checks (RFC 8445,
// section 2.5) and has no use for a candidate, whether it could read it (mDNS names, TCP, what comes later) or not.
func iceCandidate(_ context.Context, _ *Session, r *request) error {
	var d protocol.ICECandidate
	if err := r.frame.Bind(&d); err != nil {
		return err
	}
	if d.Candidate != nil && len(d.Candidate.Candidate) > protocol.MaxCandidateBytes {
		return payloadError("d.candidate.candidate has %d bytes; at most %d are read",
			len(d.Candidate.Candidate), protocol.MaxCandidateBytes)
	}
	r.ack(nil)
	return nil
}

func voiceState(_ context.Context, s *Session, r *request) error {
	var d protocol.VoiceState
	if err := r.frame.Bind(&d); err != nil {
		return err
	}
	devices, err := devicesAfter(s.devices, d)
	if err != nil {
		return err
	}
	m := s.member.Load()
	muted := m != nil && m.Active() && s.muted.Load()
	if muted && d.SelfMute != nil && !*d.SelfMute {
		return errMuted
	}
	s.devices = devices
	if d.SelfMute != nil {
		s.selfMute = *d.SelfMute
	}
	if d.SelfDeaf != nil {
		s.selfDeaf = *d.SelfDeaf
	}
	answer := func(now sfu.MemberInfo) { r.ack(wireVoiceState(m.Channel().ID(), now)) }
	if m == nil || !m.SetDevices(devices) || !m.SetVoiceState(d.SelfMute, d.SelfDeaf, answer) {
		r.ack(wireVoiceState("", sfu.MemberInfo{
			UserID: s.userID, SelfMute: s.selfMute || s.selfDeaf, SelfDeaf: s.selfDeaf, Muted: muted, Devices: devices,
		}))
	}
	return nil
}

// devicesAfter returns what is known of a client's devices after it said something of them.
func devicesAfter(known sfu.Devices, d protocol.VoiceState) (sfu.Devices, error) {
	if d.Mic != nil {
		if !d.Mic.Known() {
			return known, payloadError("d.mic is none of ok, silent, held and lost")
		}
		known.Mic = string(d.Mic.Trouble())
	}
	if d.Sound != nil {
		if !d.Sound.Known() {
			return known, payloadError("d.sound is none of ok, blocked and lost")
		}
		known.Sound = string(d.Sound.Trouble())
	}
	return known, nil
}

func subscribe(_ context.Context, s *Session, r *request) error {
	var d protocol.Subscribe
	if err := r.frame.Bind(&d); err != nil {
		return err
	}
	if err := checkUserIDs("pin", d.Pin, protocol.MaxPins); err != nil {
		return err
	}
	if err := checkUserIDs("exclude", d.Exclude, protocol.MaxExclusions); err != nil {
		return err
	}
	if d.Pin != nil {
		s.pin = d.Pin
	}
	if d.Exclude != nil {
		s.exclude = d.Exclude
	}
	answer := func() {
		// Lists, not null, whatever was never set.
		r.ack(protocol.Subscribe{Pin: append([]string{}, s.pin...), Exclude: append([]string{}, s.exclude...)})
	}
	if m := s.member.Load(); m == nil || !m.Subscribe(s.pin, s.exclude, answer) {
		answer()
	}
	return nil
}

// checkUserIDs checks a list of people, whether there are such or not.
func checkUserIDs(field string, ids []string, most int) error {
	if len(ids) > most {
		return payloadError("d.%s has %d entries; at most %d are taken", field, len(ids), most)
	}
	for _, id := range ids {
		if id == "" || len(id) > protocol.MaxUserIDBytes {
			return payloadError("d.%s has a user id of %d bytes; allowed are 1 to %d", field, len(id), protocol.MaxUserIDBytes)
		}
	}
	return nil
}
