package client

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

const (
	// maxOpusFrameBytes is the largest Opus frame (RFC 6716, section 3.2.1). With RTP,
	// SRTP, UDP and IP around it, it still fits an Ethernet packet.
	maxOpusFrameBytes = 1275
	// talkspurtGap is how much later than expected a frame may be and still count as
	// the next one of the same talkspurt. It is larger than any scheduler's hiccup and
	// smaller than a pause someone would hear as one.
	talkspurtGap = 200 * time.Millisecond
	// maxLevel is silence (RFC 6464, section 3).
	maxLevel = 127
)

// microphone makes RTP packets of Opus frames.
type microphone struct {
	track *webrtc.TrackLocalStaticRTP
	ssrc  uint32

	mu      sync.Mutex
	packet  rtp.Packet    // the last one sent, reused for the next; guarded by mu
	levelID uint8         // of the header extension, 0: not negotiated; guarded by mu
	level   [1]byte       // what the extension in packet points to; guarded by mu
	started bool          // guarded by mu
	sentAt  time.Time     // when the last one was sent; guarded by mu
	length  time.Duration // how much sound was in the last one; guarded by mu
}

func newMicrophone(pc *webrtc.PeerConnection, userID string) (*microphone, error) {
	track, err := webrtc.NewTrackLocalStaticRTP(opusCodec(), "microphone", userID)
	if err != nil {
		return nil, err
	}
	transceiver, err := pc.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{
		Direction: webrtc.RTPTransceiverDirectionSendonly,
	})
	if err != nil {
		return nil, err
	}
	m := &microphone{track: track}
	if encodings := transceiver.Sender().GetParameters().Encodings; len(encodings) > 0 {
		m.ssrc = uint32(encodings[0].SSRC)
	}
	m.packet.Version = 2
	// RFC 3711, section 3.3.1: the first sequence number stays below 2^15, or the
	// rollover counters of the two ends may come to differ.
	m.packet.SequenceNumber = uint16(rand.N(1 << 15)) //nolint:gosec // not a secret
	m.packet.Timestamp = rand.Uint32()                //nolint:gosec // not a secret
	return m, nil
}

// sendLevels has audio levels sent in the header extension with this id.
func (m *microphone) sendLevels(id uint8) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.packet.SetExtension(id, m.level[:]) == nil {
		m.levelID = id
	}
}

// noLevel in place of a level: none is sent.
const noLevel = -1

// write sends one frame that holds length of sound as loud as level says. Timestamps go on from the frame
// before by what it held; after a pause they skip it and the marker says so (RFC 3551,
// section 4.1).
func (m *microphone) write(now time.Time, frame []byte, length time.Duration, level int) error {
	if length <= 0 {
		length = OpusDuration(frame)
	}
	if len(frame) == 0 || len(frame) > maxOpusFrameBytes || length <= 0 || length > maxOpusDuration {
		return fmt.Errorf("%w: %d bytes, %s", ErrFrame, len(frame), length)
	}
	if level > maxLevel {
		return fmt.Errorf("%w: level %d, want 0 to %d", ErrFrame, level, maxLevel)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.packet.Extension = m.levelID != 0 && level != noLevel
	if m.packet.Extension {
		m.level[0] = byte(level) //nolint:gosec // 0 to maxLevel
	}
	m.packet.Marker = !m.started
	if m.started {
		m.packet.SequenceNumber++
		step := m.length
		if pause := now.Sub(m.sentAt); pause > step+talkspurtGap {
			step = pause
			m.packet.Marker = true
		}
		m.packet.Timestamp += rtpTicks(step)
	}
	m.started, m.sentAt, m.length = true, now, length
	m.packet.Payload = frame
	err := m.track.WriteRTP(&m.packet)
	m.packet.Payload = nil
	return err
}

// rtpTicks converts a duration to ticks of the RTP clock, rounding down.
func rtpTicks(d time.Duration) uint32 {
	return uint32(d / time.Microsecond * opusClockRate / 1_000_000) //nolint:gosec // wraps as RTP timestamps do
}

// WriteOpus sends one Opus packet of at most 1275 bytes. length is how much sound it
// holds; 0 means to read it from the packet. Frames are sent at once: pacing is the
// caller's, see PlayOgg for one who does it. Returning to WriteOpus after a pause is
// fine, nothing needs to be sent in between.
//
// The server takes every frame for speech of an ordinary voice that is not too short to be
// any; see WriteOpusLevel to say how loud it is.
//
// The errors are ErrNoMicrophone, ErrNotConnected, ErrFrame and the call's own after its
// end, and what the socket says when it refuses the packet. No error does not mean heard.
func (c *Call) WriteOpus(frame []byte, length time.Duration) error {
	return c.writeOpus(frame, length, noLevel)
}

// WriteOpusLevel is WriteOpus for one who knows how loud the sound in the frame is: level
// is in -dBov, 0 the loudest and 127 silence (RFC 6464, section 3). By it the server tells
// who is speaking, and who is heard where there are more people than slots. A level out of
// range is an ErrFrame.
func (c *Call) WriteOpusLevel(frame []byte, length time.Duration, level int) error {
	if level < 0 {
		return fmt.Errorf("%w: level %d, want 0 to %d", ErrFrame, level, maxLevel)
	}
	return c.writeOpus(frame, length, level)
}

func (c *Call) writeOpus(frame []byte, length time.Duration, level int) error {
	if c.mic == nil {
		return ErrNoMicrophone
	}
	select {
	case <-c.over:
		return c.Err()
	default:
	}
	select {
	case <-c.connected:
	default:
		return ErrNotConnected
	}
	return c.mic.write(time.Now(), frame, length, level)
}

// SSRC returns the RTP source identifier of the microphone, which others see as
// PacketInfo.CSRC, or 0 without one.
func (c *Call) SSRC() uint32 {
	if c.mic == nil {
		return 0
	}
	return c.mic.ssrc
}
