package talk

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// button is what one talks with: pressed or not. Where one talks at a time it gets the floor, and elsewhere it opens the gate by itself.
type button struct {
	call     *client.Call
	gate     *gate
	priority int
	// held has it stay pressed when the floor is taken back, and ask again.
	held  bool
	notes func(format string, args ...any)
	// presses is what is done to it; changed says that the channel's way of talking may be another.
	presses chan press
	changed chan struct{}
}

// looking is how often who waits for the floor looks at which place.
const looking = 200 * time.Millisecond

// press is what is done to a button.
type press int

const (
	down press = iota
	up
	toggle
)

// press does it, unless ctx is done.
func (b *button) press(ctx context.Context, p press) {
	select {
	case b.presses <- p:
	case <-ctx.Done():
	}
}

// run follows the presses until ctx is done. The error, with held, is that the floor cannot be had.
func (b *button) run(ctx context.Context) error {
	defer b.gate.set(false)
	for pressed := false; ; {
		if !pressed {
			select {
			case p := <-b.presses:
				pressed = p != up
			case <-b.changed:
			case <-ctx.Done():
				return nil
			}
			continue
		}
		var err error
		if b.call.Floor().State().Turns {
			pressed, err = b.holdFloor(ctx)
		} else {
			pressed = b.holdGate(ctx)
		}
		if err != nil || ctx.Err() != nil {
			return err
		}
	}
}

// holdGate talks where everybody may, and reports whether the button is still pressed.
func (b *button) holdGate(ctx context.Context) bool {
	b.gate.set(true)
	defer b.gate.set(false)
	for {
		select {
		case p := <-b.presses:
			if p != down {
				return false
			}
		case <-b.changed:
			if b.call.Floor().State().Turns {
				return true
			}
		case <-ctx.Done():
			return false
		}
	}
}

// holdFloor asks for the floor, talks while it is there, and reports whether the button is still pressed.
func (b *button) holdFloor(ctx context.Context) (bool, error) {
	asking, giveUp := context.WithCancel(ctx)
	defer giveUp()
	type outcome struct {
		grant *client.Grant
		err   error
	}
	got := make(chan outcome, 1)
	go func() {
		grant, err := b.call.Floor().Acquire(asking, client.FloorRequest{Priority: b.priority})
		got <- outcome{grant, err}
	}()
	ticker := time.NewTicker(looking)
	defer ticker.Stop()
	for place := 0; ; {
		select {
		case p := <-b.presses:
			if p != down {
				giveUp() // which Acquire answers, perhaps with the floor after all
			}
		case <-ticker.C:
			if now := b.call.Floor().State().Position; now > 0 && now != place {
				place = now
				b.notes("waiting for the floor, at place %d", place)
			}
		case o := <-got:
			switch {
			case o.err == nil && asking.Err() != nil:
				_ = o.grant.Release(ctx)
				return false, nil
			case asking.Err() != nil:
				return false, nil
			case o.err != nil && b.held:
				return false, fmt.Errorf("the floor is not to be had: %w", plainly(o.err))
			case o.err != nil:
				b.notes("the floor is not to be had: %v", plainly(o.err))
				return false, nil
			}
			return b.speak(ctx, o.grant), nil
		}
	}
}

// speak talks with the floor, and reports whether the button is still pressed.
func (b *button) speak(ctx context.Context, grant *client.Grant) bool {
	b.gate.set(true)
	defer b.gate.set(false)
	b.notes("you have the floor")
	for {
		select {
		case p := <-b.presses:
			if p == down {
				continue
			}
			b.gate.set(false)
			_ = grant.Release(ctx)
			b.notes("you gave the floor back")
			return false
		case <-b.changed:
		case <-grant.Done():
			b.notes("you have the floor no more: %v", plainly(grant.Err()))
			return b.held
		case <-ctx.Done():
			telling, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaving)
			defer cancel()
			_ = grant.Release(telling)
			return false
		}
	}
}

// plainly is the server's own words, where there are some. What comes out is no *protocol.Error any more, so that whoever
// adds words to it is heard.
func plainly(err error) error {
	if refused, ok := errors.AsType[*protocol.Error](err); ok {
		return errors.New(refused.Reason)
	}
	return err
}
