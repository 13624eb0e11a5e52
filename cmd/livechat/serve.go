package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"

	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/cmd/app"
)

// gcPercent is how much garbage may gather before it is collected, in percent of what is
// in use. Forwarding makes none; what does is people joining, and half of Go's default
// keeps a host's memory smaller for a little more work at each join. GOGC overrides it.
const gcPercent = 50

// serveCommand runs the server. Kong validates the configuration before Run.
type serveCommand struct {
	Config app.Config `embed:""`
}

// Run serves until the process is told to stop. The first SIGINT or SIGTERM ends it
// gracefully, the second at once. SIGHUP has it reload what can be.
func (c *serveCommand) Run() error {
	log, level := app.NewLogger(c.Config.LogLevel, os.Stderr)
	defer log.Sync() //nolint:errcheck // standard error cannot always be synced

	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go stopOn(stopSignals(), stop)
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)

	var reloading sync.WaitGroup
	defer reloading.Wait()
	defer stop()
	err := app.Serve(ctx, c.Config, log, func(life context.Context, server *app.App) {
		server.UseLogLevel(level)
		welcome(life, server, log)
		reloading.Go(func() { reloadOn(life, hangups, server) })
	})
	if err != nil {
		return err //nolint:wrapcheck // says what failed
	}
	log.Info("stopped")
	return nil
}

// welcome says where the server is, and who may become its admin.
func welcome(ctx context.Context, server *app.App, log *zap.Logger) {
	// A closed standard output is no reason not to serve: the address is logged as well.
	_, _ = fmt.Fprintf(os.Stdout, "Mini LiveChat is at %s\n", server.URL())
	if urls := server.OtherURLs(); len(urls) > 0 {
		_, _ = fmt.Fprintf(os.Stdout, "Others reach it at %s\n", strings.Join(urls, " "))
	}
	switch invite, err := server.FirstInvite(ctx); {
	case err != nil:
		log.Warn("nobody runs this server yet, and no invite can be made", zap.Error(err))
	case invite != "":
		_, _ = fmt.Fprintf(os.Stdout, "Nobody runs this server yet. Who opens this link within a day becomes its admin:\n  %s\n", invite)
	}
}

func stopSignals() <-chan os.Signal {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	return signals
}

// stopOn stops at the first signal, and has the second do what it usually does, which is to kill. It
// ends with the process.
func stopOn(signals <-chan os.Signal, stop func()) {
	<-signals
	stop()
	// Were the first to take our handler away, a second that comes at that moment would be lost.
	second := <-signals
	signal.Reset(second)
	if self, err := os.FindProcess(os.Getpid()); err == nil {
		_ = self.Signal(second)
	}
}

// reloadOn reloads at each signal until ctx is done.
func reloadOn(ctx context.Context, hangups <-chan os.Signal, server *app.App) {
	for {
		select {
		case <-hangups:
			server.Reload()
		case <-ctx.Done():
			return
		}
	}
}
