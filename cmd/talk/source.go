package talk

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"time"

	"github.com/thesyncim/gopus"

	"github.com/mini-livechat/mini-livechat/signaling/client"
)

// source is what is played. io.EOF of next is its end. One goroutine calls it.
type source interface {
	// next returns an Opus packet, valid until the next call, and how loud it is, as client.Call.Play wants them. While g is shut it
	// waits, or lets pass what goes by.
	next(ctx context.Context, g *gate) (frame []byte, level int, err error)
	close()
}

// frameLength is how much sound is encoded at once.
const frameLength = 20 * time.Millisecond

// openSource opens what the options say; nil when that is nothing.
func openSource(o *Options) (source, error) {
	switch {
	case o.Play == "-":
		return newOggSource(o.In, "standard input", func() {})
	case o.Play != "":
		file, err := os.Open(o.Play)
		if err != nil {
			return nil, fmt.Errorf("play: %w", err)
		}
		return newOggSource(file, o.Play, func() { _ = file.Close() })
	case o.Tone != 0:
		e, err := newEncoder(second, 1)
		return &tone{encoder: e, hertz: o.Tone}, err
	case o.PCM:
		e, err := newEncoder(o.PCMRate, o.PCMChannels)
		return newPCM(e, o.In), err
	default:
		return nil, nil //nolint:nilnil // there is none
	}
}

// oggSource is an Ogg Opus file. What is not talked of it waits.
type oggSource struct {
	ogg  *client.OggOpus
	name string
	done func()
}

func newOggSource(r io.Reader, name string, done func()) (source, error) {
	ogg, err := client.NewOggOpus(r)
	if err != nil {
		done()
		if errors.Is(err, client.ErrChannels) {
			return nil, fmt.Errorf("play %s: %w; make it stereo: ffmpeg -i IN -ac 2 -c:a libopus OUT.opus", name, err)
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = errors.New("it ends before its sound begins")
		}
		return nil, fmt.Errorf("play %s: %w; it must be Opus in Ogg, as opusenc or ffmpeg -c:a libopus make it", name, err)
	}
	return &oggSource{ogg: ogg, name: name, done: done}, nil
}

func (s *oggSource) next(ctx context.Context, g *gate) ([]byte, int, error) {
	if err := g.wait(ctx); err != nil {
		return nil, 0, err
	}
	frame, err := s.ogg.Next()
	if err == nil && client.OpusDuration(frame) <= 0 {
		err = client.ErrFrame
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("%s: %w", s.name, err)
	}
	return frame, client.NoLevel, err
}

func (s *oggSource) close() { s.done() }

// encoder makes packets of frameLength out of samples.
type encoder struct {
	opus   *gopus.Encoder
	pcm    []int16
	packet []byte
}

// Bits a second, for a voice and for two channels of anything.
const (
	voiceBitrate  = 40_000
	stereoBitrate = 96_000
)

func newEncoder(rate, channels int) (*encoder, error) {
	cfg := gopus.EncoderConfig{SampleRate: rate, Channels: channels, Application: gopus.ApplicationVoIP}
	bitrate := voiceBitrate
	if channels == 2 {
		cfg.Application, bitrate = gopus.ApplicationAudio, stereoBitrate
	}
	opus, err := gopus.NewEncoder(cfg)
	if err == nil {
		err = opus.SetBitrate(bitrate)
	}
	if err != nil {
		return nil, fmt.Errorf("make an Opus encoder: %w", err)
	}
	frame := rate * channels * int(frameLength/time.Millisecond) / 1000
	return &encoder{opus: opus, pcm: make([]int16, frame), packet: make([]byte, 1275)}, nil
}

// encode encodes what is in pcm.
func (e *encoder) encode() ([]byte, int, error) {
	n, err := e.opus.EncodeInt16(e.pcm, e.packet)
	if err != nil {
		return nil, 0, fmt.Errorf("encode: %w", err)
	}
	return e.packet[:n], loudness(e.pcm), nil
}

// loudness is in -dBov (RFC 6464, section 3).
func loudness(pcm []int16) int {
	sum := 0.0
	for _, s := range pcm {
		sum += float64(s) * float64(s)
	}
	rms := math.Sqrt(sum/float64(len(pcm))) / -math.MinInt16
	if rms == 0 {
		return 127
	}
	return min(127, max(0, int(math.Round(-20*math.Log10(rms)))))
}

// tone is a sine that one can listen to for long.
type tone struct {
	*encoder

	hertz int
	at    int
}

const toneAmplitude = 0.2

func (s *tone) next(ctx context.Context, g *gate) ([]byte, int, error) {
	if err := g.wait(ctx); err != nil {
		return nil, 0, err
	}
	for i := range s.pcm {
		s.pcm[i] = int16(toneAmplitude * math.MaxInt16 * math.Sin(2*math.Pi*float64(s.hertz)*float64(s.at)/second))
		s.at = (s.at + 1) % second // after which every whole number of Hz begins anew
	}
	return s.encode()
}

func (*tone) close() {}

// pcm is samples that come as they are made: what is not talked is gone.
type pcm struct {
	*encoder

	frames chan []byte // closed at the end
	err    error       // why, before that
}

// newPCM reads ahead of who plays by one frame; the reading goroutine ends with the reader, which may be never.
func newPCM(e *encoder, r io.Reader) source {
	if e == nil {
		return nil
	}
	s := &pcm{encoder: e, frames: make(chan []byte)}
	go func() {
		defer close(s.frames)
		for {
			frame := make([]byte, 2*len(e.pcm))
			n, err := io.ReadFull(r, frame)
			if n > 0 { // the last one is filled up with silence
				s.frames <- frame
			}
			if err != nil {
				s.err = err
				return
			}
		}
	}()
	return s
}

func (s *pcm) next(ctx context.Context, g *gate) ([]byte, int, error) {
	for {
		select {
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		case frame, ok := <-s.frames:
			switch {
			case ok:
			case errors.Is(s.err, io.EOF), errors.Is(s.err, io.ErrUnexpectedEOF):
				return nil, 0, io.EOF
			default:
				return nil, 0, fmt.Errorf("standard input: %w", s.err)
			}
			if g.isOpen() {
				for i := range s.pcm {
					s.pcm[i] = int16(binary.LittleEndian.Uint16(frame[2*i:])) //nolint:gosec // as it says
				}
				return s.encode()
			}
		}
		select { // a file passes as fast as a microphone does
		case <-ctx.Done():
		case <-g.opening():
		case <-time.After(frameLength):
		}
	}
}

func (*pcm) close() {}
