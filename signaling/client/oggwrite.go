package client

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

const (
	// opusPreSkip is how many samples at 48 kHz a decoder throws away at the beginning (RFC 7845, section 4.2): by how much libopus, which
	// nearly everybody encodes with, delays the sound.
	opusPreSkip = 312
	// oggPageSamples is after how much sound a page is written, in samples at 48 kHz.
	oggPageSamples = 48000
	// maxOggSegments is how many lacing values a page has at most.
	maxOggSegments = 255
)

// Flags of a page (RFC 3533, section 6).
const (
	oggFirst = 2
	oggLast  = 4
)

// OggOpusWriter writes an Ogg Opus file (RFC 7845), a page for every second of sound, each by one Write: so the file is sound whenever
// the writing stops. It knows the time by what its packets hold, so gaps are the caller's to fill (section 4.1). It is not safe for concurrent use.
type OggOpusWriter struct {
	out      io.Writer
	serial   uint32
	sequence uint32
	written  int64 // samples, in all packets
	paged    int64 // samples, in packets on pages that are written
	lacing   []byte
	body     []byte
	page     []byte // reused
	err      error
}

// NewOggOpusWriter writes the headers: 1 or 2 channels, and comments of the form "TITLE=Ada" (section 5.2).
func NewOggOpusWriter(out io.Writer, serial uint32, channels int, comments ...string) (*OggOpusWriter, error) {
	w := &OggOpusWriter{out: out, serial: serial}
	head := append([]byte("OpusHead"), 1, byte(channels)) //nolint:gosec // 1 or 2
	head = binary.LittleEndian.AppendUint16(head, opusPreSkip)
	head = binary.LittleEndian.AppendUint32(head, 48000)
	head = append(head, 0, 0, 0) // no gain, mapping family 0
	w.add(head)
	if err := w.flush(oggFirst); err != nil {
		return nil, err
	}
	tags := []byte("OpusTags")
	for i, text := range append([]string{"livechat"}, comments...) {
		tags = binary.LittleEndian.AppendUint32(tags, uint32(len(text))) //nolint:gosec // short
		tags = append(tags, text...)
		if i == 0 {
			tags = binary.LittleEndian.AppendUint32(tags, uint32(len(comments))) //nolint:gosec // few
		}
	}
	w.add(tags)
	return w, w.flush(0)
}

// Written returns how much sound the packets hold that were written so far.
func (w *OggOpusWriter) Written() time.Duration {
	return time.Duration(w.written) * time.Second / 48000
}

// WriteOpus adds a packet. After an error of out, every call returns that error.
func (w *OggOpusWriter) WriteOpus(packet []byte) error {
	length := OpusDuration(packet)
	if length <= 0 {
		return fmt.Errorf("%w: %d bytes", ErrFrame, len(packet))
	}
	// Here and not behind the packet, so that there is always one for the last page.
	if w.written-w.paged >= oggPageSamples || len(w.lacing)+len(packet)/255+1 > maxOggSegments {
		if err := w.flush(0); err != nil {
			return err
		}
	}
	w.add(packet)
	w.written += int64(rtpTicks(length))
	return w.err
}

// Close writes the last page.
func (w *OggOpusWriter) Close() error {
	err := w.flush(oggLast)
	if err == nil {
		w.err = errors.New("closed already")
	}
	return err
}

func (w *OggOpusWriter) add(packet []byte) {
	for size := len(packet); ; size -= 255 {
		w.lacing = append(w.lacing, byte(min(size, 255))) //nolint:gosec // as it says
		if size < 255 {
			break
		}
	}
	w.body = append(w.body, packet...)
}

// flush writes a page of what was added.
func (w *OggOpusWriter) flush(flags byte) error {
	if w.err != nil {
		return w.err
	}
	page := w.page[:0]
	page = append(page, 'O', 'g', 'g', 'S', 0, flags)
	page = binary.LittleEndian.AppendUint64(page, uint64(w.written)) //nolint:gosec // never negative
	page = binary.LittleEndian.AppendUint32(page, w.serial)
	page = binary.LittleEndian.AppendUint32(page, w.sequence)
	page = append(page, 0, 0, 0, 0, byte(len(w.lacing))) //nolint:gosec // at most maxOggSegments
	page = append(append(page, w.lacing...), w.body...)
	binary.LittleEndian.PutUint32(page[oggChecksum:], oggCRC(page))
	w.page, w.lacing, w.body = page, w.lacing[:0], w.body[:0]
	w.sequence++
	w.paged = w.written
	_, w.err = w.out.Write(page)
	return w.err
}

// oggCRC is a page's checksum, as if the field for it held zeros: polynomial 0x04c11db7, the highest bit first, nothing inverted.
func oggCRC(page []byte) uint32 {
	crc := uint32(0)
	for i, b := range page {
		if i >= oggChecksum && i < oggChecksum+4 {
			b = 0
		}
		crc ^= uint32(b) << 24
		for range 8 {
			crc = crc<<1 ^ 0x04c11db7&-(crc>>31)
		}
	}
	return crc
}
