// Package app is the composition root: it puts the server together from its parts, runs
// it, and takes it apart in reverse order.
package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/sfu/peer"
	"github.com/mini-livechat/mini-livechat/signaling"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/httpapi"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
	"github.com/mini-livechat/mini-livechat/signaling/tally"
	"github.com/mini-livechat/mini-livechat/static"
)

// Version is the server's version, told in HELLO.
const Version = "0.1.0"

const (
	// headerTimeout is how long a client may take to send an HTTP request's header.
	headerTimeout = 5 * time.Second
	// idleTimeout is how long an HTTP connection without a request is kept.
	idleTimeout = 2 * time.Minute
	// maxHeaderBytes bounds an HTTP request's header: room for cookies of a shared domain.
	maxHeaderBytes = 32 << 10
	// shutdownTimeout is how long sessions may take to be told that the server goes.
	shutdownTimeout = 5 * time.Second
)

// App is an assembled server. Its methods may be called from any goroutine.
type App struct {
	cfg   Config
	log   *zap.Logger
	media *peer.Factory
	// announcer knows where clients reach it.
	announcer *announcer
	relay     *relay // nil: no TURN
	// tally counts refusals; see runSummary.
	tally   tally.Tally
	gateway *signaling.Gateway
	// ports are the TCP ports of the page: one, and with TLS perhaps another in the clear,
	// the last.
	ports []*port
	// pages are what is served on them.
	pages []page
}

// page is an HTTP server and the listener it serves.
type page struct {
	server   *http.Server
	listener net.Listener
}

// New validates cfg and opens the server's sockets; clients are served from Run on. An
// App that was made must be run, or closed with Close.
func New(cfg Config, log *zap.Logger) (*App, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	authority, err := newAuthority(cfg)
	if err != nil {
		return nil, err
	}
	a := &App{cfg: cfg, log: log}
	if err := a.open(authority); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

func newAuthority(cfg Config) (*auth.Authority, error) {
	secret, err := cfg.SigningSecret()
	if err != nil {
		return nil, err
	}
	authority, err := auth.New(secret)
	if err != nil {
		return nil, fmt.Errorf("signing secret: %w", err)
	}
	return authority, nil
}

func (a *App) open(authority *auth.Authority) error {
	listen, err := a.cfg.MediaAddr()
	if err != nil {
		return err
	}
	a.media, err = peer.NewFactory(peer.Config{
		Listen: listen, MaxSlots: a.cfg.Slots, MaxSDPBytes: protocol.MaxSDPBytes,
		OnPanic: func(value any, stack []byte) {
			a.log.Error("panic in the media path", zap.Any("cause", value), zap.ByteString("stack", stack))
		},
	})
	if err != nil {
		return &ListenError{"udp", a.cfg.UDP, err}
	}
	if a.announcer, err = newAnnouncer(a.cfg, a.media.Addr()); err != nil {
		return err
	}
	if err = a.announcer.discover(context.Background(), a.media, a.log); err != nil {
		return err
	}
	certs, err := newCertificates(a.cfg, a.log)
	if err != nil {
		return err
	}
	if a.ports, err = openPorts(a.cfg, certs, a.log); err != nil {
		return err
	}
	if a.cfg.TURN {
		a.relay, err = newRelay(a.cfg, a.ports, a.announcer, a.log)
		if err != nil {
			return err
		}
	}
	if err := a.openGateway(authority); err != nil {
		return err
	}
	a.serve(a.routes(authority), certs)
	return nil
}

func (a *App) openGateway(authority *auth.Authority) error {
	presets, err := a.cfg.PresetChannels()
	if err != nil {
		return err
	}
	specs := make([]sfu.ChannelSpec, len(presets))
	for i, preset := range presets {
		specs[i] = sfu.ChannelSpec{ID: preset.ID, Name: preset.Name}
	}
	cfg := signaling.Config{
		Server:            "mini-livechat/" + Version,
		HeartbeatInterval: a.cfg.HeartbeatInterval,
		ZombieTimeout:     a.cfg.ZombieTimeout,
		ReaperInterval:    a.cfg.ReaperInterval,
		ChannelIdle:       a.cfg.ChannelIdle,
		IdentifyTimeout:   a.cfg.IdentifyTimeout,
		WriteTimeout:      a.cfg.WriteTimeout,
		EgressQueue:       a.cfg.EgressQueue,
		EgressBytes:       a.cfg.EgressBytes,
		MaxSessions:       a.cfg.MaxSessions,
		MessageLength:     a.cfg.MessageLength,
		RequestRate:       a.cfg.RequestRate,
		RequestBurst:      a.cfg.RequestBurst,
		ChannelCapacity:   a.cfg.ChannelCapacity,
		MaxChannels:       a.cfg.MaxChannels,
		Presets:           specs,
		Slots:             a.cfg.Slots,
		AllowOrigin:       a.cfg.AllowOrigin,
		MediaAddrs:        a.announcer.mediaAddrs,
		Tally:             &a.tally,
	}
	if a.relay != nil {
		cfg.Relay = a.relay
	}
	a.gateway, err = signaling.NewGateway(cfg, authority, sfu.AnswerWith(a.media), a.log)
	return err
}

// serve puts the page on its port. Beside TLS, what comes in the clear is sent there.
func (a *App) serve(handler http.Handler, certs *certificates) {
	if certs == nil {
		a.addPage(handler, a.ports[0].plain)
		return
	}
	a.addPage(handler, a.ports[0].secure)
	elsewhere := certs.challenges(redirect(portOf(a.ports[0].listener)))
	for _, p := range a.ports {
		a.addPage(elsewhere, p.plain)
	}
}

func (a *App) addPage(handler http.Handler, l net.Listener) {
	a.pages = append(a.pages, page{listener: l, server: &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          zap.NewStdLog(a.log),
	}})
}

func (a *App) routes(authority *auth.Authority) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/ws", a.gateway)
	mux.Handle("/api/guest", httpapi.NewGuest(httpapi.Guest{
		Authority: authority, Allowed: a.cfg.GuestsAllowed(), TTL: a.cfg.GuestTTL, Log: a.log,
		OriginAllowed: func(r *http.Request) bool { return signaling.OriginAllowed(r, a.cfg.AllowOrigin) },
	}))
	mux.Handle("/", static.Handler())
	return mux
}

// Run serves until ctx is done or a part fails, then closes everything. It may be called
// once.
func (a *App) Run(ctx context.Context) error {
	a.log.Info("serving", zap.String("url", a.URL()), zap.Stringer("media", a.MediaAddr()),
		zap.Stringer("announced", a.announcer),
		zap.Bool("guests", a.cfg.GuestsAllowed()))
	running, ctx := errgroup.WithContext(ctx)
	for _, p := range a.ports {
		running.Go(p.run)
	}
	for _, p := range a.pages {
		running.Go(func() error {
			if err := p.server.Serve(p.listener); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("serve HTTP: %w", err)
			}
			return nil
		})
	}
	running.Go(func() error {
		a.gateway.RunReaper(ctx)
		return nil
	})
	running.Go(func() error {
		a.gateway.RunRefresh(ctx)
		return nil
	})
	running.Go(func() error {
		a.gateway.RunDecisions(ctx)
		return nil
	})
	running.Go(func() error {
		a.runSummary(ctx)
		return nil
	})
	running.Go(func() error {
		a.announcer.keepDiscovering(ctx, a.media, a.log)
		return nil
	})
	running.Go(func() error {
		<-ctx.Done()
		a.log.Info("shutting down")
		return a.Close() //nolint:contextcheck // what ends must not depend on what has ended
	})
	return running.Wait()
}

// Close takes the server apart: no new clients, sessions told, media ended, sockets
// closed. It is for an App that is not run; Run does it by itself.
func (a *App) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	var errs []error
	for _, p := range a.pages {
		if err := p.server.Shutdown(ctx); err != nil {
			errs = append(errs, err, p.server.Close())
		}
	}
	for _, p := range a.ports {
		errs = append(errs, p.close())
	}
	if a.gateway != nil {
		errs = append(errs, a.gateway.Shutdown(ctx))
	}
	if a.relay != nil {
		errs = append(errs, a.relay.Close())
	}
	if a.media != nil {
		errs = append(errs, a.media.Close())
	}
	return errors.Join(errs...)
}

// URL is where a person opens the page: the domain of the certificate, the address of the
// socket, or this machine when that is every address.
func (a *App) URL() string {
	l := a.ports[0].listener
	scheme, usual := "http", httpDefaultPort
	if a.ports[0].tls != nil {
		scheme, usual = "https", httpsDefaultPort
	}
	if len(a.cfg.Domain) > 0 {
		return scheme + "://" + joinPort(a.cfg.Domain[0], portOf(l), usual)
	}
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return scheme + "://" + l.Addr().String()
	}
	host := addr.AddrPort().Addr().Unmap()
	if host.IsUnspecified() {
		host = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return scheme + "://" + joinPort(host.String(), addr.Port, usual)
}

// MediaAddr is the address of the media socket.
func (a *App) MediaAddr() netip.AddrPort { return a.media.Addr() }
