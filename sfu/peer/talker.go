package peer

import (
	"sync/atomic"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/voice"
	"github.com/mini-livechat/mini-livechat/sfu/wire"
)

// talker is the half of a Peer that comes in: the client's microphone.
type talker struct {
	voice.In

	mic *line // what was negotiated; nil for one who only listens
	// noMicrophone is Drops.NoMicrophone.
	noMicrophone atomic.Uint64
}

// open readies the talker of a connection that is answered at now. first, if not nil, is called with the first packet.
func (t *talker) open(mic *line, endpoint *wire.Endpoint, reporter uint32, now time.Time, first func(at time.Time)) {
	var format voice.Format
	if t.mic = mic; mic != nil {
		format = voice.Format{Opus: mic.opus, RED: mic.red, NACK: mic.nack, LevelID: mic.levelExtension.id}
	}
	t.Open(format, endpoint, reporter, now, first)
}

// receive takes one packet that authenticated.
func (t *talker) receive(out *wire.Batch, raw []byte, at time.Time) {
	if t.mic == nil {
		t.noMicrophone.Add(1)
		return
	}
	t.Receive(out, raw, at)
}
