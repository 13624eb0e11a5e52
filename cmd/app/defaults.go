package app

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mini-livechat/mini-livechat/signaling/people"
)

// The embedded defaults. Every port, timeout, size and capacity of the server has its
// name here, or in the package that owns it when nobody should change it.
const (
	// DefaultHTTP is where the page and the gateway are served: on this machine only,
	// because browsers give a page the microphone over plain HTTP nowhere else.
	DefaultHTTP = "127.0.0.1:8080"
	// DefaultUDP is the media port, on all interfaces: media has to be reachable on
	// whatever address a candidate names. 10000 is the port Jitsi's bridge made familiar
	// to firewalls, and lies outside the ephemeral range of every common system.
	DefaultUDP = "10000"
	// DefaultTURN is TURN's own port, UDP and TCP, on all interfaces (RFC 8656, section 17).
	DefaultTURN = "3478"
	// DefaultMetrics is the port of figures for Prometheus, on loopback.
	DefaultMetrics = "9464"
	// DefaultTURNTTL is how long TURN credentials are good for.
	DefaultTURNTTL = 10 * time.Minute
	// DefaultHTTPS is where TLS is served when nothing is said: where browsers look for it.
	DefaultHTTPS = ":443"
	// DefaultSlots is how many people a listener hears at once. More than eight voices
	// at a time are noise; a browser takes eight lines in its stride on a cheap phone.
	DefaultSlots = 8
	// DefaultChannel and DefaultRadio are the preset channels: one where all may talk, and one where one talks at a time.
	DefaultChannel = "lobby"
	DefaultRadio   = "radio:ptt"
	// DefaultLogLevel shows what an operator would want to know, and no frames.
	DefaultLogLevel = "info"

	// DefaultHeartbeatInterval is how often clients say they are alive: half of the 30 s
	// after which common home routers forget an idle mapping.
	DefaultHeartbeatInterval = 15 * time.Second
	// DefaultZombieTimeout is how long a session or a media path may be silent before it
	// is taken for dead: three heartbeats, so that two may be lost.
	DefaultZombieTimeout = 45 * time.Second
	// DefaultReaperInterval is how often the dead are looked for. It adds to the zombie
	// timeout, so it is a fraction of it.
	DefaultReaperInterval = 10 * time.Second
	// DefaultIdentifyTimeout is how long a connection may stay anonymous: a round trip on
	// a very bad network, with retransmissions.
	DefaultIdentifyTimeout = 10 * time.Second
	// DefaultResumeWindow is how long a session outlives its connection: a change of networks,
	// a tunnel, a router that starts anew.
	DefaultResumeWindow = time.Minute
	// DefaultWriteTimeout is how long one frame may take to leave the machine before its
	// reader is taken for gone.
	DefaultWriteTimeout = 5 * time.Second
	// DefaultChannelIdle is how long a channel that someone created outlives its last
	// member: long enough to come back to after a reboot.
	DefaultChannelIdle = 10 * time.Minute
	// DefaultGuestTTL is how long a guest's token is good for: a day's visit.
	DefaultGuestTTL = 24 * time.Hour

	// DefaultDrain is how long the end may take: what container runtimes give a program before
	// they kill it. Nearly always it takes a fraction of a second.
	DefaultDrain = 10 * time.Second

	// DefaultChannelCapacity is the most members of any channel, in people.
	DefaultChannelCapacity = 100
	// DefaultMaxChannels is the most channels at a time. A channel costs little; the
	// bound is there because any user may create them.
	DefaultMaxChannels = 500
	// DefaultChannelsPerUser is the most channels that one user may have made: a room for
	// each of the things that a person has others come together for. DefaultChannelsPerGuest is
	// the same for who is there today.
	DefaultChannelsPerUser  = 20
	DefaultChannelsPerGuest = 3
	// DefaultMaxSessions is the most WebSocket connections at a time. With two goroutines
	// and about 100 KiB each, ten thousand take about 1 GiB.
	DefaultMaxSessions = 10_000
	// DefaultPerAddress is how many people may come from one address: a large family, an office, a party with a hundred
	// in one room. A school has more.
	DefaultPerAddress = 100
	// DefaultEgressQueue is how many frames may wait for one slow session, in frames: a
	// thousand people who lose WebSocket and media and come back, each told four times. A full
	// queue ends the session; one that is not in use takes no memory.
	DefaultEgressQueue = 4096
	// DefaultEgressBytes is the same in bytes: four thousand events of the usual size, or a
	// dozen lists of as many channels as there may be.
	DefaultEgressBytes = 1 << 20
	// DefaultMessageLength is the longest text message, in Unicode code points:
	// Discord's, which people are used to.
	DefaultMessageLength = 2000
	// DefaultKeepMessages is how many messages of a channel are kept: a year of a small group, at
	// about 300 bytes each.
	DefaultKeepMessages = 10_000
	// DefaultKeepFor is how long: what nobody looked for in three months is nobody's business any more.
	DefaultKeepFor = 90 * 24 * time.Hour
	// DefaultRequestRate is how many requests per second a session may keep up, in
	// requests per second: far above what a person can cause by clicking.
	DefaultRequestRate = 50
	// DefaultRequestBurst is how many requests a session may send at once before the
	// rate counts: a client that restores its state after a reconnect.
	DefaultRequestBurst = 100
)

// The bounds of what may be configured, beside those of package protocol.
const (
	// minDuration keeps a timer from turning into a busy loop.
	minDuration = 10 * time.Millisecond
	// maxDuration is where a timeout stops being one: beyond an hour nobody is waiting.
	maxDuration = time.Hour
	// maxChannelIdle is the longest an abandoned channel may be kept.
	maxChannelIdle = 30 * 24 * time.Hour
	// maxGuestTTL bounds how long a guest stays without asking again; there is no way to
	// revoke a single token.
	maxGuestTTL = 30 * 24 * time.Hour
	// minLoginTTL is longer than what passes between two renewals of a login, maxLoginTTL is as good as for ever.
	minLoginTTL = 48 * time.Hour
	maxLoginTTL = 10 * 365 * 24 * time.Hour
	// minDrain leaves time to cut off who does not read, maxDrain catches a slip of the finger:
	// nobody waits for a restart that long.
	minDrain, maxDrain = time.Second, 10 * time.Minute
	// minTURNTTL leaves clients time to use new credentials before the old ones end.
	minTURNTTL = 2 * time.Second
	// heartbeatsPerZombie is how many heartbeat intervals the zombie timeout must hold:
	// one heartbeat may be lost without ending anybody's call.
	heartbeatsPerZombie = 2
	// maxChannelCapacity is the most members a channel may be allowed to have. Every
	// joining and leaving is told to all of them.
	maxChannelCapacity = 10_000
	// maxMessageLength in code points: escaped for JSON, a code point takes up to six
	// bytes, and the whole frame must stay below protocol.MaxFrameBytes.
	maxMessageLength = 10_000
	// maxKeepMessages bounds the file, and maxKeepFor is for ever by the measure of software: ten years.
	maxKeepMessages = 10_000_000
	maxKeepFor      = 10 * 365 * 24 * time.Hour
	// maxEgressQueue in frames bounds the memory one stalled session may hold.
	maxEgressQueue = 1 << 16
	// minEgressBytes is room for the answer to one join and what follows from it, maxEgressBytes
	// bounds the memory one stalled session may hold.
	minEgressBytes, maxEgressBytes = 64 << 10, 1 << 30
	// maxMaxChannels, maxMaxSessions and maxRequestRate catch a slip of the finger.
	maxMaxChannels = 100_000
	maxMaxSessions = 1_000_000
	maxRequestRate = 100_000
)

// Default returns the embedded defaults. Data is filled in from the environment the
// process runs in.
func Default() Config {
	return Config{
		HTTP:              DefaultHTTP,
		UDP:               DefaultUDP,
		Announce:          []string{announceAuto},
		TURN:              true,
		TURNUDP:           DefaultTURN,
		TURNTCP:           DefaultTURN,
		TURNTTL:           DefaultTURNTTL,
		Slots:             DefaultSlots,
		Data:              defaultDataDir(os.Getenv),
		LogLevel:          DefaultLogLevel,
		Metrics:           DefaultMetrics,
		Channels:          []string{DefaultChannel, DefaultRadio},
		Floor:             defaultFloor(),
		HeartbeatInterval: DefaultHeartbeatInterval,
		ZombieTimeout:     DefaultZombieTimeout,
		ReaperInterval:    DefaultReaperInterval,
		IdentifyTimeout:   DefaultIdentifyTimeout,
		ResumeWindow:      DefaultResumeWindow,
		WriteTimeout:      DefaultWriteTimeout,
		ChannelIdle:       DefaultChannelIdle,
		GuestTTL:          DefaultGuestTTL,
		OIDC:              OIDC{Scope: []string{"profile"}, TTL: DefaultSignInTTL},
		LoginTTL:          people.DefaultLoginTTL,
		Drain:             DefaultDrain,
		ChannelCapacity:   DefaultChannelCapacity,
		MaxChannels:       DefaultMaxChannels,
		ChannelsPerUser:   DefaultChannelsPerUser,
		ChannelsPerGuest:  DefaultChannelsPerGuest,
		MaxSessions:       DefaultMaxSessions,
		PerAddress:        DefaultPerAddress,
		TrustedProxy:      []string{"127.0.0.0/8", "::1"},
		EgressQueue:       DefaultEgressQueue,
		EgressBytes:       DefaultEgressBytes,
		MessageLength:     DefaultMessageLength,
		KeepMessages:      DefaultKeepMessages,
		KeepFor:           DefaultKeepFor,
		RequestRate:       DefaultRequestRate,
		RequestBurst:      DefaultRequestBurst,
	}
}

// defaultDataDir is where the server keeps what must outlive it: the directory systemd
// made for the unit (StateDirectory=), else livechat below the XDG data directory. It is
// empty when the environment names neither nor a home.
func defaultDataDir(getenv func(string) string) string {
	// systemd.exec(5): several directories are separated by colons; the first is ours.
	if dir, _, _ := strings.Cut(getenv("STATE_DIRECTORY"), ":"); dir != "" {
		return dir
	}
	// XDG Base Directory Specification: relative paths are invalid and to be ignored.
	if dir := getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "livechat")
	}
	if home := getenv("HOME"); home != "" {
		return filepath.Join(home, ".local", "share", "livechat")
	}
	return ""
}
