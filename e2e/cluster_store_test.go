package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
	"github.com/mini-livechat/mini-livechat/signaling/store"
	"github.com/mini-livechat/mini-livechat/signaling/store/storetest"
)

// What is decided on one node about channels and people holds on all: they have the same channels, and who is put out is put out everywhere.
func TestClusterDecidesOnce(t *testing.T) {
	verifyNoLeaks(t)
	log := storetest.NewLog()
	n := startNodes(t, []string{"n1", "n2", "n3"}, func(c *app.Config) { c.Share = &store.Share{Cluster: "c1", Log: log} })
	root, ben := identifyAs(t, n.all[0], "root", true), identifyAs(t, n.all[1], "ben", false)
	lobby := func(s *server) (created int64) {
		for _, info := range listed(identifyAs(t, s, "looker", false)) {
			if info.ChannelID == "lobby" {
				created = info.CreatedAt
			}
		}
		return created
	}
	require.Equal(t, lobby(n.all[0]), lobby(n.all[2]), "they have one lobby")

	// Channels.
	root.ack(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: "studio", ChannelName: "Studio"}, nil)
	of := func(event protocol.ChannelEventKind, wanted func(*protocol.ChannelInfo) bool) {
		t.Helper()
		until(ben, protocol.OpChannelEvent, string(event), func(e protocol.ChannelEvent) bool {
			return e.Event == event && e.ChannelID == "studio" && wanted(e.Channel)
		})
	}
	of(protocol.ChannelEventCreate, func(c *protocol.ChannelInfo) bool { return c.ChannelName == "Studio" && c.OwnerID == "root" })
	ben.fails(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: "studio", ChannelName: "Other"}, protocol.CodeChannelExists)
	topic := "red light"
	root.ack(protocol.OpChannelUpdate, protocol.ChannelUpdate{ChannelID: "studio", ChannelSettings: protocol.ChannelSettings{Topic: &topic}}, nil)
	of(protocol.ChannelEventUpdate, func(c *protocol.ChannelInfo) bool { return c.Topic == topic })
	root.ack(protocol.OpChannelDelete, protocol.ChannelRef{ChannelID: "studio"}, nil)
	of(protocol.ChannelEventDelete, func(*protocol.ChannelInfo) bool { return true })

	// Of two who call a channel alike at the same moment one is told so, and all have the other's.
	for i := range 5 {
		name := fmt.Sprint("Twice ", i)
		won := 0
		ids := make(map[*raw]string)
		for _, c := range []*raw{root, ben} {
			ids[c] = c.request(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: fmt.Sprint("of-", c.ready.UserID, i), ChannelName: name})
		}
		for c, id := range ids {
			frame := c.read()
			for frame.ID != id {
				frame = c.read()
			}
			var refused protocol.Error
			if frame.Op == protocol.OpAck {
				won++
				continue
			}
			require.NoError(t, frame.Bind(&refused))
			require.Equal(t, protocol.CodeChannelNameTaken, refused.Code, refused.Reason)
		}
		require.Equal(t, 1, won)
		eventually(t, "all have one of that name, and the same", func() bool {
			called := func(c *raw) (ids []string) {
				for _, info := range listed(c) {
					if info.ChannelName == name {
						ids = append(ids, info.ChannelID)
					}
				}
				return ids
			}
			at := called(root)
			return len(at) == 1 && slices.Equal(at, called(ben))
		})
	}

	// Without most of the others nothing is decided, and who asks is told so, with when to ask again.
	log.Cut(true)
	began := time.Now()
	id := root.request(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: "lost", ChannelName: "Lost"})
	var refused protocol.Error
	for {
		if frame := root.read(); frame.ID == id {
			require.Equal(t, protocol.OpError, frame.Op)
			require.NoError(t, frame.Bind(&refused))
			break
		}
	}
	require.Equal(t, protocol.CodeUnsettled, refused.Code)
	require.Positive(t, refused.RetryAfterMS)
	require.Contains(t, refused.Reason, "try again")
	require.Less(t, time.Since(began), 20*time.Second, "it hangs")
	require.False(t, knows(root, "lost"))
	log.Cut(false)
	root.ack(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: "lost", ChannelName: "Lost"}, nil)
	eventually(t, "the others have it", func() bool { return knows(ben, "lost") })

	// People.
	authority, err := auth.New([]byte(testSecret))
	require.NoError(t, err)
	token, err := authority.Mint(auth.Identity{UserID: "root", Role: auth.RoleAdmin}, time.Now(), time.Hour)
	require.NoError(t, err)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, n.all[0].URL+"/api/admin/tokens/revoke", strings.NewReader(`{"user_id":"ben"}`))
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	request.Close = true
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusOK, answer.StatusCode)
	require.Equal(t, protocol.CloseAuthFailed, ben.closed())
}

// knows reports whether somebody knows of a channel.
func knows(c *raw, channelID string) bool {
	for _, info := range listed(c) {
		if info.ChannelID == channelID {
			return true
		}
	}
	return false
}
