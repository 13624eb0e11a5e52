package client

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// media is the WebRTC connection that carries a call, until it fails or the server gives the
// call up. Another one takes its place then.
type media struct {
	call     *Call
	mic      *microphone // nil when only listening
	pc       *webrtc.PeerConnection
	receiver *receiver
	outbox   outbox
	vigil    vigil
	running  sync.WaitGroup // what writes RTCP and hastens

	negotiating sync.Mutex    // held during an ICE restart
	restarted   time.Time     // when the last one was agreed on; guarded by negotiating
	troubled    chan struct{} // has a token when nothing comes any more
	moved       atomic.Bool   // the path begins at an address that is gone; cleared by an ICE restart
	unheard     atomic.Bool   // nothing comes of this client, as the server says; cleared when it says otherwise

	answered  chan struct{} // closed when the answer has been applied
	connected chan struct{} // closed when packets flow
	ended     chan struct{} // closed when the PeerConnection failed or was closed
	gone      chan struct{} // closed when it is to be taken down
}

// newMedia makes a connection with the lines of the call: the microphone, then the slots.
func (c *Call) newMedia() (*media, error) { return c.mediaWith(c.mic.Load(), c.client.ICEServers()) }

func (c *Call) mediaWith(mic *microphone, servers []protocol.ICEServer) (*media, error) {
	engine, err := c.client.ownEngine()
	if err != nil {
		return nil, err
	}
	m := &media{
		call:      c,
		mic:       mic,
		receiver:  &receiver{onPacket: c.opts.OnPacket, mic: mic, now: time.Now, after: time.AfterFunc},
		outbox:    make(outbox, outboxLen),
		troubled:  make(chan struct{}, 1),
		answered:  make(chan struct{}),
		connected: make(chan struct{}),
		ended:     make(chan struct{}),
		gone:      make(chan struct{}),
	}
	if m.pc, err = engine.peerConnection(servers, m.gone, m.receiver.buffer); err != nil {
		return nil, err
	}
	m.watch()
	m.running.Go(func() { m.outbox.run(m.gone, m.pc.WriteRTCP) })
	m.running.Go(func() {
		select {
		case <-m.answered:
			m.hasten(m.connected)
		case <-m.gone:
		}
	})
	if err = m.addLines(); err != nil {
		m.close()
		return nil, err
	}
	return m, nil
}

func (m *media) addLines() error {
	if m.mic != nil {
		if err := m.mic.attach(m.pc); err != nil {
			return err
		}
	}
	for range m.call.slots {
		_, err := m.pc.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio, webrtc.RTPTransceiverInit{
			Direction: webrtc.RTPTransceiverDirectionRecvonly,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// close takes the connection down and returns when its goroutines and sockets are gone.
func (m *media) close() {
	close(m.gone)
	m.negotiating.Lock() // an ICE restart that is under way notices
	defer m.negotiating.Unlock()
	if err := m.pc.GracefulClose(); err != nil {
		m.call.client.log.Debug("closing the media connection", "channel", m.call.ChannelID(), "error", err)
	}
	m.running.Wait()
	m.vigil.stop()
	m.receiver.close(m.call.slots)
}

// offer makes the SDP offer. Candidates are gathered in the background and not sent: the
// server learns the client's address from its connectivity checks.
func (m *media) offer() (string, error) {
	offer, err := m.pc.CreateOffer(nil)
	if err != nil {
		return "", err
	}
	if err = m.pc.SetLocalDescription(offer); err != nil {
		return "", err
	}
	next := 0
	for _, t := range m.pc.GetTransceivers() {
		if t.Direction() == webrtc.RTPTransceiverDirectionRecvonly {
			if slot := m.call.slots[next]; slot.mid == "" { // it is the same each time
				slot.mid = t.Mid()
			}
			next++
		}
	}
	return offer.SDP, nil
}

// answer applies the server's answer, after which packets may arrive.
func (m *media) answer(answer string) error {
	description := webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}
	parsed, err := description.Unmarshal()
	if err != nil {
		return fmt.Errorf("%w: answer: %w", ErrProtocol, err)
	}
	r := m.receiver
	r.bySSRC, r.byMID, r.lines = make(map[uint32]*Slot), make(map[string]*Slot), make(map[*Slot]line)
	for _, s := range m.call.slots {
		r.byMID[s.MID()] = s
	}
	for _, line := range parsed.MediaDescriptions {
		r.learn(line)
	}
	if !r.waits {
		r.begin()
	}
	r.reports.write = m.outbox.put
	if err := m.pc.SetRemoteDescription(description); err != nil {
		return err
	}
	close(m.answered)
	return nil
}

// learn takes from an answered line what its packets are known by.
func (r *receiver) learn(media *sdp.MediaDescription) {
	mid, _ := media.Attribute("mid")
	slot := r.byMID[mid]
	negotiated := line{}
	for _, a := range media.Attributes {
		number, rest, _ := strings.Cut(a.Value, " ")
		switch n, err := strconv.ParseUint(number, 10, 32); {
		case a.Key == "extmap" && err == nil && n <= math.MaxUint8 && rest == midURI:
			r.midID = uint8(n)
		case a.Key == "extmap" && err == nil && n <= math.MaxUint8 && rest == levelURI && slot == nil && r.mic != nil:
			r.mic.sendLevels(uint8(n))
		case slot == nil:
		case a.Key == "ssrc" && err == nil:
			r.bySSRC[uint32(n)] = slot
		case a.Key == "rtpmap" && err == nil && n <= math.MaxInt8 && strings.HasPrefix(strings.ToLower(rest), "red/"):
			negotiated.red = uint8(n)
		case a.Key == "rtcp-fb" && rest == "nack":
			negotiated.nack = true
		}
	}
	if slot != nil {
		r.lines[slot] = negotiated
	}
}

// Hastening: the first look for a working path comes hastenFirst after the answer, each
// further one after twice the time, until pion's own clock of 200 ms takes over.
const (
	hastenFirst = 2 * time.Millisecond
	hastenLast  = 128 * time.Millisecond
)

// hasten waits until connected is closed, or soon will be, and makes that sooner. pion's
// ICE agent nominates a path only at the next tick of its 200 ms clock after a check
// succeeded, which makes every join take that long. The agent also ticks when it learns
// a remote candidate, so it is told of some that lead nowhere: TCP ones, for which it has
// no local counterpart and sends nothing.
func (m *media) hasten(connected <-chan struct{}) {
	timer := time.NewTimer(hastenFirst)
	defer timer.Stop()
	for wait := hastenFirst; wait <= hastenLast; wait *= 2 {
		select {
		case <-timer.C:
		case <-connected:
			return
		case <-m.gone:
			return
		}
		timer.Reset(wait)
		// The port makes each one new to the agent.
		candidate := fmt.Sprintf("candidate:1 1 tcp 1 127.0.0.1 %d typ host tcptype passive", wait.Milliseconds())
		_ = m.pc.AddICECandidate(webrtc.ICECandidateInit{Candidate: candidate})
	}
}

// watch follows the state of the PeerConnection.
func (m *media) watch() {
	var up, down sync.Once
	m.pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		switch state {
		case webrtc.PeerConnectionStateConnected:
			up.Do(func() {
				close(m.connected)
				m.call.up.Do(func() { close(m.call.connected) })
			})
			m.receiver.trouble.Store(false)
		case webrtc.PeerConnectionStateDisconnected:
			m.complain()
		case webrtc.PeerConnectionStateFailed, webrtc.PeerConnectionStateClosed:
			down.Do(func() { close(m.ended) })
		default:
		}
	})
	// Packets do not come this way, but pion complains about a missing handler.
	m.pc.OnTrack(func(*webrtc.TrackRemote, *webrtc.RTPReceiver) {})
}

// complain has another path looked for, until something comes again. It does not wait.
func (m *media) complain() {
	if m.call.client.opts.NoReconnect {
		return
	}
	m.receiver.trouble.Store(true)
	select {
	case m.troubled <- struct{}{}:
	default:
	}
}

const (
	// mediaGrace is how long after the WebRTC connection ended the WebSocket may take to say
	// why, before the call ends, or joins again.
	mediaGrace = 2 * time.Second
	// rejoinTimeout is how long one try to join again may take until there is an answer.
	rejoinTimeout = 20 * time.Second
)

// run sees to it that media carries the call, one connection after the other, until the end
// of the call.
func (c *Call) run(m *media) {
	defer c.client.wg.Done()
	defer func() {
		<-c.over // no grant begins any more
		c.dropNext()
		c.floor.pinging.Wait()
		close(c.torn)
	}()
	for m != nil {
		err := c.follow(m)
		if next := c.next.Swap(nil); next != nil {
			m.receiver.close(c.slots)
			next.receiver.begin()
			m.close()
			m = next
			continue
		}
		m.close()
		if c.Err() != nil {
			return
		}
		c.present.Store(false) // what is told of the channel now is not told to a member
		c.floor.lose(err, true)
		m = c.rejoin(err)
	}
}

// follow returns when m carries the call no more, and why.
func (c *Call) follow(m *media) error {
	for up := true; up; {
		select {
		case <-c.over:
			return c.Err()
		case err := <-c.lost:
			return err
		case <-m.troubled:
			if err := m.findWay(); err != nil {
				return err
			}
		case <-m.ended:
			up = false
		}
	}
	grace := time.NewTimer(mediaGrace)
	defer grace.Stop()
	select {
	case <-c.over:
		return c.Err()
	case err := <-c.lost:
		return err
	case <-grace.C:
	}
	c.client.tellLeave(c.ChannelID())
	if c.client.opts.NoReconnect {
		c.end(ErrMediaLost)
	}
	return ErrMediaLost
}

// lose has the call join again. It does not wait.
func (c *Call) lose(err error) {
	c.floor.lose(err, true)
	c.wake(err)
}

// wake has who looks after the media know that it carries the call no more.
func (c *Call) wake(err error) {
	select {
	case c.lost <- err:
	default:
	}
}

// rejoin joins until media flows again, and returns what carries it; nil when the call has
// ended meanwhile.
func (c *Call) rejoin(cause error) *media {
	log := c.client.log.With("channel", c.ChannelID())
	log.Info("joining again", "error", cause)
	for try := 0; ; try++ {
		m, err := c.rejoinOnce()
		if err == nil {
			return m
		}
		log.Debug("not joined yet", "error", err, "tries", try+1)
		if refused, ok := errors.AsType[*protocol.Error](err); ok {
			switch refused.Code {
			case protocol.CodeAlreadyInChannel: // the place that was lost is not given up yet
				c.client.tellLeave(c.ChannelID())
			case protocol.CodeRateLimited, protocol.CodeDraining, protocol.CodeChannelFull, protocol.CodeInternal:
			default:
				c.end(err)
				return nil
			}
		}
		timer := time.NewTimer(pause(try, time.Hour, 0))
		select {
		case <-c.over:
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

func (c *Call) rejoinOnce() (*media, error) {
	select { // what was lost meanwhile is what is being mended
	case <-c.lost:
	default:
	}
	m, err := c.newMedia()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), rejoinTimeout)
	defer cancel()
	go func() {
		select {
		case <-c.over:
			cancel()
		case <-ctx.Done():
		}
	}()
	if err := c.negotiate(ctx, m); err != nil {
		m.close()
		return nil, err
	}
	c.media.Store(m)
	c.listenAgain()
	return m, nil
}
