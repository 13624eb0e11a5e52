package peer

import (
	"sync/atomic"

	"github.com/pion/webrtc/v4"
)

// micTrack is a track whose packets leave as they are, SSRC and all.
type micTrack struct {
	writer atomic.Pointer[webrtc.TrackLocalWriter]
}

func (t *micTrack) Bind(ctx webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	w := ctx.WriteStream()
	t.writer.Store(&w)
	return ctx.CodecParameters()[0], nil
}

func (t *micTrack) Unbind(webrtc.TrackLocalContext) error {
	t.writer.Store(nil)
	return nil
}

func (*micTrack) ID() string                { return "mic" }
func (*micTrack) RID() string               { return "" }
func (*micTrack) StreamID() string          { return "mic" }
func (*micTrack) Kind() webrtc.RTPCodecType { return webrtc.RTPCodecTypeAudio }

// testParameters are those that a test's client offers for Opus.
const testParameters = "minptime=10;useinbandfec=1;usedtx=1"
