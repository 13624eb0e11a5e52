package peer

import (
	"errors"

	"github.com/mini-livechat/mini-livechat/sfu/forward"
	"github.com/mini-livechat/mini-livechat/sfu/wire"
)

// errNoBatch: a slot was written to by a transport that is not the wire.
var errNoBatch = errors.New("slot written to without a wire.Batch")

// Slot is one line on which the client hears: its mid and the stream forwarded on it.
type Slot struct {
	*forward.Slot

	// MID is the a=mid of the recvonly line.
	MID string

	ssrc uint32
	nack bool // the client may ask for packets again
}

// slotWriter puts the packets of one forward.Slot on the wire.
type slotWriter struct{ sender *wire.Sender }

// WriteRTP implements forward.Writer.
func (w slotWriter) WriteRTP(out forward.Batch, header, payload []byte) error {
	batch, ok := out.(*wire.Batch)
	if !ok {
		return errNoBatch
	}
	return w.sender.WriteRTP(batch, header, payload)
}
