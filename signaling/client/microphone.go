package client

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/mini-livechat/mini-livechat/sfu/repair"
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
	// lossPeriod is over how many packets the server's NACKs are summed up.
	lossPeriod = 50
)

// microphone makes RTP packets of Opus frames, with redundancy when the answer took it, and
// sends them again when the server asks. It is the webrtc.TrackLocal of its line, since
// pion's own tracks know one payload type only.
type microphone struct {
	userID string
	ssrc   atomic.Uint32 // another one on each connection

	mu      sync.Mutex
	writer  webrtc.TrackLocalWriter // nil while not bound; guarded by mu
	opus    uint8                   // payload types; red is 0 for none; guarded by mu
	red     uint8
	header  rtp.Header    // of the last packet sent, reused for the next; guarded by mu
	levelID uint8         // of the header extension, 0: not negotiated; guarded by mu
	level   [1]byte       // what the extension in headers points to; guarded by mu
	started bool          // guarded by mu
	sentAt  time.Time     // when the last one was sent; guarded by mu
	length  time.Duration // how much sound was in the last one; guarded by mu

	// Guarded by mu: packets sent, the newest at (count-1)%ResendWindow, and how much of
	// them the network loses.
	count   uint64
	octets  uint64
	sent    [repair.ResendWindow]sentPacket
	payload []byte // a RED payload, reused
	resends repair.Resends
	depth   repair.Depth
	asked   int // different packets the server wanted again in this lossPeriod
}

// sentPacket is a packet that may be asked for again.
type sentPacket struct {
	header rtp.Header
	level  byte   // in the header's extension, if it has one
	frame  []byte // the Opus packet alone, reused
	blocks int    // redundant blocks it was sent with
}

// attach makes it the microphone of a connection. What was sent on the one before is
// forgotten, since nobody there can ask for it any more.
func (m *microphone) attach(pc *webrtc.PeerConnection) error {
	transceiver, err := pc.AddTransceiverFromTrack(m, webrtc.RTPTransceiverInit{
		Direction: webrtc.RTPTransceiverDirectionSendonly,
	})
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if encodings := transceiver.Sender().GetParameters().Encodings; len(encodings) > 0 {
		m.ssrc.Store(uint32(encodings[0].SSRC))
	}
	m.header = rtp.Header{Version: 2, SSRC: m.ssrc.Load()}
	// RFC 3711, section 3.3.1: the first sequence number stays below 2^15, or the
	// rollover counters of the two ends may come to differ.
	m.header.SequenceNumber = uint16(rand.N(1 << 15)) //nolint:gosec // not a secret
	m.header.Timestamp = rand.Uint32()                //nolint:gosec // not a secret
	m.levelID, m.red, m.started, m.count, m.octets, m.asked = 0, 0, false, 0, 0, 0
	m.resends = repair.Resends{}
	return nil
}

// Bind implements webrtc.TrackLocal: the answer is applied.
func (m *microphone) Bind(ctx webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var opus webrtc.RTPCodecParameters
	for _, codec := range ctx.CodecParameters() {
		switch {
		case strings.EqualFold(codec.MimeType, webrtc.MimeTypeOpus):
			opus = codec
		case strings.EqualFold(codec.MimeType, redMIME):
			m.red = uint8(codec.PayloadType)
		}
	}
	if opus.MimeType == "" {
		return opus, webrtc.ErrUnsupportedCodec
	}
	m.opus, m.writer = uint8(opus.PayloadType), ctx.WriteStream()
	return opus, nil
}

// Unbind implements webrtc.TrackLocal.
func (m *microphone) Unbind(webrtc.TrackLocalContext) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.writer = nil
	return nil
}

// ID implements webrtc.TrackLocal.
func (*microphone) ID() string { return "microphone" }

// RID implements webrtc.TrackLocal.
func (*microphone) RID() string { return "" }

// StreamID implements webrtc.TrackLocal.
func (m *microphone) StreamID() string { return m.userID }

// Kind implements webrtc.TrackLocal.
func (*microphone) Kind() webrtc.RTPCodecType { return webrtc.RTPCodecTypeAudio }

// sendLevels has audio levels sent in the header extension with this id.
func (m *microphone) sendLevels(id uint8) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.header.SetExtension(id, m.level[:]) == nil {
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
	m.header.Extension = m.levelID != 0 && level != noLevel
	if m.header.Extension {
		m.level[0] = byte(level) //nolint:gosec // 0 to maxLevel
	}
	m.header.Marker = !m.started
	if m.started {
		m.header.SequenceNumber++
		step := m.length
		if pause := now.Sub(m.sentAt); pause > step+talkspurtGap {
			step = pause
			m.header.Marker = true
		}
		m.header.Timestamp += rtpTicks(step)
	}
	m.started, m.sentAt, m.length = true, now, length
	return m.send(frame)
}

// send sends a frame under m.header. Caller holds mu.
func (m *microphone) send(frame []byte) error {
	index := m.count
	m.count++
	m.octets += uint64(len(frame))
	if index%lossPeriod == lossPeriod-1 {
		// What the server recovered by itself it did not ask for, so that this only ever
		// tells of more loss than its reports did.
		if loss := float64(m.asked) / lossPeriod; loss > m.depth.Loss() {
			m.depth.Report(loss)
		}
		m.asked = 0
	}
	p := &m.sent[index%repair.ResendWindow]
	p.header, p.level, p.frame = m.header, m.level[0], append(p.frame[:0], frame...)
	p.blocks = 0
	if m.red != 0 {
		p.blocks = m.redundant(index, m.depth.Blocks())
	}
	return m.transmit(index)
}

// redundant returns how many frames before the one with this index can go with it, at most
// limit. Caller holds mu.
func (m *microphone) redundant(index uint64, limit int) int {
	p := m.at(index)
	limit = min(limit, int(min(index, repair.MaxDepth)))
	room := repair.SpaceBeside(len(p.frame))
	for n := range limit {
		before := m.at(index - uint64(n) - 1)
		if !room.Take(len(before.frame), int64(p.header.Timestamp-before.header.Timestamp)) {
			return n
		}
	}
	return limit
}

// transmit makes the packet with this index and sends it, always the same one. Caller
// holds mu.
func (m *microphone) transmit(index uint64) error {
	if m.writer == nil {
		return nil // the line is not up yet, or no longer
	}
	p := m.at(index)
	m.level[0] = p.level
	p.header.PayloadType = m.opus
	payload := p.frame
	if p.blocks > 0 {
		var blocks [repair.MaxDepth + 1]repair.Block
		for i := range p.blocks {
			before := m.at(index - uint64(p.blocks-i)) //nolint:gosec // not negative
			blocks[i] = repair.Block{
				Data: before.frame, PayloadType: m.opus,
				Offset: uint16(p.header.Timestamp - before.header.Timestamp), //nolint:gosec // redundant has checked it
			}
		}
		blocks[p.blocks] = repair.Block{Data: p.frame, PayloadType: m.opus}
		m.payload = repair.AppendRED(m.payload[:0], blocks[:p.blocks+1]...)
		p.header.PayloadType, payload = m.red, m.payload
	}
	_, err := m.writer.WriteRTP(&p.header, payload)
	return err
}

func (m *microphone) at(index uint64) *sentPacket { return &m.sent[index%repair.ResendWindow] }

// resend sends the packet with this number once more, if it is among the newest and was not
// sent too often.
func (m *microphone) resend(seq uint16, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	age := uint64(m.header.SequenceNumber - seq)
	if age >= m.count || age >= repair.ResendWindow-repair.MaxDepth { // with what it carries
		return
	}
	index := m.count - 1 - age
	first, ok := m.resends.Allow(int64(index), now) //nolint:gosec // not as many
	if first {
		m.asked++
	}
	if ok {
		_ = m.transmit(index) // a packet that the socket does not take is a lost one
	}
}

// reported takes what the server reports of the packets it got.
func (m *microphone) reported(loss float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.depth.Report(loss)
}

// totals is what a sender report tells (RFC 3550, section 6.4.1); ok is false when nothing
// was sent yet. timestamp is what the clock of the stream shows at now.
func (m *microphone) totals(now time.Time) (packets, octets, timestamp uint32, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	since := min(max(now.Sub(m.sentAt), 0), time.Hour)
	return uint32(m.count), uint32(m.octets), m.header.Timestamp + rtpTicks(since), m.started //nolint:gosec // they wrap
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
// The errors are ErrNoMicrophone, ErrNotConnected before media flowed for the first time,
// ErrFrame and the call's own after its end, and what the socket says when it refuses the
// packet. No error does not mean heard: while a call joins again, frames are lost.
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
	mic := c.mic.Load()
	if mic == nil {
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
	return mic.write(time.Now(), frame, length, level)
}

// SSRC returns the RTP source identifier of the microphone, which others see as
// PacketInfo.CSRC, or 0 without one. After the call joined again it is another.
func (c *Call) SSRC() uint32 {
	mic := c.mic.Load()
	if mic == nil {
		return 0
	}
	return mic.ssrc.Load()
}
