package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
)

const testSecret = "0123456789abcdef0123456789abcdef"

func TestDefaultIsValid(t *testing.T) {
	cfg := Default()
	require.NoError(t, cfg.Validate())
	require.True(t, cfg.GuestsAllowed(), "on loopback anybody may come in by name")
	require.Equal(t, "127.0.0.1:8080", cfg.HTTP)
	channels, err := cfg.PresetChannels()
	require.NoError(t, err)
	require.Equal(t, []PresetChannel{{ID: "lobby", Name: "lobby"}, {ID: "radio", Name: "radio", Mode: sfu.ModePTT}}, channels)
}

func TestValidate(t *testing.T) {
	yes, no := true, false
	for name, test := range map[string]struct {
		change func(*Config)
		says   []string // none: valid
	}{
		"http on another port":   {change: func(c *Config) { c.HTTP = "127.0.0.1:0" }},
		"http by name":           {change: func(c *Config) { c.HTTP = "localhost:80" }},
		"http on IPv6 loopback":  {change: func(c *Config) { c.HTTP = "[::1]:8080" }},
		"public with a secret":   {change: func(c *Config) { c.HTTP, c.Secret = ":8080", testSecret }},
		"public with a provider": {change: func(c *Config) { c.HTTP = ":8080"; c.OIDC.Issuer, c.OIDC.ClientID = "https://login.example.org", "x" }},
		"provider, no client":    {change: func(c *Config) { c.OIDC.Issuer = "https://login.example.org" }, says: []string{"--oidc-client-id"}},
		"provider in the clear":  {change: func(c *Config) { c.OIDC.Issuer, c.OIDC.ClientID = "http://login.example.org", "x" }, says: []string{"--oidc-issuer=http://login.example.org", "https"}},
		"provider on loopback":   {change: func(c *Config) { c.OIDC.Issuer, c.OIDC.ClientID = "http://127.0.0.1:9998", "x" }},
		"client, no provider":    {change: func(c *Config) { c.OIDC.ClientID = "x" }, says: []string{"--oidc-client-id", "needs --oidc-issuer"}},
		"odd roles": {change: func(c *Config) {
			c.OIDC.Issuer, c.OIDC.ClientID, c.OIDC.RoleClaim, c.OIDC.Role = "https://a.example", "x", "g", []string{"staff=root"}
		}, says: []string{"--oidc-role=staff=root", "unknown role"}},
		"roles of no claim": {change: func(c *Config) {
			c.OIDC.Issuer, c.OIDC.ClientID, c.OIDC.Role = "https://a.example", "x", []string{"staff=admin"}
		}, says: []string{"--oidc-role-claim"}},
		"everybody a guest": {change: func(c *Config) {
			c.OIDC.Issuer, c.OIDC.ClientID, c.OIDC.Role = "https://a.example", "x", []string{"*=guest"}
		}},
		"sent back elsewhere": {change: func(c *Config) {
			c.OIDC.Issuer, c.OIDC.ClientID, c.OIDC.RedirectURL = "https://a.example", "x", "https://b.example/"
		}, says: []string{"--oidc-redirect-url", "/api/signin/callback"}},
		"a sign-in for a second":  {change: func(c *Config) { c.OIDC.Issuer, c.OIDC.ClientID, c.OIDC.TTL = "https://a.example", "x", 1 }, says: []string{"--oidc-ttl"}},
		"public with guests":      {change: func(c *Config) { c.HTTP, c.AllowGuests = "0.0.0.0:8080", &yes }},
		"public, tokens only":     {change: func(c *Config) { c.HTTP, c.AllowGuests = "192.0.2.1:8080", &no }},
		"public and nothing said": {change: func(c *Config) { c.HTTP = "0.0.0.0:8080" }, says: []string{"--http=0.0.0.0:8080: ", "--secret or --allow-guests"}},
		"all interfaces":          {change: func(c *Config) { c.HTTP = ":8080" }, says: []string{"--http=:8080: ", "--secret or --allow-guests"}},
		"a name that may resolve": {change: func(c *Config) { c.HTTP = "voice.example.org:8080" }, says: []string{"--secret or --allow-guests"}},
		"http without a port":     {change: func(c *Config) { c.HTTP = "127.0.0.1" }, says: []string{"--http=127.0.0.1: must be host:port"}},
		"http with only a port":   {change: func(c *Config) { c.HTTP = "8080" }, says: []string{"--http=8080: must be host:port"}},
		"http with a named port":  {change: func(c *Config) { c.HTTP = "127.0.0.1:http" }, says: []string{"--http=127.0.0.1:http: "}},
		"http with a huge port":   {change: func(c *Config) { c.HTTP = "127.0.0.1:65536" }, says: []string{"--http=127.0.0.1:65536: "}},
		"http empty":              {change: func(c *Config) { c.HTTP = "" }, says: []string{"--http=: "}},
		"udp on one address":      {change: func(c *Config) { c.UDP = "192.0.2.1:10000" }},
		"udp on IPv6":             {change: func(c *Config) { c.UDP = "[2001:db8::1]:10000" }},
		"udp on any free port":    {change: func(c *Config) { c.UDP = "0" }},
		"udp with a name":         {change: func(c *Config) { c.UDP = "example.org:10000" }, says: []string{"--udp=example.org:10000: must be a port"}},
		"udp with words":          {change: func(c *Config) { c.UDP = "voice" }, says: []string{"--udp=voice: must be a port, such as 10000"}},
		"udp negative":            {change: func(c *Config) { c.UDP = "-1" }, says: []string{"--udp=-1: "}},
		"announce": {change: func(c *Config) {
			c.Announce = []string{"auto", "203.0.113.7", "203.0.113.7:20000", "2001:db8::7", "[2001:db8::7]:1"}
		}},
		"announce any":            {change: func(c *Config) { c.Announce = []string{"::"} }, says: []string{"--announce=::: must be auto, or an IP address"}},
		"announce another family": {change: func(c *Config) { c.UDP, c.Announce = "192.0.2.1:9", []string{"203.0.113.7", "2001:db8::7"} }, says: []string{"--announce=2001:db8::7: must be of the same family as --udp=192.0.2.1:9"}},
		"announce both families":  {change: func(c *Config) { c.UDP, c.Announce = "[::]:9", []string{"203.0.113.7", "2001:db8::7"} }},
		"announce a network":      {change: func(c *Config) { c.Announce = []string{"fe80::1", "224.0.0.1", "192.0.2.0/24"} }, says: []string{"--announce=fe80::1: ", "--announce=224.0.0.1: ", "--announce=192.0.2.0/24: "}},
		"announce a name":         {change: func(c *Config) { c.Announce = []string{"voice.example.org"} }, says: []string{"--announce=voice.example.org: "}},
		"announce by STUN": {change: func(c *Config) {
			c.Announce = []string{"stun:stun.example.org", "stun:192.0.2.1:3479", "stun:[2001:db8::1]:1"}
		}},
		"announce by no STUN":      {change: func(c *Config) { c.Announce = []string{"stun:", "stun:a b", "stun:host:99999", "stun:host:x"} }, says: []string{"--announce=stun:: must name", "--announce=stun:a b: ", "--announce=stun:host:99999: ", "--announce=stun:host:x: "}},
		"announce no port":         {change: func(c *Config) { c.Announce = []string{"203.0.113.7:0"} }, says: []string{"--announce=203.0.113.7:0: "}},
		"announce nothing":         {change: func(c *Config) { c.Announce = []string{""} }, says: []string{"--announce=: "}},
		"origin":                   {change: func(c *Config) { c.AllowOrigin = []string{"https://example.org", "http://localhost:3000"} }},
		"origin with a path":       {change: func(c *Config) { c.AllowOrigin = []string{"https://example.org/chat"} }, says: []string{"--allow-origin=https://example.org/chat: must be scheme://host"}},
		"origin with a slash":      {change: func(c *Config) { c.AllowOrigin = []string{"https://Example.org:443/"} }, says: []string{"browsers write it: https://example.org"}},
		"origin any":               {change: func(c *Config) { c.AllowOrigin = []string{"*"} }, says: []string{"--allow-origin=*: "}},
		"origin of a file":         {change: func(c *Config) { c.AllowOrigin = []string{"file://x"} }, says: []string{"--allow-origin=file://x: "}},
		"short secret":             {change: func(c *Config) { c.Secret = "hunter2" }, says: []string{"--secret=(7 bytes): must have 32 to 4096 bytes"}},
		"nowhere to keep a secret": {change: func(c *Config) { c.Data = "" }, says: []string{"--data", "--secret must be given"}},
		"two sources of secrets":   {change: func(c *Config) { c.Secret, c.SecretFile = testSecret, "s" }, says: []string{"--secret-file=s: must not be given beside --secret"}},
		"secrets need no data":     {change: func(c *Config) { c.Data, c.SecretFile = "", "s" }},
		"public with secrets":      {change: func(c *Config) { c.HTTP, c.SecretFile = ":8080", "s" }},
		"a secret needs no data":   {change: func(c *Config) { c.Data, c.Secret = "", testSecret }},
		"no slots":                 {change: func(c *Config) { c.Slots = 0 }, says: []string{"--slots=0: must be 1 to 32"}},
		"too many slots":           {change: func(c *Config) { c.Slots = 33 }, says: []string{"--slots=33: must be 1 to 32"}},
		"short zombie timeout":     {change: func(c *Config) { c.ZombieTimeout = 20 * time.Second }, says: []string{"--zombie-timeout=20s: must be at least 30s, twice --heartbeat-interval"}},
		"just long enough":         {change: func(c *Config) { c.ZombieTimeout = 30 * time.Second }},
		"no heartbeat":             {change: func(c *Config) { c.HeartbeatInterval = 0 }, says: []string{"--heartbeat-interval=0s: must be 10ms to 1h"}},
		"negative timeout":         {change: func(c *Config) { c.ZombieTimeout = -time.Second }, says: []string{"--zombie-timeout=-1s: must be 10ms to 1h"}},
		"reaper":                   {change: func(c *Config) { c.ReaperInterval = 2 * time.Hour }, says: []string{"--reaper-interval=2h: must be"}},
		"identify":                 {change: func(c *Config) { c.IdentifyTimeout = time.Nanosecond }, says: []string{"--identify-timeout=1ns: must be"}},
		"write":                    {change: func(c *Config) { c.WriteTimeout = 0 }, says: []string{"--write-timeout=0s: must be"}},
		"no resuming":              {change: func(c *Config) { c.ResumeWindow = 0 }},
		"resume window":            {change: func(c *Config) { c.ResumeWindow = -1 }, says: []string{"--resume-window=-1ns: must be 0s to 1h"}},
		"no drain":                 {change: func(c *Config) { c.Drain = 0 }},
		"drain":                    {change: func(c *Config) { c.Drain = -time.Second }, says: []string{"--drain=-1s: must be 1s to 10m, or 0 for none"}},
		"a hasty drain":            {change: func(c *Config) { c.Drain = time.Millisecond }, says: []string{"--drain=1ms: must be 1s to 10m, or 0 for none"}},
		"an endless drain":         {change: func(c *Config) { c.Drain = time.Hour }, says: []string{"--drain=1h: must be"}},
		"guest ttl":                {change: func(c *Config) { c.GuestTTL = 0 }, says: []string{"--guest-ttl=0s: must be 1s to 30d"}},
		"channels not kept":        {change: func(c *Config) { c.ChannelIdle = 0 }},
		"channel idle":             {change: func(c *Config) { c.ChannelIdle = -1 }, says: []string{"--channel-idle=-1ns: must be 0s to 30d"}},
		"capacity":                 {change: func(c *Config) { c.ChannelCapacity = 0 }, says: []string{"--channel-capacity=0: must be 1 to 10000"}},
		"channels":                 {change: func(c *Config) { c.MaxChannels = -1 }, says: []string{"--max-channels=-1: must be 1 to 100000"}},
		"sessions":                 {change: func(c *Config) { c.MaxSessions = 0 }, says: []string{"--max-sessions=0: must be 1 to 1000000"}},
		"queue":                    {change: func(c *Config) { c.EgressQueue = 0 }, says: []string{"--egress-queue=0: must be 1 to 65536"}},
		"queue bytes":              {change: func(c *Config) { c.EgressBytes = 100 }, says: []string{"--egress-bytes=100: must be 65536 to 1073741824"}},
		"message":                  {change: func(c *Config) { c.MessageLength = 20000 }, says: []string{"--message-length=20000: must be 1 to 10000"}},
		"nothing kept":             {change: func(c *Config) { c.KeepMessages, c.KeepFor = 0, 0 }},
		"kept messages":            {change: func(c *Config) { c.KeepMessages = -1 }, says: []string{"--keep-messages=-1: must be 0 to 10000000"}},
		"kept for ever":            {change: func(c *Config) { c.KeepFor = 100_000 * time.Hour }, says: []string{"--keep-for=100000h: must be 0s to 3650d"}},
		"rate":                     {change: func(c *Config) { c.RequestRate = 0 }, says: []string{"--request-rate=0: must be 1 to 100000"}},
		"burst":                    {change: func(c *Config) { c.RequestBurst = 0 }, says: []string{"--request-burst=0: must be 1 to 100000"}},
		"more presets than room":   {change: func(c *Config) { c.MaxChannels, c.Channels = 1, []string{"a", "b"} }, says: []string{"--channels=a,b: has 2 channels, but --max-channels is 1"}},
		"log level":                {change: func(c *Config) { c.LogLevel = "loud" }, says: []string{"--log-level=loud: must be one of debug, info, warn, error"}},
		"turn off":                 {change: func(c *Config) { c.TURN, c.TURNUDP, c.TURNTCP = false, "", "" }},
		"turn on one address":      {change: func(c *Config) { c.TURNUDP, c.TURNTCP = "192.0.2.1:3478", "[::1]:0" }},
		"turn by name":             {change: func(c *Config) { c.TURNUDP = "example.org:3478" }, says: []string{"--turn-udp=example.org:3478: must be a port, such as 3478"}},
		"turn with words":          {change: func(c *Config) { c.TURNTCP = "yes" }, says: []string{"--turn-tcp=yes: must be a port"}},
		"turn elsewhere":           {change: func(c *Config) { c.TURNURL = []string{"turns:turn.example.org:443?transport=tcp", "turn:192.0.2.1"} }},
		"turn nowhere":             {change: func(c *Config) { c.TURNURL = []string{"stun:a.example", "https://a.example", "turn:", "turn:a:x"} }, says: []string{"--turn-url=stun:a.example: must be a TURN URI", "--turn-url=https://a.example: ", "--turn-url=turn:: ", "--turn-url=turn:a:x: "}},
		"turn elsewhere, and not":  {change: func(c *Config) { c.TURN, c.TURNURL = false, []string{"turn:a.example"} }, says: []string{"--turn-url=turn:a.example: needs TURN"}},
		"turn for no time":         {change: func(c *Config) { c.TURNTTL = 0 }, says: []string{"--turn-ttl=0s: must be 2s to 1h"}},
		"a domain":                 {change: func(c *Config) { c.Domain, c.Secret = []string{"voice.example.org"}, testSecret }},
		"a domain, nothing said":   {change: func(c *Config) { c.Domain = []string{"voice.example.org"} }, says: []string{"--https=:443: other machines"}},
		"TLS on loopback":          {change: func(c *Config) { c.TLSCert, c.TLSKey, c.HTTPS = "a", "b", "127.0.0.1:0" }},
		"a domain and a file":      {change: func(c *Config) { c.Domain, c.TLSCert, c.TLSKey = []string{"a.b"}, "a", "b" }, says: []string{"--domain=a.b: must not be given beside --tls-cert"}},
		"a cert without its key":   {change: func(c *Config) { c.TLSCert = "a" }, says: []string{"--tls-cert=a: must come together with --tls-key"}},
		"an address for a domain":  {change: func(c *Config) { c.Domain = []string{"192.0.2.1"} }, says: []string{"for addresses there are no certificates"}},
		"a URL for a domain":       {change: func(c *Config) { c.Domain = []string{"https://a.b"} }, says: []string{"--domain=https://a.b: must be a name"}},
		"a domain without data":    {change: func(c *Config) { c.Domain, c.Secret, c.Data = []string{"a.b"}, testSecret, "" }, says: []string{"keep the certificate"}},
		"https without a cert":     {change: func(c *Config) { c.HTTPS = "127.0.0.1:443" }, says: []string{"--https=127.0.0.1:443: needs a certificate"}},
		"https without a port":     {change: func(c *Config) { c.HTTPS = "localhost" }, says: []string{"--https=localhost: must be host:port"}},
		"a CA without TLS":         {change: func(c *Config) { c.ACMEDirectory = "http://a.b/dir" }, says: []string{"--acme-directory=http://a.b/dir: must be an https URL"}},
		"everything at once": {
			change: func(c *Config) { c.HTTP, c.UDP, c.Slots, c.LogLevel = "x", "y", 99, "z" },
			says:   []string{"--http=x: ", "--udp=y: ", "--slots=99: ", "--log-level=z: "},
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Default()
			cfg.Data = t.TempDir()
			test.change(&cfg)
			err := cfg.Validate()
			if test.says == nil {
				require.NoError(t, err)
				return
			}
			_, ok := errors.AsType[*ConfigError](err)
			require.True(t, ok, "%T", err)
			for _, says := range test.says {
				require.ErrorContains(t, err, says)
			}
			if cfg.Secret != "" {
				require.NotContains(t, err.Error(), cfg.Secret)
			}
		})
	}
}

func TestPresetChannels(t *testing.T) {
	for name, test := range map[string]struct {
		in   []string
		want []PresetChannel
		says string
	}{
		"none":            {in: nil, want: []PresetChannel{}},
		"id and name":     {in: []string{"lobby", "Ops_1=Einsatz 1", "a=b=c"}, want: []PresetChannel{{ID: "lobby", Name: "lobby"}, {ID: "Ops_1", Name: "Einsatz 1"}, {ID: "a", Name: "b=c"}}},
		"a mode":          {in: []string{"r:ptt", "c:conference=Call", "n=a:b"}, want: []PresetChannel{{"r", "r", sfu.ModePTT}, {"c", "Call", sfu.ModeConference}, {ID: "n", Name: "a:b"}}},
		"unknown mode":    {in: []string{"r:radio"}, says: "--channels=r:radio: must have conference or ptt as its mode"},
		"longest":         {in: []string{strings.Repeat("x", 64) + "=" + strings.Repeat("é", 100)}, want: []PresetChannel{{ID: strings.Repeat("x", 64), Name: strings.Repeat("é", 100)}}},
		"twice":           {in: []string{"a", "b", "a=A"}, says: "--channels=a=A: must have each id only once"},
		"empty":           {in: []string{""}, says: "--channels=: must be id, id=Name"},
		"space in the id": {in: []string{"my channel"}, says: "--channels=my channel: must be id"},
		"long id":         {in: []string{strings.Repeat("x", 65)}, says: "1 to 64"},
		"no name":         {in: []string{"a="}, says: "--channels=a=: must have a name"},
		"blank name":      {in: []string{"a= "}, says: "must have a name"},
		"long name":       {in: []string{"a=" + strings.Repeat("é", 101)}, says: "at most 100"},
		"control in it":   {in: []string{"a=b\x07"}, says: "U+0007"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Default()
			cfg.Channels = test.in
			got, err := cfg.PresetChannels()
			if test.says != "" {
				require.ErrorContains(t, err, test.says)
				require.ErrorContains(t, cfg.Validate(), test.says)
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.want, got)
		})
	}
}

func TestMediaAddr(t *testing.T) {
	for in, want := range map[string]netip.AddrPort{
		"10000":                  netip.AddrPortFrom(netip.Addr{}, 10000),
		":10000":                 netip.AddrPortFrom(netip.Addr{}, 10000),
		"0":                      netip.AddrPortFrom(netip.Addr{}, 0),
		"127.0.0.1:0":            netip.MustParseAddrPort("127.0.0.1:0"),
		"[::1]:10000":            netip.MustParseAddrPort("[::1]:10000"),
		"[::ffff:192.0.2.1]:100": netip.MustParseAddrPort("192.0.2.1:100"),
	} {
		got, err := Config{UDP: in}.MediaAddr()
		require.NoError(t, err, in)
		require.Equal(t, want, got, in)
	}
}

func TestGuestsAllowed(t *testing.T) {
	yes, no := true, false
	for _, test := range []struct {
		http string
		flag *bool
		want bool
	}{
		{"127.0.0.1:80", nil, true},
		{"127.9.9.9:80", nil, true},
		{"[::1]:80", nil, true},
		{"LOCALHOST:80", nil, true},
		{"127.0.0.1:80", &no, false},
		{"0.0.0.0:80", nil, false},
		{":80", nil, false},
		{"192.0.2.1:80", nil, false},
		{"127.0.0.1.example.org:80", nil, false},
		{"0.0.0.0:80", &yes, true},
		{"nonsense", nil, false},
	} {
		require.Equal(t, test.want, Config{HTTP: test.http, AllowGuests: test.flag}.GuestsAllowed(), "%s", test.http)
	}
}

func TestSecretsComeFromOnePlace(t *testing.T) {
	const first, second = testSecret + " 1", testSecret + " 2"
	cfg := Default()
	cfg.Data = filepath.Join(t.TempDir(), "data")
	mint := func(cfg Config) string {
		a, err := cfg.Authority()
		require.NoError(t, err)
		token, err := a.Mint(auth.Identity{UserID: "ada"}, time.Now(), time.Hour)
		require.NoError(t, err)
		return token
	}
	takes := func(token string, secrets ...string) {
		t.Helper()
		for _, secret := range secrets {
			a, err := auth.New([]byte(secret))
			require.NoError(t, err)
			_, err = a.Verify(token, time.Now())
			require.NoError(t, err)
		}
	}
	generated := mint(cfg)
	kept, err := os.ReadFile(cfg.KeptSecret())
	require.NoError(t, err)
	takes(generated, strings.TrimSpace(string(kept)))
	takes(mint(cfg), strings.TrimSpace(string(kept)))

	cfg.Secret = first
	takes(mint(cfg), first)
	require.Empty(t, cfg.KeptSecret())

	cfg.Secret, cfg.SecretFile = "", filepath.Join(t.TempDir(), "secrets")
	require.NoError(t, os.WriteFile(cfg.SecretFile, []byte(second+"\n"+first+"\n"), 0o600))
	takes(mint(cfg), second)
	require.Empty(t, cfg.KeptSecret())
	require.NoError(t, os.WriteFile(cfg.SecretFile, []byte("broken"), 0o600))
	_, err = cfg.Authority()
	require.ErrorContains(t, err, "--secret-file")

	cfg.SecretFile = ""
	require.NoError(t, os.WriteFile(filepath.Join(cfg.Data, "secret"), []byte("broken"), 0o600))
	_, err = cfg.Authority()
	require.ErrorContains(t, err, "--secret")
}

func TestSecretIsNeverPrinted(t *testing.T) {
	cfg := Default()
	cfg.Secret = testSecret
	asJSON, err := json.Marshal(cfg)
	require.NoError(t, err)
	for _, printed := range []string{
		fmt.Sprint(cfg), fmt.Sprintf("%v %+v %#v %s", cfg, cfg, cfg, cfg), fmt.Sprint(&cfg), string(asJSON),
		fmt.Sprintf("%+v", struct{ C Config }{cfg}),
	} {
		require.NotContains(t, printed, testSecret)
		require.Contains(t, printed, "127.0.0.1:8080")
	}
}

func TestDefaultDataDir(t *testing.T) {
	for name, test := range map[string]struct {
		env  map[string]string
		want string
	}{
		"home":          {map[string]string{"HOME": "/home/ada"}, "/home/ada/.local/share/livechat"},
		"XDG":           {map[string]string{"HOME": "/home/ada", "XDG_DATA_HOME": "/data"}, "/data/livechat"},
		"XDG, relative": {map[string]string{"HOME": "/home/ada", "XDG_DATA_HOME": "data"}, "/home/ada/.local/share/livechat"},
		"systemd":       {map[string]string{"HOME": "/", "STATE_DIRECTORY": "/var/lib/livechat:/var/lib/more"}, "/var/lib/livechat"},
		"nothing":       {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.want, defaultDataDir(func(key string) string { return test.env[key] }))
		})
	}
}

func TestShortDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 15 * time.Second: "15s", 90 * time.Second: "1m30s", 10 * time.Minute: "10m",
		24 * time.Hour: "24h", 100 * time.Minute: "1h40m", time.Hour + time.Second: "1h0m1s",
		48 * time.Hour: "2d", 2160 * time.Hour: "90d", 49 * time.Hour: "49h",
	} {
		require.Equal(t, want, ShortDuration(d))
		back, err := ParseDuration(want)
		require.NoError(t, err)
		require.Equal(t, d, back)
	}
}

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"500ms": 500 * time.Millisecond, "7d": 7 * day, "1d12h": 36 * time.Hour, "0d": 0, "106751d": 106751 * day, "-1s": -time.Second,
	} {
		d, err := ParseDuration(text)
		require.NoError(t, err, text)
		require.Equal(t, want, d, text)
	}
	for _, text := range []string{"", "d", "7", "-1d", "1.5d", "1d-1h", "1d2d", "1dh", "106752d", "106751d24h", "99999999999999999999d", "1 d", "+1d"} {
		_, err := ParseDuration(text)
		require.Error(t, err, text)
	}
}

func TestLoggerWritesJSONToAFile(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	require.NoError(t, err)
	defer file.Close()
	log, _ := NewLogger("info", file)
	log.Debug("unseen")
	log.Info("seen", zap.Duration("after", 1500*time.Millisecond))
	require.NoError(t, log.Sync())

	data, err := os.ReadFile(file.Name())
	require.NoError(t, err)
	var line map[string]any
	require.NoError(t, json.Unmarshal(data, &line), "one line, and it is JSON: %s", data)
	require.Equal(t, "seen", line["msg"])
	require.Equal(t, "info", line["level"])
	require.Equal(t, "1.5s", line["after"])
	_, err = time.Parse(time.RFC3339Nano, line["time"].(string))
	require.NoError(t, err)
}

func TestLoggerForAPerson(t *testing.T) {
	buf, err := newEncoder(true).EncodeEntry(
		zapcore.Entry{Level: zap.WarnLevel, Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Message: "look"},
		[]zapcore.Field{zap.Int("n", 1)})
	require.NoError(t, err)
	require.Contains(t, buf.String(), "03:04:05.000  ")
	require.Contains(t, buf.String(), "look  {\"n\": 1}\n")
}
