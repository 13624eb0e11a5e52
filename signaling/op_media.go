package signaling

import (
	"context"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

func iceCandidate(_ context.Context, s *Session, r *request) error {
	var d protocol.ICECandidate
	if err := r.frame.Bind(&d); err != nil {
		return err
	}
	if d.Candidate != nil && len(d.Candidate.Candidate) > protocol.MaxCandidateBytes {
		return payloadError("d.candidate.candidate has %d bytes; at most %d are read",
			len(d.Candidate.Candidate), protocol.MaxCandidateBytes)
	}
	if s.member == nil || !s.member.Active() {
		return sfu.ErrNotInChannel
	}
	// The end of gathering needs nothing done: an ICE-lite server waits for checks.
	if d.Candidate != nil && d.Candidate.Candidate != "" {
		if err := s.member.Peer().AddCandidate(d.Candidate.Candidate); err != nil {
			return err
		}
	}
	r.ack(nil)
	return nil
}

func voiceState(_ context.Context, s *Session, r *request) error {
	var d protocol.VoiceState
	if err := r.frame.Bind(&d); err != nil {
		return err
	}
	if d.SelfMute != nil {
		s.selfMute = *d.SelfMute
	}
	if d.SelfDeaf != nil {
		s.selfDeaf = *d.SelfDeaf
	}
	data := protocol.VoiceStateEvent{
		UserID: s.user.ID, SelfMute: s.selfMute || s.selfDeaf, SelfDeaf: s.selfDeaf,
	}
	if s.member != nil && s.member.SetVoiceState(d.SelfMute, d.SelfDeaf) {
		data.ChannelID = s.member.Channel().ID()
	}
	r.ack(data)
	return nil
}
