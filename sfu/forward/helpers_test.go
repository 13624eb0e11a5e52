package forward

import "time"

// Forward is Prepare and Send at one go, as the loop does with a small fan-out.
func (s *Source) Forward(p *Packet, now time.Time) {
	if fanout, ok := s.Prepare(p, now); ok {
		fanout.Send(nil, p.Payload)
	}
}
