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
	cfg      Config
	log      *zap.Logger
	media    *peer.Factory
	gateway  *signaling.Gateway
	listener net.Listener
	server   *http.Server
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
		Listen: listen, Announce: a.cfg.Announce, MaxSlots: a.cfg.Slots, MaxSDPBytes: protocol.MaxSDPBytes,
		OnPanic: func(value any, stack []byte) {
			a.log.Error("panic in the media path", zap.Any("cause", value), zap.ByteString("stack", stack))
		},
	})
	if err != nil {
		return fmt.Errorf("%w (--udp %s)", err, a.cfg.UDP)
	}
	presets, err := a.cfg.PresetChannels()
	if err != nil {
		return err
	}
	specs := make([]sfu.ChannelSpec, len(presets))
	for i, preset := range presets {
		specs[i] = sfu.ChannelSpec{ID: preset.ID, Name: preset.Name}
	}
	a.gateway, err = signaling.NewGateway(signaling.Config{
		Server:            "mini-livechat/" + Version,
		HeartbeatInterval: a.cfg.HeartbeatInterval,
		ZombieTimeout:     a.cfg.ZombieTimeout,
		ReaperInterval:    a.cfg.ReaperInterval,
		ChannelIdle:       a.cfg.ChannelIdle,
		IdentifyTimeout:   a.cfg.IdentifyTimeout,
		WriteTimeout:      a.cfg.WriteTimeout,
		EgressQueue:       a.cfg.EgressQueue,
		MaxSessions:       a.cfg.MaxSessions,
		MessageLength:     a.cfg.MessageLength,
		RequestRate:       a.cfg.RequestRate,
		RequestBurst:      a.cfg.RequestBurst,
		ChannelCapacity:   a.cfg.ChannelCapacity,
		MaxChannels:       a.cfg.MaxChannels,
		Presets:           specs,
		Slots:             a.cfg.Slots,
		AllowOrigin:       a.cfg.AllowOrigin,
	}, authority, sfu.AnswerWith(a.media), a.log)
	if err != nil {
		return err
	}
	var listening net.ListenConfig
	a.listener, err = listening.Listen(context.Background(), "tcp", a.cfg.HTTP)
	if err != nil {
		return fmt.Errorf("open the HTTP port (--http %s): %w", a.cfg.HTTP, err)
	}
	a.server = &http.Server{
		Handler:           a.routes(authority),
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          zap.NewStdLog(a.log),
	}
	return nil
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
		zap.Bool("guests", a.cfg.GuestsAllowed()))
	running, ctx := errgroup.WithContext(ctx)
	running.Go(func() error {
		if err := a.server.Serve(a.listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve HTTP: %w", err)
		}
		return nil
	})
	running.Go(func() error {
		a.gateway.RunReaper(ctx)
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
	if a.server != nil {
		if err := a.server.Shutdown(ctx); err != nil {
			errs = append(errs, err, a.server.Close())
		}
	}
	if a.listener != nil {
		// A server that never ran does not know its listener.
		if err := a.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if a.gateway != nil {
		errs = append(errs, a.gateway.Shutdown(ctx))
	}
	if a.media != nil {
		errs = append(errs, a.media.Close())
	}
	return errors.Join(errs...)
}

// URL is where a person opens the page: the address of the HTTP socket, or this machine
// when that is every address.
func (a *App) URL() string {
	addr, ok := a.listener.Addr().(*net.TCPAddr)
	if !ok {
		return "http://" + a.listener.Addr().String()
	}
	host := addr.AddrPort()
	if host.Addr().IsUnspecified() {
		host = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), host.Port())
	}
	return "http://" + netip.AddrPortFrom(host.Addr().Unmap(), host.Port()).String()
}

// MediaAddr is the address of the media socket.
func (a *App) MediaAddr() netip.AddrPort { return a.media.Addr() }
