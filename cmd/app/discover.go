package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"
)

const (
	// discoverTimeout is how long STUN servers may take to answer, a few retransmissions of
	// a lost request included.
	discoverTimeout = 10 * time.Second
	// discoverGrace is how much longer the server's other address family may take when one
	// has answered: it may be one that leads nowhere.
	discoverGrace = time.Second
	// discoverInterval is how often STUN servers are asked again: home networks change their
	// address at night. It is less than the 30 s after which common routers forget an idle
	// mapping, so that it keeps one as well.
	discoverInterval = 25 * time.Second
)

// mapper asks a STUN server at which address it sees the media port; *peer.Factory is one.
type mapper interface {
	Mapped(ctx context.Context, server netip.AddrPort) (netip.AddrPort, error)
}

// learned is what STUN servers have said last, of each address family by itself.
type learned struct {
	mu   sync.Mutex // guards said
	said map[question]netip.AddrPort
}

// question is a STUN server and the family it is asked about.
type question struct {
	server string
	v4     bool
}

// of returns what a server said: its address with the media port, which is what a router
// forwards, and, where NAT has chosen another port, with that as well.
func (l *learned) of(server string, port uint16) []netip.AddrPort {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []netip.AddrPort
	for _, v4 := range []bool{true, false} {
		if at, ok := l.said[question{server, v4}]; ok {
			all = append(all, netip.AddrPortFrom(at.Addr(), port), at)
		}
	}
	return all
}

// note reports whether the answer is news.
func (l *learned) note(q question, at netip.AddrPort) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.said == nil {
		l.said = make(map[question]netip.AddrPort)
	}
	before, known := l.said[q]
	l.said[q] = at
	return !known || before != at
}

// errNotPublic is why an answer cannot be used.
var errNotPublic = errors.New("it says an address that nobody can send to")

// discover asks all STUN servers once. The error is of those that did not answer in any
// family; what they said before stays.
func (a *announcer) discover(ctx context.Context, port mapper, log *zap.Logger) error {
	var errs []error
	for _, one := range a.announce {
		if one.stun == "" {
			continue
		}
		if err := a.ask(ctx, one.stun, port, log); err != nil {
			errs = append(errs, fmt.Errorf("no public address from the STUN server %s (--announce), to which UDP must get out: %w", one.stun, err))
		}
	}
	return errors.Join(errs...)
}

// ask asks one server in all families that it and the media port have.
func (a *announcer) ask(ctx context.Context, server string, port mapper, log *zap.Logger) error {
	ctx, cancel := context.WithTimeout(ctx, discoverTimeout)
	defer cancel()
	addrs, err := a.resolve(ctx, server)
	if err != nil {
		return err
	}
	type result struct {
		mapped netip.AddrPort
		err    error
	}
	results := make(chan result, len(addrs))
	for _, addr := range addrs {
		go func() {
			mapped, err := port.Mapped(ctx, addr)
			if err == nil && !reachable(mapped.Addr()) {
				err = fmt.Errorf("%w: %v", errNotPublic, mapped)
			}
			results <- result{mapped, err}
		}()
	}
	var errs []error
	for range addrs {
		r := <-results
		if r.err != nil {
			errs = append(errs, r.err)
			continue
		}
		time.AfterFunc(discoverGrace, cancel)
		if a.learned.note(question{server, r.mapped.Addr().Is4()}, r.mapped) {
			log.Info("the media port's public address", zap.Stringer("address", r.mapped), zap.String("from", server))
			if r.mapped.Port() != a.bound.Port() {
				log.Warn("NAT changes the media port; forward it in the router, or clients may have to be relayed",
					zap.Uint16("port", a.bound.Port()), zap.Uint16("seen", r.mapped.Port()))
			}
		}
	}
	if len(errs) == len(addrs) {
		return errors.Join(errs...)
	}
	return nil
}

// resolve finds a server's addresses, the first of each family that the media port has.
func (a *announcer) resolve(ctx context.Context, server string) ([]netip.AddrPort, error) {
	host, portText, err := net.SplitHostPort(server)
	if err != nil {
		return nil, err //nolint:wrapcheck // cannot be: it was parsed
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, err //nolint:wrapcheck // likewise
	}
	all, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err //nolint:wrapcheck // names the host
	}
	var found []netip.AddrPort
	for _, addr := range all {
		addr = addr.Unmap()
		again := slices.ContainsFunc(found, func(f netip.AddrPort) bool { return f.Addr().Is4() == addr.Is4() })
		if a.takes(addr) && !again {
			found = append(found, netip.AddrPortFrom(addr, uint16(port)))
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s has no address of the media port's family", host)
	}
	return found, nil
}

// keepDiscovering asks the STUN servers again and again until ctx is done. A change is for
// those who join from then on: who is there has noticed that nothing comes any more.
func (a *announcer) keepDiscovering(ctx context.Context, port mapper, log *zap.Logger) {
	if !slices.ContainsFunc(a.announce, func(one announcement) bool { return one.stun != "" }) {
		return
	}
	ticker := time.NewTicker(discoverInterval)
	defer ticker.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := a.discover(ctx, port, log)
		if err != nil && !failing && ctx.Err() == nil {
			log.Warn("the last public address stays announced", zap.Error(err))
		}
		failing = err != nil
	}
}
