package e2e

import (
	"errors"
	"strings"
	"testing"

	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/client"
)

// netServer is what TestRoleServer has to do: serve, and talk in the lobby.
type netServer struct {
	HTTP, HTTPS, Cert, Key string
	// URL is where the talker, who is in the same place, finds the server. Without it there
	// is none.
	URL    string
	NoTURN bool
	// Silent has that talker only listen.
	Silent bool
	// Announce, if given, is the address that the server tells clients.
	Announce string
}

// TestRoleServer is no test of its own: it plays the server of the tests below.
func TestRoleServer(t *testing.T) {
	var todo netServer
	task(t, &todo)
	s := startServer(t, func(cfg *app.Config) {
		yes := true
		cfg.HTTP, cfg.UDP, cfg.AllowGuests = todo.HTTP, "10000", &yes
		cfg.TURN = !todo.NoTURN
		if todo.Announce != "" {
			cfg.Announce = []string{todo.Announce}
		}
		cfg.TURNUDP, cfg.TURNTCP = app.DefaultTURN, app.DefaultTURN
		cfg.HTTPS, cfg.TLSCert, cfg.TLSKey = todo.HTTPS, todo.Cert, todo.Key
	})
	s.URL = todo.URL
	if todo.URL != "" {
		// She finds another path by herself when the server's address goes that hers leads to.
		ada := arrive(t, s, "Ada", comesBack).join("lobby")
		if !todo.Silent {
			ada.talk()
		}
		say("serving")
		cues(func(cue string) { say("%d", ada.howLong(cue).Milliseconds()) })
		return
	}
	say("serving")
	cues(func(string) {})
}

// netClient is what TestRoleClient has to do: join by URL, and do what the cues say.
type netClient struct {
	URL string
	// Talk has it talk all the time.
	Talk bool
}

// Cues for TestRoleClient.
const (
	// cueListen has it say by which way it hears the talker: the type of its candidate, and
	// for a relay the protocol to it.
	cueListen = "listen"
	// cueSilence has it say how long the longest silence was since it said so before, in milliseconds. TestRoleServer says
	// so of its own talker.
	cueSilence = "silence"
	// cueSince, with milliseconds of the clock behind it, has both say how long after that they heard something.
	cueSince = "since "
	// cueCandidates has it say at which addresses the server says it is.
	cueCandidates = "candidates"
)

// TestRoleClient is no test of its own: it plays the client of the tests below.
func TestRoleClient(t *testing.T) {
	var todo netClient
	task(t, &todo)
	engine, err := client.NewEngine(client.EngineConfig{})
	require.NoError(t, err)
	s := &server{URL: todo.URL}
	p := arrive(t, s, "Ben", func(o *client.Options) { o.Engine = engine }, comesBack).join("lobby")
	session := p.Ready().SessionID
	if todo.Talk {
		p.talk()
	}
	heardAll := func() int {
		p.mu.Lock()
		defer p.mu.Unlock()
		require.NoError(t, p.badness)
		return len(p.ears)
	}
	cues(func(cue string) {
		switch cue {
		case cueCandidates:
			say("%s", candidatesOf(p.call))
			return
		case cueListen:
		default:
			require.NoError(t, p.call.Err())
			require.Equal(t, session, p.Ready().SessionID, "it has resumed")
			say("%d", p.howLong(cue).Milliseconds())
			return
		}
		before := heardAll()
		eventually(t, "the talker is heard", func() bool { return heardAll() >= before+plenty })
		way, err := wayOf(p.call)
		require.NoError(t, err)
		say("%s", way)
	})
}

// wayOf returns the type of the local candidate that a call's media goes by, and for a
// relay the protocol to it.
func wayOf(call *client.Call) (string, error) {
	pc := call.PeerConnection()
	stats := pc.GetStats()
	pc.GetTransceivers() // takes pion's lock, so that what GetStats has read without it is read before Close writes it
	for _, s := range stats {
		pair, ok := s.(webrtc.ICECandidatePairStats)
		if !ok || !pair.Nominated {
			continue
		}
		local, ok := stats[pair.LocalCandidateID].(webrtc.ICECandidateStats)
		if !ok {
			break
		}
		return strings.TrimSpace(local.CandidateType.String() + " " + local.RelayProtocol), nil
	}
	return "", errors.New("no path is nominated")
}

// candidatesOf returns the addresses of the server's candidates, without the media port's
// number, in the order of the answer.
func candidatesOf(call *client.Call) []string {
	var told []string
	for line := range strings.Lines(call.PeerConnection().RemoteDescription().SDP) {
		if rest, ok := strings.CutPrefix(line, "a=candidate:"); ok {
			told = append(told, strings.Fields(rest)[4])
		}
	}
	return told
}

// listens tells a client to listen and returns by which way it hears.
func (a *actor) listens() string {
	a.t.Helper()
	a.tell(cueListen)
	return strings.TrimSpace(a.says())
}

// A server that announces another of its addresses answers from there, and clients know it
// by nothing else.
func TestNetAlias(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, true, true)
	n.alias()
	require.Equal(t, "serving", n.play(n.server, "TestRoleServer",
		netServer{HTTP: ":80", URL: "http://127.0.0.1", Announce: netServerAlias, NoTURN: true}).says())
	c := n.play(n.client, "TestRoleClient", netClient{URL: "http://" + netServerAlias})
	c.tell(cueCandidates)
	require.Equal(t, "["+netServerAlias+"]", c.says())
	way := c.listens()
	require.True(t, direct(way), way)
}

// A client that came to another address of the server's than it would answer from hears from there.
func TestNetSecondAddress(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, true, false)
	n.alias()
	require.Equal(t, "serving", n.play(n.server, "TestRoleServer",
		netServer{HTTP: "0.0.0.0:80", URL: "http://127.0.0.1", NoTURN: true}).says())
	c := n.play(n.client, "TestRoleClient", netClient{URL: "http://" + netServerAlias})
	way := c.listens()
	require.True(t, direct(way), way)
}

func direct(way string) bool {
	return way == webrtc.ICECandidateTypeHost.String() || way == webrtc.ICECandidateTypePrflx.String()
}

func TestNetDirect(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, true, false)
	require.Equal(t, "serving", n.play(n.server, "TestRoleServer", netServer{HTTP: ":80", URL: "http://127.0.0.1"}).says())
	way := n.play(n.client, "TestRoleClient", netClient{URL: "http://" + netServerV4}).listens()
	require.True(t, direct(way), way)
}

func TestNetIPv6Only(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, false, true)
	require.Equal(t, "serving", n.play(n.server, "TestRoleServer", netServer{HTTP: ":80", URL: "http://[::1]"}).says())
	way := n.play(n.client, "TestRoleClient", netClient{URL: "http://[" + netServerV6 + "]"}).listens()
	require.True(t, direct(way), way)
}

// No UDP at all gets through: TURN over TCP does. It leads to one of the server's addresses
// only, also for who knows it by another.
func TestNetNoUDP(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, true, false)
	n.alias()
	n.dropUDP()
	require.Equal(t, "serving", n.play(n.server, "TestRoleServer", netServer{HTTP: ":80", URL: "http://127.0.0.1"}).says())
	for _, host := range []string{netServerV4, netServerAlias} {
		way := n.play(n.client, "TestRoleClient", netClient{URL: "http://" + host}).listens()
		require.Equal(t, "relay tcp", way, host)
	}
}

// Over IPv6 too.
func TestNetNoUDPv6(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, false, true)
	n.ip(n.router, "-6 rule add pref 10 ipproto udp blackhole")
	require.Equal(t, "serving", n.play(n.server, "TestRoleServer", netServer{HTTP: ":80", URL: "http://[::1]"}).says())
	way := n.play(n.client, "TestRoleClient", netClient{URL: "http://[" + netServerV6 + "]"}).listens()
	require.Equal(t, "relay tcp", way)
}

// Only HTTPS gets through: the page, its WebSocket and TURN share its port.
func TestNetOnlyHTTPS(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, true, false)
	n.serveOnlyHTTPS()
	way := n.play(n.client, "TestRoleClient", netClient{URL: "https://" + netServerV4}).listens()
	require.Equal(t, "relay tls", way)
}

// A server with several networks tells a client its address on the way to others, and the
// one by which the client came, but none of its others; also when it has moved.
func TestNetAddresses(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, true, true)
	// Networks that are not the clients' business, such as those of containers.
	n.ip(n.server, "link add docker0 type veth peer name container", "addr add 172.17.0.1/16 dev docker0",
		"addr add fd17::1/64 dev docker0 nodad", "link set docker0 up", "link set container up")
	n.alias()
	require.Equal(t, "serving", n.play(n.server, "TestRoleServer", netServer{HTTP: ":80", URL: "http://127.0.0.1"}).says())
	for _, test := range []struct{ host, want string }{
		{netServerV4, "[10.9.1.2 fd09:1::2]"},
		{"[" + netServerV6 + "]", "[fd09:1::2 10.9.1.2]"},
		{netServerAlias, "[10.9.7.7 10.9.1.2 fd09:1::2]"},
	} {
		c := n.play(n.client, "TestRoleClient", netClient{URL: "http://" + test.host})
		c.tell(cueCandidates)
		require.Equal(t, test.want, c.says(), test.host)
		way := c.listens()
		require.True(t, direct(way), way)
	}
	n.ip(n.server, "addr del "+netServerV4+"/24 dev to-router", "addr add 10.9.1.3/24 dev to-router",
		"route add default via 10.9.1.1")
	c := n.play(n.client, "TestRoleClient", netClient{URL: "http://10.9.1.3"})
	c.tell(cueCandidates)
	require.Equal(t, "[10.9.1.3 fd09:1::2]", c.says(), "the machine has moved")
	way := c.listens()
	require.True(t, direct(way), way)
}
