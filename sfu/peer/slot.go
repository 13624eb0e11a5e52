package peer

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/mini-livechat/mini-livechat/sfu/forward"
)

// errUnbound: a packet reached a slot whose connection is not up; the slot should have
// been closed.
var errUnbound = errors.New("slot is not bound to a connection")

// Slot is one line on which the client hears: its mid and the stream forwarded on it.
type Slot struct {
	*forward.Slot

	// MID is the a=mid of the recvonly line.
	MID string
}

// slotTrack puts the packets of one forward.Slot on a pion sender. pion binds it when
// the connection is up.
type slotTrack struct {
	id     string
	writer atomic.Pointer[webrtc.TrackLocalWriter]

	// header is scratch for WriteRTP, which one goroutine at a time calls.
	header rtp.Header
}

// WriteRTP implements forward.Writer.
func (t *slotTrack) WriteRTP(header, payload []byte) error {
	w := t.writer.Load()
	if w == nil {
		return errUnbound
	}
	if _, err := t.header.Unmarshal(header); err != nil {
		return fmt.Errorf("slot header: %w", err)
	}
	if _, err := (*w).WriteRTP(&t.header, payload); err != nil {
		return fmt.Errorf("slot write: %w", err)
	}
	return nil
}

// Bind implements webrtc.TrackLocal.
func (t *slotTrack) Bind(ctx webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	codecs := ctx.CodecParameters()
	if len(codecs) == 0 {
		return webrtc.RTPCodecParameters{}, webrtc.ErrUnsupportedCodec
	}
	w := ctx.WriteStream()
	t.writer.Store(&w)
	return codecs[0], nil
}

// Unbind implements webrtc.TrackLocal.
func (t *slotTrack) Unbind(webrtc.TrackLocalContext) error {
	t.writer.Store(nil)
	return nil
}

// ID implements webrtc.TrackLocal; it becomes part of a=msid.
func (t *slotTrack) ID() string { return t.id }

// RID implements webrtc.TrackLocal: there is no simulcast.
func (t *slotTrack) RID() string { return "" }

// StreamID implements webrtc.TrackLocal; it becomes part of a=msid. Every slot is a
// stream of its own, so that a browser does not hold one back for another's sake.
func (t *slotTrack) StreamID() string { return t.id }

// Kind implements webrtc.TrackLocal.
func (t *slotTrack) Kind() webrtc.RTPCodecType { return webrtc.RTPCodecTypeAudio }
