package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"

	"github.com/pion/interceptor"
	"github.com/pion/webrtc/v4"
)

// The reference: an SFU as pion's own examples show it. One UDP port for everybody, the
// default codecs and interceptors, one TrackLocalStaticRTP for each talker, which is added
// to the connection of everyone who hears them, and one goroutine for each talker that
// reads a packet and writes it to the track. Only what costs it something for nothing is
// left out: multicast DNS, small socket buffers, negotiating again for every newcomer.

type reference struct {
	api *webrtc.API

	mu     sync.Mutex
	tracks map[int]*webrtc.TrackLocalStaticRTP // by talker; guarded by mu
}

// referencePlan names the talkers.
type referencePlan struct {
	Talkers []int `json:"talkers"`
}

// referenceJoin is somebody's offer: who it is, if they talk, and whom they hear.
type referenceJoin struct {
	Member int    `json:"member"`
	Talks  bool   `json:"talks"`
	Hears  []int  `json:"hears"`
	Offer  string `json:"offer"`
}

func newReference() (*reference, error) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, fmt.Errorf("reference: %w", err)
	}
	_, _ = conn.SetReadBuffer(socketBufferBytes), conn.SetWriteBuffer(socketBufferBytes)
	media, interceptors := &webrtc.MediaEngine{}, &interceptor.Registry{}
	if err := errors.Join(media.RegisterDefaultCodecs(), webrtc.RegisterDefaultInterceptors(media, interceptors)); err != nil {
		return nil, fmt.Errorf("reference: %w", err)
	}
	settings := webrtc.SettingEngine{}
	settings.SetICEUDPMux(webrtc.NewICEUDPMux(nil, conn))
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	withoutMulticast(&settings)
	// The load generator knows the keys of connections of which it is the DTLS client.
	if err := settings.SetAnsweringDTLSRole(webrtc.DTLSRoleServer); err != nil {
		return nil, fmt.Errorf("reference: %w", err)
	}
	return &reference{
		api: webrtc.NewAPI(webrtc.WithMediaEngine(media), webrtc.WithInterceptorRegistry(interceptors),
			webrtc.WithSettingEngine(settings)),
		tracks: make(map[int]*webrtc.TrackLocalStaticRTP),
	}, nil
}

// plan makes the tracks, so that whoever comes first can hear who comes last.
func (r *reference) plan(argument json.RawMessage) (any, error) {
	var p referencePlan
	if err := json.Unmarshal(argument, &p); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, talker := range p.Talkers {
		track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{
			MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2,
		}, "audio", fmt.Sprintf("talker-%d", talker))
		if err != nil {
			return nil, err
		}
		r.tracks[talker] = track
	}
	return true, nil
}

// join answers an offer.
func (r *reference) join(argument json.RawMessage) (any, error) {
	var j referenceJoin
	if err := json.Unmarshal(argument, &j); err != nil {
		return nil, err
	}
	pc, err := r.api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	own := r.tracks[j.Member]
	heard := make([]webrtc.TrackLocal, len(j.Hears))
	for i, talker := range j.Hears {
		heard[i] = r.tracks[talker]
	}
	r.mu.Unlock()

	for _, track := range heard {
		line, addErr := pc.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
		if addErr != nil {
			return nil, addErr
		}
		go readReports(line.Sender())
	}
	pc.OnTrack(func(remote *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
		go readReports(receiver)
		forward(remote, own)
	})
	gathered := webrtc.GatheringCompletePromise(pc)
	if err = pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: j.Offer}); err != nil {
		return nil, err
	}
	answer, err := pc.CreateAnswer(nil)
	if err != nil {
		return nil, err
	}
	if err := pc.SetLocalDescription(answer); err != nil {
		return nil, err
	}
	<-gathered
	return pc.LocalDescription().SDP, nil
}

// forward is the SFU.
func forward(from *webrtc.TrackRemote, to *webrtc.TrackLocalStaticRTP) {
	buf := make([]byte, bufferBytes)
	for {
		n, _, err := from.Read(buf)
		if err != nil {
			return
		}
		_, _ = to.Write(buf[:n]) // who cannot be sent to has left
	}
}

// reports is the RTCP side of a sender or receiver.
type reports interface {
	Read(b []byte) (int, interceptor.Attributes, error)
}

// readReports reads the RTCP of one stream, without which the interceptors do not see it.
func readReports(from reports) {
	buf := make([]byte, bufferBytes)
	for {
		if _, _, err := from.Read(buf); err != nil {
			return
		}
	}
}
