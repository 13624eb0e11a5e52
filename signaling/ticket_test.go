package signaling

import (
	"context"
	"encoding/base64"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
	"github.com/mini-livechat/mini-livechat/signaling/store"
)

func ofNodes(cfg *Config) {
	cfg.Refuges = func() []string { return []string{"https://two.example.org"} }
}

// rejoinOf returns a ticket of ada, who is muted, and when it was made.
func rejoinOf(t *testing.T, g *Gateway) (text string, now time.Time) {
	t.Helper()
	now = time.Now()
	s := &Session{gw: g, id: "one", userID: "ada"}
	made, err := s.rejoin(whereabouts{ChannelID: "lobby", SelfMute: true, Mic: protocol.MicSilent}, now)
	require.NoError(t, err)
	require.Equal(t, now.Add(ticketTTL).UnixMilli(), made.ExpiresAt)
	return made.Ticket, now
}

func TestTicketIsGoodOnceForItsUserAndForAWhile(t *testing.T) {
	g, _ := startGateway(t, nil, ofNodes)
	text, now := rejoinOf(t, g)
	other, err := auth.New([]byte(strings.Repeat("o", auth.MinSecretBytes)))
	require.NoError(t, err)
	said, _, _ := strings.Cut(text, ".")
	body, err := base64.RawURLEncoding.DecodeString(said)
	require.NoError(t, err)
	seal := func(purpose string, by *auth.Authority) string {
		return said + "." + base64.RawURLEncoding.EncodeToString(by.Seal(purpose, body))
	}
	token, err := g.auth.Mint(auth.Identity{UserID: "ada"}, now, time.Hour)
	require.NoError(t, err)
	for name, test := range map[string]struct {
		text, user, reason string
		now                time.Time
	}{
		"nothing":               {"", "ada", "none of this server's", now},
		"a token":               {token, "ada", "none of this server's", now},
		"another secret":        {seal(ticketPurpose, other), "ada", "none of this server's", now},
		"another purpose":       {seal("sign-in", g.auth), "ada", "none of this server's", now},
		"changed":               {"A" + text[1:], "ada", "none of this server's", now},
		"long":                  {strings.Repeat("A", maxTicketBytes) + "." + text, "ada", "none of this server's", now},
		"another user's":        {text, "bo", "another user's", now},
		"expired":               {text, "ada", "expired", now.Add(ticketTTL + ticketLeeway + time.Second)},
		"of a clock that is on": {text, "ada", "clocks", now.Add(-ticketLeeway - time.Second)},
	} {
		_, err = g.redeem(t.Context(), test.text, test.user, test.now)
		require.ErrorIs(t, err, errRejoin, name)
		require.ErrorContains(t, err, test.reason, name)
	}
	came, err := g.redeem(t.Context(), text, "ada", now.Add(ticketTTL))
	require.NoError(t, err)
	require.Equal(t, &protocol.Rejoined{ChannelID: "lobby", SelfMute: true, Mic: protocol.MicSilent}, came.rejoined())
	require.Equal(t, "one", came.Session)
	_, err = g.redeem(t.Context(), text, "ada", now.Add(ticketTTL))
	require.ErrorContains(t, err, "it was used")
}

func TestTicketIsVoidAfterAModeratorActed(t *testing.T) {
	g, _ := startGateway(t, nil, ofNodes)
	text, now := rejoinOf(t, g)
	note := func(userID string, at time.Time) {
		deed := store.Deed{Action: "kick", ChannelID: "lobby"}
		require.NoError(t, g.cfg.People.Note(context.Background(), auth.Identity{}, auth.Identity{UserID: userID}, deed, at))
	}
	note("ada", now.Add(-time.Second))
	note("bo", now.Add(time.Second))
	judged, err := g.judgedSince(t.Context(), "ada", now)
	require.NoError(t, err)
	require.False(t, judged)
	note("ada", now.Add(2*time.Second))
	_, err = g.redeem(t.Context(), text, "ada", now)
	require.ErrorContains(t, err, "a moderator has acted on you since")
}

func TestUsedTicketsAreForgotten(t *testing.T) {
	var used usedTickets
	now := time.Now()
	for i := range 1000 {
		require.True(t, used.use(string(rune('a'+i)), now.Add(ticketTTL), now))
		require.False(t, used.use(string(rune('a'+i)), now.Add(ticketTTL), now))
		now = now.Add(time.Second)
	}
	require.Less(t, len(used.used), 2*int((ticketTTL+ticketTTL)/time.Second))
}

// A server that is alone says nothing of nodes, not a byte, and takes no ticket.
func TestNoNodesNoTickets(t *testing.T) {
	g, url := startGateway(t, nil)
	g.RunAlive(t.Context()) // returns
	text, _ := rejoinOf(t, g)
	ws := greeted(t, url)
	d := identifyAs(t, g, "ada")
	d.Rejoin = text
	ask(t, ws, protocol.OpIdentify, d)
	var refusal protocol.Error
	require.NoError(t, next(t, ws).Bind(&refusal))
	require.Equal(t, protocol.CodeRejoin, refusal.Code)
	require.Contains(t, refusal.Reason, "no node of several")
	d.Rejoin = ""
	ask(t, ws, protocol.OpIdentify, d) // the connection goes on
	ready := next(t, ws)
	require.Equal(t, protocol.OpReady, ready.Op)
	require.NotContains(t, string(ready.D), "nodes")
	require.NotContains(t, string(ready.D), "rejoin")
	require.NotContains(t, g.features(), protocol.FeatureNodes)
}

// What changes where somebody is gives them a new ticket behind the answer; all else, and time, a sign of life.
func TestAliveTellsWhatIsNews(t *testing.T) {
	g, url := startGateway(t, nil, ofNodes)
	ws, ready := introduced(t, g, url, "ada")
	require.Contains(t, g.features(), protocol.FeatureNodes)
	require.Equal(t, []string{"https://two.example.org"}, ready.Nodes)
	require.NotNil(t, ready.Rejoin)
	require.Nil(t, ready.Rejoined)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { g.RunAlive(ctx) })
	defer running.Wait()
	defer cancel()
	plain := next(t, ws)
	require.Equal(t, protocol.OpAlive, plain.Op)
	require.Zero(t, plain.S)
	require.JSONEq(t, `{}`, string(plain.D))

	ask(t, ws, protocol.OpVoiceState, protocol.VoiceState{SelfMute: new(true)})
	for frame := next(t, ws); frame.Op != protocol.OpAck; frame = next(t, ws) {
		require.Equal(t, protocol.OpAlive, frame.Op)
	}
	var alive protocol.Alive
	for alive.Rejoin == nil {
		frame := next(t, ws)
		require.Equal(t, protocol.OpAlive, frame.Op)
		require.NoError(t, frame.Bind(&alive))
		require.Nil(t, alive.Nodes, "they are what they were")
	}
	came, err := g.redeem(t.Context(), alive.Rejoin.Ticket, "ada", time.Now())
	require.NoError(t, err)
	require.True(t, came.SelfMute)
	require.Equal(t, ready.SessionID, came.Session)
}

// Whoever comes by a ticket is as they were, before they have said anything.
func TestIdentifyByTicket(t *testing.T) {
	here, _ := startGateway(t, nil, ofNodes)
	g, url := startGateway(t, nil, ofNodes)
	text, _ := rejoinOf(t, here)
	ws := greeted(t, url)
	d := identifyAs(t, g, "ada")
	d.Rejoin = text
	ask(t, ws, protocol.OpIdentify, d)
	var ready protocol.Ready
	require.NoError(t, next(t, ws).Bind(&ready))
	require.Equal(t, &protocol.Rejoined{ChannelID: "lobby", SelfMute: true, Mic: protocol.MicSilent}, ready.Rejoined)
	s := g.users.Get("ada")
	require.Equal(t, "one", s.replaces)
	s.turn.Lock()
	defer s.turn.Unlock()
	require.True(t, s.selfMute)
	require.Equal(t, "silent", s.devices.Mic)
	require.Nil(t, s.brought.Load())
}
