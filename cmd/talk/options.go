package talk

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// ErrOption says that what was asked for cannot be.
var ErrOption = errors.New("wrong usage")

// Options say what Run does. At most one of Play, Tone and PCM is set; without any it listens.
type Options struct {
	// URL is the server's page, or a link to it with a token, an invite or a channel behind its #.
	URL string
	// Token says who one is; "": what the link says, or a guest.
	Token string
	// Name is what a guest, or who uses an invite, is called.
	Name string
	// Channel is the id of one; "": what the link says, or DefaultChannel.
	Channel string

	// Play is an Ogg Opus file; "-" is In.
	Play string
	// Tone is a sine of so many Hz.
	Tone int
	// PCM takes samples from In: signed, of 16 bits, little end first, of PCMRate a second in PCMChannels channels.
	PCM         bool
	PCMRate     int
	PCMChannels int
	// PTT has In's empty lines say when one talks.
	PTT bool
	// Priority is with which the floor is asked for.
	Priority int

	// Record is the directory for a file of each talker; "": none.
	Record string
	// For is after how long it ends; 0: not by itself.
	For time.Duration
	// Stay has it stay after what was played; so does Record.
	Stay bool

	// JSON has Out be a JSON object a line.
	JSON bool
	// In is standard input, whose lines are messages where nothing else is read from it; nil: nothing.
	In io.Reader
	// Out is where it says what happens in the channel, Notes where it says what becomes of itself.
	Out, Notes io.Writer
}

// DefaultChannel is the one that every server has at first.
const DefaultChannel = "lobby"

// maxTone is the highest that Opus carries, in Hz.
const maxTone = 20000

// rates are those that Opus takes.
func rates() []int { return []int{8000, 12000, 16000, 24000, 48000} }

// Validate returns all that is wrong, as errors that wrap ErrOption.
func (o *Options) Validate() error {
	var all []error
	wrong := func(format string, args ...any) {
		all = append(all, fmt.Errorf("%w: "+format, append([]any{ErrOption}, args...)...))
	}
	sources := 0
	for _, set := range []bool{o.Play != "", o.Tone != 0, o.PCM} {
		if set {
			sources++
		}
	}
	if sources > 1 {
		wrong("only one of --play, --tone and --pcm at a time")
	}
	if o.Tone < 0 || o.Tone > maxTone {
		wrong("--tone=%d: must be 1 to %d", o.Tone, maxTone)
	}
	if o.PCM && !slices.Contains(rates(), o.PCMRate) {
		wrong("--pcm-rate=%d: must be one of %v", o.PCMRate, rates())
	}
	if o.PCM && o.PCMChannels != 1 && o.PCMChannels != 2 {
		wrong("--pcm-channels=%d: must be 1 or 2", o.PCMChannels)
	}
	if o.PTT && o.readsSound() {
		wrong("--ptt: standard input has the sound, and so cannot have the key")
	}
	if o.PTT && sources == 0 {
		wrong("--ptt: there is nothing to talk with; add --play, --tone or --pcm")
	}
	if o.Priority < 0 || o.Priority > protocol.MaxPriority {
		wrong("--priority=%d: must be 0 to %d", o.Priority, protocol.MaxPriority)
	}
	if o.For < 0 {
		wrong("--for=%s: must not be negative", o.For)
	}
	return errors.Join(all...)
}

// readsSound reports whether standard input is what is played.
func (o *Options) readsSound() bool { return o.PCM || o.Play == "-" }
