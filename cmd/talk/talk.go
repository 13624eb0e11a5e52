package talk

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

const (
	// dialing is how long signing in may take, and joining how long voice may take to get through.
	dialing = 10 * time.Second
	joining = 30 * time.Second
	// leaving is how long saying goodbye may take.
	leaving = 2 * time.Second
)

// errNoRecording: the server cannot hold anybody to it, so this does.
var errNoRecording = errors.New("you may not record here: that takes an admin, or a token by \"livechat token --user=ID --record\", in LIVECHAT_TOKEN; " +
	"ask whoever runs the server")

// session is one Run.
type session struct {
	Options

	place   place
	source  source
	client  *client.Client
	call    *client.Call
	screen  *screen
	gate    *gate
	button  *button
	noting  sync.Mutex
	playing chan error // holds one: what was played has ended
}

// Run takes part in a channel until ctx is done, what is played has ended, the channel has, or nobody reads Out any more. The error is nil when
// it came to its end as it was meant to, and in the channel; a recording that ended early is one, though the voice went on, and so is an Out
// that took not everything.
func Run(ctx context.Context, opts Options) error {
	s := &session{Options: opts, gate: newGate(), playing: make(chan error, 1)}
	if err := s.Validate(); err != nil {
		return err
	}
	var err error
	if s.place, err = s.find(); err != nil {
		return err
	}
	if s.source, err = openSource(&s.Options); err != nil { // before anybody hears of it
		return err
	}
	if s.source != nil {
		defer s.source.close()
	}
	err = s.run(ctx)
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

// notes says what becomes of us.
func (s *session) notes(format string, args ...any) {
	s.noting.Lock()
	defer s.noting.Unlock()
	_, _ = fmt.Fprintf(s.Notes, "livechat: "+format+"\n", args...)
}

func (s *session) run(ctx context.Context) (err error) {
	if err = s.dial(ctx); err != nil {
		return err
	}
	defer s.client.Close() //nolint:errcheck // never fails
	s.screen = newScreen(s.Out, s.JSON, s.client.UserID)
	join := client.JoinOptions{ListenOnly: s.source == nil, Slots: 1, OnPacket: func(*client.Slot, client.Packet) {}}
	if s.Record != "" {
		// A server that says nothing of rights has no such right to give.
		if may := s.client.Ready().May; may != nil && !slices.Contains(may, protocol.RightRecord) {
			return errNoRecording
		}
		recorder, failed := newRecorder(s.Record, s.screen.name, s.notes)
		if failed != nil {
			return failed
		}
		defer func() { err = errors.Join(err, recorder.finish()) }()
		join.Slots, join.OnPacket = protocol.MaxSlots, recorder.take
	}
	if err = s.join(ctx, join); err != nil {
		return err
	}
	defer s.leave(ctx)
	if s.For > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.For)
		defer cancel()
	}
	return errors.Join(s.takePart(ctx), s.screen.failure())
}

// dial signs in.
func (s *session) dial(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, dialing)
	defer cancel()
	if err := s.signIn(ctx, &s.place, s.notes); err != nil {
		return err
	}
	opts := client.Options{Token: s.place.token, ClientName: "livechat-talk/1", Playback: func(_ string, told *protocol.Playback) {
		if s.Record == "" {
			told.Playing = new(false) // it has no loudspeaker
		}
	}}
	if s.place.invite == "" && s.Token == "" { // a guest comes back as another one
		opts.NewToken = func(ctx context.Context) (string, error) {
			guest, err := client.Guest(ctx, s.place.base, s.Name)
			return guest.Token, err
		}
	}
	var err error
	if s.client, err = client.Dial(ctx, s.place.base, opts); err != nil {
		return s.place.explain(err)
	}
	return nil
}

func (s *session) join(outer context.Context, opts client.JoinOptions) error {
	ctx, cancel := context.WithTimeout(outer, joining)
	defer cancel()
	channel := s.place.channel
	if channel == "" {
		channel = DefaultChannel
	}
	var err error
	s.call, err = s.client.Join(ctx, channel, opts)
	refused, _ := errors.AsType[*protocol.Error](err)
	switch {
	case err == nil:
		s.screen.arrived(s.call)
		return nil
	case refused != nil && refused.Code == protocol.CodeChannelNotFound:
		names := []string{}
		channels, _ := s.client.Channels(ctx)
		for _, c := range channels {
			names = append(names, printable(c.ChannelID))
		}
		return fmt.Errorf("there is no channel %q; there are: %s", channel, strings.Join(names, ", "))
	case refused != nil:
		return fmt.Errorf("%s: %s", channel, printable(refused.Reason))
	case outer.Err() != nil:
		return outer.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("no voice gets through to %s; \"livechat doctor %s\" says what is in the way", s.place.base, s.place.base)
	default:
		return err
	}
}

func (s *session) leave(ctx context.Context) {
	if !s.call.Present() {
		return // nobody is there to hear it
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaving)
	defer cancel()
	_ = s.call.Leave(ctx) // it hears of it by the end of the connection, at last
}

// takePart returns when it is over, and why.
func (s *session) takePart(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	s.button = &button{
		call: s.call, gate: s.gate, priority: s.Priority, held: !s.PTT, notes: s.notes,
		presses: make(chan press), changed: make(chan struct{}, 1),
	}
	floor := make(chan error, 1)
	running.Go(func() { floor <- s.button.run(ctx) })
	running.Go(func() { s.follow(ctx) })
	if s.source != nil {
		running.Go(func() { s.playing <- s.play(ctx) })
	}
	if s.In != nil && !s.readsSound() {
		go s.read(ctx) // ends with its input
	}
	broken := s.screen.broken
	for {
		select {
		case <-ctx.Done():
			return s.over()
		case <-s.call.Done():
			return s.gone()
		case <-broken:
			if broken = nil; errors.Is(s.screen.failure(), syscall.EPIPE) {
				return nil // the failure says it
			}
			s.notes("%v; the voice goes on", s.screen.failure())
		case err := <-floor:
			if err != nil {
				return err
			}
		case err := <-s.playing:
			switch {
			case err != nil && s.call.Err() != nil:
				return s.gone()
			case err != nil:
				return plainly(err)
			case s.Stay || s.Record != "":
				s.notes("all is played; Ctrl-C ends")
			default:
				return s.over()
			}
		}
	}
}

// over is the error of ending now: that one is not there.
func (s *session) over() error {
	if s.call.Err() != nil {
		return s.gone()
	}
	if !s.call.Present() {
		return fmt.Errorf("it ends while the connection to %s is lost", s.place.base)
	}
	return nil
}

// gone says why the call is over.
func (s *session) gone() error {
	err := s.call.Err()
	if s.client.Err() != nil {
		return s.place.explain(s.client.Err())
	}
	if errors.Is(err, client.ErrChannelDeleted) {
		return fmt.Errorf("the channel %s was deleted", s.call.ChannelID())
	}
	return fmt.Errorf("%s: %w", s.call.ChannelID(), plainly(err))
}

// play plays, with the button pressed unless somebody presses it by hand.
func (s *session) play(ctx context.Context) error {
	if s.PTT {
		s.notes("Enter begins to talk, and Enter ends it")
	} else {
		s.button.press(ctx, down)
	}
	err := s.call.Play(ctx, func() ([]byte, int, error) { return s.source.next(ctx, s.gate) })
	s.button.press(ctx, up)
	return err
}

// follow says what happens, and has the button notice what it is about.
func (s *session) follow(ctx context.Context) {
	for {
		select {
		case ev, ok := <-s.client.Events():
			if !ok {
				return
			}
			s.screen.show(s.call, ev)
			select {
			case s.button.changed <- struct{}{}:
			default:
			}
		case <-ctx.Done():
			return
		}
	}
}

// read takes lines: an empty one is the talk button, where it is pressed by hand, and all others are messages.
func (s *session) read(ctx context.Context) {
	lines := bufio.NewScanner(s.In)
	lines.Buffer(nil, protocol.MaxFrameBytes)
	for lines.Scan() && ctx.Err() == nil {
		text := strings.TrimSpace(lines.Text())
		switch {
		case text != "":
			if _, err := s.client.SendMessage(ctx, s.call.ChannelID(), text); err != nil && ctx.Err() == nil {
				s.notes("not sent: %s", printable(plainly(err).Error()))
			}
		case s.PTT:
			s.button.press(ctx, toggle)
		}
	}
	if err := lines.Err(); err != nil && !errors.Is(err, os.ErrClosed) && ctx.Err() == nil {
		s.notes("standard input is read no more: %v", err)
	}
}
