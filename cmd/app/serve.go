package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/signaling/store"
)

// anewPause is how long after a server has ended the next one begins in its place, or is tried again.
const anewPause = 2 * time.Second

// Serve runs a server until ctx is done. Where it was away from the other nodes for so long that their log does not go back to what it has,
// another one begins in its place, which fetches what they have; that is tried until it is so. begun is called with each, whose life ends with
// the context, before it serves.
func Serve(ctx context.Context, cfg Config, log *zap.Logger, begun func(life context.Context, a *App)) error {
	cfg.Stop = ctx.Done()
	for tooOld := false; ; tooOld = true {
		a, err := newApp(cfg, log, tooOld) //nolint:contextcheck // cfg.Stop is it
		switch {
		case err == nil:
			err = a.runOnce(ctx, begun)
			if !errors.Is(err, store.ErrTrimmed) {
				return err
			}
		case ctx.Err() != nil && (tooOld || errors.Is(err, context.Canceled)): // stopped while it waited for the others
			return nil
		case !tooOld || errors.Is(err, store.ErrAstray) || errors.Is(err, store.ErrOtherCluster):
			return fmt.Errorf("start: %w", err)
		default:
			log.Error("the server cannot begin anew; it is tried again", zap.Error(err), zap.Duration("in", anewPause))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(anewPause):
		}
	}
}

// runOnce is Run between the beginning and the end of a server's life.
func (a *App) runOnce(ctx context.Context, begun func(life context.Context, a *App)) error {
	life, end := context.WithCancel(ctx)
	defer end()
	begun(life, a)
	if err := a.Run(ctx); err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}
