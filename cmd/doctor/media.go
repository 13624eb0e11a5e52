package doctor

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/mini-livechat/mini-livechat/signaling/client"
)

const (
	nameMedia = "Voice over UDP"

	wayDirect = "direct UDP"
)

// way is one way for media, tried.
type way struct {
	name  string // "direct UDP", "TURN over TLS"
	works bool
	rtt   time.Duration
	check Check
}

// media tries all ways at once. Browsers prefer the direct one, then what they list first:
// UDP, TCP, TLS.
func (x *examination) media(ctx context.Context, c *client.Client) {
	ctx, cancel := context.WithTimeout(ctx, mediaTimeout)
	defer cancel()
	p, err := newPeer()
	if err != nil {
		x.add(Check{Name: nameMedia, Status: Failed, Text: innermost(err)})
		return
	}
	defer p.GracefulClose() //nolint:errcheck // what was to be seen was seen
	relays := x.relays(c.ICEServers())
	tried := relays[:min(len(relays), maxRelays)]
	ways := make([]way, len(tried))
	var direct directly
	var trying sync.WaitGroup
	trying.Go(func() { direct = x.direct(ctx, c, p) })
	for i := range tried {
		trying.Go(func() { ways[i] = x.relayed(ctx, c, p.offer, tried[i]) })
	}
	trying.Wait()
	overUDP := slices.ContainsFunc(ways, func(w way) bool { return w.works && w.name == wayTURNUDP })
	ways = append([]way{direct.conclude(x.addrs, overUDP)}, ways...)
	for _, w := range ways {
		x.choose(w)
	}
	for _, w := range ways {
		if x.report.Works && w.check.Status == Failed {
			w.check.Status = Warning // somebody else may need this way
		}
		x.add(w.check)
	}
	x.add(x.missing(relays)...)
}

// choose makes a way that works the report's, unless there is a better one.
func (x *examination) choose(w way) {
	if w.works && !x.report.Works {
		x.report.Works, x.report.Way, x.report.RTT = true, w.name, w.rtt
	}
}

// directly is what was found on the direct way.
type directly struct {
	err       error // not nil: it could not even be tried
	announced []netip.AddrPort
	ice, dtls bool
	// answers are the round trips to where the media port answered, announced or not.
	answers map[netip.AddrPort]time.Duration
}

// direct tries the announced addresses as a browser does, with ICE and DTLS. Meanwhile it
// checks them one by one, and the page's address too, whether that is announced or not.
func (x *examination) direct(ctx context.Context, c *client.Client, p *peer) directly {
	answer, r, err := probe(ctx, c, p.offer)
	if err != nil {
		return directly{err: err}
	}
	// The pings have a connection of their own: they would go on after DTLS ended this one.
	_, pinged, err := probe(ctx, c, p.offer)
	if err != nil {
		return directly{err: err}
	}
	if err := p.accept(answer); err != nil {
		return directly{err: err}
	}
	found := directly{announced: r.addrs, answers: map[netip.AddrPort]time.Duration{}}
	targets := slices.Clone(r.addrs)
	for _, announced := range r.addrs {
		for _, addr := range x.addrs {
			if to := netip.AddrPortFrom(addr, announced.Port()); !slices.Contains(targets, to) {
				targets = append(targets, to)
			}
		}
	}
	pinging, enough := context.WithCancel(ctx)
	defer enough()
	var mu sync.Mutex // guards found.answers
	var pings sync.WaitGroup
	for _, to := range targets {
		pings.Go(func() {
			if rtt, err := pingUDP(pinging, to, pinged); err == nil {
				mu.Lock()
				defer mu.Unlock()
				found.answers[to] = rtt
			}
		})
	}
	found.ice = reached(ctx, p.ice)
	found.dtls = reached(ctx, p.connected)
	if found.dtls {
		enough()
	}
	pings.Wait()
	return found
}

// reached waits for a channel to be closed, and reports whether that came before the end.
func reached(ctx context.Context, done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	case <-ctx.Done():
		return false
	}
}

// conclude puts what was found into words. page are the addresses of the page; relayUDP
// says that UDP as such gets through to the server, since its relay was reached by it.
func (d directly) conclude(page []netip.Addr, relayUDP bool) way {
	w := way{name: wayDirect, check: Check{Name: nameMedia, Status: Failed}}
	if d.err != nil {
		w.check.Text = "not tried: " + innermost(d.err)
		w.check.Advice = []string{"Is the server as new as this program? It has to know MEDIA_PROBE."}
		return w
	}
	announced, port := joinAddrs(d.announced), joinPorts(d.announced)
	answering, rtt := d.best()
	switch {
	case d.dtls:
		w.works, w.rtt = true, rtt
		w.check.Status = Good
		w.check.Text = fmt.Sprintf("%s, UDP port %s, %s", answering.Addr(), port, roundTrip(rtt))
		if !answering.IsValid() {
			w.check.Text = "UDP port " + port
		}
		if !slices.ContainsFunc(d.announced, func(a netip.AddrPort) bool { return !a.Addr().IsLoopback() }) {
			w.check.Status = Warning
			w.check.Advice = []string{fill(wordsLoopback, "announced", announced, "port", port)}
		}
	case slices.Contains(d.announced, answering):
		w.check.Text = fmt.Sprintf("%s, UDP port %s answers, but the DTLS handshake does not get through", answering.Addr(), port)
		w.check.Advice = []string{"A firewall on the way lets STUN through and stops DTLS, or drops large packets. " + wordsUDPHere}
	case answering.IsValid():
		w.check.Text = fmt.Sprintf("UDP port %s answers at %s, but the server tells clients to use %s", port, answering.Addr(), announced)
		w.check.Advice = []string{fill(wordsAnnounceFound, "address", answering.Addr().String())}
		if answering.Addr().IsLoopback() {
			w.check.Advice = []string{fill(wordsFromItself, "announced", announced)}
		}
	default:
		w.check.Text = fmt.Sprintf("nothing comes back from %s, UDP port %s", announced, port)
		w.check.Advice = []string{fill(wordsUDP, "port", port)}
		if !relayUDP {
			w.check.Advice = append(w.check.Advice, wordsUDPHere)
		}
		switch {
		case d.announces(page):
		case page[0].IsLoopback():
			w.check.Advice = append(w.check.Advice, fill(wordsFromItself, "announced", announced))
		default:
			w.check.Advice = append(w.check.Advice, fill(wordsAnnounce, "announced", announced, "address", page[0].String()))
		}
	}
	return w
}

// best is where the media port answered soonest, announced addresses before others.
func (d directly) best() (at netip.AddrPort, rtt time.Duration) {
	better := func(a netip.AddrPort, took time.Duration) bool {
		known, best := slices.Contains(d.announced, a), slices.Contains(d.announced, at)
		return !at.IsValid() || known && !best || known == best && took < rtt
	}
	for a, took := range d.answers {
		if better(a, took) {
			at, rtt = a, took
		}
	}
	return at, rtt
}

// announces reports whether one of the page's addresses is announced for media.
func (d directly) announces(page []netip.Addr) bool {
	return slices.ContainsFunc(d.announced, func(a netip.AddrPort) bool { return slices.Contains(page, a.Addr()) })
}
