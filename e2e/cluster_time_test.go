package e2e

import (
	"encoding/base64"
	"encoding/json"
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

// issued is when a token says that it was made.
func issued(t *testing.T, token string) time.Time {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	require.NoError(t, err)
	var claims struct {
		IssuedAt int64 `json:"iat"`
	}
	require.NoError(t, json.Unmarshal(text, &claims))
	return time.Unix(claims.IssuedAt, 0)
}

// mintAt makes a token for an hour from a time on.
func mintAt(t *testing.T, id auth.Identity, from time.Time) string {
	t.Helper()
	authority, err := auth.New([]byte(testSecret))
	require.NoError(t, err)
	token, err := authority.Mint(id, from, time.Hour)
	require.NoError(t, err)
	return token
}

// What is dated, and what ends at a time, goes by what the nodes take for the time, whatever the clock of the machine says.
func TestClusterGoesByOneTime(t *testing.T) {
	verifyNoLeaks(t)
	for name, off := range map[string]time.Duration{"the clock is ahead": -time.Hour, "the clock is behind": time.Hour} {
		t.Run(name, func(t *testing.T) { goesByOneTime(t, off) })
	}
}

func goesByOneTime(t *testing.T, off time.Duration) {
	t.Helper()
	is := func() time.Time { return time.Now().Round(0).Add(off) }
	log := storetest.NewLog()
	n := startNodes(t, []string{"n1", "n2"}, func(c *app.Config) { c.Share = &store.Share{Cluster: "c1", Log: log, Now: is} })
	isNow := func(at int64, what string) {
		t.Helper()
		require.WithinDuration(t, is(), time.UnixMilli(at), slowMachine+10*time.Second, what)
	}
	here, there := n.all[0], n.all[1]

	// Tokens.
	token, guestID := guest(t, here, "Gast")
	isNow(issued(t, token).UnixMilli(), "a guest's token")
	guest := with(t, there, token)
	root := with(t, here, mintAt(t, auth.Identity{UserID: "root", Role: auth.RoleAdmin}, is()))
	const half = 30 * time.Minute
	ada := with(t, here, mintAt(t, auth.Identity{UserID: "ada"}, is().Add(-half)))
	for code, from := range map[string]time.Time{"expired": is().Add(-time.Hour - half), "not valid yet": is().Add(half)} {
		require.Contains(t, dial(t, here).fails(protocol.OpIdentify,
			protocol.Identify{Token: mintAt(t, auth.Identity{UserID: "eve"}, from), V: protocol.Version}, protocol.CodeInvalidToken), code)
	}
	isNow(ada.ready.Rejoin.ExpiresAt-(2*time.Minute).Milliseconds(), "a rejoin ticket")

	// What is said, and made.
	ada.ack(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: "den"}, nil)
	for _, info := range listed(ada) {
		isNow(info.CreatedAt, info.ChannelID)
	}
	ada.joinChannel("lobby")
	var made protocol.MessageCreated
	ada.ack(protocol.OpMessageCreate, protocol.MessageCreate{ChannelID: "lobby", Content: "what time is it?"}, &made)
	isNow(made.Timestamp, "a message")
	var changed protocol.MessageChange
	ada.ack(protocol.OpMessageUpdate, protocol.MessageUpdate{MessageID: made.MessageID, Content: "what time is it now?"}, &changed)
	isNow(changed.EditedAt, "a change")
	var state protocol.VoiceStateEvent
	ada.ack(protocol.OpHand, protocol.Hand{Raised: new(true)}, &state)
	isNow(state.HandAt, "a hand")

	// What ends at a time.
	var invite protocol.InviteCreated
	root.ack(protocol.OpInviteCreate, protocol.InviteCreate{TTLMS: new(half.Milliseconds())}, &invite)
	isNow(invite.CreatedAt, "an invite")
	isNow(invite.ExpiresAt-half.Milliseconds(), "the end of an invite")
	root.ack(protocol.OpMemberBan, protocol.MemberBan{UserID: guestID, DurationS: new(int64(half / time.Second))}, nil)
	require.Equal(t, protocol.CloseBanned, guest.closed())
	require.Contains(t, dial(t, there).fails(protocol.OpIdentify, protocol.Identify{Token: token, V: protocol.Version}, protocol.CodeBanned), "banned")
	var audit protocol.Audit
	root.ack(protocol.OpAudit, protocol.AuditRequest{Bans: true}, &audit)
	require.Len(t, audit.Bans, 1)
	isNow(audit.Bans[0].CreatedAt, "a ban")
	isNow(audit.Bans[0].Until-half.Milliseconds(), "the end of a ban")

	// Whose token is good stays, for longer than it takes to be looked at.
	time.Sleep(time.Second)
	ada.ack(protocol.OpMessageCreate, protocol.MessageCreate{ChannelID: "lobby", Content: "late"}, nil)
}
