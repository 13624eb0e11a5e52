package protocol

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPresenceChange(t *testing.T) {
	t.Parallel()
	a, b, c, d := Present{UserID: "a"}, Present{UserID: "b"}, Present{UserID: "c"}, Present{UserID: "d"}
	muted := Present{UserID: "b", SelfMute: true}
	for name, test := range map[string]struct {
		before, after []Present
		want          string
	}{
		"first":            {nil, []Present{a}, `{"channel_id":"x","members":[{"user_id":"a","name":""}]}`},
		"last":             {[]Present{a}, nil, `{"channel_id":"x","members":[]}`},
		"one more":         {[]Present{a, b}, []Present{a, b, c}, `{"channel_id":"x","set":[{"user_id":"c","name":""}]}`},
		"one less":         {[]Present{a, b, c}, []Present{a, c}, `{"channel_id":"x","gone":["b"]}`},
		"muted":            {[]Present{a, b, c}, []Present{a, muted, c}, `{"channel_id":"x","set":[{"user_id":"b","name":"","self_mute":true}]}`},
		"came again":       {[]Present{a, b, c, d}, []Present{b, c, d, a}, `{"channel_id":"x","gone":["a"],"set":[{"user_id":"a","name":""}]}`},
		"more than it has": {[]Present{a, b, c}, []Present{d}, `{"channel_id":"x","members":[{"user_id":"d","name":""}]}`},
		"nothing":          {[]Present{a, b}, []Present{a, b}, ""},
		"nobody":           {nil, []Present{}, ""},
	} {
		change, changed := PresenceChange("x", test.before, test.after)
		require.Equal(t, test.want != "", changed, name)
		if changed {
			data, err := json.Marshal(change)
			require.NoError(t, err)
			require.JSONEq(t, test.want, string(data), name)
		}
	}
}

// Whoever applies what became of a channel has what became of it, over JSON and in order.
func TestPresenceApply(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	var known Presence
	channels := map[string][]Present{}
	for range 5000 {
		id := fmt.Sprint("channel-", random.IntN(4))
		before := channels[id]
		after := slices.Clone(before)
		for range random.IntN(6) {
			user := Present{UserID: fmt.Sprint("user-", random.IntN(12)), SelfMute: random.IntN(2) == 0, SelfDeaf: random.IntN(4) == 0}
			i := slices.IndexFunc(after, func(p Present) bool { return p.UserID == user.UserID })
			switch {
			case i < 0:
				after = append(after, user)
			case random.IntN(2) == 0:
				after = slices.Delete(after, i, i+1)
			default:
				after[i] = user
			}
		}
		channels[id] = after
		change, changed := PresenceChange(id, before, after)
		require.Equal(t, !slices.Equal(before, after), changed)
		if !changed {
			continue
		}
		require.LessOrEqual(t, len(change.Gone)+len(change.Set)+len(change.Members), max(len(after), 1))
		data, err := json.Marshal(Presence{Channels: []ChannelPresence{change}})
		require.NoError(t, err)
		var event Presence
		require.NoError(t, json.Unmarshal(data, &event))
		known.Apply(event)
		for id, members := range channels {
			at := slices.IndexFunc(known.Channels, func(c ChannelPresence) bool { return c.ChannelID == id })
			if len(members) == 0 {
				require.Negative(t, at, "empty channels are left out")
				continue
			}
			require.Equal(t, members, known.Channels[at].Members)
		}
	}
}
