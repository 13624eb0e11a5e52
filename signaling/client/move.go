package client

import (
	"context"
	"errors"
	"time"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

const (
	// moveTimeout is how long moving to another node may take until media flows there. The node that is left waits for its people no longer.
	moveTimeout = 2500 * time.Millisecond
	// moveID is the id of the one request that a move waits for: none of a client's own is like it.
	moveID = "move"
)

// arrival is a session at another node, made while the one before goes on, with what carries its call.
type arrival struct {
	link  *link
	ready *protocol.Ready
	call  *Call // nil: there is none to move
	// media is connected, and joined what the node says of the channel; nil: the call is to be joined anew.
	media  *media
	joined protocol.Joined
	kept   *floorKept
	// early are the frames that came meanwhile.
	early []protocol.Frame
}

// move goes to another node, since this one asks for it: it makes a session and a connection of media there before it breaks those
// here. Only the running goroutine calls it; the rest is done on another one.
func (c *Client) move(from *link, d *protocol.Reconnect) {
	gateway, err := gatewayURL(d.URL)
	if err != nil || c.moving != nil || c.opts.NoReconnect {
		return // the node will close the link, and then it is sought by itself
	}
	arrived := make(chan *arrival, 1)
	c.moving = arrived
	ticket, token := c.ticket, c.token
	c.ticket = ""
	to := []string{gateway}
	for _, other := range route(c.UserID(), c.gateway, c.nodes, false) {
		if other != gateway && other != c.gateway {
			to = append(to, other)
		}
	}
	wait := time.Duration(min(max(d.AfterMS, 0), maxPause.Milliseconds())) * time.Millisecond
	c.wg.Go(func() {
		ctx, cancel := c.untilDone()
		defer cancel()
		if !sleep(ctx, wait) {
			arrived <- nil
			return
		}
		ctx, cancel = context.WithTimeout(ctx, moveTimeout)
		defer cancel()
		var there *arrival
		for _, gateway := range to {
			if there, err = c.arrive(ctx, gateway, token, ticket); there != nil {
				break
			}
			c.log.Info("not moved to another node", "gateway", gateway, "error", err)
		}
		if there != nil {
			c.leave(from, there)
		}
		arrived <- there
	})
}

// leave says farewell to the node before, once all goes over the other one.
func (c *Client) leave(from *link, there *arrival) {
	if there.media != nil && there.media.mic != nil {
		there.call.mic.Store(there.media.mic)
	}
	c.sending.Lock()
	if c.link == from {
		c.link = nil // what is asked for from now on waits for the other one
	}
	c.sending.Unlock()
	from.bye() // wakes the running goroutine
}

// arrive makes the session at another node. Once there is one it is returned whatever becomes of the call.
func (c *Client) arrive(ctx context.Context, gateway, token, ticket string) (*arrival, error) {
	l, err := openLink(ctx, gateway, c.opts.Dialer)
	if err != nil {
		return nil, err
	}
	there := &arrival{link: l}
	err = l.during(ctx, func() error {
		there.ready, err = c.introduce(l, token, ticket)
		return err
	})
	if err != nil {
		l.close()
		return nil, err
	}
	if call := c.Call(); call != nil && call.present.Load() {
		there.call = call
		if err = there.join(ctx); err != nil {
			c.log.Info("the call is joined anew", "gateway", gateway, "error", err)
			there.discardMedia()
		}
	}
	return there, nil
}

// join joins the call's channel with a second connection of media, and returns when that is connected.
func (a *arrival) join(ctx context.Context) error {
	call := a.call
	c := call.client
	var mic *microphone
	if call.mic.Load() != nil {
		mic = &microphone{userID: c.UserID()}
	}
	m, err := call.mediaWith(mic, a.ready.ICEServers)
	if err != nil {
		return err
	}
	m.receiver.waits = true // nothing comes before the answer
	a.media = m
	offer, err := m.offer()
	if err != nil {
		return err
	}
	c.mu.Lock()
	voice, subscribed := c.voice, c.subscribed
	c.mu.Unlock()
	if err = restoreState(a.link, voice, subscribed); err != nil {
		return err
	}
	a.kept = call.floor.keep()
	request, err := protocol.EncodeRequest(protocol.OpChannelJoin, moveID, protocol.ChannelJoin{
		ChannelID: call.ChannelID(), SDPOffer: offer, KeepFloor: true,
	})
	if err == nil {
		err = a.link.write(request)
	}
	if err != nil {
		return err
	}
	if err = a.link.during(ctx, a.awaitJoined); err != nil {
		return err
	}
	if err = m.answer(a.joined.SDPAnswer); err != nil {
		return err
	}
	select {
	case <-m.connected:
		return nil
	case <-m.ended:
		return ErrMediaLost
	case <-call.over:
		return call.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// awaitJoined reads until the node has answered the join.
func (a *arrival) awaitJoined() error {
	for {
		f, err := a.link.read()
		switch {
		case err != nil:
			return err
		case f.ID != moveID:
			a.early = append(a.early, f)
		case f.Op == protocol.OpError:
			return refusal(f)
		default:
			return bindReply(f, &a.joined)
		}
	}
}

func (a *arrival) discardMedia() {
	if a.media != nil {
		a.media.close()
		a.media = nil
	}
}

// discard takes back what nobody needs any more.
func (a *arrival) discard() {
	if a != nil {
		a.link.bye()
		a.link.close()
		a.discardMedia()
	}
}

// arrived returns the session at another node, where one is being made, once it is; nil when there is none.
func (c *Client) arrived() *arrival {
	if c.moving == nil {
		return nil
	}
	to := <-c.moving
	c.moving = nil
	return to
}

// settle makes the session at another node the client's.
func (c *Client) settle(there *arrival) error {
	c.enter(there.link, there.ready)
	for _, f := range there.early {
		if err := c.handle(f); err != nil {
			there.discardMedia()
			return err
		}
	}
	moved := there.media != nil
	if moved {
		there.call.moveTo(there)
	}
	if err := c.begin(there.link, moved); err != nil {
		return err
	}
	if moved {
		there.call.listenAgain()
		c.events.put(Event{Payload: &Rejoined{}})
	}
	return nil
}

// moveTo has the call be carried by the media of an arrival, which is connected.
func (c *Call) moveTo(there *arrival) {
	c.media.Store(there.media)
	c.next.Store(there.media)
	c.wake(errMoved) // who looks after the one before
	c.install(there.joined, there.kept)
	if c.Err() != nil { // it may have ended before, and nobody looks any more
		c.dropNext()
	}
}

// dropNext closes what was to carry the call, if there is anything.
func (c *Call) dropNext() {
	if next := c.next.Swap(nil); next != nil {
		next.close()
	}
}

// errMoved is why a connection of media carries a call no more that goes on by another one.
var errMoved = errors.New("the call goes on at another node")
