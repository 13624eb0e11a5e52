package peer

import (
	"sync"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/forward"
	"github.com/mini-livechat/mini-livechat/sfu/wire"
)

// ssrcTakeover is how long a microphone's SSRC must be silent before another one of the
// same client may take its place, as after a change of the encoder. A client that sends
// two at once is heard on the first.
const ssrcTakeover = time.Second

// microphone is what the loop that receives a client's packets keeps of them. Its calls
// never overlap (wire.Receiver), so it needs no lock.
type microphone struct {
	packet  forward.Packet
	ssrc    uint32
	heardAt time.Time
}

// OnRTP implements wire.Receiver: it runs on the loop of the socket, for each packet that
// authenticated.
func (p *Peer) OnRTP(out *wire.Batch, _ *wire.Endpoint, packet []byte, at time.Time) {
	m := &p.microphone
	if p.mic == nil || m.packet.Unmarshal(packet) != nil || m.packet.PayloadType != p.mic.opus {
		p.dropped.Add(1)
		return
	}
	if m.packet.SSRC != m.ssrc {
		if m.ssrc != 0 && at.Sub(m.heardAt) < ssrcTakeover {
			p.dropped.Add(1)
			return
		}
		m.ssrc = m.packet.SSRC
		p.ssrc.Store(m.ssrc)
	}
	m.heardAt = at
	fanout, ok := p.source.Prepare(&m.packet, at)
	if !ok {
		return
	}
	if fanout.Len() <= min(out.Budget(), wire.JobShare) {
		fanout.Send(out, m.packet.Payload)
		return
	}
	// Too many for the loop to be held: the lanes take a share each.
	for part, from := m.ssrc, 0; from < fanout.Len(); part, from = part+1, from+wire.JobShare {
		out.Defer(part, newFanoutJob(fanout.Part(from, min(from+wire.JobShare, fanout.Len())), m.packet.Payload))
	}
}

// fanoutJob is a share of a large fan-out, with a copy of the payload. It implements
// wire.Job.
type fanoutJob struct {
	fanout  forward.Fanout
	payload []byte
}

//nolint:gochecknoglobals // a pool is of use only when shared
var fanoutJobs = sync.Pool{New: func() any { return &fanoutJob{payload: make([]byte, 0, maxPacket)} }}

func newFanoutJob(fanout forward.Fanout, payload []byte) *fanoutJob {
	job, ok := fanoutJobs.Get().(*fanoutJob)
	if !ok {
		job = &fanoutJob{}
	}
	job.fanout, job.payload = fanout, append(job.payload[:0], payload...)
	return job
}

// Step implements wire.Job.
func (j *fanoutJob) Step(out *wire.Batch, n int) bool {
	n = min(n, j.fanout.Len())
	now := j.fanout.Part(0, n)
	now.Send(out, j.payload)
	j.fanout = j.fanout.Part(n, j.fanout.Len())
	if j.fanout.Len() > 0 {
		return true
	}
	j.Drop()
	return false
}

// Drop implements wire.Job.
func (j *fanoutJob) Drop() {
	j.fanout = forward.Fanout{}
	fanoutJobs.Put(j)
}
