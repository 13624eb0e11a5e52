package peer

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/forward"
	"github.com/mini-livechat/mini-livechat/sfu/repair"
	"github.com/mini-livechat/mini-livechat/sfu/speaker"
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
	red     repair.RED
	ssrc    uint32
	heardAt time.Time
	wanted  []uint16 // numbers to ask for, reused
	nack    []byte   // the packet that does, reused
}

// OnRTP implements wire.Receiver: it runs on the loop of the socket, for each packet that
// authenticated.
func (p *Peer) OnRTP(out *wire.Batch, _ *wire.Endpoint, packet []byte, at time.Time) {
	m := &p.microphone
	if p.mic == nil {
		p.drops.noMicrophone.Add(1)
		return
	}
	if m.packet.Unmarshal(packet) != nil {
		p.drops.malformed.Add(1)
		return
	}
	if reason := p.open(); reason != nil {
		reason.Add(1)
		return
	}
	if m.packet.SSRC != m.ssrc {
		if m.ssrc != 0 && at.Sub(m.heardAt) < ssrcTakeover {
			p.drops.secondSSRC.Add(1)
			return
		}
		m.ssrc = m.packet.SSRC
		p.ssrc.Store(m.ssrc)
	}
	m.heardAt = at
	p.measure(at)
	p.recover(out, at)
	if fanout, ok := p.source.Prepare(&m.packet, at); ok {
		p.fanOut(out, &fanout, m.packet.Payload)
	}
	if p.mic.nack {
		p.ask(out, at)
	}
}

// open looks whether the packet is of a payload type that was negotiated, and takes it out
// of its redundancy, which stays in microphone.red. If it cannot, it returns the counter of
// the reason.
func (p *Peer) open() *atomic.Uint64 {
	m := &p.microphone
	m.red.Reset()
	if m.packet.PayloadType == p.mic.opus {
		return nil
	}
	if p.mic.red == 0 || m.packet.PayloadType != p.mic.red {
		return &p.drops.payloadType
	}
	if m.red.Unmarshal(m.packet.Payload) != nil {
		return &p.drops.malformed
	}
	primary := m.red.Primary()
	if primary.PayloadType != p.mic.opus {
		return &p.drops.payloadType
	}
	m.packet.Payload = primary.Data
	return nil
}

// measure takes the audio level of the packet in hand, or guesses it.
func (p *Peer) measure(at time.Time) {
	packet := &p.microphone.packet
	level, ok := speaker.ParseLevel(packet.Extension(p.levelID))
	if !ok {
		level = speaker.GuessLevel(len(packet.Payload))
	}
	if p.meter.Observe(level, at) {
		if began := p.onSpeech.Load(); began != nil {
			(*began)()
		}
	}
}

// recover hears out of the packet's redundancy what the network lost.
func (p *Peer) recover(out *wire.Batch, at time.Time) {
	m := &p.microphone
	for i := range m.red.Redundant() {
		lost, ok := p.source.Lost(&m.packet, &m.red, i, p.mic.opus)
		if !ok {
			continue
		}
		if fanout, ok := p.source.Recover(&lost, at); ok {
			p.fanOut(out, &fanout, lost.Payload)
		}
	}
}

// ask asks the client for what is still missing (RFC 4585, section 6.2.1).
func (p *Peer) ask(out *wire.Batch, at time.Time) {
	m := &p.microphone
	if m.wanted = p.source.Requests(at, m.wanted[:0]); len(m.wanted) == 0 {
		return
	}
	m.nack = repair.AppendNACK(m.nack[:0], p.reporter(), m.ssrc, m.wanted)
	// What cannot leave now is asked for again.
	_ = p.endpoint.WriteRTCP(out, m.nack)
}

// fanOut sends a prepared packet to its slots.
func (p *Peer) fanOut(out *wire.Batch, fanout *forward.Fanout, payload []byte) {
	if p.deferred.Load() == 0 && fanout.Len() <= min(out.Budget(), wire.JobShare) {
		fanout.Send(out, payload)
		return
	}
	// Too many for the loop to be held, or packets before this one wait: the lanes take a share each.
	for part, from := p.microphone.ssrc, 0; from < fanout.Len(); part, from = part+1, from+wire.JobShare {
		out.Defer(part, p.newFanoutJob(fanout.Part(from, min(from+wire.JobShare, fanout.Len())), payload))
	}
}

// fanoutJob is a share of a large fan-out, with a copy of the payload and its redundancy.
// It implements wire.Job.
type fanoutJob struct {
	talker     *Peer
	fanout     forward.Fanout
	payload    []byte
	redundancy forward.Redundancy
}

//nolint:gochecknoglobals // a pool is of use only when shared
var fanoutJobs = sync.Pool{New: func() any { return &fanoutJob{payload: make([]byte, 0, maxPacket)} }}

func (p *Peer) newFanoutJob(fanout forward.Fanout, payload []byte) *fanoutJob {
	job, ok := fanoutJobs.Get().(*fanoutJob)
	if !ok {
		job = &fanoutJob{}
	}
	p.deferred.Add(1)
	job.talker, job.fanout, job.payload = p, fanout, append(job.payload[:0], payload...)
	job.fanout.Keep(&job.redundancy)
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
	j.talker.deferred.Add(-1)
	j.talker, j.fanout = nil, forward.Fanout{}
	fanoutJobs.Put(j)
}
