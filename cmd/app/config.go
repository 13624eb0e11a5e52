package app

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/mini-livechat/mini-livechat/signaling"
	"github.com/mini-livechat/mini-livechat/signaling/admission"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/store"
)

// Config is everything about the server that can be set. The tags are read by kong: the
// names of flags, of environment variables (LIVECHAT_ in front) and of keys in the
// configuration file follow from the field names. Start from [Default]; the zero Config is
// not valid, and where the zero value of a field means something its comment says what.
type Config struct {
	// HTTP is the address and port of the page, the API and the gateway. Port 0 takes any
	// free one.
	HTTP string `name:"http" group:"listen" placeholder:"HOST:PORT" help:"Where the page and its WebSocket are served; no host means all interfaces."`
	// UDP is the media port: a bare port on all interfaces, or address:port on one. Port 0
	// takes any free one.
	UDP string `name:"udp" group:"listen" placeholder:"[HOST:]PORT" help:"The one UDP port all voice goes through; open it in the firewall."`
	// HTTPS is the address and port of the same over TLS. Empty means, with a certificate,
	// port 443 of all interfaces, or HTTP's port where that is not allowed.
	HTTPS string `name:"https" group:"listen" placeholder:"HOST:PORT" help:"Where they are served over TLS, when there is a certificate. Without it: port 443, or the port of --http where 443 is not allowed. It may be the same as --http."`
	// Announce are the addresses told to clients for media, beside the one in the URL that
	// they use: "auto" for those by which the machine reaches the Internet, an IP address,
	// IP:port where the port differs from UDP's, or stun:host:port for what that STUN server
	// says. Empty means auto.
	Announce []string `group:"listen" placeholder:"ADDRESS" help:"Where clients reach the media port: auto for the address by which this machine reaches the Internet, or an IP address, such as the public one behind NAT, with :port where NAT changes that; or stun:HOST[:PORT], a server to ask for it."`

	// TrustedProxy are the networks of the proxies that are believed where a request comes from. Empty means nobody.
	TrustedProxy []string `group:"listen" placeholder:"CIDR" help:"Proxies that are believed where a request comes from, by X-Forwarded-For or Forwarded: an address or a network, such as 10.0.0.0/8."`

	// Domain are the names for which certificates are got from ACMEDirectory. Empty means none.
	Domain []string `group:"tls" placeholder:"NAME" help:"Get a certificate for this name, such as voice.example.org, and renew it. The name must lead to this machine, and its port 443 to the TLS port."`
	// ACMEEmail is whom the certificate authority may write to. Empty means nobody.
	ACMEEmail string `name:"acme-email" group:"tls" placeholder:"ADDRESS" help:"Whom the certificate authority may write to."`
	// ACMEDirectory is the directory URL of the certificate authority (RFC 8555). Empty
	// means Let's Encrypt.
	ACMEDirectory string `name:"acme-directory" group:"tls" placeholder:"URL" help:"The certificate authority, by its ACME directory. Without it: Let's Encrypt."`
	// ACMERoot is a file of certificates, in PEM, by which ACMEDirectory is trusted. Empty
	// means those of the system.
	ACMERoot string `name:"acme-root" group:"tls" placeholder:"FILE" help:"Certificates by which a certificate authority of one's own is trusted."`
	// TLSCert and TLSKey are the files of a certificate with its chain and of its key, in
	// PEM. Both or none are given; they are read again when they change.
	TLSCert string `name:"tls-cert" group:"tls" placeholder:"FILE" help:"A certificate and its chain, in PEM, instead of --domain; read again when it changes."`
	TLSKey  string `name:"tls-key" group:"tls" placeholder:"FILE" help:"The key of --tls-cert."`

	// TURN is whether clients may reach the media port through TURN.
	TURN bool `name:"turn" negatable:"" group:"turn" help:"Let clients whose network blocks UDP reach the media port through TURN, also on the port of the page."`
	// TURNUDP and TURNTCP are ports for TURN alone: a bare port on all interfaces, or
	// address:port on one. Empty means none. When the default cannot be had it is done without.
	TURNUDP string `name:"turn-udp" group:"turn" placeholder:"[HOST:]PORT" help:"The UDP port of TURN. When the default is taken, none."`
	TURNTCP string `name:"turn-tcp" group:"turn" placeholder:"[HOST:]PORT" help:"A TCP port of TURN beside that of the page. When the default is taken, none."`
	// TURNURL are the TURN URIs (RFC 7065) that clients are told. Empty means those of the
	// sockets above and the page, as the client sees them.
	TURNURL []string `name:"turn-url" group:"turn" placeholder:"URI" help:"Where clients find TURN when it is not where the page is, such as turns:turn.example.org:443?transport=tcp behind a load balancer that forwards it."`
	// TURNTTL is how long TURN credentials let a session begin something; they are
	// refreshed twice as often.
	TURNTTL time.Duration `name:"turn-ttl" group:"turn" placeholder:"TIME" help:"How long TURN credentials are good for; clients get new ones in time."`

	// Secret signs the tokens. Empty means a generated one, kept in Data.
	Secret string `json:"-" group:"people" placeholder:"TEXT" help:"Signs the tokens, at least 32 bytes. Better given in the environment, where other users of the machine cannot see it. Without one, a secret is generated and kept in --data."`
	// SecretFile holds several secrets, one a line, and is read again when it changes. Empty means none.
	SecretFile string `json:"-" group:"people" placeholder:"FILE" help:"Signs the tokens, instead of --secret: a file of secrets, one a line, that nobody else may read. The first signs, all are accepted. It is read again when it changes."`
	// AllowGuests lets people in who have no token. nil means only while HTTP listens on
	// loopback; see GuestsAllowed.
	AllowGuests *bool `negatable:"" group:"people" help:"Let people in by name alone, without a token. Without either flag: only while --http is on loopback."`
	// AllowOrigin are the web origins besides the server's own whose pages may connect.
	// Empty means none.
	AllowOrigin []string `group:"people" placeholder:"ORIGIN" help:"Web origin, such as https://example.org, whose pages may connect too."`
	// GuestTTL is how long a guest's token is good for.
	GuestTTL time.Duration `name:"guest-ttl" group:"people" placeholder:"TIME" help:"How long a guest may stay on one token."`
	// LoginTTL is how long people stay signed in who do not come.
	LoginTTL time.Duration `name:"login-ttl" group:"people" placeholder:"TIME" help:"How long people who came by an invite stay signed in without coming back."`

	// OIDC is who else vouches for people.
	OIDC OIDC `embed:"" prefix:"oidc-"`

	// Cluster is how several servers are one.
	Cluster Cluster `embed:""`

	// Floor is how the floor is given in channels where one talks at a time.
	Floor Floor `embed:"" prefix:"floor-"`

	// Channels are the channels that always exist, as "id", "id=Name", or with ":mode" behind the id. Empty means none.
	Channels []string `group:"channels" placeholder:"ID[:MODE][=NAME]" help:"Channels that always exist; of mode ptt, one talks at a time there, by pressing a button, and of mode conference all may."`
	// Slots is how many people a listener hears at once.
	Slots int `group:"channels" placeholder:"N" help:"How many people one hears at once, 1 to 32. Bounds what a listener costs."`
	// ChannelCapacity is the most members in any channel.
	ChannelCapacity int `group:"channels" placeholder:"N" help:"Most members in any channel."`
	// MaxChannels is the most channels, preset ones included.
	MaxChannels int `group:"channels" placeholder:"N" help:"Most channels on the server."`
	// ChannelsPerUser is the most channels that one user who is no admin may have made, ChannelsPerGuest one guest.
	ChannelsPerUser  int `group:"channels" placeholder:"N" help:"Most channels that one person may have made; admins may make more."`
	ChannelsPerGuest int `group:"channels" placeholder:"N" help:"Most channels that one guest may have made."`
	// ChannelIdle is how long an empty channel that a guest made is kept. 0 deletes it
	// as soon as the reaper sees it empty.
	ChannelIdle time.Duration `group:"channels" placeholder:"TIME" help:"How long a channel that a guest made is kept when it is empty."`
	// MessageLength is the longest text message, in Unicode code points.
	MessageLength int `group:"channels" placeholder:"N" help:"Longest text message, in characters."`
	// KeepMessages and KeepFor are how many messages of a channel are kept, and for how long, where the channel does not say
	// so itself. With 0 in either, messages are passed on and not kept.
	KeepMessages int           `group:"channels" placeholder:"N" help:"How many messages of each channel are kept; 0 keeps none."`
	KeepFor      time.Duration `group:"channels" placeholder:"TIME" help:"How long messages are kept; 0 keeps none."`

	// HeartbeatInterval is how often clients are told to send HEARTBEAT.
	HeartbeatInterval time.Duration `group:"sessions" placeholder:"TIME" help:"How often clients say that they are alive."`
	// ZombieTimeout is how long a session or a media path may be silent before it is
	// removed; at least twice HeartbeatInterval.
	ZombieTimeout time.Duration `group:"sessions" placeholder:"TIME" help:"How long one may be silent before being removed; at least twice the heartbeat interval."`
	// ReaperInterval is how often silent sessions and media paths are looked for.
	ReaperInterval time.Duration `group:"sessions" placeholder:"TIME" help:"How often the silent are looked for."`
	// IdentifyTimeout is how long a connection may exist before IDENTIFY.
	IdentifyTimeout time.Duration `group:"sessions" placeholder:"TIME" help:"How long a connection may take to say who it is."`
	// ResumeWindow is how long a session waits for its client after its connection broke. 0
	// ends it with the connection.
	ResumeWindow time.Duration `group:"sessions" placeholder:"TIME" help:"How long one whose connection broke stays in the call to come back; 0 for not at all."`
	// WriteTimeout is how long writing one frame to a client may take.
	WriteTimeout time.Duration `group:"sessions" placeholder:"TIME" help:"How long one frame may take to be written to a client."`
	// MaxSessions is the most WebSocket connections at a time.
	MaxSessions int `group:"sessions" placeholder:"N" help:"Most connections at a time."`
	// PerAddress is how many people may come from one address, or /64 of IPv6: what all of them together may do follows from it.
	PerAddress int `group:"sessions" placeholder:"N" help:"How many people may come from one address; raise it where more are behind one, such as at a school. What an address may do grows with it."`
	// EgressQueue is how many frames may wait for one session.
	EgressQueue int `group:"sessions" placeholder:"FRAMES" help:"Frames that may wait for one slow client before it is disconnected."`
	// EgressBytes is how many bytes may wait for one session; a single frame may have more.
	EgressBytes int `group:"sessions" placeholder:"BYTES" help:"Bytes that may wait for one slow client before it is disconnected."`
	// RequestRate is how many requests per second a session may keep up.
	RequestRate int `group:"sessions" placeholder:"PER-SECOND" help:"Requests per second that one client may keep up."`
	// RequestBurst is how many requests a session may send at once.
	RequestBurst int `group:"sessions" placeholder:"N" help:"Requests that one client may send at once."`

	// Data is the directory for what outlives the process. Empty is allowed only with Secret or SecretFile.
	Data string `group:"running" placeholder:"DIR" help:"Directory for what outlives the process: the generated secret, and livechat.db with what the server remembers. Empty: nothing does."`
	// Drain is how long the end may take: everybody is told to come back, and what was told is
	// waited for. 0 tells nobody.
	Drain time.Duration `group:"running" placeholder:"TIME" help:"How long the end may take when the server is stopped: everybody is told to come back, and voice goes on until they know. 0 does without."`
	// Metrics is where figures for Prometheus and Go's profiles are served: a bare port on loopback, or address:port. Empty means nowhere.
	// When the default cannot be had it is done without.
	Metrics string `group:"running" placeholder:"[HOST:]PORT" help:"Where figures for Prometheus are at /metrics, and Go's profiles at /debug/pprof; a port alone is on loopback. Without a password, so give it no address that strangers reach. Empty: nowhere; when the default is taken, nowhere too."`
	// LogLevel is debug, info, warn or error.
	LogLevel string `group:"running" placeholder:"LEVEL" help:"What is logged: debug, info, warn or error."`

	// Nodes are the server's other nodes, for those who put several into one process. nil: this one is alone.
	Nodes signaling.Nodes `kong:"-" json:"-"`
	// NodeURLs are the pages of other servers with the same secrets, where people go on when this one is gone, though it is none of several. nil:
	// there are none.
	NodeURLs []string `kong:"-" json:"-"`
	// Stop is closed when a server that still waits for others to start shall give up. nil: never.
	Stop <-chan struct{} `kong:"-" json:"-"`
	// Share is the log in which they all keep what outlives them. nil: this one keeps its own.
	Share *store.Share `kong:"-" json:"-"`
}

// String renders the configuration for debugging, without the secret.
func (c Config) String() string {
	type plain Config // has no String
	if c.Secret != "" {
		c.Secret = "(set)"
	}
	return fmt.Sprintf("%+v", plain(c))
}

// GoString is String: no way of printing shows the secret.
func (c Config) GoString() string { return c.String() }

// GuestsAllowed reports whether people may come in without a token.
func (c Config) GuestsAllowed() bool {
	if c.AllowGuests != nil {
		return *c.AllowGuests
	}
	return c.onLoopback()
}

// givesSecret reports whether the operator gives the secrets, so that none is generated.
func (c Config) givesSecret() bool { return c.Secret != "" || c.SecretFile != "" }

// KeptSecret is where the generated secret is kept. Empty: the operator gives another.
func (c Config) KeptSecret() string {
	if c.givesSecret() {
		return ""
	}
	return auth.SecretFile(c.Data)
}

// Authority returns what signs and verifies tokens: with Secret, with those in SecretFile, or with the one kept in Data, which is
// generated at need.
func (c Config) Authority() (*auth.Authority, error) {
	var secrets [][]byte
	switch {
	case c.Secret != "":
		secrets = [][]byte{[]byte(c.Secret)}
	case c.SecretFile != "":
		var err error
		if secrets, err = auth.ReadSecrets(c.SecretFile); err != nil {
			return nil, fmt.Errorf("%w (--secret-file)", err)
		}
	default:
		secret, err := auth.LoadOrCreateSecret(c.Data)
		if err != nil {
			return nil, fmt.Errorf("%w (a secret of your own is given with --secret, another directory with --data)", err)
		}
		secrets = [][]byte{secret}
	}
	authority, err := auth.New(secrets...)
	if err != nil {
		return nil, fmt.Errorf("signing secret: %w", err)
	}
	return authority, nil
}

// MediaAddr returns the address and port for media. The address is the zero netip.Addr
// when UDP names only a port: all interfaces.
func (c Config) MediaAddr() (netip.AddrPort, error) {
	host, port, err := splitPort(c.UDP)
	if err != nil {
		return netip.AddrPort{}, err
	}
	if host == "" {
		return netip.AddrPortFrom(netip.Addr{}, port), nil
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("media address: %w", err)
	}
	return netip.AddrPortFrom(addr.Unmap(), port), nil
}

// Proxies returns TrustedProxy parsed.
func (c Config) Proxies() (admission.Proxies, error) {
	proxies := make(admission.Proxies, 0, len(c.TrustedProxy))
	for _, s := range c.TrustedProxy {
		network, err := netip.ParsePrefix(s)
		if addr, bad := netip.ParseAddr(s); bad == nil {
			network, err = addr.Unmap().Prefix(addr.Unmap().BitLen())
		}
		if err != nil {
			return nil, badValue("trusted-proxy", s, "must be an address or a network, such as 10.0.0.0/8")
		}
		proxies = append(proxies, network.Masked())
	}
	return proxies, nil
}

// hasTLS reports whether there is a certificate.
func (c Config) hasTLS() bool { return c.TLSCert != "" || len(c.Domain) > 0 }

func isLoopback(hostPort string) bool {
	host, _, err := net.SplitHostPort(hostPort)
	if err != nil {
		return false
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// splitPort splits "host:port", ":port" or "port".
func splitPort(s string) (host string, port uint16, err error) {
	portText := s
	if strings.Contains(s, ":") {
		if host, portText, err = net.SplitHostPort(s); err != nil {
			return "", 0, fmt.Errorf("split host and port: %w", err)
		}
	}
	n, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("the port must be a number from 0 to 65535: %w", err)
	}
	return host, uint16(n), nil
}

// canonicalOrigin returns the origin as a browser writes it in its Origin header (RFC
// 6454, section 6.1), or "" when s is none.
func canonicalOrigin(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return ""
	}
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	switch scheme {
	case "http":
		host = strings.TrimSuffix(host, ":80")
	case "https":
		host = strings.TrimSuffix(host, ":443")
	default:
		return ""
	}
	return scheme + "://" + strings.TrimSuffix(host, ":")
}
