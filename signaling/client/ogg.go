package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

const (
	// maxOggPacketBytes bounds one Ogg packet. Opus packets are far smaller; the comment
	// header, which may carry cover art, is skipped and not kept beyond this.
	maxOggPacketBytes = 64 << 10
	// oggHeaderLen is a page's header without its lacing values, in bytes, and oggChecksum where in it the checksum is (RFC 3533, section 6).
	oggHeaderLen = 27
	oggChecksum  = 22
)

// OggOpus reads the packets of an Ogg Opus stream (RFC 7845). Of several logical streams it reads the first.
type OggOpus struct {
	pages *oggReader
}

// The bytes of an OpusHead (RFC 7845, section 5.1).
const (
	opusHeadLen      = 19
	opusHeadChannels = 9
	opusHeadFamily   = 18
)

// NewOggOpus reads the headers of a stream. The error is ErrOgg, ErrFrame when the stream does not hold Opus, ErrChannels when it is
// neither mono nor stereo, or the reader's.
func NewOggOpus(r io.Reader) (*OggOpus, error) {
	o := &OggOpus{pages: newOggReader(r)}
	head, err := o.pages.next()
	switch {
	case err != nil:
		return nil, err
	case !bytes.HasPrefix(head, []byte("OpusHead")) || len(head) < opusHeadLen:
		return nil, fmt.Errorf("%w: no OpusHead", ErrFrame)
	}
	// The packets of the other families hold several streams, which one decoder plays as noise.
	if n, family := head[opusHeadChannels], head[opusHeadFamily]; family != 0 || n < 1 || n > 2 {
		return nil, fmt.Errorf("%w: %d channels, mapping family %d", ErrChannels, n, family)
	}
	if tags, err := o.pages.next(); err != nil {
		return nil, err
	} else if !bytes.HasPrefix(tags, []byte("OpusTags")) {
		return nil, fmt.Errorf("%w: no OpusTags", ErrFrame)
	}
	return o, nil
}

// Next returns the next Opus packet, valid until the next call. io.EOF ends the stream, io.ErrUnexpectedEOF one that is cut off,
// ErrOgg one that is broken.
func (o *OggOpus) Next() ([]byte, error) { return o.pages.next() }

// oggReader splits an Ogg stream (RFC 3533) into its packets. A page may hold many
// packets, as the usual encoders write them, and a packet may span pages.
type oggReader struct {
	in       *bufio.Reader
	serial   uint32
	started  bool
	segments []byte // lacing values of the current page not yet read
	body     []byte // and what they measure
	page     []byte // reused; the current page
	packet   []byte // reused; what next returned last
}

func newOggReader(r io.Reader) *oggReader {
	return &oggReader{in: bufio.NewReader(r)}
}

// next returns the next packet of the first logical stream, valid until the next call.
// io.EOF ends the stream; a stream cut off inside a packet is io.ErrUnexpectedEOF.
func (o *oggReader) next() ([]byte, error) {
	o.packet = o.packet[:0]
	for {
		if len(o.segments) == 0 {
			if err := o.turn(); err != nil {
				if errors.Is(err, io.EOF) && len(o.packet) > 0 {
					err = io.ErrUnexpectedEOF
				}
				return nil, err
			}
			continue
		}
		size := int(o.segments[0])
		if len(o.packet)+size <= maxOggPacketBytes {
			o.packet = append(o.packet, o.body[:size]...)
		}
		o.segments, o.body = o.segments[1:], o.body[size:]
		// A lacing value under 255 ends the packet (RFC 3533, section 6).
		if size < 255 {
			return o.packet, nil
		}
	}
}

// turn reads the next page of our stream.
func (o *oggReader) turn() error {
	for {
		o.page = append(o.page[:0], make([]byte, oggHeaderLen)...)
		if _, err := io.ReadFull(o.in, o.page); err != nil {
			return err
		}
		if !bytes.Equal(o.page[:5], []byte("OggS\x00")) {
			return ErrOgg
		}
		segments := int(o.page[26])
		if err := o.read(segments); err != nil {
			return err
		}
		size := 0
		for _, s := range o.page[oggHeaderLen:] {
			size += int(s)
		}
		if err := o.read(size); err != nil {
			return err
		}
		told := binary.LittleEndian.Uint32(o.page[oggChecksum:])
		if told != oggCRC(o.page) {
			return fmt.Errorf("%w: a page's checksum is wrong", ErrOgg)
		}
		serial := binary.LittleEndian.Uint32(o.page[14:])
		if !o.started {
			o.serial, o.started = serial, true
		}
		if serial == o.serial { // another one is multiplexed or chained
			o.segments, o.body = o.page[oggHeaderLen:oggHeaderLen+segments], o.page[oggHeaderLen+segments:]
			return nil
		}
	}
}

// read reads more of a page.
func (o *oggReader) read(size int) error {
	from := len(o.page)
	o.page = append(o.page, make([]byte, size)...)
	_, err := io.ReadFull(o.in, o.page[from:])
	return midPage(err)
}

func midPage(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// NoLevel stands in the place of a level that is not known.
const NoLevel = noLevel

// PlayOgg sends an Ogg Opus stream (RFC 7845) at the speed it is meant to be heard and
// returns nil at its end. It stops early with the context's error, the reader's, that of
// the call when it ends, ErrOgg, ErrFrame when the stream does not hold Opus, or ErrChannels
// when it is neither mono nor stereo. Of several logical streams the first is played.
func (c *Call) PlayOgg(ctx context.Context, r io.Reader) error {
	ogg, err := NewOggOpus(r)
	if err != nil {
		return fmt.Errorf("play: %w", err)
	}
	return c.Play(ctx, func() ([]byte, int, error) {
		frame, err := ogg.Next()
		return frame, NoLevel, err
	})
}

// Play sends the Opus packets that next returns, each with its level as in WriteOpusLevel or NoLevel, at the speed they are meant to be heard, and
// returns nil when the error of next is io.EOF. It waits for media to flow first. next may take its time: what follows is sent from
// then on. Play stops early with the context's error, that of the call when it ends, next's, or ErrFrame.
func (c *Call) Play(ctx context.Context, next func() (frame []byte, level int, err error)) error {
	if err := c.WaitConnected(ctx); err != nil {
		return err
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for due := time.Now(); ; {
		frame, level, err := next()
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("play: %w", err)
		}
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		case <-c.over:
			return c.Err()
		}
		length := OpusDuration(frame)
		if err := c.writeOpus(frame, length, level); err != nil {
			return fmt.Errorf("play: %w", err)
		}
		// The schedule is absolute, so that late wake-ups do not add up.
		// After a real stall they are given up rather than sent in a burst.
		due = due.Add(length)
		if now := time.Now(); now.Sub(due) > talkspurtGap {
			due = now
		}
		timer.Reset(time.Until(due))
	}
}
