package e2e

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// crowd is talkers without ears, each of a level of their own, and one who hears two of them.
func crowd(t *testing.T, levels ...int32) (s *server, ear *person, talkers []*person) {
	t.Helper()
	s = startServer(t)
	ear = arrive(t, s, "ear").join("lobby", listenOnly, slots(2))
	for i, level := range levels {
		p := arrive(t, s, string(rune('a'+i))).join("lobby", slots(-1))
		p.level.Store(level)
		talkers = append(talkers, p.talk())
	}
	return s, ear, talkers
}

// hearsOnly waits until exactly these are heard, by packets and by SLOT_MAP, in any order.
func (p *person) hearsOnly(others ...*person) {
	p.t.Helper()
	wanted := ids(others...)
	slices.Sort(wanted)
	eventually(p.t, "the slot map names the loudest", func() bool {
		return slices.Equal(slices.Sorted(slices.Values(p.slotUsers())), wanted)
	})
	p.hears(others...)
}

func TestTalkTheLoudestAreHeard(t *testing.T) {
	verifyNoLeaks(t)
	_, ear, talkers := crowd(t, 44, 40, 36, 30, 20, 44)
	ear.hearsOnly(talkers[3], talkers[4])
	ear.hearsNot(talkers[0], talkers[0].talksOn)

	talkers[4].level.Store(127)
	ear.hearsOnly(talkers[2], talkers[3])
	talkers[0].level.Store(5)
	ear.hearsOnly(talkers[0], talkers[3])
	talkers[0].leave()
	ear.hearsOnly(talkers[2], talkers[3])
	ear.check(talkers...)
}

// Whoever gets a slot by beginning to speak is heard from the first frame on.
func TestTalkFirstSyllableIsHeard(t *testing.T) {
	verifyNoLeaks(t)
	_, ear, talkers := crowd(t, 44, 34, 30)
	ear.hearsOnly(talkers[1:]...)
	late := talkers[0]
	for range 5 {
		late.silence()
		ear.hearsOnly(talkers[1:]...)
		late.level.Store(10)
		first := late.said.Load()
		late.talk()
		ear.hears(late)
		ear.mu.Lock()
		at := slices.IndexFunc(ear.ears, func(h heard) bool { return h.from == late.UserID() && h.n >= first })
		heardFirst := ear.ears[at].n
		ear.mu.Unlock()
		require.Equal(t, first, heardFirst)
	}
	ear.check(talkers...)
}

func TestTalkSpeakersAreTold(t *testing.T) {
	verifyNoLeaks(t)
	s, ear, talkers := crowd(t, 20, 127)
	ada, bob := talkers[0], talkers[1]
	speak := func(want ...string) {
		t.Helper()
		told(ear, "who speaks", func(e *protocol.Speakers) bool {
			names := make([]string, len(e.Speakers))
			for i, speaker := range e.Speakers {
				names[i] = speaker.UserID
			}
			return e.ChannelID == "lobby" && slices.Equal(names, want)
		})
	}
	speak(ada.UserID())
	bob.level.Store(30)
	speak(ada.UserID(), bob.UserID())
	_, err := ada.SetVoiceState(soon(t), protocol.VoiceState{SelfMute: new(true)})
	require.NoError(t, err)
	speak(bob.UserID())

	late := arrive(t, s, "late").join("lobby", slots(2)) // is told at once
	told(late, "who speaks", func(e *protocol.Speakers) bool { return len(e.Speakers) == 1 })

	bob.silence()
	speak()
	// What a busy machine had held up may come yet; then nobody speaks, and nothing is told.
	eventually(t, "nothing more is told", func() bool {
		time.Sleep(200 * time.Millisecond)
		told := 0
		for {
			select {
			case e := <-ear.Events():
				if _, is := e.Payload.(*protocol.Speakers); is {
					told++
				}
				continue
			default:
			}
			return told == 0
		}
	})
}

func TestTalkSubscribe(t *testing.T) {
	verifyNoLeaks(t)
	_, ear, talkers := crowd(t, 20, 28, 36, 44)
	subscribe := func(pin, exclude []string) {
		t.Helper()
		_, err := ear.Subscribe(soon(t), protocol.Subscribe{Pin: pin, Exclude: exclude})
		require.NoError(t, err)
	}
	ear.hearsOnly(talkers[0], talkers[1])
	subscribe(ids(talkers[3]), []string{})
	ear.hearsOnly(talkers[0], talkers[3])
	subscribe(nil, ids(talkers[0]))
	ear.hearsOnly(talkers[1], talkers[3])
	ear.hearsNot(talkers[0], talkers[0].talksOn)

	// Both last for the session.
	ear.leave()
	ear.join("lobby", listenOnly, slots(2))
	ear.hearsOnly(talkers[1], talkers[3])
	subscribe([]string{}, []string{})
	ear.hearsOnly(talkers[0], talkers[1])
	ear.check(talkers...)
}
