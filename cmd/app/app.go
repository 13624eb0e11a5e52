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
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/sfu/peer"
	"github.com/mini-livechat/mini-livechat/signaling"
	"github.com/mini-livechat/mini-livechat/signaling/admission"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/cluster"
	"github.com/mini-livechat/mini-livechat/signaling/httpapi"
	"github.com/mini-livechat/mini-livechat/signaling/people"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
	"github.com/mini-livechat/mini-livechat/signaling/signin"
	"github.com/mini-livechat/mini-livechat/signaling/store"
	"github.com/mini-livechat/mini-livechat/signaling/tally"
	"github.com/mini-livechat/mini-livechat/static"
)

// Version is the server's version, told in HELLO.
const Version = "0.1.0"

// closeTimeout is how long taking the server apart may take when somebody stalls: half of it for the
// sessions, a quarter for HTTP requests, and a quarter for what waits for nobody.
const closeTimeout = 4 * time.Second

// App is an assembled server. Its methods may be called from any goroutine.
type App struct {
	cfg   Config
	log   *zap.Logger
	media *peer.Factory
	// announcer knows where clients reach it.
	announcer *announcer
	relay     *relay // nil: no TURN
	links     *links // nil: there are no other nodes
	memory    *store.Store
	people    *people.People
	// tally counts refusals; see runSummary.
	tally   tally.Tally
	gateway *signaling.Gateway
	// trouble is why nobody can connect.
	trouble *acceptTrouble
	// descriptors are watched, since without them nobody can.
	descriptors descriptorWatch
	// door bounds what comes by HTTP, and has the limits of all the rest.
	door *httpapi.Door
	// ports are the TCP ports of the page: one, and with TLS perhaps another in the clear,
	// the last.
	ports   []*port
	certs   *certificates   // nil: no TLS
	secrets *secretFile     // nil: the secret stays what it was at the start
	signin  *signin.Handler // nil: there is no provider
	// webs are the HTTP servers on the ports.
	webs []web
	// metrics are the figures for who runs the server, metricsWeb serves them; nil: nobody does.
	metrics    *metrics
	metricsWeb *web
	// control is how commands reach the server; nil: there is no data directory.
	control     *http.Server
	controlled  sync.WaitGroup
	started     time.Time
	nodes       *cluster.Cluster // the server's other nodes; nil: it is alone
	nodeLog     *cluster.Log     // what they all write to; nil: the same
	tooOld      bool             // whether what is held is known to be older than that goes back
	opened      atomic.Bool      // whether there is anything to say to them
	load        load
	whereabouts lately[whereabouts]             // of this node
	level       atomic.Pointer[zap.AtomicLevel] // of the log; nil: it cannot be changed
}

// New validates cfg and opens the server's sockets; clients are served from Run on. An
// App that was made must be run, or closed with Close.
func New(cfg Config, log *zap.Logger) (*App, error) { return newApp(cfg, log, false) }

// newApp is New. tooOld says that the log of the nodes is known to begin later than what is held here.
func newApp(cfg Config, log *zap.Logger, tooOld bool) (*App, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	a := &App{cfg: cfg, log: log, tooOld: tooOld, started: time.Now(), trouble: newAcceptTrouble(log), metrics: newMetrics()}
	if cfg.SecretFile != "" {
		a.secrets = newSecretFile(cfg.SecretFile, log)
	}
	authority, err := cfg.Authority()
	if err != nil {
		return nil, err
	}
	if a.secrets != nil {
		a.secrets.authority = authority
	}
	if err = a.openDoor(); err != nil {
		return nil, err
	}
	if err := a.open(authority); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

func (a *App) open(authority *auth.Authority) error {
	listen, err := a.cfg.MediaAddr()
	if err != nil {
		return err
	}
	if err = a.openNodes(authority); err == nil {
		err = a.openLog()
	}
	if err != nil {
		return err
	}
	if a.memory, err = openMemory(a.cfg.Data, a.cfg.Share); err != nil {
		return err
	}
	a.people = people.New(a.memory, authority, a.cfg.LoginTTL)
	a.media, err = peer.NewFactory(peer.Config{
		Listen: listen, MaxSlots: a.cfg.Slots, MaxSDPBytes: protocol.MaxSDPBytes, Observer: a.metrics,
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
	if a.certs, err = newCertificates(a.cfg, a.log); err != nil {
		return err
	}
	if a.ports, err = openPorts(a.cfg, a.certs, a.log); err != nil {
		return err
	}
	a.guardPorts()
	if a.cfg.TURN {
		a.relay, err = newRelay(a.cfg, a.ports, a.announcer, a.log)
		if err != nil {
			return err
		}
	}
	if err := a.openLinks(); err != nil {
		return err
	}
	if err := a.openGateway(authority); err != nil {
		return err
	}
	if err := a.links.start(a.gateway); err != nil {
		return err
	}
	if err := a.openSignIn(authority); err != nil {
		return err
	}
	a.serve(a.routes(authority))
	a.memory.Observe(func(took time.Duration) { a.metrics.storeWrite.Observe(took.Seconds()) })
	a.metrics.registry.MustRegister(newFigures(a))
	if err := a.openMetrics(); err != nil {
		return err
	}
	a.serveControl()
	a.beginNodes()
	return nil
}

// openDoor begins a new book of who did how much.
func (a *App) openDoor() error {
	proxies, err := a.cfg.Proxies()
	if err != nil {
		return err
	}
	a.door = &httpapi.Door{Proxies: proxies, Tally: &a.tally, Log: a.log, Book: admission.NewBook(admission.Config{
		PerAddress: a.cfg.PerAddress, RequestRate: a.cfg.RequestRate, RequestBurst: a.cfg.RequestBurst,
		GuestChannels: a.cfg.ChannelsPerGuest, MemberChannels: a.cfg.ChannelsPerUser, FrameBytes: protocol.MaxFrameBytes,
	}, time.Now())}
	return nil
}

// guardPorts bounds what comes to the ports, whatever it is.
func (a *App) guardPorts() {
	unsorted := newCrowd(maxUnsorted, max(fewUnsorted, unsortedPerPerson*a.cfg.PerAddress), a.door.Proxies)
	for _, p := range a.ports {
		p.trouble, p.unsorted = a.trouble, unsorted
		p.admit = func(conn net.Conn) bool {
			from := admission.Caller{Network: networkOf(conn, a.door.Proxies)}
			return a.door.Book.Allow(time.Now(), from, admission.Charge{Kind: admission.Socket, Cost: 1}) == 0
		}
		p.refused = func(reason string) { a.tally.Count(reason) }
	}
}

func (a *App) openGateway(authority *auth.Authority) error {
	presets, err := a.cfg.PresetChannels()
	if err != nil {
		return err
	}
	specs := make([]sfu.ChannelSpec, len(presets))
	for i, preset := range presets {
		specs[i] = sfu.ChannelSpec{ID: preset.ID, Settings: sfu.Settings{Name: preset.Name, Mode: preset.Mode}}
	}
	cfg := signaling.Config{
		Server:            "mini-livechat/" + Version,
		HeartbeatInterval: a.cfg.HeartbeatInterval,
		ZombieTimeout:     a.cfg.ZombieTimeout,
		ReaperInterval:    a.cfg.ReaperInterval,
		ChannelIdle:       a.cfg.ChannelIdle,
		IdentifyTimeout:   a.cfg.IdentifyTimeout,
		ResumeWindow:      a.cfg.ResumeWindow,
		WriteTimeout:      a.cfg.WriteTimeout,
		EgressQueue:       a.cfg.EgressQueue,
		EgressBytes:       a.cfg.EgressBytes,
		MaxSessions:       a.cfg.MaxSessions,
		MessageLength:     a.cfg.MessageLength,
		Admission:         a.door.Book,
		Proxies:           a.door.Proxies,
		ChannelCapacity:   a.cfg.ChannelCapacity,
		MaxChannels:       a.cfg.MaxChannels,
		ChannelsPerUser:   a.cfg.ChannelsPerUser,
		ChannelsPerGuest:  a.cfg.ChannelsPerGuest,
		Presets:           specs,
		Floor:             a.cfg.Floor.config(),
		Slots:             a.cfg.Slots,
		MediaAddrs:        a.announcer.mediaAddrs,
		Store:             a.memory,
		People:            a.people,
		NoGuests:          !a.cfg.GuestsAllowed(),
		Keep:              store.Limits{Count: a.cfg.KeepMessages, For: a.cfg.KeepFor},
		Tally:             &a.tally,
		Observer:          a.metrics,
		Nodes:             a.cfg.Nodes,
		Refuges:           a.refuges(),
	}
	if a.relay != nil {
		cfg.Relay = a.relay
	}
	if a.links != nil {
		cfg.Voices, cfg.Hush, cfg.Wants, cfg.Ways, cfg.Links = a.links.voice, a.links.relay.Hush, a.links.relay.Want, a.links.way, a.links.admin
	}
	if a.gateway, err = signaling.NewGateway(cfg, authority, sfu.AnswerWith(a.media), a.log); err != nil {
		return err
	}
	a.memory.Tend(a.gateway.Keeps, a.tends)
	return nil
}

// serve puts the page on its port. Beside TLS, what comes in the clear is sent there.
func (a *App) serve(handler http.Handler) {
	all := newCrowd(maxRequests, max(fewRequests, requestsPerPerson*a.cfg.PerAddress), a.door.Proxies)
	bound := newRequests(all, func() { a.tally.Count("http_crowded") })
	add := func(handler http.Handler, l net.Listener) { a.webs = append(a.webs, newWeb(handler, l, bound, a.log)) }
	if a.certs == nil {
		add(handler, a.ports[0].plain)
		return
	}
	add(handler, a.ports[0].secure)
	elsewhere := a.certs.challenges(httpapi.Headers(a.door.Guard(redirect(portOf(a.ports[0].listener))), false))
	for _, p := range a.ports {
		add(elsewhere, p.plain)
	}
}

func (a *App) routes(authority *auth.Authority) http.Handler {
	sites := &httpapi.Sites{
		AllowOrigin: a.cfg.AllowOrigin, Names: a.cfg.Domain, Secure: a.cfg.hasTLS(),
		LoopbackOnly: a.cfg.GuestsAllowed() && a.cfg.AllowGuests == nil,
		Tally:        &a.tally, Log: a.log,
	}
	if a.gateway.Several() {
		sites.Nodes = a.gateway.Sites
	}
	mux := http.NewServeMux()
	mux.Handle("/ws", sites.Guard(a.gateway))
	mux.Handle("/api/guest", sites.Guard(&httpapi.Guest{
		Authority: authority, Allowed: a.cfg.GuestsAllowed(), TTL: a.cfg.GuestTTL, People: a.people, Door: a.door, Log: a.log,
	}))
	mux.Handle("/api/invite", sites.Guard(&httpapi.Invites{
		Authority: authority, People: a.people, ChannelName: a.gateway.ChannelName, Door: a.door, Log: a.log,
	}))
	mux.Handle("/api/signout", sites.Guard(&httpapi.SignOut{Authority: authority, People: a.people, Log: a.log}))
	doors := httpapi.Doors{Guests: a.cfg.GuestsAllowed()}
	if a.signin != nil {
		doors.SignIn = &httpapi.SignIn{Name: a.cfg.OIDC.name()}
		entrance := sites.Guard(a.signin)
		mux.Handle(signin.Path, entrance)
		mux.Handle(signin.CallbackPath, entrance)
	}
	mux.Handle("/api/config", sites.Guard(httpapi.Config(doors, a.gateway.OpenName, a.log)))
	mux.Handle("/api/admin/", sites.Guard(&httpapi.Bearer{
		Authority: authority, People: a.people, Door: a.door, Log: a.log, Next: a.admin().Handler(),
	}))
	state := http.NewServeMux()
	state.HandleFunc("/healthz", httpapi.Health)
	state.HandleFunc("/readyz", httpapi.Ready(a.gateway.Draining, a.closed, a.alone, a.descriptors.Trouble, a.memory.Trouble))
	mux.Handle("/healthz", state)
	mux.Handle("/readyz", state)
	mux.Handle("/", static.Handler(a.cfg.hasTLS(), sites.Nodes))
	return httpapi.Headers(a.door.Guard(sayLast(state, mux, a.trouble.Trouble)), a.cfg.hasTLS())
}

// Run serves until ctx is done or a part fails, then closes everything. When ctx is done everybody
// is seen off first, while all goes on, and Run returns within Config.Drain. The same when the log of the nodes begins later than what is held
// here; the error is store.ErrTrimmed then. It may be called once.
func (a *App) Run(ctx context.Context) error {
	a.log.Info("serving", zap.String("url", a.URL()), zap.Stringer("media", a.MediaAddr()),
		zap.Stringer("announced", a.announcer), zap.String("metrics", a.MetricsAddr()),
		zap.Bool("guests", a.cfg.GuestsAllowed()))
	for _, warning := range a.warnings() {
		a.log.Warn(warning)
	}
	parts, stop := context.WithCancel(context.WithoutCancel(ctx))
	running, parts := errgroup.WithContext(parts)
	for _, p := range a.ports {
		running.Go(p.run)
	}
	for _, w := range a.allWebs() {
		running.Go(func() error {
			// Either comes only of Close: the port closes before the server on it.
			if err := w.server.Serve(w.listener); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
				return fmt.Errorf("serve HTTP: %w", err)
			}
			return nil
		})
	}
	for _, run := range a.parts() {
		running.Go(func() error {
			run(parts)
			return nil
		})
	}
	running.Go(func() error {
		defer stop()
		within, why := a.untilOver(ctx, parts)
		stop()
		return errors.Join(why, a.close(within)) //nolint:contextcheck // what ends must not depend on what has ended
	})
	return running.Wait()
}

// untilOver waits for the end, and sees everybody off where there is time. It returns how long closing may take then, and store.ErrTrimmed when
// that is why.
func (a *App) untilOver(ctx, parts context.Context) (within time.Duration, why error) {
	select {
	case <-a.memory.Trimmed():
		a.log.Warn("this node was away for longer than the log of the nodes goes back: its people go to the others, and it begins anew " +
			"with a copy of what they have")
		return a.drain(parts), store.ErrTrimmed
	case <-ctx.Done():
		return a.drain(parts), nil
	case <-parts.Done():
		a.log.Info("a part of the server has failed, shutting down")
		return closeTimeout, nil
	}
}

// allWebs are the HTTP servers on all ports.
func (a *App) allWebs() []web {
	if a.metricsWeb == nil {
		return a.webs
	}
	return append(slices.Clone(a.webs), *a.metricsWeb)
}

// parts are what runs beside the ports, each until its context is done.
func (a *App) parts() []func(context.Context) {
	parts := []func(context.Context){
		a.gateway.RunReaper, a.gateway.RunRefresh, a.gateway.RunDecisions, a.gateway.RunWatch, a.gateway.RunPasses,
		a.gateway.RunAlive,
		a.runSummary, a.runMemory, a.runQuality,
		func(ctx context.Context) { a.announcer.keepDiscovering(ctx, a.media, a.log) },
	}
	if a.memory.Shared() {
		parts = append(parts, a.gateway.RunFollowed)
	}
	if a.cfg.Nodes != nil {
		parts = append(parts, a.gateway.RunNodes, a.links.run)
	}
	if a.nodes != nil {
		parts = append(parts, a.runNodes, a.runTrim)
	}
	if a.signin != nil {
		parts = append(parts, func(ctx context.Context) { tryProvider(ctx, a.signin, a.cfg.OIDC.Issuer, a.log) })
	}
	if a.secrets != nil {
		parts = append(parts, a.secrets.run)
	}
	if a.certs != nil && a.certs.obtain != nil {
		parts = append(parts, func(ctx context.Context) { tryCertificates(ctx, a.certs, a.cfg.Domain, a.log) })
	}
	return parts
}

// drain sees everybody off, and returns how long closing may take then.
func (a *App) drain(ctx context.Context) (within time.Duration) {
	if a.cfg.Drain == 0 {
		a.log.Info("shutting down")
		return closeTimeout
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Drain-min(closeTimeout, a.cfg.Drain/2))
	defer cancel()
	a.log.Info("shutting down: nobody new is let in, and everybody is told to come back later",
		zap.Duration("drain", a.cfg.Drain))
	told, unread := a.gateway.Drain(ctx, a.cfg.Drain)
	took := time.Since(began)
	if unread > 0 {
		a.log.Warn("some clients do not read that the server goes", zap.Int("told", told), zap.Int("unread", unread),
			zap.Duration("waited", took))
	} else if told > 0 {
		a.log.Info("everybody was told", zap.Int("sessions", told), zap.Duration("took", took))
	}
	return min(closeTimeout, a.cfg.Drain-took)
}

// Reload reads the files of the certificate and of the secrets again, if there are any, and logs what it did. All
// else is read when the server starts.
func (a *App) Reload() {
	certs := a.certs != nil && a.certs.reload != nil
	if certs {
		a.certs.reload()
	}
	if a.secrets != nil {
		a.secrets.reload()
	}
	if !certs && a.secrets == nil {
		a.log.Info("told to reload; there are no files of a certificate or of secrets, and settings are read at the start only")
	}
}

// Close takes the server apart. It is for an App that is not run; Run does it by itself.
func (a *App) Close() error { return a.close(closeTimeout) }

// close takes the server apart: sessions ended, ports closed, media ended. What stalls is cut off
// so that it does not take longer than this.
//
// Sessions are told at once, whatever HTTP requests are under way. The ports close after them, so
// that until then who asks is told how things are.
func (a *App) close(within time.Duration) error {
	errs := []error{a.closeControl()}
	if a.gateway != nil {
		ctx, cancel := context.WithTimeout(context.Background(), within/2)
		errs = append(errs, a.gateway.Shutdown(ctx))
		cancel()
	}
	for _, p := range a.ports {
		errs = append(errs, p.close())
	}
	ctx, cancel := context.WithTimeout(context.Background(), min(requestGrace, within/4))
	defer cancel()
	var requests errgroup.Group
	for _, w := range a.allWebs() {
		requests.Go(func() error { return w.end(ctx, a.log) })
	}
	errs = append(errs, requests.Wait())
	if a.relay != nil {
		errs = append(errs, a.relay.Close())
	}
	a.links.close()
	if a.media != nil {
		errs = append(errs, a.media.Close())
	}
	if a.memory != nil {
		errs = append(errs, a.memory.Close())
	}
	if a.nodeLog != nil {
		a.nodeLog.Close()
	}
	if a.nodes != nil {
		errs = append(errs, a.nodes.Close())
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
