package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/signaling"
	"github.com/mini-livechat/mini-livechat/signaling/httpapi"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// live is what there is to see and to do while the server runs.
func (a *App) live() *httpapi.Live {
	g := a.gateway
	return &httpapi.Live{
		Status: a.status, Channels: g.AdminChannels, Channel: g.AdminChannel, Sessions: g.AdminSessions, Session: g.AdminSession, Peers: g.AdminPeers,
		Nodes: a.adminNodes,
		WhoIs: g.WhoIs, Kick: g.Kick, Mute: g.Mute, Move: g.Move, ClearFloor: g.ClearFloor,
		Drain: func(ctx context.Context, drain bool) (told, unread int) {
			if !drain {
				g.Undrain()
				a.log.Info("told to let people in again")
				return 0, 0
			}
			a.log.Info("told to let nobody in")
			ctx, cancel := context.WithTimeout(ctx, adminDrainTimeout)
			defer cancel()
			return g.Drain(ctx, a.cfg.Drain)
		},
		LogLevel: a.setLogLevel,
		Why: func(ctx context.Context, listener, talker string) (protocol.AdminWhy, error) {
			report, err := g.Why(ctx, listener, talker)
			return report.Wire(), err
		},
		Trace: func(ctx context.Context, channelID, user, op string, show func(protocol.AdminTraceLine) error) error {
			return g.Trace(ctx, signaling.TraceFilter{ChannelID: channelID, User: user, Op: op}, show)
		},
	}
}

// adminDrainTimeout is how long an operator's command waits for everybody to read that they are to come back.
const adminDrainTimeout = 5 * time.Second

// status is how the server is.
func (a *App) status() protocol.AdminStatus {
	status := protocol.AdminStatus{
		Server: "mini-livechat/" + Version, URL: a.URL(), StartedAt: a.started.UTC(), Trouble: []string{}, Goroutines: runtime.NumGoroutine(),
	}
	if addr := a.MetricsAddr(); addr != "" {
		status.Metrics = "http://" + addr + MetricsPath
	}
	for _, trouble := range []error{cmp.Or(a.trouble.Trouble(), a.descriptors.Trouble()), a.alone(), a.apart(), a.keepsNoLog(), a.memory.Trouble()} {
		if trouble != nil {
			status.Trouble = append(status.Trouble, trouble.Error())
		}
	}
	if level := a.level.Load(); level != nil {
		status.LogLevel = level.String()
	}
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	status.MemoryBytes = memory.Sys - memory.HeapReleased
	a.gateway.Overview(&status)
	return status
}

// UseLogLevel has the level of the log be changed by an operator's command, while the server runs.
func (a *App) UseLogLevel(level zap.AtomicLevel) { a.level.Store(&level) }

// setLogLevel sets the level, unless it is empty, and returns it.
func (a *App) setLogLevel(level string) (string, error) {
	set := a.level.Load()
	if set == nil {
		return "", errors.New("this server's log has no level that can be changed")
	}
	if level == "" {
		return set.String(), nil
	}
	if !slices.Contains(logLevels(), level) {
		return "", fmt.Errorf("%q is no level; they are %s", level, strings.Join(logLevels(), ", "))
	}
	a.log.Info("told to log otherwise", zap.String("level", level))
	return level, set.UnmarshalText([]byte(level))
}
