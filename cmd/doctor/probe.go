package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/pion/ice/v4"
	"github.com/pion/logging"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// maxAddrs is how many addresses of the server are checked. It may not have us send to ever
// so many others.
const maxAddrs = 16

// remote is the server's end of a probe: what a check of it needs.
type remote struct {
	ufrag, pwd string
	addrs      []netip.AddrPort // where it can be reached, as the server says
}

var errAnswer = errors.New("the server's SDP answer has no candidate that can be used")

// probe asks the server for a media connection that belongs to no channel.
func probe(ctx context.Context, c *client.Client, offer string) (answer string, r remote, err error) {
	var probed protocol.MediaProbed
	if err = c.Request(ctx, protocol.OpMediaProbe, protocol.MediaProbe{SDPOffer: offer}, &probed); err != nil {
		return "", remote{}, fmt.Errorf("ask for a media connection: %w", err)
	}
	r, err = readAnswer(probed.SDPAnswer)
	return probed.SDPAnswer, r, err
}

// readAnswer takes from an SDP answer what a check of the server's end needs.
func readAnswer(answer string) (remote, error) {
	var desc sdp.SessionDescription
	if err := desc.UnmarshalString(answer); err != nil {
		return remote{}, fmt.Errorf("read the SDP answer: %w", err)
	}
	var r remote
	for _, media := range desc.MediaDescriptions {
		for _, a := range media.Attributes {
			switch a.Key {
			case "ice-ufrag":
				r.ufrag = a.Value
			case "ice-pwd":
				r.pwd = a.Value
			case "candidate":
				candidate, err := ice.UnmarshalCandidate(a.Value)
				if err != nil {
					continue
				}
				if addr, err := netip.ParseAddr(candidate.Address()); err == nil && len(r.addrs) < maxAddrs {
					r.addrs = append(r.addrs, netip.AddrPortFrom(addr.Unmap(), uint16(candidate.Port()))) //nolint:gosec // it is one
				}
			}
		}
	}
	if r.ufrag == "" || r.pwd == "" || len(r.addrs) == 0 {
		return remote{}, errAnswer
	}
	return r, nil
}

// peer is our end of a media connection.
type peer struct {
	*webrtc.PeerConnection

	offer     string
	ice       chan struct{} // closed when ICE has a path
	connected chan struct{} // closed when DTLS is through as well
}

// newPeer makes our end, with the direct ways only. Close it with GracefulClose.
func newPeer() (*peer, error) {
	var s webrtc.SettingEngine
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	s.SetIncludeLoopbackCandidate(true)
	s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6})
	s.DisableActiveTCP(true)
	s.LoggerFactory = silence()
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(s)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return nil, fmt.Errorf("make a media connection: %w", err)
	}
	p := &peer{PeerConnection: pc, ice: make(chan struct{}), connected: make(chan struct{})}
	if err := p.prepare(); err != nil {
		return nil, errors.Join(fmt.Errorf("make a media connection: %w", err), pc.GracefulClose())
	}
	return p, nil
}

func (p *peer) prepare() error {
	p.OnICEConnectionStateChange(closeAt(p.ice, webrtc.ICEConnectionStateConnected))
	p.OnConnectionStateChange(closeAt(p.connected, webrtc.PeerConnectionStateConnected))
	_, err := p.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio,
		webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
	if err != nil {
		return err
	}
	offer, err := p.CreateOffer(nil)
	if err != nil {
		return err
	}
	p.offer = offer.SDP
	return p.SetLocalDescription(offer)
}

// accept takes the server's answer; what is connected from then on shows in the channels.
func (p *peer) accept(answer string) error {
	err := p.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer})
	if err != nil {
		return fmt.Errorf("apply the SDP answer: %w", err)
	}
	return nil
}

// closeAt returns a listener that closes ch the first time the state is reached.
func closeAt[S comparable](ch chan struct{}, state S) func(S) {
	done := false
	return func(s S) {
		if s == state && !done {
			done = true
			close(ch)
		}
	}
}

// silence makes pion's loggers say nothing: what they would say is in the report.
func silence() logging.LoggerFactory {
	quiet := logging.NewDefaultLoggerFactory()
	quiet.DefaultLogLevel = logging.LogLevelDisabled
	return quiet
}

// joinAddrs lists addresses for a person.
func joinAddrs(addrs []netip.AddrPort) string {
	list := make([]string, len(addrs))
	for i, a := range addrs {
		list[i] = a.Addr().String()
	}
	return strings.Join(list, ", ")
}

// joinPorts lists the ports of addresses, of which there is more than one only where NAT
// changes it.
func joinPorts(addrs []netip.AddrPort) string {
	var list []string
	for _, a := range addrs {
		if port := strconv.Itoa(int(a.Port())); !slices.Contains(list, port) {
			list = append(list, port)
		}
	}
	return strings.Join(list, " and ")
}
