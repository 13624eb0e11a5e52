package cluster

import (
	"fmt"
	"strings"

	"go.uber.org/zap"
)

// natsLog takes what NATS logs. It says much that is of no use to who runs the server, and what is, such as nodes that come and go or
// are refused, is said better here; so only its warnings and errors are passed on, but for those.
type natsLog struct {
	log *zap.Logger
	// closes is called when NATS says that it closes a route, which nothing else of it does.
	closes func()
}

// Noticef is part of server.Logger, as are the others.
func (l *natsLog) Noticef(format string, v ...any) {
	line := fmt.Sprintf(format, v...)
	if strings.Contains(line, "Router connection closed") {
		l.closes()
	}
	l.log.Debug(line)
}

// Warnf passes a warning on.
func (l *natsLog) Warnf(format string, v ...any) { l.pass(l.log.Warn, format, v) }

// Fatalf passes an error on; NATS goes on without what it cannot do.
func (l *natsLog) Fatalf(format string, v ...any) { l.log.Error(fmt.Sprintf(format, v...)) }

// Errorf passes an error on.
func (l *natsLog) Errorf(format string, v ...any) { l.pass(l.log.Error, format, v) }

// Debugf says nothing.
func (l *natsLog) Debugf(string, ...any) {}

// Tracef says nothing.
func (l *natsLog) Tracef(string, ...any) {}

func (l *natsLog) pass(pass func(string, ...zap.Field), format string, v []any) {
	line := fmt.Sprintf(format, v...)
	for _, known := range saidBetter() {
		if strings.Contains(line, known) {
			l.log.Debug(line)
			return
		}
	}
	pass(line)
}

// saidBetter are parts of lines about what this package says itself, or that are about what is meant to be so.
func saidBetter() []string {
	return []string{
		"TLS route handshake error", "Error trying to connect to route", "duplicate name", "Error flushing", // nodes that are refused, awaited, or went
		"DO NOT USE IN PRODUCTION", "Plaintext passwords detected", // see door, and connectInside
		"Metalayer blocking snapshot", // it does so whenever it ends
		"Waiting for routing to be established", "JetStream has not established contact with a meta leader",
	}
}
