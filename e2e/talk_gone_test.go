package e2e

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

const (
	// toldWithin is what PROTOCOL.md promises of somebody whose media falls silent, backWithin of one who is there again.
	toldWithin, backWithin = 6 * time.Second, 300 * time.Millisecond
	// slowMachine is what tests may take longer where they share their cores. It is less than what comes next if the promised fails.
	slowMachine = 15 * time.Second
)

// noRelay leaves those whose UDP is cut no way out.
func noRelay(cfg *app.Config) { cfg.TURN = false }

// toldMedia waits until p is told this of other's media.
func (p *person) toldMedia(other *person, state protocol.Media) {
	p.t.Helper()
	told(p, "media of "+other.UserID()+" is "+string(state), func(ev *protocol.MediaState) bool {
		require.Equal(p.t, p.call.ChannelID(), ev.ChannelID)
		return ev.UserID == other.UserID() && ev.State == state
	})
}

// mediaOf is what p's member list says of other's media.
func (p *person) mediaOf(other *person) protocol.Media {
	p.t.Helper()
	members := p.call.Members()
	i := slices.IndexFunc(members, func(m protocol.Member) bool { return m.UserID == other.UserID() })
	require.GreaterOrEqual(p.t, i, 0)
	return members[i].Media
}

// Nothing comes of somebody's media any more, though the WebSocket stands: everybody is told in time, who comes later
// too, and again when it comes.
func TestTalkLostMediaIsTold(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, noRelay)
	bo := arrive(t, s, "bo").join("lobby", listenOnly)
	var network cable
	ada := arrive(t, s, "ada", network.plug(t), comesBack).join("lobby").talk()
	bo.hears(ada)
	require.Equal(t, protocol.MediaOK, bo.mediaOf(ada))

	cut := time.Now()
	network.media.Store(true)
	bo.toldMedia(ada, protocol.MediaLost)
	t.Logf("told after %v", time.Since(cut))
	require.Less(t, time.Since(cut), toldWithin+slowMachine)
	require.Equal(t, protocol.MediaLost, bo.mediaOf(ada))
	ada.toldMedia(ada, protocol.MediaLost)
	cyd := arrive(t, s, "cyd").join("lobby", listenOnly)
	require.Equal(t, protocol.MediaLost, cyd.mediaOf(ada))
	require.Equal(t, protocol.MediaOK, cyd.mediaOf(bo))
	info, err := cyd.Channel(soon(t), "lobby")
	require.NoError(t, err)
	require.Equal(t, protocol.MediaLost, info.ActiveMembers[1].Media)

	network.media.Store(false)
	back := time.Now()
	bo.toldMedia(ada, protocol.MediaOK)
	t.Logf("back after %v", time.Since(back))
	require.Less(t, time.Since(back), backWithin+slowMachine, "ada talks")
	cyd.toldMedia(ada, protocol.MediaOK)
	require.Equal(t, protocol.MediaOK, cyd.mediaOf(ada))
	bo.hears(ada)
	require.Equal(t, protocol.MediaOK, bo.mediaOf(bo), "who only listens is there")
}

// A path is broken in one direction, which only the server notices: it says so, and the one who is not heard finds another.
func TestTalkMovesWhenNotHeard(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	var network cable
	bo := arrive(t, s, "bo").join("lobby").talk()
	ada := arrive(t, s, "ada", network.plug(t), comesBack).join("lobby").talk()
	ada.hears(bo)
	bo.hears(ada)
	source := ada.call.SSRC()

	network.mutes.Add(1)
	muted := time.Now()
	bo.toldMedia(ada, protocol.MediaLost)
	bo.toldMedia(ada, protocol.MediaOK)
	bo.hears(ada)
	t.Logf("heard again after %v", time.Since(muted))
	require.Less(t, time.Since(muted), toldWithin+slowMachine)
	require.Less(t, ada.longestSilence(bo), time.Since(muted)/2, "ada heard him all the while")
	require.Equal(t, source, ada.call.SSRC(), "in the same call")
}

// Somebody vanishes without a word, media and WebSocket: called lost in time, and out after the shorter timeout.
func TestTalkVanishedIsOut(t *testing.T) {
	verifyNoLeaks(t)
	for name, test := range map[string]struct {
		configure func(*app.Config)
		broken    bool // the server notices that the WebSocket ends
		cause     protocol.LeaveCause
		out       time.Duration
	}{
		"silent WebSocket": { // which looks sound until it has missed its heartbeats
			func(cfg *app.Config) { cfg.HeartbeatInterval, cfg.ZombieTimeout = 4*time.Second, 8*time.Second },
			false, protocol.LeaveMediaTimeout, 8 * time.Second,
		},
		"broken WebSocket": {
			func(cfg *app.Config) { cfg.ResumeWindow = 7 * time.Second },
			true, protocol.LeaveGone, 7 * time.Second,
		},
		"broken WebSocket, long window": {
			func(cfg *app.Config) { cfg.HeartbeatInterval, cfg.ZombieTimeout = 3*time.Second, 7*time.Second },
			true, protocol.LeaveMediaTimeout, 7 * time.Second,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// The reaper is the net below, and comes late.
			s := startServer(t, test.configure, func(cfg *app.Config) { cfg.ReaperInterval = time.Minute })
			bo := arrive(t, s, "bo").join("lobby", listenOnly)
			var network cable
			var shears scissors
			ada := arrive(t, s, "ada", network.plug(t), func(o *client.Options) {
				if test.broken {
					shears.plug(o)
				}
				o.NoReconnect = true
			}).join("lobby").talk()
			bo.hears(ada)
			cut := time.Now()
			network.media.Store(true)
			network.webSocket.Store(true)
			shears.cut()
			bo.toldMedia(ada, protocol.MediaLost)
			require.Less(t, time.Since(cut), toldWithin+slowMachine)
			require.Equal(t, test.cause, bo.toldLeft(ada))
			require.Greater(t, time.Since(cut), test.out-time.Second)
			require.Less(t, time.Since(cut), test.out+slowMachine)
		})
	}
}

// Who is muted, deaf or only listens, in a channel in which nobody speaks, is there all the while.
func TestTalkQuietIsNotGone(t *testing.T) {
	verifyNoLeaks(t)
	const quiet = 15 * time.Second
	s := startServer(t)
	muted := arrive(t, s, "muted").join("lobby").talk()
	deaf := arrive(t, s, "deaf").join("lobby")
	arrive(t, s, "listener").join("lobby", listenOnly)
	arrive(t, s, "silent").join("lobby") // has a microphone and sends nothing, as with DTX
	bo := arrive(t, s, "bo").join("lobby", listenOnly)
	_, err := muted.SetVoiceState(soon(t), protocol.VoiceState{SelfMute: new(true)})
	require.NoError(t, err)
	_, err = deaf.SetVoiceState(soon(t), protocol.VoiceState{SelfDeaf: new(true)})
	require.NoError(t, err)
	for over := time.After(quiet); ; {
		select {
		case ev := <-bo.Events():
			require.NotEqual(t, protocol.OpMediaState, ev.Op, "%+v", ev.Payload)
			continue
		case <-over:
		}
		break
	}
	for _, m := range bo.call.Members() {
		require.Equal(t, protocol.MediaOK, m.Media, m.Name)
	}
}
