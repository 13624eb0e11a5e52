package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// band is a server with a conference "den" and a radio channel "air" beside the lobby.
func band(t *testing.T) *server {
	t.Helper()
	return startServer(t, func(c *app.Config) { c.Channels = []string{"lobby", "den=The den", "air:ptt"} })
}

// holds has somebody get the floor, until what it returns is called.
func (p *person) holds() (release func()) {
	p.t.Helper()
	grant, err := p.call.Floor().Acquire(soon(p.t), client.FloorRequest{})
	require.NoError(p.t, err)
	return func() {
		p.t.Helper()
		require.NoError(p.t, grant.Release(soon(p.t)))
	}
}

func (p *person) listens(d protocol.Listen) {
	p.t.Helper()
	now, err := p.call.Listen(soon(p.t), d)
	require.NoError(p.t, err)
	require.Equal(p.t, now, p.call.Listening())
}

// A scanner with real media: a conversation elsewhere is heard, the priority channel interrupts it, and who has no floor or is muted is heard
// by nobody. One's own channel is heard all the while.
func TestTalkListensIn(t *testing.T) {
	verifyNoLeaks(t)
	s := band(t)
	bo := arrive(t, s, "bo").join("lobby").talk()
	dan := arrive(t, s, "dan").join("den").talk()
	pam := arrive(t, s, "pam").join("air").talk() // who does not wait for the floor
	ada := arrive(t, s, "ada").join("lobby", slots(2))
	ada.hears(bo)
	ada.listens(protocol.Listen{Channels: []string{"den", "air"}, Priority: "air", Slots: 1})
	ada.hears(bo, dan)
	last := ada.call.Slots()[1]
	eventually(t, "the slot says whom and where", func() bool {
		told := last.Assigned()
		return last.UserID() == dan.UserID() && told.Name == "dan" && told.ChannelID == "den" && told.ChannelName == "The den"
	})
	require.Zero(t, ada.heardFrom(pam), "without the floor")

	release := pam.holds()
	ada.hears(pam, bo)
	ada.hearsNot(dan, bo.talksOn)
	eventually(t, "the slot says who interrupted", func() bool { return last.Assigned().ChannelID == "air" })
	release()
	ada.hears(dan) // once an answer was waited for
	_, err := dan.SetVoiceState(soon(t), protocol.VoiceState{SelfMute: new(true)})
	require.NoError(t, err)
	ada.hearsNot(dan, bo.talksOn)
	_, err = dan.SetVoiceState(soon(t), protocol.VoiceState{SelfMute: new(false)})
	require.NoError(t, err)
	ada.hears(dan)

	_, err = ada.SetVoiceState(soon(t), protocol.VoiceState{SelfDeaf: new(true)})
	require.NoError(t, err)
	ada.hearsNot(dan, dan.talksOn)
	_, err = ada.SetVoiceState(soon(t), protocol.VoiceState{SelfDeaf: new(false)})
	require.NoError(t, err)
	ada.hears(dan)
	ada.check(bo, dan, pam)
	ada.listens(protocol.Listen{})
	ada.hearsNot(dan, bo.talksOn)
	require.Equal(t, []string{bo.UserID(), ""}, ada.slotUsers())
}

// It goes on when a moderator moves the one who listens, until that is to where they listened.
func TestTalkListensWhereverOneIs(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) {
		c.Secret, c.AllowGuests = testSecret, new(true)
		c.Channels = []string{"lobby", "den", "yard"}
	})
	dan := arrive(t, s, "dan").join("den").talk()
	ann := arrive(t, s, "ann").join("lobby").talk()
	ada := arrive(t, s, "ada", comesBack).join("lobby", slots(2))
	ada.listens(protocol.Listen{Channels: []string{"den"}})
	ada.hears(dan, ann)
	root := identifyAs(t, s, "root", true)
	root.ack(protocol.OpMemberMove, protocol.MemberMove{UserID: ada.UserID(), ChannelID: "yard"}, nil)
	ada.hears(dan)
	ada.hearsNot(ann, dan.talksOn)
	ada.check(dan, ann)
	root.ack(protocol.OpMemberMove, protocol.MemberMove{UserID: ada.UserID(), ChannelID: "den"}, nil)
	told(ada, "den is where she is", func(l *protocol.Listen) bool { return len(l.Channels) == 0 })
	ada.hears(dan)
	require.Empty(t, ada.call.Listening().Channels)
}

// A call that joins again, as after a restart, listens again.
func TestTalkListensAgain(t *testing.T) {
	verifyNoLeaks(t)
	data := t.TempDir()
	s := startServer(t, func(c *app.Config) { c.Data, c.Channels = data, []string{"lobby", "den"} })
	dan := arrive(t, s, "dan", comesBack).join("den").talk()
	ada := arrive(t, s, "ada", comesBack).join("lobby", slots(2))
	ada.listens(protocol.Listen{Channels: []string{"den"}, Priority: "den"})
	ada.hears(dan)
	s.again(t, data, func(c *app.Config) { c.Channels = []string{"lobby", "den"} })
	ada.hears(dan)
	require.Equal(t, protocol.Listen{Channels: []string{"den"}, Priority: "den", Slots: 1}, ada.call.Listening())
}
