package client_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// enter makes a channel where one talks at a time, if there is none yet, and joins it.
func enter(ctx context.Context, c *client.Client, settings protocol.FloorSettings) *client.Call {
	_, err := c.CreateChannel(ctx, protocol.ChannelCreate{
		ChannelID: "dispatch", Mode: protocol.ModePTT, ChannelSettings: protocol.ChannelSettings{Floor: &settings},
	})
	if refused, ok := errors.AsType[*protocol.Error](err); !ok || refused.Code != protocol.CodeChannelExists {
		check(err)
	}
	call, err := c.Join(ctx, "dispatch", client.JoinOptions{})
	check(err)
	return call
}

// One has the floor, another waits for it, and gets it when it is released.
func ExampleFloor_Acquire() {
	url, stop := startServer()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	ada, bo := dial(ctx, url, "Ada"), dial(ctx, url, "Bo")
	defer ada.Close()
	defer bo.Close()
	adaFloor, boFloor := enter(ctx, ada, protocol.FloorSettings{}).Floor(), enter(ctx, bo, protocol.FloorSettings{}).Floor()

	first, err := adaFloor.Acquire(ctx, client.FloorRequest{})
	check(err)
	_, err = boFloor.Acquire(ctx, client.FloorRequest{NoQueue: true})
	if refused, ok := errors.AsType[*protocol.Error](err); ok && refused.Code == protocol.CodeFloorDenied {
		fmt.Println("Bo does not wait")
	}
	time.AfterFunc(100*time.Millisecond, func() { check(first.Release(ctx)) })
	second, err := boFloor.Acquire(ctx, client.FloorRequest{})
	check(err)
	fmt.Println("Bo has waited;", boFloor.State().Holder.Name, "has the floor")
	check(second.Release(ctx))
	// Output:
	// Bo does not wait
	// Bo has waited; Bo has the floor
}

// A grant ends when it is released, and when the server takes it back.
func ExampleGrant_Done() {
	url, stop := startServer()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	ada, bo := dial(ctx, url, "Ada"), dial(ctx, url, "Bo")
	defer ada.Close()
	defer bo.Close()
	everybodyInterrupts := protocol.FloorSettings{CutIn: new(true)}
	adaFloor, boFloor := enter(ctx, ada, everybodyInterrupts).Floor(), enter(ctx, bo, protocol.FloorSettings{}).Floor()

	grant, err := adaFloor.Acquire(ctx, client.FloorRequest{})
	check(err)
	_, err = boFloor.Acquire(ctx, client.FloorRequest{})
	check(err)
	<-grant.Done()
	if taken, ok := errors.AsType[*client.FloorError](grant.Err()); ok {
		fmt.Println("Ada is heard no more:", taken.Cause)
	}
	// Output: Ada is heard no more: preempted
}

// What happens on the floor comes as events, to all who are in the channel.
func ExampleFloor() {
	url, stop := startServer()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	ada, bo := dial(ctx, url, "Ada"), dial(ctx, url, "Bo")
	defer ada.Close()
	defer bo.Close()
	// Ada made the channel, so its settings are hers to change.
	adaFloor := enter(ctx, ada, protocol.FloorSettings{}).Floor()
	_, err := ada.UpdateChannel(ctx, protocol.ChannelUpdate{
		ChannelID: "dispatch", ChannelSettings: protocol.ChannelSettings{
			Floor: &protocol.FloorSettings{TalkMS: new(int64(60_000)), Queue: new(3)},
		},
	})
	check(err)
	enter(ctx, bo, protocol.FloorSettings{})

	grant, err := adaFloor.Acquire(ctx, client.FloorRequest{})
	check(err)
	fmt.Println("Ada may talk for a minute:", time.Until(grant.Until()) > 50*time.Second)
	check(grant.Release(ctx))
	for ev := range bo.Events() {
		switch d := ev.Payload.(type) {
		case *protocol.FloorTaken:
			fmt.Println(d.Name, "has the floor")
		case *protocol.FloorIdle:
			fmt.Println("nobody has the floor")
			return
		}
	}
	// Output:
	// Ada may talk for a minute: true
	// Ada has the floor
	// nobody has the floor
}
