package cluster

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/nats-io/nats.go"
)

// connectElsewhere reaches a NATS that exists. It has to be there when the server starts, so that mistakes are found.
func (c *Cluster) connectElsewhere(options []nats.Option) (*nats.Conn, error) {
	if c.cfg.Credentials != "" {
		options = append(options, nats.UserCredentials(c.cfg.Credentials))
	}
	conn, err := nats.Connect(strings.Join(c.cfg.NATS, ","), options...)
	if err != nil {
		return nil, fmt.Errorf("connect to NATS at %s: %w", strings.Join(c.cfg.NATS, ", "), err)
	}
	return conn, nil
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
