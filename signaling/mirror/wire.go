package mirror

import (
	"encoding/json"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu"
)

// kind is what an item says.
type kind string

const (
	kindSession kind = "session" // a user's session began, or is of another rank
	kindGone    kind = "gone"    // it ended
	kindMember  kind = "member"  // somebody is in a channel, or is otherwise than before
	kindLeft    kind = "left"    // they are out of it
	kindSpeak   kind = "speak"   // these speak in a channel
	kindTell    kind = "tell"    // something to be passed on to people
	kindListen  kind = "listen"  // somebody listens in to a channel
	kindQuit    kind = "quit"    // they do no more
)

// message is one change, or with KindHead only what the last one's number was.
type message struct {
	// N numbers a node's changes from 1.
	N uint64 `json:"n"`
	// Item is the change; nil: there was none since N.
	Item *item `json:"i,omitempty"`
}

// item is what a node says of its own people. Which fields count depends on Kind.
type item struct {
	Kind     kind     `json:"k"`
	Channel  string   `json:"c,omitempty"`
	User     string   `json:"u,omitempty"`
	Name     string   `json:"name,omitempty"`
	Rank     uint64   `json:"r,omitempty"`
	Cause    int      `json:"why,omitempty"`
	GoesOn   bool     `json:"on,omitempty"` // at another node
	By       string   `json:"by,omitempty"`
	Member   *member  `json:"m,omitempty"`
	Speakers []talker `json:"s,omitempty"`
	Tell     *Telling `json:"tell,omitempty"`
}

// Telling is something that a node has the others pass on to their people, in order with what it says else.
type Telling struct {
	// Channel is whose members are told; empty: everybody.
	Channel string `json:"c,omitempty"`
	// Except is a user who is not told, and Only, if there are any, are all who are.
	Except string   `json:"except,omitempty"`
	Only   []string `json:"only,omitempty"`
	// Op and Data are a frame of the protocol.
	Op   int             `json:"op"`
	Data json.RawMessage `json:"d"`
}

type member struct {
	Name       string `json:"name"`
	SelfMute   bool   `json:"mute,omitempty"`
	SelfDeaf   bool   `json:"deaf,omitempty"`
	Muted      bool   `json:"muted,omitempty"`
	Suppressed bool   `json:"suppressed,omitempty"`
	Talker     bool   `json:"talker,omitempty"`
	Unstable   bool   `json:"unstable,omitempty"`
	MediaLost  bool   `json:"lost,omitempty"`
	HandAt     int64  `json:"hand,omitempty"` // milliseconds since 1970
	Role       string `json:"role,omitempty"`
	Mic        string `json:"mic,omitempty"`
	Sound      string `json:"sound,omitempty"`
	KeepsFloor bool   `json:"floor,omitempty"`
}

type talker struct {
	User  string `json:"u"`
	Level uint8  `json:"l"`
}

// snapshot is a part of all that a node has to say, which is true after its change N; or it asks for that.
type snapshot struct {
	// Ask: there is nothing else.
	Ask   bool   `json:"ask,omitempty"`
	N     uint64 `json:"n"`
	Part  int    `json:"part"` // from 0
	Of    int    `json:"of"`
	Items []item `json:"items,omitempty"`
}

func wireMember(m sfu.MemberInfo) *member {
	wire := &member{
		Name: m.Name, SelfMute: m.SelfMute, SelfDeaf: m.SelfDeaf, Muted: m.Muted, Suppressed: m.Suppressed, Talker: m.Talker,
		Unstable: m.Unstable, MediaLost: m.MediaLost, Role: m.Role, Mic: m.Devices.Mic, Sound: m.Devices.Sound,
		KeepsFloor: m.KeepsFloor,
	}
	if !m.HandAt.IsZero() {
		wire.HandAt = m.HandAt.UnixMilli()
	}
	return wire
}

func (m *member) info(userID string) sfu.MemberInfo {
	info := sfu.MemberInfo{
		UserID: userID, Name: m.Name, SelfMute: m.SelfMute, SelfDeaf: m.SelfDeaf, Muted: m.Muted, Suppressed: m.Suppressed,
		Talker: m.Talker, Unstable: m.Unstable, MediaLost: m.MediaLost, Role: m.Role, Devices: sfu.Devices{Mic: m.Mic, Sound: m.Sound},
		KeepsFloor: m.KeepsFloor,
	}
	if m.HandAt != 0 {
		info.HandAt = time.UnixMilli(m.HandAt).UTC() // times that say the same must be equal
	}
	return info
}

func wireSpeakers(speakers []sfu.SpeakerInfo) []talker {
	wire := make([]talker, len(speakers))
	for i, s := range speakers {
		wire[i] = talker{s.UserID, s.Level}
	}
	return wire
}

func speakersOf(wire []talker) []sfu.SpeakerInfo {
	speakers := make([]sfu.SpeakerInfo, len(wire))
	for i, s := range wire {
		speakers[i] = sfu.SpeakerInfo{UserID: s.User, Level: s.Level}
	}
	return speakers
}

// encode is for what is made of numbers, texts and what was checked to be JSON.
func encode(v any) []byte {
	data, _ := json.Marshal(v)
	return data
}
