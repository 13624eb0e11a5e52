package forward

import (
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/rtp"
)

// Forward is Prepare and Send at one go, as the loop does with a small fan-out.
func (s *Source) Forward(p *rtp.Packet, now time.Time) {
	if fanout, ok := s.Prepare(p, now); ok {
		fanout.Send(nil, p.Payload)
	}
}
