package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// impatient makes the server give up the silent soon. Three keep-alives of a client's ICE
// (2 s each) fit in the timeout. There is no relay, by which media would find another way.
func impatient(c *app.Config) {
	c.TURN = false
	c.HeartbeatInterval, c.ZombieTimeout, c.ReaperInterval = 3*time.Second, 6*time.Second, 100*time.Millisecond
	c.ResumeWindow = 0 // who is gone is gone
}

// settled waits until no more goroutines run than before, which is to say that the
// PeerConnections, sessions and hub entries made since are gone on both sides.
func settled(t *testing.T, before int) {
	t.Helper()
	last := 0
	defer func() {
		if t.Failed() {
			stacks := make([]byte, 1<<20)
			t.Logf("%d goroutines, %d before\n%s", last, before, stacks[:runtime.Stack(stacks, true)])
		}
	}()
	eventually(t, "all of what was made is gone", func() bool {
		last = runtime.NumGoroutine()
		return last <= before+2 // eventually has one of its own, and the memory one while it keeps connections to read by
	})
}

func TestTalkWaysToLeave(t *testing.T) {
	verifyNoLeaks(t)
	tests := map[string]struct {
		leave func(*person, *cable)
		want  []protocol.LeaveCause
	}{
		"politely":         {func(p *person, _ *cable) { p.leave() }, []protocol.LeaveCause{protocol.LeaveLeft}},
		"closed WebSocket": {func(p *person, _ *cable) { p.gone() }, []protocol.LeaveCause{protocol.LeaveGone, protocol.LeaveLeft}}, // or its media's goodbye
		"torn WebSocket": {func(_ *person, c *cable) {
			c.webSocket.Store(true) // only media is left
		}, []protocol.LeaveCause{protocol.LeaveGone}},
		"torn media": {func(_ *person, c *cable) {
			c.media.Store(true)
		}, []protocol.LeaveCause{protocol.LeaveMediaTimeout}},
		"vanished": {func(_ *person, c *cable) {
			c.webSocket.Store(true)
			c.media.Store(true)
		}, []protocol.LeaveCause{protocol.LeaveGone, protocol.LeaveMediaTimeout}}, // whichever is seen first
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startServer(t, impatient)
			var network cable
			bo := arrive(t, s, "bo").join("lobby").talk()
			ada := arrive(t, s, "ada", network.plug(t)).join("lobby").talk()
			cy := arrive(t, s, "cy").join("lobby").talk()
			bo.hears(ada, cy)
			ada.hears(bo, cy)
			require.Equal(t, ids(ada, cy), bo.slotUsers()[:2])

			test.leave(ada, &network)
			require.Contains(t, test.want, bo.toldLeft(ada))
			require.Contains(t, test.want, cy.toldLeft(ada))
			require.Equal(t, ids(bo, cy), bo.memberIDs())
			eventually(t, "the slot is free", func() bool { return bo.slotUsers()[0] == "" })
			detail, err := bo.Channel(soon(t), "lobby")
			require.NoError(t, err)
			require.Equal(t, 2, detail.MemberCount)
			bo.hearsNot(ada, func() { bo.hears(cy) })

			// The freed slot is taken by the next who comes.
			dan := arrive(t, s, "dan").join("lobby").talk()
			bo.hears(dan, cy)
			require.Equal(t, ids(dan, cy), bo.slotUsers()[:2])
			bo.check(ada, cy, dan)
		})
	}
}

func TestTalkRemovedMemberMayComeBack(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, impatient)
	var network cable
	bo := arrive(t, s, "bo").join("lobby").talk()
	ada := arrive(t, s, "ada", network.plug(t)).join("lobby").talk()
	bo.hears(ada)
	network.media.Store(true)
	require.ErrorIs(t, ada.callEnded(), client.ErrRemoved)
	require.NoError(t, ada.Err(), "the session goes on")
	ada.silence()
	network.media.Store(false)
	ada.join("lobby").talk()
	ada.hears(bo)
	bo.hears(ada)
	bo.check(ada)
}

// A path lets checks through and nothing else, so that media never comes up. The server takes the client out and says so to
// everybody; the client joins anew on the same session, is heard and hears.
func TestTalkFailedMediaMayComeBack(t *testing.T) {
	verifyNoLeaks(t)
	for name, test := range map[string]struct {
		options []func(*client.Options)
		again   func(*person)
	}{
		"by a new join": {nil, func(p *person) {
			require.ErrorIs(p.t, p.callEnded(), client.ErrRemoved)
			p.join("lobby")
		}},
		"by itself": {[]func(*client.Options){comesBack}, func(*person) {}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startServer(t, noRelay)
			bo := arrive(t, s, "bo").join("lobby").talk()
			var network cable
			network.checksOnly.Store(true)
			ada := arrive(t, s, "ada", append(test.options, network.plug(t))...)
			session := ada.Ready().SessionID
			ada.join("lobby", func(o *client.JoinOptions) { o.NoWait = true })

			// The server gives a connection 30 s to be made, and looks every 2 s.
			failed := toldAfter(ada, 32*time.Second+patience, "its media failed", func(ev *protocol.ChannelEvent) bool {
				return ev.Event == protocol.ChannelEventLeave && ev.Member.UserID == ada.UserID()
			})
			require.Equal(t, protocol.LeaveMediaFailed, failed.Cause)
			network.checksOnly.Store(false)
			require.Equal(t, protocol.LeaveMediaFailed, bo.toldLeft(ada))
			test.again(ada)
			ada.hears(bo)
			ada.talk()
			bo.hears(ada)
			require.NoError(t, ada.Err())
			require.Equal(t, session, ada.Ready().SessionID)
			require.Equal(t, ids(bo, ada), bo.memberIDs())
		})
	}
}

func TestTalkLeavingFreesEverything(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	ada, bo := arrive(t, s, "ada"), arrive(t, s, "bo")
	settle := runtime.NumGoroutine()
	for range 3 {
		ada.join("lobby").talk()
		bo.join("lobby").talk()
		ada.hears(bo)
		bo.hears(ada)
		ada.check(bo)
		bo.check(ada)
		ada.leave()
		bo.leave()
		settled(t, settle)
	}
	detail, err := ada.Channel(soon(t), "lobby")
	require.NoError(t, err)
	require.Empty(t, detail.ActiveMembers)
}

func TestTalkTakeover(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	bo := arrive(t, s, "bo").join("lobby").talk()
	first := arrive(t, s, "ada").join("lobby").talk()
	bo.hears(first)
	first.hears(bo)

	second := arriveAs(t, s, first.token)
	require.Equal(t, first.UserID(), second.UserID())
	require.Equal(t, protocol.CloseReplaced, first.ended())
	var closed *client.CloseError
	require.ErrorAs(t, first.callEnded(), &closed)
	require.Equal(t, protocol.Stop, closed.Code.Next())
	require.Equal(t, protocol.LeaveGone, bo.toldLeft(first))
	require.Equal(t, ids(bo), bo.memberIDs())

	second.join("lobby").talk()
	second.hears(bo)
	bo.hears(second)
	require.NotEqual(t, first.call.SSRC(), second.call.SSRC())
	require.Equal(t, ids(bo, second), bo.memberIDs())
	bo.mu.Lock()
	last := bo.ears[len(bo.ears)-1]
	bo.mu.Unlock()
	require.Equal(t, second.call.SSRC(), last.CSRC, "the voice is the second session's")
	require.Equal(t, second.UserID(), last.UserID)
	second.check(bo)
}

func TestTalkTakeoverAgainAndAgain(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	bo := arrive(t, s, "bo").join("lobby").talk()
	ada := arrive(t, s, "ada").join("lobby").talk()
	for range 5 {
		before := ada
		ada = arriveAs(t, s, before.token).join("lobby").talk()
		require.Equal(t, protocol.CloseReplaced, before.ended())
		before.gone()
		ada.hears(bo)
		eventually(t, "two are in the channel", func() bool { return slices.Equal(bo.memberIDs(), ids(bo, ada)) })
		bo.hears(ada)
	}
}

func TestTalkChannelDeletedUnderMembers(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	ada, bo, cy := arrive(t, s, "ada"), arrive(t, s, "bo"), arrive(t, s, "cy")
	settle := runtime.NumGoroutine()
	_, err := ada.CreateChannel(soon(t), protocol.ChannelCreate{ChannelID: "den"})
	require.NoError(t, err)
	for _, p := range []*person{ada, bo} {
		p.join("den").talk()
	}
	ada.hears(bo)
	bo.hears(ada)

	err = bo.DeleteChannel(soon(t), "den")
	var refused *protocol.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, protocol.CodeAccessDenied, refused.Code)
	require.NoError(t, ada.DeleteChannel(soon(t), "den"))
	for _, p := range []*person{ada, bo} {
		require.ErrorIs(t, p.callEnded(), client.ErrChannelDeleted)
		require.NoError(t, p.Err(), "the session goes on")
		p.silence()
	}
	told(cy, "the channel is gone, though not a member", func(ev *protocol.ChannelEvent) bool {
		return ev.Event == protocol.ChannelEventDelete && ev.ChannelID == "den"
	})
	settled(t, settle)

	_, err = bo.Join(soon(t), "den", client.JoinOptions{})
	require.ErrorAs(t, err, &refused)
	require.Equal(t, protocol.CodeChannelNotFound, refused.Code)
	ada.join("lobby").talk()
	bo.join("lobby").talk()
	ada.hears(bo)
	bo.hears(ada)
}

func TestTalkServerShutdown(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	ada, bo, idle := arrive(t, s, "ada").join("lobby").talk(), arrive(t, s, "bo").join("lobby").talk(), arrive(t, s, "cy")
	ada.hears(bo)
	bo.hears(ada)
	s.stop()
	const goingAway = protocol.CloseCode(1001)
	for _, p := range []*person{ada, bo, idle} {
		code := p.ended()
		require.Contains(t, []protocol.CloseCode{goingAway, protocol.CloseRestarting}, code)
		require.Equal(t, protocol.Reidentify, code.Next())
	}
	var closed *client.CloseError
	require.ErrorAs(t, ada.callEnded(), &closed)
	_, err := client.Dial(soon(t), s.URL, client.Options{Token: ada.token})
	require.Error(t, err)
}

func TestTalkHangUpInTheMiddleOfJoining(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) { c.ResumeWindow = 0 }) // who hangs up does not come back
	bo := arrive(t, s, "bo")
	settle := runtime.NumGoroutine()
	bo.join("lobby").talk()
	// A client that joins and is gone before, while or after media connects.
	for i := range 20 {
		ada, _ := identify(t, s, "ada")
		ada.request(protocol.OpChannelJoin, protocol.ChannelJoin{ChannelID: "lobby", SDPOffer: offer(t, 1, 2)})
		if i%2 == 0 {
			ada.read()
		}
		ada.farewell()
	}
	engine := loopbackEngine(t)
	for i := range 20 {
		guest, err := client.Guest(soon(t), s.URL, "cy")
		require.NoError(t, err)
		c, err := client.Dial(soon(t), s.URL, client.Options{Token: guest.Token, Engine: engine})
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(soon(t), time.Duration(i)*2*time.Millisecond)
		_, err = c.Join(ctx, "lobby", client.JoinOptions{})
		cancel()
		if err == nil || i%2 == 0 {
			require.NoError(t, c.Close())
			continue
		}
		// It left the channel by itself and may join again.
		call, err := c.Join(soon(t), "lobby", client.JoinOptions{})
		require.NoError(t, err)
		require.NoError(t, call.Leave(soon(t)))
		require.NoError(t, c.Close())
	}
	eventually(t, "bo is alone again", func() bool { return slices.Equal(bo.memberIDs(), ids(bo)) })
	eventually(t, "all slots are free", func() bool {
		return slices.Equal(bo.slotUsers(), make([]string, len(bo.slotUsers())))
	})
	bo.leave()
	settled(t, settle)
}

// TestTalkChurn lets many come and go at once and then looks whether those who stayed
// still hear each other and nothing of the others is left.
func TestTalkChurn(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	ada, bo := arrive(t, s, "ada"), arrive(t, s, "bo")
	settle := runtime.NumGoroutine()
	ada.join("lobby").talk()
	bo.join("lobby").talk()
	engine := loopbackEngine(t)
	errs := make(chan error, 100)
	var coming sync.WaitGroup
	for i := range 8 {
		coming.Go(func() { errs <- comeAndGo(s.URL, fmt.Sprint("visitor", i), engine) })
	}
	coming.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
	for _, p := range []*person{ada, bo} {
		eventually(t, "only those who stayed are there", func() bool { return slices.Equal(p.memberIDs(), ids(ada, bo)) })
	}
	eventually(t, "one slot is taken", func() bool {
		return slices.Equal(slices.DeleteFunc(bo.slotUsers(), func(u string) bool { return u == "" }), ids(ada))
	})
	ada.hears(bo)
	bo.hears(ada)
	ada.leave()
	bo.leave()
	settled(t, settle)
}

// comeAndGo is one visitor: several sessions, several calls in each, ended in every way.
func comeAndGo(url, name string, engine *client.Engine) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	guest, err := client.Guest(ctx, url, name)
	if err != nil {
		return err
	}
	for range 3 {
		c, err := client.Dial(ctx, url, client.Options{Token: guest.Token, Engine: engine})
		if err != nil {
			return err
		}
		for range 1 + rand.N(3) {
			call, err := c.Join(ctx, "lobby", client.JoinOptions{ListenOnly: rand.N(2) == 0, NoWait: rand.N(3) == 0})
			if err != nil {
				return errors.Join(err, c.Close())
			}
			for n := range rand.N(uint32(10)) {
				_ = call.WriteOpus(voiceFrame(c.UserID(), n), frameLength) // not every one has a microphone
				time.Sleep(rand.N(frameLength))
			}
			if rand.N(4) == 0 {
				break // without leaving
			}
			if err := call.Leave(ctx); err != nil {
				return errors.Join(err, c.Close())
			}
		}
		if err := c.Close(); err != nil {
			return err
		}
	}
	return nil
}
