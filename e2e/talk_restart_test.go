package e2e

import (
	"fmt"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

func comesBack(o *client.Options) { o.NoReconnect = false }

// again starts the server anew, with the same data and at the same addresses.
func (s *server) again(t *testing.T, data string, configure ...func(*app.Config)) *server {
	t.Helper()
	s.stop()
	at, err := url.Parse(s.URL)
	require.NoError(t, err)
	return startServer(t, append(configure, func(cfg *app.Config) {
		cfg.HTTP, cfg.UDP, cfg.Data = at.Host, s.media.String(), data
	})...)
}

// Those who talked before a restart talk after it, in the channel and state they were in, and nobody does anything for it.
func TestTalkGoesOnAfterARestart(t *testing.T) {
	verifyNoLeaks(t)
	data := t.TempDir()
	s := startServer(t, func(cfg *app.Config) { cfg.Data = data })
	const talkers = 4
	people := make([]*person, 0, talkers)
	engine := loopbackEngine(t)
	for i := range talkers {
		p := arrive(t, s, fmt.Sprint("talker ", i), comesBack, func(o *client.Options) { o.Engine = engine })
		people = append(people, p.join("lobby").talk())
	}
	muted := arrive(t, s, "muted", comesBack).join("lobby").talk()
	_, err := muted.SetVoiceState(soon(t), protocol.VoiceState{SelfMute: new(true)})
	require.NoError(t, err)
	everybodyHears := func() {
		t.Helper()
		for _, p := range people {
			p.hears(slices.DeleteFunc(slices.Clone(people), func(o *person) bool { return o == p })...)
		}
	}
	everybodyHears()

	s.again(t, data)
	everybodyHears()
	var silences []time.Duration
	for _, p := range people {
		for _, other := range people {
			if other != p {
				silences = append(silences, p.longestSilence(other))
			}
		}
	}
	slices.Sort(silences)
	t.Logf("silence around the restart: median %v, longest %v", silences[len(silences)/2], silences[len(silences)-1])
	members := people[0].call.Members()
	require.Len(t, members, talkers+1)
	i := slices.IndexFunc(members, func(m protocol.Member) bool { return m.UserID == muted.UserID() })
	require.True(t, members[i].SelfMute, "voice state is kept")
	for _, p := range people {
		require.NoError(t, p.call.Err())
		p.hearsNot(muted, func() {})
	}
}
