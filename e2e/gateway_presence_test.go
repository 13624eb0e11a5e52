package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// watch asks who is where, and to be told.
func watch(c *raw) protocol.Presence {
	c.t.Helper()
	var all protocol.Presence
	c.ack(protocol.OpPresence, protocol.PresenceWatch{Watch: new(true)}, &all)
	c.events = nil // what came before counts no more
	return all
}

// nextPresence applies the next PRESENCE_EVENT to what is known.
func (c *raw) nextPresence(known *protocol.Presence) {
	c.t.Helper()
	var event protocol.Presence
	c.event(protocol.OpPresenceEvent, &event)
	require.NotEmpty(c.t, event.Channels)
	known.Apply(event)
}

// sees waits until who is where is known to be this: channels with the names in them, of whom
// the mute have an exclamation mark and the deaf two.
func (c *raw) sees(known *protocol.Presence, want ...string) {
	c.t.Helper()
	slices.Sort(want)
	for !slices.Equal(where(known), want) {
		c.nextPresence(known)
	}
}

func where(p *protocol.Presence) []string {
	all := make([]string, 0, len(p.Channels))
	for _, c := range p.Channels {
		names := make([]string, len(c.Members))
		for i, m := range c.Members {
			names[i] = m.Name
			if m.SelfMute {
				names[i] += "!"
			}
			if m.SelfDeaf {
				names[i] += "!"
			}
		}
		all = append(all, c.ChannelID+": "+strings.Join(names, " "))
	}
	slices.Sort(all)
	return all
}

func TestPresenceIsToldToWhoIsInNoChannel(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	ada, _ := identify(t, s, "Ada")
	bob, bobID := identify(t, s, "Bob")
	cy, _ := identify(t, s, "Cy")
	known := watch(ada)
	require.NotNil(t, known.Channels, "an empty list, not null")
	require.Empty(t, known.Channels)
	bob.joinChannel("lobby")
	ada.sees(&known, "lobby: Bob")
	require.Equal(t, bobID, known.Channels[0].Members[0].UserID)
	bob.ack(protocol.OpVoiceState, protocol.VoiceState{SelfMute: new(true)}, nil)
	ada.sees(&known, "lobby: Bob!")
	cy.joinChannel("lobby")
	cy.ack(protocol.OpVoiceState, protocol.VoiceState{SelfDeaf: new(true)}, nil)
	ada.sees(&known, "lobby: Bob! Cy!!")
	bob.ack(protocol.OpVoiceState, protocol.VoiceState{Mic: new(protocol.MicLost)}, nil) // is nobody's business here
	bob.ack(protocol.OpVoiceState, protocol.VoiceState{SelfMute: new(false)}, nil)
	ada.sees(&known, "lobby: Bob Cy!!")
	bob.ack(protocol.OpChannelLeave, protocol.ChannelRef{ChannelID: "lobby"}, nil)
	ada.sees(&known, "lobby: Cy!!")
	bob.joinChannel("lobby")
	ada.sees(&known, "lobby: Cy!! Bob")

	// Oneself is seen as others are, in channels of all kinds.
	ada.ack(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: "night"}, nil)
	ada.joinChannel("night")
	ada.sees(&known, "lobby: Cy!! Bob", "night: Ada")
	cy.farewell()
	ada.sees(&known, "lobby: Bob", "night: Ada")
	ada.ack(protocol.OpChannelDelete, protocol.ChannelRef{ChannelID: "night"}, nil)
	ada.sees(&known, "lobby: Bob")

	// Who asks later begins with the same.
	dee, _ := identify(t, s, "Dee")
	late := watch(dee)
	require.Equal(t, where(&known), where(&late))
	bob.ack(protocol.OpChannelLeave, protocol.ChannelRef{ChannelID: "lobby"}, nil)
	ada.sees(&known)
	dee.sees(&late)
}

func TestPresenceBadInput(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	stranger := dial(t, s)
	stranger.fails(protocol.OpPresence, protocol.PresenceWatch{Watch: new(true)}, protocol.CodeNotAuthenticated)
	ada, _ := identify(t, s, "Ada")
	bob, _ := identify(t, s, "Bob")
	bob.joinChannel("lobby")
	for name, d := range map[string]any{
		"nothing":     nil,
		"missing":     map[string]any{},
		"null":        map[string]any{"watch": nil},
		"a string":    map[string]any{"watch": "true"},
		"a number":    map[string]any{"watch": 1},
		"a list":      map[string]any{"watch": []bool{true}},
		"no object":   true,
		"all at once": []any{map[string]any{"watch": true}},
	} {
		t.Run(name, func(t *testing.T) {
			reason := ada.fails(protocol.OpPresence, d, protocol.CodeInvalidPayload)
			if name != "no object" && name != "all at once" {
				require.Contains(t, reason, "d.watch")
			}
		})
	}
	bob.ack(protocol.OpVoiceState, protocol.VoiceState{SelfMute: new(true)}, nil)
	time.Sleep(500 * time.Millisecond) // two events' time
	ada.quiet()
}

// Watching twice is watching once, and whoever does not watch any more is told nothing.
func TestPresenceWatchAndUnwatch(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	ada, _ := identify(t, s, "Ada")
	bob, _ := identify(t, s, "Bob")
	other, _ := identify(t, s, "Cy")
	alone := watch(other)
	unwatch := func() {
		t.Helper()
		var none protocol.Presence
		ada.ack(protocol.OpPresence, protocol.PresenceWatch{Watch: new(false)}, &none)
		require.NotNil(t, none.Channels)
		require.Empty(t, none.Channels)
	}
	unwatch() // of what was not watched
	known := watch(ada)
	bob.joinChannel("lobby")
	ada.sees(&known, "lobby: Bob")
	known = watch(ada)
	require.Equal(t, []string{"lobby: Bob"}, where(&known))
	bob.ack(protocol.OpVoiceState, protocol.VoiceState{SelfMute: new(true)}, nil)
	ada.nextPresence(&known)
	require.Equal(t, []string{"lobby: Bob!"}, where(&known))
	other.sees(&alone, "lobby: Bob!")
	unwatch()
	ada.events = nil
	bob.ack(protocol.OpVoiceState, protocol.VoiceState{SelfMute: new(false)}, nil)
	other.sees(&alone, "lobby: Bob")
	ada.quiet() // with one event for two watches the first would be here
	known = watch(ada)
	require.Equal(t, []string{"lobby: Bob"}, where(&known))
}

// A session that is resumed goes on watching, and has been kept no more meanwhile than it needs; a new one does not.
func TestPresenceIsResumed(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	ada, _ := identify(t, s, "Ada")
	bob, _ := identify(t, s, "Bob")
	other, _ := identify(t, s, "Cy")
	known, alone := watch(ada), watch(other)
	bob.joinChannel("lobby")
	ada.sees(&known, "lobby: Bob")
	other.sees(&alone, "lobby: Bob")
	ada.cut()
	for i := range 12 {
		muted := i%2 == 0
		bob.ack(protocol.OpVoiceState, protocol.VoiceState{SelfMute: &muted}, nil)
		other.sees(&alone, "lobby: Bob"+map[bool]string{true: "!", false: ""}[muted])
	}
	bob.ack(protocol.OpVoiceState, protocol.VoiceState{SelfDeaf: new(true)}, nil)
	other.sees(&alone, "lobby: Bob!!")
	ada, resumed, _ := ada.resume(s)
	require.Positive(t, resumed.Replayed)
	require.LessOrEqual(t, resumed.Replayed, 5, "what waits for one who is away is bounded")
	ada.sees(&known, "lobby: Bob!!")
	bob.ack(protocol.OpChannelLeave, protocol.ChannelRef{ChannelID: "lobby"}, nil)
	ada.sees(&known)
	other.sees(&alone)

	// A request that was repeated begins anew.
	id := ada.request(protocol.OpPresence, protocol.PresenceWatch{Watch: new(true)})
	bob.joinChannel("lobby")
	other.sees(&alone, "lobby: Bob!!")
	ada.cut()
	ada, _, replies := ada.resume(s)
	require.NotContains(t, replies, id, "a long list is not kept for repetition")
	frame, err := protocol.EncodeRequest(protocol.OpPresence, id, protocol.PresenceWatch{Watch: new(true)})
	require.NoError(t, err)
	ada.send(string(frame))
	for {
		reply := ada.read()
		if reply.ID != id {
			continue
		}
		var ack struct {
			Data protocol.Presence `json:"data"`
		}
		require.NoError(t, reply.Bind(&ack))
		require.Equal(t, []string{"lobby: Bob!!"}, where(&ack.Data))
		break
	}
	ada.farewell()
	ada, _ = identify(t, s, "Ada")
	bob.ack(protocol.OpVoiceState, protocol.VoiceState{SelfDeaf: new(false)}, nil)
	other.sees(&alone, "lobby: Bob")
	ada.quiet()
}

// A watcher that does not read holds nobody up and is told seldom; one that asks on and on all the same is put out.
func TestPresenceOfOneWhoDoesNotRead(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) {
		c.EgressQueue, c.RequestRate, c.RequestBurst = 16, 100_000, 100_000
	})
	ada, _ := identify(t, s, "Ada")
	rude, _ := identify(t, s, "Rude")
	other, _ := identify(t, s, "Cy")
	bob, _ := identify(t, s, "Bob")
	known, alone := watch(ada), watch(other)
	bob.joinChannel("lobby")
	begin := time.Now()
	for i := range 20 {
		muted := i%2 == 0
		bob.ack(protocol.OpVoiceState, protocol.VoiceState{SelfMute: &muted}, nil)
		other.sees(&alone, "lobby: Bob"+map[bool]string{true: "!", false: ""}[muted])
	}
	most := uint64(time.Since(begin)/(250*time.Millisecond)) + 2
	require.LessOrEqual(t, other.seen, most)
	ada.sees(&known, "lobby: Bob!")
	ada.sees(&known, "lobby: Bob")
	require.LessOrEqual(t, ada.seen, most)

	rude.joinChannel("lobby")
	ada.sees(&known, "lobby: Bob Rude")
	var lobby protocol.ChannelDetail
	for deadline := time.Now().Add(patience); len(lobby.ActiveMembers) != 1; {
		require.True(t, time.Now().Before(deadline), "it was never put out")
		for range 100 {
			rude.request(protocol.OpPresence, protocol.PresenceWatch{Watch: new(true)})
		}
		ada.ack(protocol.OpChannelInfo, protocol.ChannelRef{ChannelID: "lobby"}, &lobby)
	}
	require.Equal(t, protocol.CloseSlowConsumer, rude.closed())
	ada.sees(&known, "lobby: Bob")
	bob.ack(protocol.OpChannelLeave, protocol.ChannelRef{ChannelID: "lobby"}, nil)
	ada.sees(&known)
	other.sees(&alone)
}

// The client in Go has it all in its events.
func TestPresenceOfTheClientInGo(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	token, _ := guest(t, s, "Ada")
	c, err := client.Dial(t.Context(), s.URL, client.Options{Token: token})
	require.NoError(t, err)
	defer c.Close()
	bob, _ := identify(t, s, "Bob")
	bob.joinChannel("lobby")
	now, err := c.WatchPresence(t.Context(), true)
	require.NoError(t, err)
	require.Equal(t, []string{"lobby: Bob"}, where(&now))
	bob.ack(protocol.OpChannelLeave, protocol.ChannelRef{ChannelID: "lobby"}, nil)
	var known protocol.Presence
	for _, want := range [][]string{{"lobby: Bob"}, {}} {
		select {
		case ev := <-c.Events():
			switch d := ev.Payload.(type) {
			case *client.PresenceSnapshot:
				known = d.Presence
			case *protocol.Presence:
				known.Apply(*d)
			}
		case <-time.After(patience):
			t.Fatal("it is not told")
		}
		require.Equal(t, want, where(&known))
	}
	_, err = c.WatchPresence(t.Context(), false)
	require.NoError(t, err)
}
