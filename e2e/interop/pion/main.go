// Command pion is a client of PROTOCOL.md made of pion's WebRTC as it is: it joins, sends Opus packets, and prints how many
// packets come on each slot. With "listen" behind the name it has no microphone.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"
)

func main() {
	if err := run(os.Args[1], os.Args[2], len(os.Args) == 3); err != nil {
		log.Fatal(err)
	}
}

func say(words ...any) { _, _ = fmt.Fprintln(os.Stdout, words...) }

//nolint:gocognit,funlen // from top to bottom, as an example is read
func run(base, name string, talks bool) error {
	body, err := json.Marshal(map[string]string{"name": name})
	if err != nil {
		return err
	}
	reply, err := http.Post(base+"/api/guest", "application/json", bytes.NewReader(body)) //nolint:noctx,gosec // the server under test
	if err != nil {
		return err
	}
	defer reply.Body.Close() //nolint:errcheck // read to its end
	var guest struct {
		Token  string `json:"token"`
		UserID string `json:"user_id"`
	}
	if err = json.NewDecoder(reply.Body).Decode(&guest); err != nil {
		return err
	}
	ws, hello, err := websocket.DefaultDialer.Dial(strings.Replace(base, "http", "ws", 1)+"/ws", nil)
	if err != nil {
		return err
	}
	_ = hello.Body.Close()
	ask := func(op int, id string, d any) error {
		return ws.WriteJSON(map[string]any{"op": op, "id": id, "d": d})
	}
	if err = ask(3, "i", map[string]any{"token": guest.Token, "v": 1}); err != nil {
		return err
	}
	say("ready", guest.UserID)

	pc, err := webrtc.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return err
	}
	microphone, err := webrtc.NewTrackLocalStaticSample(
		webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}, "audio", name)
	if err != nil {
		return err
	}
	if talks {
		if _, err = pc.AddTransceiverFromTrack(microphone,
			webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly}); err != nil {
			return err
		}
	}
	var heard [2]atomic.Int64
	for range heard {
		if _, err = pc.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio,
			webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
			return err
		}
	}
	var slots atomic.Int32
	pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		slot := &heard[slots.Add(1)-1]
		for {
			if _, _, readErr := track.ReadRTP(); readErr != nil {
				return
			}
			slot.Add(1)
		}
	})
	offer, err := pc.CreateOffer(nil)
	if err != nil {
		return err
	}
	if err = pc.SetLocalDescription(offer); err != nil {
		return err
	}
	if err = ask(11, "j", map[string]any{"channel_id": "lobby", "sdp_offer": offer.SDP}); err != nil {
		return err
	}
	var frame struct {
		ID string `json:"id"`
		Op int    `json:"op"`
		D  struct {
			Reason string `json:"reason"`
			Data   struct {
				Answer string `json:"sdp_answer"`
			} `json:"data"`
		} `json:"d"`
	}
	for frame.ID != "j" {
		if err = ws.ReadJSON(&frame); err != nil {
			return err
		}
	}
	if frame.Op != 200 {
		return fmt.Errorf("refused: %s", frame.D.Reason) //nolint:err113 // for a person
	}
	answer := webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: frame.D.Data.Answer}
	if err = pc.SetRemoteDescription(answer); err != nil {
		return err
	}
	say("joined")
	const frameLength = 20 * time.Millisecond
	for i := 0; ; i++ {
		silence := media.Sample{Data: []byte{0xf8, 0xff, 0xfe}, Duration: frameLength}
		if talks {
			if err = microphone.WriteSample(silence); err != nil {
				return err
			}
		}
		if i%10 == 0 {
			say("heard", heard[0].Load(), heard[1].Load())
		}
		time.Sleep(frameLength)
	}
}
