package sfu

import (
	"context"
	"math"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/forward"
	"github.com/mini-livechat/mini-livechat/sfu/peer"
	"github.com/mini-livechat/mini-livechat/sfu/speaker"
)

// Conn is what this package needs of a connection; *peer.Peer is one.
type Conn interface {
	// ID is unique among the connections of the process.
	ID() uint64
	// Answer is the SDP answer to the client's offer.
	Answer() string
	// Talker reports whether the client offered a microphone.
	Talker() bool
	// Source is what the client says, Slots what it hears.
	Source() *forward.Source
	Slots() []peer.Slot
	// Meter measures the microphone. OnSpeech sets what is called each time somebody
	// begins to speak into it; that must neither block nor call back.
	Meter() *speaker.Meter
	OnSpeech(began func())
	// SSRC is the microphone's; ok is false until it was heard.
	SSRC() (ssrc uint32, ok bool)
	// LastSeen is when the media path last gave a sign of life. Ask asks the client for one, and
	// does not wait.
	LastSeen() time.Time
	Ask()
	// RemoteAddr is the ICE-selected address; not valid before there is one.
	RemoteAddr() netip.AddrPort
	// Stats is what was counted of the media, and what is known of the client's network.
	Stats() peer.Stats
	// Renegotiate answers another offer of the same connection; at are the addresses at which
	// the client reaches the media port now. Its errors wrap ErrBadSDP, ErrUnsupportedMedia,
	// ErrNegotiating or ErrEnded.
	Renegotiate(offer string, now time.Time, at ...netip.AddrPort) (answer string, err error)
	// OnEnd sets what is called, at most once, when the connection ends by itself: on a
	// goroutine that holds no lock and may block; soon, if it ended already; not after Close.
	// The error is peer.ErrGoodbye when the client ended it.
	OnEnd(ended func(err error))
	Close() error
}

// Answer makes a connection for a client's SDP offer; at are the addresses at which the
// client reaches the media port. Its errors wrap ErrBadSDP or
// ErrUnsupportedMedia; then nothing is left behind. It may be called from any goroutine.
type Answer func(ctx context.Context, offer string, at []netip.AddrPort) (Conn, error)

// AnswerWith returns the Answer of a media port.
func AnswerWith(f *peer.Factory) Answer {
	return func(_ context.Context, offer string, at []netip.AddrPort) (Conn, error) {
		p, err := f.Answer(offer, at...)
		if err != nil {
			return nil, err
		}
		return p, nil
	}
}

// MediaPeer is the media half of a member: it exists from CHANNEL_JOIN until the member
// is out of the channel.
type MediaPeer struct {
	Conn

	UserID    string
	ChannelID string
	member    *Member
	// lost: the members were told that nothing comes any more. Only the watch changes it.
	lost atomic.Bool
}

// leave takes the member out of its channel because of its media.
func (p *MediaPeer) leave(cause LeaveCause, err error) bool { return p.member.endMedia(cause, err) }

// MediaPeerHub knows every media peer, by connection and by channel, each in O(1). Safe for
// concurrent use.
type MediaPeerHub struct {
	journal Journal

	mu        sync.RWMutex // guards the maps
	byConn    map[uint64]*MediaPeer
	byChannel map[string]map[*MediaPeer]struct{}
}

// NewMediaPeerHub returns an empty hub.
func NewMediaPeerHub(journal Journal) *MediaPeerHub {
	return &MediaPeerHub{
		journal:   journal,
		byConn:    make(map[uint64]*MediaPeer),
		byChannel: make(map[string]map[*MediaPeer]struct{}),
	}
}

// Register adds p.
func (h *MediaPeerHub) Register(p *MediaPeer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.byConn[p.ID()] = p
	peers := h.byChannel[p.ChannelID]
	if peers == nil {
		peers = make(map[*MediaPeer]struct{})
		h.byChannel[p.ChannelID] = peers
	}
	peers[p] = struct{}{}
}

// Remove removes p and nothing else, and reports whether it was there.
func (h *MediaPeerHub) Remove(p *MediaPeer) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.byConn[p.ID()] != p {
		return false
	}
	delete(h.byConn, p.ID())
	peers := h.byChannel[p.ChannelID]
	delete(peers, p)
	if len(peers) == 0 {
		delete(h.byChannel, p.ChannelID)
	}
	return true
}

// ChannelPeers returns the media peers of a channel, in no particular order.
func (h *MediaPeerHub) ChannelPeers(channelID string) []*MediaPeer {
	h.mu.RLock()
	defer h.mu.RUnlock()
	peers := make([]*MediaPeer, 0, len(h.byChannel[channelID]))
	for p := range h.byChannel[channelID] {
		peers = append(peers, p)
	}
	return peers
}

// Len returns how many media peers there are.
func (h *MediaPeerHub) Len() int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return len(h.byConn)
}

// FindZombies returns the peers without a sign of life for longer than timeout.
func (h *MediaPeerHub) FindZombies(now time.Time, timeout time.Duration) []*MediaPeer {
	h.mu.RLock()
	defer h.mu.RUnlock()
	var zombies []*MediaPeer
	for _, p := range h.byConn {
		if h.silence(p, now) > timeout {
			zombies = append(zombies, p)
		}
	}
	return zombies
}

// silence is how long p has shown no sign of life. One that cannot be asked shows none.
func (h *MediaPeerHub) silence(p *MediaPeer, now time.Time) (d time.Duration) {
	d = math.MaxInt64
	defer contain(h.journal, "looking for a sign of life")
	return now.Sub(p.LastSeen())
}

// Reap takes the zombies out of their channels, telling the members, and returns how
// many it took.
func (h *MediaPeerHub) Reap(now time.Time, timeout time.Duration) int {
	reaped := 0
	for _, p := range h.FindZombies(now, timeout) {
		if p.leave(LeaveMediaTimeout, nil) {
			reaped++
		}
	}
	return reaped
}
