package client_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// radioCheck is a bot in a channel where one talks at a time. It says what it heard, when the floor is free again: who hears
// themselves knows that they are heard.
type radioCheck struct {
	client *client.Client
	call   *client.Call

	mu    sync.Mutex
	heard [][]byte // the Opus packets of who has the floor; guarded by mu
}

func newRadioCheck(ctx context.Context, url, channel string) *radioCheck {
	bot := &radioCheck{client: dial(ctx, url, "Radio check")}
	var err error
	bot.call, err = bot.client.Join(ctx, channel, client.JoinOptions{Slots: 1, OnPacket: bot.hear})
	check(err)
	return bot
}

func (b *radioCheck) hear(_ *client.Slot, p client.Packet) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.heard = append(b.heard, append([]byte(nil), p.Payload...)) // the bytes are lent
}

// run answers one transmission after the other, until the client is closed. The floor is idle when a last syllable has come, too.
func (b *radioCheck) run(ctx context.Context) {
	for ev := range b.client.Events() {
		if _, idle := ev.Payload.(*protocol.FloorIdle); !idle {
			continue
		}
		b.mu.Lock()
		heard := b.heard
		b.heard = nil
		b.mu.Unlock()
		if len(heard) == 0 {
			continue // it was this bot that talked
		}
		grant, err := b.call.Floor().Acquire(ctx, client.FloorRequest{})
		if err != nil {
			continue // somebody else is quicker, and more important
		}
		for _, packet := range heard {
			check(b.call.WriteOpus(packet, 0))
			time.Sleep(client.OpusDuration(packet))
		}
		check(grant.Release(ctx))
	}
}

// A bot that answers radio checks, and somebody who asks for one.
func Example_radioCheck() {
	url, stop := startServer()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	bot := newRadioCheck(ctx, url, "radio")
	var running sync.WaitGroup
	defer running.Wait()
	defer bot.client.Close()
	running.Go(func() { bot.run(ctx) })

	ada := dial(ctx, url, "Ada")
	defer ada.Close()
	call, err := ada.Join(ctx, "radio", client.JoinOptions{Slots: 1})
	check(err)
	grant, err := call.Floor().Acquire(ctx, client.FloorRequest{})
	check(err)
	check(call.PlayOgg(ctx, tune(10))) // "radio check, over"
	check(grant.Release(ctx))

	buf := make([]byte, 1500)
	for n := range 10 {
		_, _, err := call.Slots()[0].ReadOpus(ctx, buf)
		check(err)
		if buf[1] != byte(n) {
			fmt.Println("that is not what Ada said")
		}
	}
	fmt.Println("loud and clear")
	// Output: loud and clear
}
