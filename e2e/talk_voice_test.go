package e2e

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4/pkg/media/oggwriter"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

func TestTalkEveryoneHearsExactlyTheOthers(t *testing.T) {
	for _, names := range [][]string{{"ada", "bo"}, {"ada", "bo", "cy"}} {
		t.Run(names[len(names)-1], func(t *testing.T) {
			verifyNoLeaks(t)
			s := startServer(t)
			all := make([]*person, 0, len(names))
			for _, name := range names {
				all = append(all, arrive(t, s, name).join("lobby").talk())
			}
			for i, p := range all {
				others := slices.Delete(slices.Clone(all), i, i+1)
				p.hears(others...)
				eventually(t, "everyone knows everyone", func() bool { return slices.Equal(p.memberIDs(), ids(all...)) })
				// Each other has a slot of its own, those beyond are free.
				heardUsers := p.slotUsers()
				require.ElementsMatch(t, ids(others...), heardUsers[:len(others)])
				require.Equal(t, make([]string, len(heardUsers)-len(others)), heardUsers[len(others):])
				p.check(others...)
			}
		})
	}
}

func TestTalkBeginningIsHeard(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	ada, bo := arrive(t, s, "ada").join("lobby"), arrive(t, s, "bo").join("lobby")
	ada.talk()
	bo.hears(ada)
	bo.check(ada)
	// Each end learns by itself that media is connected, so a frame may be too early.
	require.Less(t, bo.ears[0].n, uint32(3), "the beginning was cut off")
	require.Equal(t, ada.UserID(), bo.ears[0].UserID, "the slot map came before the talking")
}

func TestTalkListenerWithoutMicrophone(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	ada := arrive(t, s, "ada").join("lobby").talk()
	eve := arrive(t, s, "eve").join("lobby", listenOnly)
	bo := arrive(t, s, "bo").join("lobby").talk()

	eve.hears(ada, bo)
	eve.check(ada, bo)
	ada.hears(bo)
	require.Equal(t, ids(bo), ada.slotUsers()[:1], "who cannot talk takes no slot")
	members := ada.call.Members()
	require.Equal(t, ids(ada, eve, bo), ada.memberIDs())
	require.True(t, members[0].Talker)
	require.False(t, members[1].Talker)
}

func TestTalkSlotReaders(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	ada := arrive(t, s, "ada").join("lobby").talk()
	bo := arrive(t, s, "bo")
	call, err := bo.Join(soon(t), "lobby", listenTo(2))
	require.NoError(t, err)
	buf := make([]byte, 1500)
	for range plenty {
		n, info, err := call.Slots()[0].ReadOpus(soon(t), buf)
		require.NoError(t, err)
		from, _, err := parseVoice(buf[:n])
		require.NoError(t, err)
		require.Equal(t, ada.UserID(), from)
		require.Equal(t, ada.call.SSRC(), info.CSRC)
		require.Equal(t, ada.UserID(), info.UserID)
	}
	require.Zero(t, call.Slots()[0].Stats().Lost)
}

func TestTalkPlaysOgg(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	bo := arrive(t, s, "bo").join("lobby", listenOnly)
	ada := arrive(t, s, "ada").join("lobby", slots(-1))
	const frames = 25
	file := new(bytes.Buffer)
	ogg, err := oggwriter.NewWith(file, 48000, 2)
	require.NoError(t, err)
	for n := range uint32(frames) {
		require.NoError(t, ogg.WriteRTP(&rtp.Packet{
			Header:  rtp.Header{Version: 2, SequenceNumber: uint16(n), Timestamp: n * frameTicks},
			Payload: voiceFrame(ada.UserID(), n),
		}))
	}
	require.NoError(t, ogg.Close())
	start := time.Now()
	require.NoError(t, ada.call.PlayOgg(soon(t), file))
	require.GreaterOrEqual(t, time.Since(start), (frames-1)*frameLength, "sent at the speed of listening")
	eventually(t, "bo heard the last frame", func() bool {
		bo.mu.Lock()
		defer bo.mu.Unlock()
		return len(bo.ears) > 0 && bo.ears[len(bo.ears)-1].n == frames-1
	})
	bo.check(ada)
}

func TestTalkSelfMuteIsTheServersDoing(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	ada, bo, cy := arrive(t, s, "ada").join("lobby"), arrive(t, s, "bo").join("lobby"), arrive(t, s, "cy").join("lobby")
	ada.talk()
	bo.talk()
	cy.hears(ada, bo)

	on, off := true, false
	state, err := ada.SetVoiceState(soon(t), protocol.VoiceState{SelfMute: &on})
	require.NoError(t, err)
	require.True(t, state.SelfMute)
	cy.hearsNot(ada, func() {
		ada.talksOn()
		cy.hears(bo)
	})
	isMuted := func(want bool) func() bool {
		return func() bool { return cy.call.Members()[0].SelfMute == want }
	}
	eventually(t, "cy is told that ada is muted", isMuted(true))
	require.True(t, ada.call.Members()[0].SelfMute, "ada knows it of herself")
	require.Equal(t, ids(ada, bo), cy.slotUsers()[:2], "the muted keep their slots")

	_, err = ada.SetVoiceState(soon(t), protocol.VoiceState{SelfMute: &off})
	require.NoError(t, err)
	cy.hears(ada, bo)
	bo.hears(ada)
	eventually(t, "cy is told that ada is not muted", isMuted(false))
	cy.check(ada, bo) // contiguous over the pause
}

func TestTalkMutedBeforeJoining(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	bo := arrive(t, s, "bo").join("lobby")
	ada := arrive(t, s, "ada")
	on := true
	_, err := ada.SetVoiceState(soon(t), protocol.VoiceState{SelfMute: &on})
	require.NoError(t, err)
	ada.join("lobby").talk()
	require.True(t, ada.call.Members()[1].SelfMute)
	bo.hearsNot(ada, ada.talksOn)
	require.Zero(t, bo.heardFrom(ada))
}

func TestTalkSelfDeaf(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	ada, bo, cy := arrive(t, s, "ada").join("lobby"), arrive(t, s, "bo").join("lobby"), arrive(t, s, "cy").join("lobby")
	for _, p := range []*person{ada, bo, cy} {
		p.talk()
	}
	ada.hears(bo, cy)
	bo.hears(ada, cy)

	on, off := true, false
	state, err := ada.SetVoiceState(soon(t), protocol.VoiceState{SelfDeaf: &on})
	require.NoError(t, err)
	require.True(t, state.SelfDeaf)
	require.True(t, state.SelfMute, "who is deaf is mute")
	ada.hearsNot(bo, func() { cy.hears(bo) })
	ada.hearsNot(cy, func() { bo.hears(cy) })
	bo.hearsNot(ada, func() {
		ada.talksOn()
		bo.hears(cy)
	})
	told(bo, "ada is deaf", func(e *protocol.VoiceStateEvent) bool { return e.UserID == ada.UserID() && e.SelfDeaf && e.SelfMute })
	late := arrive(t, s, "late").join("lobby")
	for i, deaf := range []bool{true, false, false, false} {
		m := late.call.Members()[i]
		require.Equal(t, [2]bool{deaf, deaf}, [2]bool{m.SelfDeaf, m.SelfMute}, "%s as the one who came late sees it", m.UserID)
	}
	late.hears(bo, cy)
	late.hearsNot(ada, ada.talksOn)
	late.leave()

	_, err = ada.SetVoiceState(soon(t), protocol.VoiceState{SelfDeaf: &off})
	require.NoError(t, err)
	ada.hears(bo, cy)
	bo.hears(ada)
	ada.check(bo, cy)
	bo.check(ada, cy)
}

func TestTalkMoreTalkersThanSlots(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	names := []string{"ada", "bo", "cy", "dan"}
	talkers := make([]*person, 0, len(names))
	for i, name := range names {
		p := arrive(t, s, name).join("lobby", slots(-1))
		p.level.Store(int32(10 * (i + 1))) // so that a busy machine, where voices falter, changes nothing
		talkers = append(talkers, p.talk())
	}
	eve := arrive(t, s, "eve").join("lobby", slots(2))
	eve.hearsOnly(talkers[:2]...)
	eve.check(talkers...)

	// Whoever has a slot keeps it; the freed one goes to the next in line.
	talkers[0].leave()
	eve.hearsOnly(talkers[1:3]...)

	talkers[1].leave()
	talkers[2].leave()
	eve.hears(talkers[3])
	eventually(t, "one slot is free", func() bool { return slices.Contains(eve.slotUsers(), "") })
	eve.check(talkers...) // each slot one stream, whoever was on it

	// Back again, at the end of the line, into the free slot.
	talkers[0].join("lobby", slots(-1)).talk()
	eve.hears(talkers[0], talkers[3])
	eve.check(talkers...)
}

func TestTalkSlotsOfVariousSizes(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	ada := arrive(t, s, "ada").join("lobby", slots(-1)).talk()
	bo := arrive(t, s, "bo").join("lobby", slots(1)).talk()
	cy := arrive(t, s, "cy").join("lobby", slots(100)).talk() // cut down to what the server allows
	require.Empty(t, ada.call.Slots())
	require.Len(t, bo.call.Slots(), 1)
	require.Len(t, cy.call.Slots(), cy.Ready().Limits.Slots)
	cy.hears(ada, bo)
	bo.hears(ada)
	require.Zero(t, bo.heardFrom(cy))
	time.Sleep(2 * frameLength)
	require.Empty(t, ada.ears)
	cy.check(ada, bo)
	bo.check(ada)
}
