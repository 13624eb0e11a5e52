package e2e

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// Every answer has browsers be strict, whatever it is, and the page's WebSocket is the only one that the page may open.
func TestHeaders(t *testing.T) {
	verifyNoLeaks(t)
	for name, secure := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			s := startServer(t, func(c *app.Config) {
				if secure {
					c.HTTPS = "127.0.0.1:0"
					c.TLSCert, c.TLSKey = certify(t, t.TempDir(), "127.0.0.1")
				}
			})
			transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
			defer transport.CloseIdleConnections()
			ask := func(path string, header ...string) (status int, answer http.Header) {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, http.NoBody)
				require.NoError(t, err)
				for i := 0; i < len(header); i += 2 {
					req.Header.Set(header[i], header[i+1])
				}
				resp, err := (&http.Client{Transport: transport}).Do(req)
				require.NoError(t, err)
				_, _ = io.Copy(io.Discard, resp.Body)
				require.NoError(t, resp.Body.Close())
				return resp.StatusCode, resp.Header
			}
			for path, want := range map[string]int{
				"/": 200, "/js/app.js": 200, "/nothing": 404, "/healthz": 200, "/readyz": 200, "/ws": 426, "/api/guest": 405,
			} {
				status, header := ask(path)
				require.Equal(t, want, status, path)
				require.Equal(t, "nosniff", header.Get("X-Content-Type-Options"), path)
				require.Equal(t, "no-referrer", header.Get("Referrer-Policy"), path)
				require.Contains(t, header.Get("Permissions-Policy"), "microphone=(self)", path)
				require.Contains(t, header.Get("Content-Security-Policy"), "frame-ancestors 'none'", path)
				require.Equal(t, secure, header.Get("Strict-Transport-Security") != "", path)
				require.Empty(t, header.Get("Set-Cookie"), path)
			}
			status, header := ask("/ws", "Origin", "https://evil.example")
			require.Equal(t, 403, status)
			require.Equal(t, "nosniff", header.Get("X-Content-Type-Options"))
			_, host, _ := strings.Cut(s.URL, "://")
			_, header = ask("/")
			policy := header.Get("Content-Security-Policy")
			if secure {
				require.Contains(t, policy, "connect-src 'self' wss://"+host+";")
			} else {
				require.Contains(t, policy, "connect-src 'self' wss://"+host+" ws://"+host+";")
			}
		})
	}
}

// Where one member comes from is nothing that another one is told, in whatever words.
func TestNobodyLearnsAnAddress(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	const address = "203.0.113.77"
	bob, _ := identify(t, s, "Bob")
	bob.ack(protocol.OpPresence, protocol.PresenceWatch{Watch: new(true)}, nil)
	bob.joinChannel("lobby")
	ada, adaID := identifyFrom(t, s, "Ada", address)
	sdp := strings.ReplaceAll(offer(t, 1, 2), "0.0.0.0", address)
	require.Contains(t, sdp, address)
	ada.ack(protocol.OpChannelJoin, protocol.ChannelJoin{ChannelID: "lobby", SDPOffer: sdp}, nil)
	ada.ack(protocol.OpICECandidate, protocol.ICECandidate{Candidate: &protocol.ICECandidateInit{
		Candidate: "candidate:1 1 udp 1 " + address + " 9 typ host",
	}}, nil)
	ada.ack(protocol.OpVoiceState, protocol.VoiceState{SelfMute: new(true)}, nil)
	ada.ack(protocol.OpMessageCreate, protocol.MessageCreate{ChannelID: "lobby", Content: "hello"}, nil)
	ada.ack(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: "den"}, nil)
	ada.ack(protocol.OpChannelLeave, protocol.ChannelRef{ChannelID: "lobby"}, nil)
	ada.farewell()

	told, of := strings.Builder{}, 0
	for {
		require.NoError(t, bob.conn.SetReadDeadline(time.Now().Add(patience)))
		_, data, err := bob.conn.ReadMessage()
		require.NoError(t, err)
		told.Write(data)
		if strings.Contains(string(data), adaID) {
			of++
		}
		if strings.Contains(string(data), `"event":"leave"`) {
			break
		}
	}
	for op, d := range map[protocol.Op]any{
		protocol.OpChannelInfo: protocol.ChannelRef{ChannelID: "lobby"}, protocol.OpChannelList: struct{}{},
		protocol.OpHistory: protocol.History{ChannelID: "lobby"},
	} {
		var all json.RawMessage
		bob.seen = 0
		bob.request(op, d)
		require.NoError(t, bob.conn.SetReadDeadline(time.Now().Add(patience)))
		_, all, err := bob.conn.ReadMessage()
		require.NoError(t, err)
		told.Write(all)
	}
	require.Positive(t, of)
	require.NotContains(t, told.String(), address)
}

// Whatever is logged, and be it everything, has no token in it, nor the secret.
func TestTokensAreNotLogged(t *testing.T) {
	verifyNoLeaks(t)
	core, log := observer.New(zapcore.DebugLevel)
	const secret = "a secret that nobody may read in a log"
	cfg := app.Default()
	cfg.HTTP, cfg.UDP, cfg.TURNUDP, cfg.TURNTCP = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	cfg.Data, cfg.Secret, cfg.AllowGuests = t.TempDir(), secret, new(true)
	a, err := app.New(cfg, zap.New(core))
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	s := &server{URL: a.URL(), media: a.MediaAddr()}

	token, _ := guest(t, s, "Ada")
	secrets := append(make([]string, 0, 10), secret, token, token[strings.LastIndexByte(token, '.')+1:])
	ada := dial(t, s)
	ada.reply(protocol.OpIdentify, protocol.Identify{Token: token, V: protocol.Version}, protocol.OpReady, &ada.ready)
	secrets = append(secrets, ada.ready.ResumeToken)
	for _, server := range ada.ready.ICEServers {
		secrets = append(secrets, server.Credential)
	}
	ada.joinChannel("lobby")
	require.NoError(t, ada.conn.NetConn().Close())
	again := dial(t, s)
	var resumed protocol.Resumed
	again.request(protocol.OpResume, protocol.Resume{
		V: protocol.Version, SessionID: ada.ready.SessionID, ResumeToken: ada.ready.ResumeToken,
	})
	again.event(protocol.OpResumed, &resumed)
	secrets = append(secrets, resumed.ResumeToken)
	forged := token[:len(token)-4] + "AAAA"
	secrets = append(secrets, forged)
	bad := dial(t, s)
	bad.fails(protocol.OpIdentify, protocol.Identify{Token: forged, V: protocol.Version}, protocol.CodeInvalidToken)
	bad = dial(t, s)
	bad.send(fmt.Sprintf(`{"op":3,"d":{"v":1,"token":[%q]}}`, token))
	bad = dial(t, s)
	bad.send(fmt.Sprintf(`{"op":3,"d":{"v":1,"token":%q`, token))
	// A client that puts it where it does not belong is not helped along, and leaves no trace either.
	_, resp, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(s.URL, "http")+"/ws?token="+token, http.Header{
		"Origin": {"https://evil.example"}, "Cookie": {"token=" + token}, "Authorization": {"Bearer " + token},
	})
	require.Error(t, err)
	require.NoError(t, resp.Body.Close())
	stop()
	require.NoError(t, <-done)

	require.Greater(t, log.Len(), 10)
	for _, entry := range log.All() {
		text := fmt.Sprint(entry.Message, entry.ContextMap())
		for _, one := range secrets {
			require.NotEmpty(t, one)
			require.NotContains(t, text, one, entry.Message)
		}
	}
}

// Tokens that are refused, one after the other, are looked at ever more seldom, and only those of that address.
func TestRefusedTokensBackOff(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) { c.PerAddress = 3 })
	const address = "203.0.113.77"
	good, _ := guest(t, s, "Ada")
	try := func(from, token string, want protocol.Op) *protocol.Error {
		c := dialFrom(t, s, from)
		var refused protocol.Error
		c.reply(protocol.OpIdentify, protocol.Identify{Token: token, V: protocol.Version}, want, &refused)
		_ = c.conn.Close()
		return &refused
	}
	for range 4 { // as many as may be nobody's fault, and one
		require.Equal(t, protocol.CodeInvalidToken, try(address, "let me in", protocol.OpError).Code)
	}
	refused := try(address, "let me in", protocol.OpError)
	require.Equal(t, protocol.CodeRateLimited, refused.Code)
	require.Positive(t, refused.RetryAfterMS)
	require.LessOrEqual(t, refused.RetryAfterMS, int64(1000))
	try("", good, protocol.OpReady)
	time.Sleep(time.Duration(refused.RetryAfterMS) * time.Millisecond)
	try(address, good, protocol.OpReady)
}
