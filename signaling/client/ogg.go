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

// maxOggPacketBytes bounds one Ogg packet. Opus packets are far smaller; the comment
// header, which may carry cover art, is skipped and not kept beyond this.
const maxOggPacketBytes = 64 << 10

// oggReader splits an Ogg stream (RFC 3533) into its packets. A page may hold many
// packets, as the usual encoders write them, and a packet may span pages.
type oggReader struct {
	in       *bufio.Reader
	serial   uint32
	started  bool
	segments []byte // lacing values of the current page not yet read
	packet   []byte // reused; what next returned last
	oversize bool   // the current packet outgrew maxOggPacketBytes
}

func newOggReader(r io.Reader) *oggReader {
	return &oggReader{in: bufio.NewReader(r)}
}

// next returns the next packet of the first logical stream, valid until the next call.
// io.EOF ends the stream; a stream cut off inside a packet is io.ErrUnexpectedEOF.
func (o *oggReader) next() ([]byte, error) {
	o.packet, o.oversize = o.packet[:0], false
	for {
		if len(o.segments) == 0 {
			if err := o.page(); err != nil {
				if errors.Is(err, io.EOF) && len(o.packet) > 0 {
					err = io.ErrUnexpectedEOF
				}
				return nil, err
			}
			continue
		}
		size := int(o.segments[0])
		o.segments = o.segments[1:]
		if err := o.take(size); err != nil {
			return nil, err
		}
		// A lacing value under 255 ends the packet (RFC 3533, section 6).
		if size < 255 {
			return o.packet, nil
		}
	}
}

func (o *oggReader) take(size int) error {
	if len(o.packet)+size > maxOggPacketBytes {
		o.oversize = true
	}
	if o.oversize {
		_, err := o.in.Discard(size)
		return midPage(err)
	}
	from := len(o.packet)
	o.packet = append(o.packet, make([]byte, size)...)
	_, err := io.ReadFull(o.in, o.packet[from:])
	return midPage(err)
}

// page reads the header of the next page of our stream, leaving the reader at its body.
func (o *oggReader) page() error {
	var header [27]byte
	for {
		if _, err := io.ReadFull(o.in, header[:]); err != nil {
			return err
		}
		if !bytes.Equal(header[:5], []byte("OggS\x00")) {
			return ErrOgg
		}
		segments := make([]byte, header[26])
		if _, err := io.ReadFull(o.in, segments); err != nil {
			return midPage(err)
		}
		serial := binary.LittleEndian.Uint32(header[14:])
		if !o.started {
			o.serial, o.started = serial, true
		}
		if serial == o.serial {
			o.segments = segments
			return nil
		}
		// Another stream, multiplexed or chained: skip its body.
		body := 0
		for _, s := range segments {
			body += int(s)
		}
		if _, err := o.in.Discard(body); err != nil {
			return midPage(err)
		}
	}
}

func midPage(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// PlayOgg sends an Ogg Opus stream (RFC 7845) at the speed it is meant to be heard and
// returns nil at its end. It stops early with the context's error, the reader's, that of
// the call when it ends, or ErrFrame when the stream does not hold Opus. Of several
// logical streams the first is played.
func (c *Call) PlayOgg(ctx context.Context, r io.Reader) error {
	ogg := newOggReader(r)
	if head, err := ogg.next(); err != nil {
		return fmt.Errorf("play: %w", err)
	} else if !bytes.HasPrefix(head, []byte("OpusHead")) {
		return fmt.Errorf("play: %w: no OpusHead", ErrFrame)
	}
	if _, err := ogg.next(); err != nil { // OpusTags
		return fmt.Errorf("play: %w", err)
	}

	if err := c.WaitConnected(ctx); err != nil {
		return err
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for due := time.Now(); ; {
		frame, err := ogg.next()
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
		if err := c.WriteOpus(frame, length); err != nil {
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
