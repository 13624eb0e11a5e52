package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4/pkg/media/oggwriter"
	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/cmd/app" //nolint:depguard // the examples run against the real server
	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// The examples have a server of their own.
func startServer() (url string, stop func()) {
	data, err := os.MkdirTemp("", "livechat")
	check(err)
	cfg := app.Default()
	cfg.HTTP, cfg.UDP, cfg.Data = "127.0.0.1:0", "127.0.0.1:0", data
	server, err := app.New(cfg, zap.NewNop())
	check(err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- server.Run(ctx) }()
	return server.URL(), func() {
		cancel()
		check(<-done)
		check(os.RemoveAll(data))
	}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// dial brings a guest in.
func dial(ctx context.Context, url, name string) *client.Client {
	guest, err := client.Guest(ctx, url, name)
	check(err)
	c, err := client.Dial(ctx, url, client.Options{Token: guest.Token, ClientName: "example/1"})
	check(err)
	return c
}

// Two people in a channel, one talking and one listening.
func Example() {
	url, stop := startServer()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()

	bo := dial(ctx, url, "Bo")
	defer bo.Close()
	listening, err := bo.Join(ctx, "lobby", client.JoinOptions{ListenOnly: true})
	check(err)

	ada := dial(ctx, url, "Ada")
	defer ada.Close()
	talking, err := ada.Join(ctx, "lobby", client.JoinOptions{})
	check(err)
	go func() {
		frame := []byte{9 << 3, 0} // 20 ms of Opus, from an encoder in real life
		for talking.WriteOpus(frame, 20*time.Millisecond) == nil {
			time.Sleep(20 * time.Millisecond)
		}
	}()

	buf := make([]byte, 1500)
	n, info, err := listening.Slots()[0].ReadOpus(ctx, buf)
	check(err)
	fmt.Println("heard", n, "bytes; from Ada:", info.UserID == ada.UserID())
	check(talking.Leave(ctx))
	// Output: heard 2 bytes; from Ada: true
}

// Events are typed values; a type switch tells them apart.
func ExampleClient_Events() {
	url, stop := startServer()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()

	bo := dial(ctx, url, "Bo")
	defer bo.Close()
	_, err := bo.Join(ctx, "lobby", client.JoinOptions{ListenOnly: true})
	check(err)
	ada := dial(ctx, url, "Ada")
	defer ada.Close()
	_, err = ada.Join(ctx, "lobby", client.JoinOptions{})
	check(err)
	_, err = ada.SendMessage(ctx, "lobby", "Hello, Bo!")
	check(err)

	for ev := range bo.Events() {
		switch d := ev.Payload.(type) {
		case *protocol.ChannelEvent:
			fmt.Println(d.Member.Name, d.Event)
		case *protocol.MessageEvent:
			fmt.Println(d.AuthorName, "says", d.Content)
			return
		}
	}
	// Output:
	// Ada join
	// Ada says Hello, Bo!
}

// A jukebox: an Ogg file is played at the speed it is meant to be heard.
func ExampleCall_PlayOgg() {
	url, stop := startServer()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()

	c := dial(ctx, url, "Jukebox")
	defer c.Close()
	call, err := c.Join(ctx, "lobby", client.JoinOptions{Slots: -1}) // hears nobody
	check(err)
	start := time.Now()
	check(call.PlayOgg(ctx, tune(10)))
	fmt.Println("took its time:", time.Since(start) >= 150*time.Millisecond)
	// Output: took its time: true
}

// tune makes an Ogg Opus stream of so many frames of 20 ms.
func tune(frames uint16) *bytes.Buffer {
	file := new(bytes.Buffer)
	ogg, err := oggwriter.NewWith(file, 48000, 2)
	check(err)
	for n := range frames {
		check(ogg.WriteRTP(&rtp.Packet{
			Header:  rtp.Header{Version: 2, SequenceNumber: n, Timestamp: uint32(n) * 960},
			Payload: []byte{9 << 3, byte(n)},
		}))
	}
	check(ogg.Close())
	return file
}

// Refusals and the end of the session are errors of their own types.
func ExampleCloseError() {
	err := error(&client.CloseError{Code: protocol.CloseReplaced})
	var closed *client.CloseError
	if errors.As(err, &closed) && closed.Code.Next() == protocol.Stop {
		fmt.Println("staying away:", closed)
	}
	// Output: staying away: connection closed by the server: 4019 replaced by a newer session of the same user
}
