package app

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pion/stun/v4"

	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// ConfigError lists what is wrong with a configuration.
type ConfigError struct {
	// Mistakes each name the flag, its value and what is allowed.
	Mistakes []error
}

// Error lists the mistakes, one a line.
func (e *ConfigError) Error() string {
	return "bad configuration:\n" + errors.Join(e.Mistakes...).Error()
}

// Unwrap gives the mistakes to errors.Is and errors.As.
func (e *ConfigError) Unwrap() []error { return e.Mistakes }

// Validate returns nil, or a *[ConfigError] that lists every mistake, each with its flag,
// the value and what is allowed.
func (c Config) Validate() error {
	var v mistakes
	c.checkListening(&v)
	if _, _, err := splitPort(c.Metrics); err != nil && c.Metrics != "" {
		v.bad("metrics", c.Metrics, "must be a port, such as %s, or address:port", DefaultMetrics)
	}
	c.checkPeople(&v)

	c.checkCluster(&v)
	c.Floor.check(&v)
	v.number("slots", c.Slots, protocol.MaxSlots)
	v.number("channel-capacity", c.ChannelCapacity, maxChannelCapacity)
	v.number("max-channels", c.MaxChannels, maxMaxChannels)
	v.number("channels-per-user", c.ChannelsPerUser, maxMaxChannels)
	v.number("channels-per-guest", c.ChannelsPerGuest, maxMaxChannels)
	v.number("message-length", c.MessageLength, maxMessageLength)
	if c.KeepMessages < 0 || c.KeepMessages > maxKeepMessages {
		v.bad("keep-messages", c.KeepMessages, "must be 0 to %d", maxKeepMessages)
	}
	v.duration("keep-for", c.KeepFor, 0, maxKeepFor)
	v.duration("channel-idle", c.ChannelIdle, 0, maxChannelIdle)
	if _, err := c.PresetChannels(); err != nil {
		v.add(err)
	} else if n := len(c.Channels); c.MaxChannels >= 1 && n > c.MaxChannels {
		v.bad("channels", strings.Join(c.Channels, ","), "has %d channels, but --max-channels is %d", n, c.MaxChannels)
	}

	v.duration("heartbeat-interval", c.HeartbeatInterval, minDuration, maxDuration)
	v.duration("zombie-timeout", c.ZombieTimeout, minDuration, maxDuration)
	if least := heartbeatsPerZombie * c.HeartbeatInterval; c.ZombieTimeout < least && c.ZombieTimeout >= minDuration {
		v.bad("zombie-timeout", c.ZombieTimeout, "must be at least %s, twice --heartbeat-interval", ShortDuration(least))
	}
	v.duration("reaper-interval", c.ReaperInterval, minDuration, maxDuration)
	v.duration("identify-timeout", c.IdentifyTimeout, minDuration, maxDuration)
	v.duration("resume-window", c.ResumeWindow, 0, maxDuration)
	v.duration("write-timeout", c.WriteTimeout, minDuration, maxDuration)
	v.number("max-sessions", c.MaxSessions, maxMaxSessions)
	v.number("per-address", c.PerAddress, maxMaxSessions)
	v.number("egress-queue", c.EgressQueue, maxEgressQueue)
	if c.EgressBytes < minEgressBytes || c.EgressBytes > maxEgressBytes {
		v.bad("egress-bytes", c.EgressBytes, "must be %d to %d", minEgressBytes, maxEgressBytes)
	}
	v.number("request-rate", c.RequestRate, maxRequestRate)
	v.number("request-burst", c.RequestBurst, maxRequestRate)

	if c.Drain != 0 && (c.Drain < minDrain || c.Drain > maxDrain) {
		v.bad("drain", c.Drain, "must be %s to %s, or 0 for none", ShortDuration(minDrain), ShortDuration(maxDrain))
	}
	if !slices.Contains(logLevels(), c.LogLevel) {
		v.bad("log-level", c.LogLevel, "must be one of %s", strings.Join(logLevels(), ", "))
	}
	return v.err()
}

func (c Config) checkListening(v *mistakes) {
	if _, _, err := splitPort(c.HTTP); err != nil || !strings.Contains(c.HTTP, ":") {
		v.bad("http", c.HTTP, "must be host:port, such as %s, or :8080 for all interfaces", DefaultHTTP)
	}
	if _, err := c.MediaAddr(); err != nil {
		v.bad("udp", c.UDP, "must be a port, such as %s, or address:port", DefaultUDP)
	}
	for _, setting := range []struct{ key, value string }{{"turn-udp", c.TURNUDP}, {"turn-tcp", c.TURNTCP}} {
		if setting.value == "" {
			continue
		}
		host, _, err := splitPort(setting.value)
		if _, bad := netip.ParseAddr(host); err != nil || host != "" && bad != nil {
			v.bad(setting.key, setting.value, "must be a port, such as %s, or address:port", DefaultTURN)
		}
	}
	for _, s := range c.TURNURL {
		uri, err := stun.ParseURI(s)
		switch {
		case err != nil || uri.Scheme != stun.SchemeTypeTURN && uri.Scheme != stun.SchemeTypeTURNS || hostOf(uri.Host) == "":
			v.bad("turn-url", s, "must be a TURN URI, such as turn:turn.example.org:3478?transport=udp")
		case !c.TURN:
			v.bad("turn-url", s, "needs TURN, which --no-turn turns off")
		}
	}
	v.duration("turn-ttl", c.TURNTTL, minTURNTTL, maxDuration)
	c.checkTLS(v)
	media, _ := c.MediaAddr() // complained about above
	for _, s := range c.Announce {
		one, err := parseAnnouncement(s)
		switch {
		case err != nil:
			v.add(err)
		case one.at.IsValid() && media.Addr().IsValid() && media.Addr() != netip.IPv6Unspecified() &&
			one.at.Addr().Is4() != media.Addr().Is4():
			v.bad("announce", s, "must be of the same family as --udp=%s, IPv4 or IPv6", c.UDP)
		}
	}
	if _, err := c.Proxies(); err != nil {
		v.add(err)
	}
	for _, origin := range c.AllowOrigin {
		if want := canonicalOrigin(origin); want == "" {
			v.bad("allow-origin", origin, "must be scheme://host or scheme://host:port, with http or https")
		} else if want != origin {
			v.bad("allow-origin", origin, "must be as browsers write it: %s", want)
		}
	}
}

func (c Config) checkTLS(v *mistakes) {
	if (c.TLSCert == "") != (c.TLSKey == "") {
		v.bad("tls-cert", c.TLSCert, "must come together with --tls-key")
	}
	if c.TLSCert != "" && len(c.Domain) > 0 {
		v.bad("domain", strings.Join(c.Domain, ","), "must not be given beside --tls-cert: choose where the certificate comes from")
	}
	for _, name := range c.Domain {
		if !isDomain(name) || !strings.Contains(name, ".") {
			v.bad("domain", name, "must be a name such as voice.example.org")
		} else if _, err := netip.ParseAddr(name); err == nil {
			v.bad("domain", name, "must be a name: for addresses there are no certificates")
		}
	}
	if len(c.Domain) > 0 && c.Data == "" {
		v.bad("data", "", "must be a directory to keep the certificate in")
	}
	if u, err := url.Parse(c.ACMEDirectory); c.ACMEDirectory != "" && (err != nil || u.Scheme != "https" || u.Host == "") {
		v.bad("acme-directory", c.ACMEDirectory, "must be an https URL")
	}
	if c.HTTPS == "" {
		return
	}
	if _, _, err := splitPort(c.HTTPS); err != nil || !strings.Contains(c.HTTPS, ":") {
		v.bad("https", c.HTTPS, "must be host:port, or :443 for all interfaces")
	}
	if !c.hasTLS() {
		v.bad("https", c.HTTPS, "needs a certificate: give --domain, or --tls-cert and --tls-key")
	}
}

// samePort reports whether HTTP and HTTPS name the same port: that of TLS, which answers
// plain HTTP too.
func (c Config) samePort() bool {
	_, port, err := splitPort(c.HTTP)
	return c.HTTP == c.HTTPS && err == nil && port != 0
}

// CheckSecret is the part of Validate that concerns Secret, SecretFile and Data.
func (c Config) CheckSecret() error {
	switch {
	case c.Secret != "" && c.SecretFile != "":
		return badValue("secret-file", c.SecretFile, "must not be given beside --secret: write that secret into the file")
	case c.SecretFile != "":
		return nil
	case c.Secret == "":
		if c.Data == "" {
			return badValue("data", "", "must be a directory to keep the generated secret in (it has no default where HOME is not set), or --secret must be given")
		}
		return nil
	}
	if _, err := auth.New([]byte(c.Secret)); err != nil {
		size := fmt.Sprintf("(%d bytes)", len(c.Secret))
		return badValue("secret", size, "must have %d to %d bytes", auth.MinSecretBytes, auth.MaxSecretBytes)
	}
	return nil
}

func (c Config) checkPeople(v *mistakes) {
	if err := c.CheckSecret(); err != nil {
		v.add(err)
	}
	// Who may come in has to be said before strangers can: a server that somebody forgot
	// on a public address must not be an open house.
	if c.AllowGuests == nil && !c.givesSecret() && c.OIDC.Issuer == "" && !c.onLoopback() {
		key, value := "http", c.HTTP
		if isLoopback(c.HTTP) {
			key, value = "https", cmp.Or(c.HTTPS, DefaultHTTPS)
		}
		v.bad(key, value, "other machines can reach this address, so say who may come in: "+
			"give --secret or --allow-guests (with --secret people need a token, with --allow-guests anybody may)")
	}
	v.duration("guest-ttl", c.GuestTTL, auth.MinTTL, maxGuestTTL)
	c.OIDC.check(v)
	v.duration("login-ttl", c.LoginTTL, minLoginTTL, maxLoginTTL)
}

// onLoopback reports whether the page is served where only this machine can connect.
func (c Config) onLoopback() bool {
	return isLoopback(c.HTTP) && (!c.hasTLS() || isLoopback(c.HTTPS))
}

// mistakes collects what Validate finds.
type mistakes []error

func (m *mistakes) add(err error) { *m = append(*m, err) }

// bad notes that the flag key has this value and what it must be instead.
func (m *mistakes) bad(key string, value any, must string, args ...any) {
	m.add(badValue(key, value, must, args...))
}

// number notes a count that is not at least one and at most most.
func (m *mistakes) number(key string, n, most int) {
	if n < 1 || n > most {
		m.bad(key, n, "must be 1 to %d", most)
	}
}

func (m *mistakes) duration(key string, d, least, most time.Duration) {
	if d < least || d > most {
		m.bad(key, d, "must be %s to %s", ShortDuration(least), ShortDuration(most))
	}
}

func (m *mistakes) err() error {
	if len(*m) == 0 {
		return nil
	}
	return &ConfigError{Mistakes: *m}
}

func badValue(key string, value any, must string, args ...any) error {
	switch v := value.(type) {
	case time.Duration:
		value = ShortDuration(v)
	case string:
		// What cannot be seen, and what would play tricks on a terminal, is escaped.
		if strings.TrimSpace(v) != v || strings.ContainsFunc(v, func(r rune) bool { return !strconv.IsPrint(r) }) {
			value = strconv.Quote(v)
		}
	}
	return fmt.Errorf("--%s=%v: %s", key, value, fmt.Sprintf(must, args...))
}
