package e2e

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// What no reply can name ends the connection.
func TestBadFramesCloseTheConnection(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	for name, test := range map[string]struct {
		kind  int
		frame string
		code  protocol.CloseCode
	}{
		"malformed JSON":    {websocket.TextMessage, `{"op":1,`, protocol.CloseDecode},
		"trailing garbage":  {websocket.TextMessage, `{"op":1} x`, protocol.CloseDecode},
		"array":             {websocket.TextMessage, `[1]`, protocol.CloseDecode},
		"empty":             {websocket.TextMessage, ``, protocol.CloseDecode},
		"invalid UTF-8":     {websocket.TextMessage, "{\"op\":1,\"id\":\"\xff\xfe\"}", protocol.CloseDecode},
		"binary":            {websocket.BinaryMessage, `{"op":1}`, protocol.CloseDecode},
		"no op":             {websocket.TextMessage, `{"d":{}}`, protocol.CloseOpcode},
		"null op":           {websocket.TextMessage, `{"op":null}`, protocol.CloseOpcode},
		"op is a string":    {websocket.TextMessage, `{"op":"1"}`, protocol.CloseOpcode},
		"op is a fraction":  {websocket.TextMessage, `{"op":1.5}`, protocol.CloseOpcode},
		"oversize":          {websocket.TextMessage, `{"op":1,"d":"` + strings.Repeat("x", protocol.MaxFrameBytes) + `"}`, websocket.CloseMessageTooBig},
		"deeply nested":     {websocket.TextMessage, `{"op":1,"d":` + strings.Repeat("[", 20_000) + `}`, protocol.CloseDecode},
		"oversize fragment": {websocket.TextMessage, strings.Repeat(" ", protocol.MaxFrameBytes+1), websocket.CloseMessageTooBig},
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := identify(t, s, "Ada")
			require.NoError(t, c.conn.WriteMessage(test.kind, []byte(test.frame)))
			require.Equal(t, test.code, c.closed())
		})
	}
}

// What a reply can name is answered, with the id where it is usable, and the session
// goes on.
func TestBadRequestsAreAnswered(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	for name, test := range map[string]struct {
		frame  string
		id     string
		code   protocol.ErrorCode
		reason string
	}{
		"unknown op":          {`{"op":77,"id":"a"}`, "a", protocol.CodeInvalidOpcode, "77"},
		"negative op":         {`{"op":-1,"id":"a"}`, "a", protocol.CodeInvalidOpcode, "-1"},
		"an event's op":       {`{"op":101,"id":"a"}`, "a", protocol.CodeInvalidOpcode, "101"},
		"id is a number":      {`{"op":1,"id":7}`, "", protocol.CodeInvalidPayload, "id must be a string"},
		"id too long":         {`{"op":1,"id":"` + strings.Repeat("i", 65) + `"}`, "", protocol.CodeInvalidPayload, "64 bytes"},
		"s is negative":       {`{"op":1,"id":"a","s":-1}`, "a", protocol.CodeInvalidPayload, "s must be"},
		"d is a string":       {`{"op":11,"id":"a","d":"lobby"}`, "a", protocol.CodeInvalidPayload, "d must be an object"},
		"wrong field type":    {`{"op":11,"id":"a","d":{"channel_id":5}}`, "a", protocol.CodeInvalidPayload, "d.channel_id must be a string"},
		"wrong number type":   {`{"op":10,"id":"a","d":{"channel_id":"x","capacity":"5"}}`, "a", protocol.CodeInvalidPayload, "d.capacity must be an integer"},
		"wrong boolean":       {`{"op":40,"id":"a","d":{"self_mute":1}}`, "a", protocol.CodeInvalidPayload, "d.self_mute must be a boolean"},
		"probe with no SDP":   {`{"op":19,"id":"a","d":{"sdp_offer":"hello"}}`, "a", protocol.CodeBadSDP, "SDP"},
		"pin a string":        {`{"op":41,"id":"a","d":{"pin":"bob"}}`, "a", protocol.CodeInvalidPayload, "d.pin must be an array"},
		"pin a number":        {`{"op":41,"id":"a","d":{"pin":[7]}}`, "a", protocol.CodeInvalidPayload, "d.pin"},
		"pin nobody":          {`{"op":41,"id":"a","d":{"pin":[""]}}`, "a", protocol.CodeInvalidPayload, "0 bytes"},
		"pin a novel":         {`{"op":41,"id":"a","d":{"pin":["` + strings.Repeat("p", 129) + `"]}}`, "a", protocol.CodeInvalidPayload, "129 bytes"},
		"too many pins":       {`{"op":41,"id":"a","d":{"pin":["a"` + strings.Repeat(`,"a"`, 32) + `]}}`, "a", protocol.CodeInvalidPayload, "d.pin has 33 entries"},
		"too many exclusions": {`{"op":41,"id":"a","d":{"exclude":["a"` + strings.Repeat(`,"a"`, 256) + `]}}`, "a", protocol.CodeInvalidPayload, "d.exclude has 257 entries"},
		"channel id missing":  {`{"op":10,"id":"a"}`, "a", protocol.CodeInvalidPayload, "channel_id"},
		"channel id letters":  {`{"op":10,"id":"a","d":{"channel_id":"a b"}}`, "a", protocol.CodeInvalidPayload, "channel_id"},
		"channel id too long": {`{"op":10,"id":"a","d":{"channel_id":"` + strings.Repeat("x", 65) + `"}}`, "a", protocol.CodeInvalidPayload, "65 bytes"},
		"channel name long":   {`{"op":10,"id":"a","d":{"channel_id":"x","channel_name":"` + strings.Repeat("é", 101) + `"}}`, "a", protocol.CodeInvalidPayload, "101 characters"},
		"channel name unseen": {`{"op":10,"id":"a","d":{"channel_id":"x","channel_name":"a\u202eb"}}`, "a", protocol.CodeInvalidPayload, "U+202E"},
		"capacity negative":   {`{"op":10,"id":"a","d":{"channel_id":"x","capacity":-1}}`, "a", protocol.CodeInvalidPayload, "-1"},
		"capacity too large":  {`{"op":10,"id":"a","d":{"channel_id":"x","capacity":101}}`, "a", protocol.CodeInvalidPayload, "1 to 100"},
		"mode unknown":        {`{"op":10,"id":"a","d":{"channel_id":"x","mode":"radio"}}`, "a", protocol.CodeInvalidPayload, "mode"},
		"join nowhere":        {`{"op":11,"id":"a","d":{"channel_id":"nowhere"}}`, "a", protocol.CodeChannelNotFound, "nowhere"},
		"leave nowhere":       {`{"op":12,"id":"a","d":{"channel_id":"nowhere"}}`, "a", protocol.CodeChannelNotFound, "nowhere"},
		"info nowhere":        {`{"op":16,"id":"a","d":{"channel_id":"nowhere"}}`, "a", protocol.CodeChannelNotFound, "nowhere"},
		"not a member":        {`{"op":12,"id":"a","d":{"channel_id":"lobby"}}`, "a", protocol.CodeNotInChannel, "lobby"},
		"candidate a string":  {`{"op":18,"id":"a","d":{"candidate":"x"}}`, "a", protocol.CodeInvalidPayload, "d.candidate"},
		"candidate too long":  {`{"op":18,"id":"a","d":{"candidate":{"candidate":"` + strings.Repeat("c", 1025) + `"}}}`, "a", protocol.CodeInvalidPayload, "1025 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := identify(t, s, "Ada")
			c.send(test.frame)
			frame := c.read()
			require.Equal(t, protocol.OpError, frame.Op)
			require.Equal(t, test.id, frame.ID)
			var refused protocol.Error
			require.NoError(t, frame.Bind(&refused))
			require.Equal(t, test.code, refused.Code, refused.Reason)
			require.Contains(t, refused.Reason, test.reason)
			c.quiet() // the session goes on, and there was one reply
		})
	}
}

func TestRequestsBeforeIdentify(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	c := dial(t, s)
	for _, op := range []protocol.Op{
		protocol.OpChannelCreate, protocol.OpChannelJoin, protocol.OpChannelLeave, protocol.OpChannelUpdate,
		protocol.OpChannelDelete, protocol.OpChannelList, protocol.OpChannelInfo, protocol.OpICECandidate,
		protocol.OpMessageCreate, protocol.OpVoiceState, protocol.OpSubscribe,
	} {
		c.fails(op, struct{}{}, protocol.CodeNotAuthenticated)
	}
	c.fails(protocol.Op(77), struct{}{}, protocol.CodeInvalidOpcode)
	c.reply(protocol.OpHeartbeat, protocol.Heartbeat{}, protocol.OpHeartbeatAck, nil)
}

func TestIdentifyDeadline(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) { c.IdentifyTimeout = time.Second })
	late := dial(t, s)
	ada, _ := identify(t, s, "Ada")
	require.Equal(t, protocol.CloseNotAuthenticated, late.closed())
	ada.quiet() // who identified in time stays
}

func TestIdentifyRefusals(t *testing.T) {
	verifyNoLeaks(t)
	const secret = "a secret of at least thirty-two bytes"
	s := startServer(t, func(c *app.Config) { c.Secret = secret; c.AllowGuests = new(true) })
	mint := func(secret string, ttl time.Duration, now time.Time) string {
		authority, err := auth.New([]byte(secret))
		require.NoError(t, err)
		token, err := authority.Mint(auth.Identity{UserID: "ada"}, now, ttl)
		require.NoError(t, err)
		return token
	}
	good := mint(secret, time.Hour, time.Now())
	parts := strings.Split(good, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + parts[1] + "."
	for name, test := range map[string]struct {
		d    protocol.Identify
		code protocol.ErrorCode
		end  protocol.CloseCode
	}{
		"no token":       {protocol.Identify{V: 1}, protocol.CodeInvalidToken, protocol.CloseAuthFailed},
		"not a token":    {protocol.Identify{Token: "let me in", V: 1}, protocol.CodeInvalidToken, protocol.CloseAuthFailed},
		"forged":         {protocol.Identify{Token: mint(strings.Repeat("x", 32), time.Hour, time.Now()), V: 1}, protocol.CodeInvalidToken, protocol.CloseAuthFailed},
		"unsigned":       {protocol.Identify{Token: none, V: 1}, protocol.CodeInvalidToken, protocol.CloseAuthFailed},
		"tampered":       {protocol.Identify{Token: good[:len(good)-4] + "AAAA", V: 1}, protocol.CodeInvalidToken, protocol.CloseAuthFailed},
		"expired":        {protocol.Identify{Token: mint(secret, time.Hour, time.Now().Add(-2*time.Hour)), V: 1}, protocol.CodeInvalidToken, protocol.CloseAuthFailed},
		"somebody else":  {protocol.Identify{Token: good, UserID: "bob", V: 1}, protocol.CodeInvalidToken, protocol.CloseAuthFailed},
		"version 2":      {protocol.Identify{Token: good, V: 2}, protocol.CodeUnsupportedVersion, protocol.CloseVersion},
		"version absent": {protocol.Identify{Token: good}, protocol.CodeUnsupportedVersion, protocol.CloseVersion},
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, s)
			c.fails(protocol.OpIdentify, test.d, test.code)
			require.Equal(t, test.end, c.closed())
		})
	}
	c := dial(t, s)
	c.reply(protocol.OpIdentify, protocol.Identify{Token: good, UserID: "ada", V: 1}, protocol.OpReady, nil)
}

func TestJoinRefusalsLeaveNothingBehind(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) { c.Slots = 2 })
	ada, _ := identify(t, s, "Ada")
	bob, _ := identify(t, s, "Bob")
	bob.joinChannel("lobby")
	good := offer(t, 1, 2)
	for name, test := range map[string]struct {
		offer  string
		code   protocol.ErrorCode
		reason string
	}{
		"empty":              {"", protocol.CodeBadSDP, ""},
		"not SDP":            {"hello", protocol.CodeBadSDP, ""},
		"cut short":          {good[:len("v=0\r\no=- 1")], protocol.CodeUnsupportedMedia, "no m=audio"},
		"huge":               {good + "a=x:" + strings.Repeat("y", protocol.MaxSDPBytes) + "\r\n", protocol.CodeBadSDP, "bytes"},
		"no media":           {"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n", protocol.CodeUnsupportedMedia, "no m=audio"},
		"video":              {strings.ReplaceAll(good, "m=audio", "m=video"), protocol.CodeUnsupportedMedia, "no m=audio"},
		"no Opus":            {strings.ReplaceAll(good, "opus/48000/2", "speex/16000"), protocol.CodeUnsupportedMedia, "opus"},
		"sendrecv":           {strings.Replace(good, "a=sendonly", "a=sendrecv", 1), protocol.CodeUnsupportedMedia, "sendrecv"},
		"inactive":           {strings.Replace(good, "a=sendonly", "a=inactive", 1), protocol.CodeUnsupportedMedia, "inactive"},
		"two microphones":    {offer(t, 2, 0), protocol.CodeUnsupportedMedia, "second sendonly"},
		"too many slots":     {offer(t, 0, 3), protocol.CodeUnsupportedMedia, "at most 2"},
		"far too many lines": {offer(t, 1, 40), protocol.CodeUnsupportedMedia, "one too many"},
		"same mid twice":     {strings.Replace(good, "a=mid:1", "a=mid:0", 1), protocol.CodeBadSDP, "a=mid"},
		"no fingerprint":     {without(good, "a=fingerprint"), protocol.CodeBadSDP, "fingerprint"},
		"no ICE":             {without(good, "a=ice-ufrag"), protocol.CodeBadSDP, ""},
	} {
		t.Run(name, func(t *testing.T) {
			reason := ada.fails(protocol.OpChannelJoin,
				protocol.ChannelJoin{ChannelID: "lobby", SDPOffer: test.offer}, test.code)
			require.Contains(t, reason, test.reason)
			require.Less(t, len(reason), 400)
		})
	}
	bob.quiet() // nobody was told of a join that was not one
	var detail protocol.ChannelDetail
	ada.ack(protocol.OpChannelInfo, protocol.ChannelRef{ChannelID: "lobby"}, &detail)
	require.Len(t, detail.ActiveMembers, 1)
	ada.joinChannel("lobby")
}

// without removes the lines with a prefix.
func without(sdp, prefix string) string {
	var kept strings.Builder
	for line := range strings.Lines(sdp) {
		if !strings.HasPrefix(line, prefix) {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

func TestJoinFullChannel(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) { c.MaxChannels = 2 })
	ada, _ := identify(t, s, "Ada")
	bob, _ := identify(t, s, "Bob")
	ada.ack(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: "one", Capacity: 1}, nil)
	ada.fails(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: "two"}, protocol.CodeChannelFull)
	ada.joinChannel("one")
	bob.fails(protocol.OpChannelJoin, protocol.ChannelJoin{ChannelID: "one", SDPOffer: offer(t, 1, 1)}, protocol.CodeChannelFull)
	bob.joinChannel("lobby")
	ada.fails(protocol.OpChannelJoin, protocol.ChannelJoin{ChannelID: "lobby", SDPOffer: offer(t, 1, 1)}, protocol.CodeAlreadyInChannel)
}

// A candidate costs nothing, whatever it is: the server needs none, and a client's engine may find kinds that no server
// has heard of.
func TestICECandidates(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) { c.RequestBurst = 200 })
	c, _ := identify(t, s, "Ada")
	candidate := func(line string) protocol.ICECandidate {
		return protocol.ICECandidate{Candidate: &protocol.ICECandidateInit{Candidate: line, SDPMid: new("0")}}
	}
	c.ack(protocol.OpICECandidate, candidate("candidate:1 1 udp 1 127.0.0.1 9 typ host"), nil) // as for a MEDIA_PROBE
	c.joinChannel("lobby")
	for _, line := range []string{
		"", // the end of one generation (W3C WebRTC, section 4.8.2)
		"candidate:1 1 udp 2130706431 127.0.0.1 50000 typ host",
		"a=candidate:1 1 UDP 2130706431 127.0.0.1 50000 typ host generation 0 ufrag x network-id 1",
		"candidate:1 1 udp 2113937151 7f1b5ed0-1f3a-4d38-8e4c-2a1d5b0f3a5e.local 50000 typ host",
		"candidate:2 1 tcp 1518280447 127.0.0.1 9 typ host tcptype active",
		"candidate:3 1 udp 1 fe80::1%eth0 9 typ host",
		"candidate:4 1 quic 1 127.0.0.1 9 typ later", "end-of-candidates", "nonsense", "\x00\r\n",
		strings.Repeat("x", protocol.MaxCandidateBytes),
	} {
		c.ack(protocol.OpICECandidate, candidate(line), nil)
	}
	c.ack(protocol.OpICECandidate, protocol.ICECandidate{}, nil)
	for range 100 {
		c.ack(protocol.OpICECandidate, candidate("candidate:1 1 udp 1 127.0.0.1 9 typ host"), nil)
	}
	c.fails(protocol.OpICECandidate, candidate(strings.Repeat("x", protocol.MaxCandidateBytes+1)), protocol.CodeInvalidPayload)
}

func TestRateLimit(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) { c.RequestRate, c.RequestBurst = 1, 3 })
	began := time.Now()
	c, _ := identify(t, s, "Ada") // the first of three
	c.ack(protocol.OpVoiceState, struct{}{}, nil)
	c.ack(protocol.OpVoiceState, struct{}{}, nil)
	var refused protocol.Error
	for asked := 3; refused.Code != protocol.CodeRateLimited; asked++ { // and one more for each second, of which a slow machine takes some
		require.LessOrEqual(t, asked, 3+int(time.Since(began).Seconds())+1)
		id := c.request(protocol.OpVoiceState, struct{}{})
		frame := c.read()
		require.Equal(t, id, frame.ID)
		if frame.Op == protocol.OpError {
			require.NoError(t, frame.Bind(&refused))
		}
	}
	require.InDelta(t, 500, refused.RetryAfterMS, 501)
	for range 10 {
		c.request(protocol.OpVoiceState, struct{}{})
	}
	require.Equal(t, protocol.CloseRateLimited, c.closed())
}

// What costs more counts for more, and what counts for more than may be asked at once is
// still possible.
func TestRateLimitIsWeighted(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) { c.RequestRate, c.RequestBurst = 1, 11 })
	began := time.Now()
	c, _ := identify(t, s, "Ada")
	c.ack(protocol.OpChannelList, struct{}{}, nil)
	c.ack(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: "den"}, nil)
	var refused protocol.Error
	c.reply(protocol.OpChannelJoin, protocol.ChannelJoin{ChannelID: "den", SDPOffer: offer(t, 1, 1)}, protocol.OpError, &refused)
	require.Equal(t, protocol.CodeRateLimited, refused.Code)
	require.LessOrEqual(t, refused.RetryAfterMS, int64(5001))
	require.GreaterOrEqual(t, refused.RetryAfterMS, 3999-time.Since(began).Milliseconds())

	s = startServer(t, func(c *app.Config) { c.RequestRate, c.RequestBurst = 1000, 1 })
	c, _ = identify(t, s, "Bob")
	eventually(t, "the request to be carried out", func() bool {
		c.request(protocol.OpChannelList, struct{}{})
		return c.read().Op == protocol.OpAck
	})
}

func TestTooManySessions(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) { c.MaxSessions = 1 })
	first := dial(t, s)
	url := "ws" + strings.TrimPrefix(s.URL, "http") + "/ws"
	_, resp, err := websocket.DefaultDialer.Dial(url, nil)
	require.ErrorIs(t, err, websocket.ErrBadHandshake)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
	require.NoError(t, first.conn.Close())
	eventually(t, "room for another", func() bool {
		conn, resp, err := websocket.DefaultDialer.Dial(url, nil)
		if resp != nil {
			_ = resp.Body.Close()
		}
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
}

func TestOrigins(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) { c.AllowOrigin = []string{"https://friend.example"} })
	for origin, want := range map[string]int{
		"":                       http.StatusSwitchingProtocols,
		s.URL:                    http.StatusSwitchingProtocols,
		"https://friend.example": http.StatusSwitchingProtocols,
		"https://evil.example":   http.StatusForbidden,
		"null":                   http.StatusForbidden,
	} {
		header := http.Header{}
		if origin != "" {
			header.Set("Origin", origin)
		}
		conn, resp, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(s.URL, "http")+"/ws", header)
		require.Equal(t, want, resp.StatusCode, origin)
		require.NoError(t, resp.Body.Close())
		if err == nil {
			require.NoError(t, conn.Close())
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/ws", http.NoBody)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusUpgradeRequired, resp.StatusCode)
}

func TestGuestAPI(t *testing.T) {
	verifyNoLeaks(t)
	open := startServer(t)
	closed := startServer(t, func(c *app.Config) { c.AllowGuests = new(false) })
	for name, test := range map[string]struct {
		s           *server
		method      string
		contentType string
		body        string
		origin      string
		status      int
		code        protocol.ErrorCode
	}{
		"fine":          {open, "POST", "application/json; charset=utf-8", `{"name":"Ada","more":1}`, "", 200, 0},
		"own origin":    {open, "POST", "application/json", `{"name":"Ada"}`, open.URL, 200, 0},
		"other origin":  {open, "POST", "application/json", `{"name":"Ada"}`, "https://evil.example", 403, protocol.CodeSiteRefused},
		"no guests":     {closed, "POST", "application/json", `{"name":"Ada"}`, "", 403, protocol.CodeAccessDenied},
		"get":           {open, "GET", "", "", "", 405, protocol.CodeInvalidPayload},
		"a form":        {open, "POST", "application/x-www-form-urlencoded", `name=Ada`, "", 415, protocol.CodeInvalidPayload},
		"no body":       {open, "POST", "application/json", ``, "", 400, protocol.CodeInvalidPayload},
		"no name":       {open, "POST", "application/json", `{}`, "", 400, protocol.CodeInvalidPayload},
		"empty name":    {open, "POST", "application/json", `{"name":"  "}`, "", 400, protocol.CodeInvalidPayload},
		"long name":     {open, "POST", "application/json", `{"name":"` + strings.Repeat("é", 65) + `"}`, "", 400, protocol.CodeInvalidPayload},
		"unseen name":   {open, "POST", "application/json", `{"name":"a\u202eb"}`, "", 400, protocol.CodeInvalidPayload},
		"name a number": {open, "POST", "application/json", `{"name":5}`, "", 400, protocol.CodeInvalidPayload},
		"huge":          {open, "POST", "application/json", `{"name":"` + strings.Repeat("a", 5000) + `"}`, "", 413, protocol.CodeInvalidPayload},
	} {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), test.method, test.s.URL+"/api/guest", strings.NewReader(test.body))
			require.NoError(t, err)
			if test.contentType != "" {
				req.Header.Set("Content-Type", test.contentType)
			}
			if test.origin != "" {
				req.Header.Set("Origin", test.origin)
			}
			resp, err := http.DefaultClient.Do(req)
			require.NoError(t, err)
			defer resp.Body.Close()
			data, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			require.Equal(t, test.status, resp.StatusCode, string(data))
			require.Equal(t, "application/json", resp.Header.Get("Content-Type"))
			var body struct {
				Code   protocol.ErrorCode `json:"code"`
				Reason string             `json:"reason"`
				Token  string             `json:"token"`
			}
			require.NoError(t, json.Unmarshal(data, &body))
			require.Equal(t, test.code, body.Code)
			require.Equal(t, test.status == 200, body.Token != "")
			require.Equal(t, test.status != 200, body.Reason != "")
		})
	}
}
