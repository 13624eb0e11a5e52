package main

import (
	"cmp"
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/cmd/talk"
)

const talkOverview = `Take part in a channel from the command line: play a file, a tone or what another program makes into it, record everybody in it, read and write messages, and see who speaks. A line that is typed is a message. Ctrl-C ends it.

Usage: livechat talk [flags] [URL]`

const talkExamples = `Without a URL it goes to the server on this machine. A link with an invite, a token or a channel in it is a URL too; put it in quotes. Who uses an invite is told their token, for LIVECHAT_TOKEN the next time.

Admins may record, and those with a token by "livechat token --user=ID --record"; ask those whom you record. Recorded is a file of Opus in Ogg for each talker, which all begin and end at the same time, with silence in between: side by side they are the call. When the disk is full the recording ends with an error, the files then end within some seconds of each other, and the voice goes on.

In a channel where one talks at a time the floor is asked for, and given back when all is played.

Examples:
  LIVECHAT_TOKEN=... livechat talk --record=meeting https://voice.example.org
      one file for each talker, in the directory meeting
  livechat talk --play=news.opus --channel=radio
      as soon as the floor is free
  ffmpeg -i music.mp3 -f s16le -ar 48000 -ac 2 - |
  livechat talk --pcm --pcm-channels=2
      whatever ffmpeg reads
  arecord -q -f S16_LE -r 48000 -c 1 | livechat talk --pcm
      this machine's microphone
  livechat talk --tone=440 --ptt
      a tone, while Enter has been pressed
  livechat talk --json --for=1h "https://voice.example.org/#channel=ops"
      who speaks and what is written there, for a program to read`

// talkCommand takes part in a channel.
type talkCommand struct {
	URL string `arg:"" optional:"" name:"url" help:"The server's page, or a link."`

	Channel string `group:"talk" placeholder:"ID" help:"The channel. Without it: the link's, or lobby."`
	Name    string `group:"talk" placeholder:"NAME" help:"What the others see. Without it: your name on this machine."`
	Token   string `group:"talk" placeholder:"TEXT" env:"LIVECHAT_TOKEN" help:"Sign in with this; ends another session of the same person. Better given in LIVECHAT_TOKEN."`

	Play        given `group:"sound" placeholder:"FILE" help:"Play a file of Opus in Ogg; - is standard input."`
	Tone        int   `group:"sound" placeholder:"HZ" help:"Play a tone, for as long as one is there."`
	PCM         bool  `name:"pcm" group:"sound" help:"Play standard input: signed samples of 16 bits, the low byte first."`
	PCMRate     int   `name:"pcm-rate" group:"sound" placeholder:"HZ" help:"How many a second: 8000, 12000, 16000, 24000 or 48000."`
	PCMChannels int   `name:"pcm-channels" group:"sound" placeholder:"N" help:"In how many channels, 1 or 2."`
	PTT         bool  `name:"ptt" group:"sound" help:"Talk only between one empty line that is typed and the next."`
	Priority    int   `group:"sound" placeholder:"N" help:"The priority with which the floor is asked for, 0 to 255."`
	Stay        bool  `group:"sound" help:"Stay when all is played, as --record does too."`

	Record given         `group:"listening" placeholder:"DIR" help:"Record each talker to a file of their own in this directory."`
	For    time.Duration `group:"listening" placeholder:"TIME" help:"End after having been there for so long."`
	JSON   bool          `name:"json" group:"listening" help:"Print JSON, an object a line, not lines for people."`
}

// given is what is not empty where it is set: a script whose variable is empty did not mean to do without.
type given string

// UnmarshalText takes it.
func (g *given) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		return errors.New("must not be empty")
	}
	*g = given(text)
	return nil
}

// defaultTalk is the command before anything was read.
func defaultTalk() talkCommand { return talkCommand{PCMRate: 48000, PCMChannels: 1} }

// Run takes part until a signal ends it, which is no failure; the second ends the program at once.
func (c *talkCommand) Run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	signal.Ignore(syscall.SIGPIPE) // it finds out by itself that nobody reads any more, and leaves in order
	return talk.Run(ctx, talk.Options{
		URL: cmp.Or(c.URL, "http://"+app.DefaultHTTP), Token: c.Token, Channel: c.Channel,
		Name: cmp.Or(c.Name, os.Getenv("USER"), os.Getenv("USERNAME"), "livechat talk"),
		Play: string(c.Play), Tone: c.Tone, PCM: c.PCM, PCMRate: c.PCMRate, PCMChannels: c.PCMChannels,
		PTT: c.PTT, Priority: c.Priority, Stay: c.Stay,
		Record: string(c.Record), For: c.For, JSON: c.JSON,
		In: os.Stdin, Out: os.Stdout, Notes: os.Stderr,
	})
}
