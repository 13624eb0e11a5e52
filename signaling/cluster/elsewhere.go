package cluster

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// connectElsewhere reaches a NATS that exists. It has to be there when the server starts, so that mistakes are found.
func (c *Cluster) connectElsewhere(options []nats.Option) (*nats.Conn, error) {
	options = append(options, nats.IgnoreAuthErrorAbort()) // users may be taken away and be given again, as all else
	if c.cfg.Credentials != "" {
		options = append(options, nats.UserCredentials(c.cfg.Credentials))
	}
	if c.cfg.CA != "" {
		options = append(options, nats.RootCAs(c.cfg.CA))
	}
	conn, err := nats.Connect(strings.Join(c.cfg.NATS, ","), options...)
	if err != nil {
		return nil, c.notConnected(err)
	}
	return conn, nil
}

// notConnected says what mends it that NATS is not reached.
func (c *Cluster) notConnected(err error) error {
	at := make([]string, len(c.cfg.NATS))
	for i, s := range c.cfg.NATS {
		at[i] = ShowNATS(s)
	}
	all := strings.Join(at, ", ")
	var stranger x509.UnknownAuthorityError
	var misnamed x509.HostnameError
	switch {
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked), errors.Is(err, nats.ErrAccountAuthExpired):
		return fmt.Errorf("NATS at %s does not let this server in: %w; say who it is by tls://USER:PASSWORD@HOST, tls://TOKEN@HOST, "+
			"or --nats-credentials", all, err)
	case errors.As(err, &stranger):
		return fmt.Errorf("NATS at %s has a certificate of nobody who is known here: %w; give --nats-ca", all, err)
	case errors.As(err, &misnamed):
		return fmt.Errorf("NATS at %s has a certificate for another name: %w", all, err)
	case errors.Is(err, nats.ErrSecureConnWanted):
		return fmt.Errorf("NATS at %s has no TLS: %w", all, err)
	default:
		return fmt.Errorf("NATS at %s cannot be reached: %w", all, err)
	}
}

// CheckNATS says what is wrong with the URL of a NATS.
func CheckNATS(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || u.Scheme != "tls" && u.Scheme != "nats" {
		return errors.New("must be a URL, such as tls://nats.example.org:4222")
	}
	if ip := net.ParseIP(u.Hostname()); u.Scheme != "tls" && u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return errors.New("must begin with tls://, since what nodes say must not be read by others")
	}
	return nil
}

// ShowNATS is the URL of a NATS without what is secret in it.
func ShowNATS(s string) string {
	if before, host, ok := strings.Cut(s, "@"); ok {
		scheme, _, _ := strings.Cut(before, "//")
		return scheme + "//" + host
	}
	return s
}

// hasNoJetStream reports whether a NATS that exists keeps nothing, as an error of it says.
func (c *Cluster) hasNoJetStream(err error) bool {
	return len(c.cfg.NATS) > 0 && (errors.Is(err, nats.ErrNoResponders) || errors.Is(err, jetstream.ErrJetStreamNotEnabled) ||
		errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount))
}

// tooFewForReplicas is how NATS says that it is alone, and cannot keep several copies.
const tooFewForReplicas = 10074

// createStream makes the log, on as many servers as a NATS that exists has, if that is less than there should be.
func (c *Cluster) createStream(ctx context.Context, config jetstream.StreamConfig) error {
	_, err := c.stream.CreateStream(ctx, config)
	refused, ok := errors.AsType[*jetstream.APIError](err)
	if len(c.cfg.NATS) > 0 && config.Replicas > 1 && ok && refused.ErrorCode == tooFewForReplicas {
		config.Replicas = 1
		c.log.Warn("this NATS is one server, so that there is one copy of the log, and nothing is kept while it is away")
		_, err = c.stream.CreateStream(ctx, config)
	}
	return err
}
