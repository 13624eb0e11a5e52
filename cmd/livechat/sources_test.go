package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
)

func nothingSet(string) (string, bool) { return "", false }

// parsed returns the server's configuration from these sources.
func parsed(t *testing.T, file string, env map[string]string, args ...string) app.Config {
	t.Helper()
	grammar := defaults()
	parser, err := newParser(grammar, func(key string) (string, bool) {
		value, ok := env[key]
		return value, ok
	})
	require.NoError(t, err)
	if file != "" {
		path := filepath.Join(t.TempDir(), "livechat.yaml")
		require.NoError(t, os.WriteFile(path, []byte(file), 0o600))
		args = append(args, "--config", path)
	}
	_, err = parser.Parse(args)
	require.NoError(t, err)
	return grammar.Serve.Config
}

func TestDefaultsAreTheEmbeddedOnes(t *testing.T) {
	t.Parallel()
	require.Equal(t, app.Default(), normal(parsed(t, "", nil)))
	require.Equal(t, app.Default(), normal(parsed(t, "# nothing set\n", nil)))
	require.Equal(t, app.Default(), normal(parsed(t, "slots:\nsecret: ~\n", nil)), "a key without a value sets nothing")
}

// normal makes empty lists nil, which mean the same.
func normal(cfg app.Config) app.Config {
	if len(cfg.AllowOrigin) == 0 {
		cfg.AllowOrigin = nil
	}
	return cfg
}

func TestPrecedence(t *testing.T) {
	t.Parallel()
	const file = "slots: 2\n"
	env := map[string]string{"LIVECHAT_SLOTS": "3"}
	require.Equal(t, 8, parsed(t, "", nil).Slots, "default")
	require.Equal(t, 2, parsed(t, file, nil).Slots, "file over default")
	require.Equal(t, 3, parsed(t, "", env).Slots, "environment over default")
	require.Equal(t, 3, parsed(t, file, env).Slots, "environment over file")
	require.Equal(t, 4, parsed(t, file, env, "--slots=4").Slots, "flag over environment and file")
	require.Equal(t, 4, parsed(t, "slots: nonsense", map[string]string{"LIVECHAT_SLOTS": "x"}, "--slots=4").Slots,
		"what is overridden is not looked at")
	require.Equal(t, 2, parsed(t, file, map[string]string{"LIVECHAT_SLOTS": ""}).Slots, "an empty variable is none")
}

func TestEverySettingFromEverySource(t *testing.T) {
	t.Parallel()
	yes := true
	want := app.Config{
		HTTP: "0.0.0.0:80", UDP: "192.0.2.1:3478", HTTPS: "0.0.0.0:8443",
		Domain: []string{"voice.example.org", "talk.example.org"}, ACMEEmail: "ada@example.org",
		ACMEDirectory: "https://ca.example.org/dir", ACMERoot: "/etc/ca.pem",
		TURN: true, TURNUDP: "3479", TURNTCP: "192.0.2.1:3480", TURNTTL: time.Minute,
		TURNURL:  []string{"turn:a.example:1?transport=udp", "turns:b.example"},
		Announce: []string{"203.0.113.7", "198.51.100.7"},
		Secret:   "00000000000000000000000000000042", AllowGuests: &yes,
		AllowOrigin: []string{"https://a.example", "https://b.example"}, GuestTTL: time.Hour, LoginTTL: 72 * time.Hour,
		OIDC: app.OIDC{
			Issuer: "https://login.example.org", ClientID: "livechat", ClientSecretFile: "/etc/client", Name: "Example",
			Scope: []string{"profile", "groups"}, RoleClaim: "groups", Role: []string{"staff=moderator", "*=guest"},
			RedirectURL: "https://voice.example.org/api/signin/callback", TTL: 8 * time.Hour,
		},
		Floor: app.Floor{
			Talk: 20 * time.Second, Warn: 4 * time.Second, PingTimeout: 8 * time.Second, Tail: 100 * time.Millisecond, Pause: time.Second,
			Queue: 3,
		},
		Channels: []string{"lobby", "ops=Ops: all"}, Slots: 4, ChannelCapacity: 20, MaxChannels: 30,
		ChannelsPerUser: 3, ChannelsPerGuest: 2, PerAddress: 7, TrustedProxy: []string{"10.0.0.0/8", "2001:db8::1"},
		ChannelIdle: time.Minute, MessageLength: 100, KeepMessages: 200, KeepFor: 48 * time.Hour,
		HeartbeatInterval: 5 * time.Second, ZombieTimeout: 20 * time.Second, ReaperInterval: time.Second,
		IdentifyTimeout: 3 * time.Second, WriteTimeout: 2 * time.Second, MaxSessions: 40, EgressQueue: 50,
		EgressBytes: 100_000, ResumeWindow: 4 * time.Second,
		RequestRate: 60, RequestBurst: 70, Data: "/var/lib/livechat", Drain: 6 * time.Second, Metrics: "127.0.0.1:9999", LogLevel: "warn",
	}
	const file = `
http: 0.0.0.0:80
udp: 192.0.2.1:3478
https: 0.0.0.0:8443
domain: [voice.example.org, talk.example.org]
acme-email: ada@example.org
acme-directory: https://ca.example.org/dir
acme-root: /etc/ca.pem
turn: true
turn-udp: 3479
turn-tcp: 192.0.2.1:3480
turn-ttl: 1m
turn-url: ["turn:a.example:1?transport=udp", turns:b.example]
announce: [203.0.113.7, 198.51.100.7]
secret: 00000000000000000000000000000042
allow-guests: true
allow-origin:
  - https://a.example
  - https://b.example
guest-ttl: 1h
login-ttl: 72h
oidc-issuer: https://login.example.org
oidc-client-id: livechat
oidc-client-secret-file: /etc/client
oidc-name: Example
oidc-scope: [profile, groups]
oidc-role-claim: groups
oidc-role: [staff=moderator, "*=guest"]
oidc-redirect-url: https://voice.example.org/api/signin/callback
oidc-ttl: 8h
floor-talk: 20s
floor-warn: 4s
floor-ping-timeout: 8s
floor-tail: 100ms
floor-pause: 1s
floor-queue: 3
channels: ["lobby", "ops=Ops: all"]
slots: 4
channel-capacity: 20
max-channels: 30
channels-per-user: 3
channels-per-guest: 2
per-address: 7
trusted-proxy: ["10.0.0.0/8", "2001:db8::1"]
channel-idle: 1m
message-length: 100
keep-messages: 200
keep-for: 48h
heartbeat-interval: 5s
zombie-timeout: 20s
reaper-interval: 1s
identify-timeout: 3s
write-timeout: 2s
max-sessions: 40
egress-queue: 50
egress-bytes: 100000
resume-window: 4s
drain: 6s
request-rate: 60
request-burst: 70
data: /var/lib/livechat
metrics: 127.0.0.1:9999
log-level: warn
`
	env := map[string]string{
		"LIVECHAT_HTTPS": "0.0.0.0:8443", "LIVECHAT_DOMAIN": "voice.example.org,talk.example.org",
		"LIVECHAT_ACME_EMAIL": "ada@example.org", "LIVECHAT_ACME_DIRECTORY": "https://ca.example.org/dir",
		"LIVECHAT_ACME_ROOT": "/etc/ca.pem", "LIVECHAT_TURN": "true", "LIVECHAT_TURN_UDP": "3479",
		"LIVECHAT_TURN_TCP": "192.0.2.1:3480", "LIVECHAT_TURN_TTL": "1m", "LIVECHAT_TURN_URL": "turn:a.example:1?transport=udp,turns:b.example",
		"LIVECHAT_HTTP": "0.0.0.0:80", "LIVECHAT_UDP": "192.0.2.1:3478", "LIVECHAT_ANNOUNCE": "203.0.113.7,198.51.100.7",
		"LIVECHAT_SECRET": "00000000000000000000000000000042", "LIVECHAT_ALLOW_GUESTS": "true",
		"LIVECHAT_ALLOW_ORIGIN": "https://a.example,https://b.example", "LIVECHAT_GUEST_TTL": "1h", "LIVECHAT_LOGIN_TTL": "72h",
		"LIVECHAT_OIDC_ISSUER": "https://login.example.org", "LIVECHAT_OIDC_CLIENT_ID": "livechat", "LIVECHAT_OIDC_CLIENT_SECRET_FILE": "/etc/client",
		"LIVECHAT_OIDC_NAME": "Example", "LIVECHAT_OIDC_SCOPE": "profile,groups", "LIVECHAT_OIDC_ROLE_CLAIM": "groups", "LIVECHAT_OIDC_ROLE": "staff=moderator,*=guest",
		"LIVECHAT_FLOOR_TALK": "20s", "LIVECHAT_FLOOR_WARN": "4s", "LIVECHAT_FLOOR_PING_TIMEOUT": "8s", "LIVECHAT_FLOOR_TAIL": "100ms",
		"LIVECHAT_FLOOR_PAUSE": "1s", "LIVECHAT_FLOOR_QUEUE": "3",
		"LIVECHAT_OIDC_REDIRECT_URL": "https://voice.example.org/api/signin/callback", "LIVECHAT_OIDC_TTL": "8h",
		"LIVECHAT_CHANNELS": "lobby,ops=Ops: all", "LIVECHAT_SLOTS": "4", "LIVECHAT_CHANNEL_CAPACITY": "20",
		"LIVECHAT_MAX_CHANNELS": "30", "LIVECHAT_CHANNELS_PER_USER": "3", "LIVECHAT_CHANNELS_PER_GUEST": "2", "LIVECHAT_PER_ADDRESS": "7", "LIVECHAT_TRUSTED_PROXY": "10.0.0.0/8,2001:db8::1", "LIVECHAT_CHANNEL_IDLE": "1m", "LIVECHAT_MESSAGE_LENGTH": "100", "LIVECHAT_KEEP_MESSAGES": "200", "LIVECHAT_KEEP_FOR": "48h",
		"LIVECHAT_HEARTBEAT_INTERVAL": "5s", "LIVECHAT_ZOMBIE_TIMEOUT": "20s", "LIVECHAT_REAPER_INTERVAL": "1s",
		"LIVECHAT_IDENTIFY_TIMEOUT": "3s", "LIVECHAT_WRITE_TIMEOUT": "2s", "LIVECHAT_MAX_SESSIONS": "40",
		"LIVECHAT_EGRESS_QUEUE": "50", "LIVECHAT_EGRESS_BYTES": "100000", "LIVECHAT_RESUME_WINDOW": "4s", "LIVECHAT_REQUEST_RATE": "60", "LIVECHAT_REQUEST_BURST": "70",
		"LIVECHAT_DATA": "/var/lib/livechat", "LIVECHAT_DRAIN": "6s", "LIVECHAT_METRICS": "127.0.0.1:9999", "LIVECHAT_LOG_LEVEL": "warn",
	}
	flags := make([]string, 0, len(env))
	for key, value := range env {
		name := strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(key, envPrefix)), "_", "-")
		flags = append(flags, "--"+name+"="+value)
	}
	require.NoError(t, want.Validate())
	require.Equal(t, want, parsed(t, file, nil), "file")
	require.Equal(t, want, parsed(t, "", env), "environment")
	require.Equal(t, want, parsed(t, "", nil, flags...), "flags")

	// What cannot be given beside the others.
	cert := parsed(t, "tls-cert: a.pem\ntls-key: b.pem\nturn: false\nallow-guests: true\n", nil)
	require.Equal(t, []string{"a.pem", "b.pem"}, []string{cert.TLSCert, cert.TLSKey})
	require.False(t, cert.TURN)
	require.False(t, parsed(t, "", nil, "--no-turn").TURN)
	require.Equal(t, "/run/secrets/livechat", parsed(t, "secret-file: /run/secrets/livechat\n", nil).SecretFile)
}

func TestAllowGuestsHasThreeStates(t *testing.T) {
	t.Parallel()
	require.Nil(t, parsed(t, "", nil).AllowGuests)
	require.True(t, *parsed(t, "", nil, "--allow-guests").AllowGuests)
	require.False(t, *parsed(t, "", nil, "--no-allow-guests").AllowGuests)
	require.False(t, *parsed(t, "allow-guests: false\n", nil).AllowGuests)
	require.True(t, *parsed(t, "allow-guests: false\n", nil, "--allow-guests").AllowGuests)
}

func TestListsAreReplacedNotExtended(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"a", "b"}, parsed(t, "channels: [x, y, z]", nil, "--channels=a", "--channels=b").Channels)
	require.Empty(t, parsed(t, "channels: []", nil).Channels)
	require.Equal(t, []string{"a=One, two"}, parsed(t, `channels: ["a=One, two"]`, nil).Channels)
	require.Equal(t, []string{"a=One, two"}, parsed(t, "", nil, `--channels=a=One\, two`).Channels)
}

func TestDistance(t *testing.T) {
	t.Parallel()
	for other, want := range map[string]int{
		"slots": 0, "slot": 1, "slotss": 1, "sluts": 1, "lots": 1, "xslots": 1, "slolts": 1, "solts": 1, "": 5, "slo": 2, "stols": 2, "http": 4,
	} {
		require.Equal(t, want, distance("slots", other), other)
		require.Equal(t, want, distance(other, "slots"), other)
	}
}

func TestSimilarKey(t *testing.T) {
	t.Parallel()
	keys := map[string]bool{"slots": true, "log-level": true, "announce": true, "allow-guests": true, "turn-ttl": true, "oidc-ttl": true, "http": true}
	for key, want := range map[string]string{
		"slot": "slots", "loglevel": "log-level", "anounc": "announce", "alow-gests": "allow-guests", "guests": "allow-guests",
		"ttl": "", "htpp": "http", "ftp": "", "port": "", "service-host": "",
	} {
		require.Equal(t, want, similarKey(key, keys), key)
	}
}

func FuzzConfigFile(f *testing.F) {
	keys := map[string]bool{"slots": true, "channels": true}
	for _, s := range []string{"slots: 4", "channels: [a, b]", "a: &x b\nslots: *x", "slots: {a: b}", "---\n---\n", "? [a]\n: b", "<<: {slots: 1}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		values, err := parseConfigFile("f", data, keys)
		if err != nil {
			require.Nil(t, values)
		}
		for key := range values {
			require.True(t, keys[key])
		}
	})
}
