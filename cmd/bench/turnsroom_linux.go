package bench

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/url"
	"sync"
	"time"

	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// turnsRoom is a channel with two who talk all the time and one who listens.
type turnsRoom struct {
	*turns

	channel  string
	url      string
	engine   *client.Engine
	voices   [2]*voice
	listener *client.Client
	ear      *ear

	clients []*client.Client
	hush    context.CancelFunc
	talking sync.WaitGroup
}

// room makes one. network is nil for a good one.
func (t *turns) room(
	ctx context.Context, name string, settings protocol.FloorSettings, frame time.Duration, network *badNetwork,
) (r *turnsRoom, err error) {
	r = &turnsRoom{turns: t, channel: name, url: t.target.url, engine: t.engine, ear: newEar(t.now)}
	talking, hush := context.WithCancel(context.WithoutCancel(ctx))
	r.hush = hush
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	_, err = t.target.control.CreateChannel(ctx, protocol.ChannelCreate{
		ChannelID: name, Mode: protocol.ModePTT, ChannelSettings: protocol.ChannelSettings{Floor: &settings},
	})
	if err != nil {
		return nil, err
	}
	if network != nil {
		if err = r.over(network); err != nil {
			return nil, err
		}
	}
	joining, cancel := context.WithTimeout(ctx, patience*time.Duration(1+len(r.voices)))
	defer cancel()
	for i := range r.voices {
		v := &voice{id: byte(i + 1)}
		if _, v.call, err = r.enter(joining, client.JoinOptions{Slots: -1}); err != nil {
			return nil, err
		}
		r.voices[i] = v
		r.talking.Go(func() { v.talk(talking, frame, t.now) })
	}
	var call *client.Call
	if r.listener, call, err = r.enter(joining, r.listening(r.ear)); err != nil {
		return nil, err
	}
	return r, call.WaitConnected(joining)
}

// over has everybody come over a bad network.
func (r *turnsRoom) over(network *badNetwork) (err error) {
	server, err := url.Parse(r.url)
	if err != nil {
		return err
	}
	if server.Host, err = network.streams(server.Host); err != nil {
		return err
	}
	r.url = server.String()
	r.engine, err = client.NewEngine(client.EngineConfig{LocalIP: net.IP.IsLoopback, Net: network.detour})
	return err
}

func (r *turnsRoom) listening(e *ear) client.JoinOptions {
	return client.JoinOptions{ListenOnly: true, Slots: turnsSlots, OnPacket: e.hear, NoWait: true}
}

func (r *turnsRoom) enter(ctx context.Context, opts client.JoinOptions) (*client.Client, *client.Call, error) {
	c, err := r.dial(ctx)
	if err != nil {
		return nil, nil, err
	}
	call, err := c.Join(ctx, r.channel, opts)
	return c, call, err
}

// dial brings somebody in, for as long as the room is there.
func (r *turnsRoom) dial(ctx context.Context) (*client.Client, error) {
	r.mu.Lock()
	r.people++
	i := r.people
	r.mu.Unlock()
	token, err := r.target.token(ctx, i)
	if err != nil {
		return nil, err
	}
	c, err := client.Dial(ctx, r.url, client.Options{Token: token, ClientName: "livechat-bench", Engine: r.engine, EventBuffer: -1})
	if err == nil {
		r.clients = append(r.clients, c)
	}
	return c, err
}

func (r *turnsRoom) close() {
	r.hush()
	r.talking.Wait()
	var leaving sync.WaitGroup
	for _, c := range r.clients {
		leaving.Go(func() { _ = c.Close() })
	}
	leaving.Wait()
}

// pause waits for as long as chance will have it, so that nothing is in step with the talkers.
func pause(ctx context.Context, atLeast time.Duration) error {
	return wait(ctx, atLeast+rand.N(longFrame)) //nolint:gosec // not a secret
}

// press has a talker take the floor again and again; it is taken away each time.
func (r *turnsRoom) press(ctx context.Context, rounds int, granted, pressed string) error {
	v := r.voices[0]
	for range rounds {
		if err := pause(ctx, 0); err != nil {
			return err
		}
		r.ear.forget()
		began := r.now()
		got, err := v.call.Floor().Acquire(ctx, client.FloorRequest{})
		if err != nil {
			return err
		}
		r.add(granted, r.now()-began)
		first, err := r.ear.first(ctx, v.id, began)
		if err != nil {
			return err
		}
		r.add(pressed, first.at-began)
		if err = r.clear(ctx, got); err != nil {
			return err
		}
	}
	return nil
}

// clear takes the floor away, and returns when its holder knows.
func (r *turnsRoom) clear(ctx context.Context, from *client.Grant) error {
	if err := r.target.control.ClearFloor(ctx, r.channel, ""); err != nil {
		return err
	}
	select {
	case <-from.Done():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// revoke has a talker be cut.
func (r *turnsRoom) revoke(ctx context.Context, rounds int) error {
	v := r.voices[0]
	for range rounds {
		r.ear.forget()
		got, err := v.call.Floor().Acquire(ctx, client.FloorRequest{})
		if err != nil {
			return err
		}
		if _, err = r.ear.first(ctx, v.id, 0); err != nil {
			return err
		}
		if err = pause(ctx, 0); err != nil {
			return err
		}
		began := r.now()
		if err = r.target.control.ClearFloor(ctx, r.channel, ""); err != nil {
			return err
		}
		ended := r.now()
		if err = wait(ctx, straggling); err != nil {
			return err
		}
		last, later, err := r.ear.last(v.id, ended)
		if err != nil {
			return err
		}
		r.add(revoking, max(last-began, 0))
		for range later {
			r.add(after, 0)
		}
		select {
		case <-got.Done():
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// queue has one release the floor for which the other waits, and so on.
func (r *turnsRoom) queue(ctx context.Context, rounds int, as string) error {
	has, err := r.voices[0].call.Floor().Acquire(ctx, client.FloorRequest{})
	if err != nil {
		return err
	}
	for n := range rounds {
		from, to := r.voices[n%2], r.voices[1-n%2]
		got := make(chan error, 1)
		before := has
		go func() {
			var failed error
			has, failed = to.call.Floor().Acquire(ctx, client.FloorRequest{})
			got <- failed
		}()
		for to.call.Floor().State().Position == 0 {
			select {
			case err = <-got:
				return errors.Join(errNotQueued, err)
			case <-time.After(time.Millisecond):
			}
		}
		r.ear.forget()
		if err = pause(ctx, 0); err != nil {
			return errors.Join(err, <-got)
		}
		if err = errors.Join(before.Release(ctx), <-got); err != nil {
			return err
		}
		if err = r.handed(ctx, from, to, as); err != nil {
			return err
		}
	}
	return has.Release(ctx)
}

var errNotQueued = errors.New("the floor was not another's")

// preempt has each take the floor from the other.
func (r *turnsRoom) preempt(ctx context.Context, rounds int, frame time.Duration, as string) error {
	if _, err := r.voices[1].call.Floor().Acquire(ctx, client.FloorRequest{}); err != nil {
		return err
	}
	for n := range rounds {
		from, to := r.voices[1-n%2], r.voices[n%2]
		r.ear.forget()
		if _, err := r.ear.first(ctx, from.id, 0); err != nil {
			return err
		}
		if err := pause(ctx, frame); err != nil {
			return err
		}
		if _, err := to.call.Floor().Acquire(ctx, client.FloorRequest{}); err != nil {
			return err
		}
		if err := r.handed(ctx, from, to, as); err != nil {
			return err
		}
	}
	return nil
}

// handed notes how long nobody was heard between two.
func (r *turnsRoom) handed(ctx context.Context, from, to *voice, as string) error {
	first, err := r.ear.first(ctx, to.id, 0)
	if err != nil {
		return err
	}
	last, _, err := r.ear.last(from.id, 0)
	r.add(as, first.at-last)
	return err
}

// join has people come while somebody talks.
func (r *turnsRoom) join(ctx context.Context, rounds int, as string) error {
	v := r.voices[0]
	got, err := v.call.Floor().Acquire(ctx, client.FloorRequest{})
	if err != nil {
		return err
	}
	if err = r.joinWhile(ctx, v, rounds, as); err != nil {
		return err
	}
	return r.clear(ctx, got)
}

func (r *turnsRoom) joinWhile(ctx context.Context, v *voice, rounds int, as string) error {
	for range rounds {
		if err := pause(ctx, 0); err != nil {
			return err
		}
		c, err := r.dial(ctx)
		if err != nil {
			return err
		}
		ears := newEar(r.now)
		began := r.now()
		if _, err = c.Join(ctx, r.channel, r.listening(ears)); err != nil {
			return err
		}
		first, err := ears.first(ctx, v.id, 0)
		if err != nil {
			return err
		}
		r.add(as, first.at-began)
		if err = c.Close(); err != nil {
			return err
		}
	}
	return nil
}

// listen has the listener, who was deaf, hear again while somebody talks, and others join.
func (r *turnsRoom) listen(ctx context.Context, listens, joins int) error {
	v := r.voices[0]
	got, err := v.call.Floor().Acquire(ctx, client.FloorRequest{})
	if err != nil {
		return err
	}
	for range listens {
		if _, err = r.listener.SetVoiceState(ctx, protocol.VoiceState{SelfDeaf: new(true)}); err != nil {
			return err
		}
		if err = pause(ctx, settled); err != nil {
			return err
		}
		r.ear.forget()
		began := r.now()
		if _, err = r.listener.SetVoiceState(ctx, protocol.VoiceState{SelfDeaf: new(false)}); err != nil {
			return err
		}
		var first arrival
		if first, err = r.ear.first(ctx, v.id, began); err != nil {
			return err
		}
		r.add(badListening, first.at-began)
	}
	if err = r.joinWhile(ctx, v, joins, badJoining); err != nil {
		return err
	}
	return got.Release(ctx)
}
