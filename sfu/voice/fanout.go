package voice

import (
	"sync"

	"github.com/mini-livechat/mini-livechat/sfu/forward"
	"github.com/mini-livechat/mini-livechat/sfu/wire"
)

// maxPacket is the largest payload copied for a large fan-out, in bytes: an Ethernet
// frame's; a larger one grows its buffer once.
const maxPacket = 1500

// fanOut sends a prepared packet to its slots.
func (in *In) fanOut(out *wire.Batch, fanout *forward.Fanout, payload []byte) {
	if in.deferred.Load() == 0 && fanout.Len() <= min(out.Budget(), wire.JobShare) {
		fanout.Send(out, payload)
		return
	}
	// Too many for the loop to be held, or packets before this one wait: the lanes take a share each.
	for part, from := in.packet.SSRC, 0; from < fanout.Len(); part, from = part+1, from+wire.JobShare {
		out.Defer(part, in.newFanoutJob(fanout.Part(from, min(from+wire.JobShare, fanout.Len())), payload))
	}
}

// fanoutJob is a share of a large fan-out, with a copy of the payload and its redundancy.
// It implements wire.Job.
type fanoutJob struct {
	in         *In
	fanout     forward.Fanout
	payload    []byte
	redundancy forward.Redundancy
}

//nolint:gochecknoglobals // a pool is of use only when shared
var fanoutJobs = sync.Pool{New: func() any { return &fanoutJob{payload: make([]byte, 0, maxPacket)} }}

func (in *In) newFanoutJob(fanout forward.Fanout, payload []byte) *fanoutJob {
	job, ok := fanoutJobs.Get().(*fanoutJob)
	if !ok {
		job = &fanoutJob{}
	}
	in.deferred.Add(1)
	job.in, job.fanout, job.payload = in, fanout, append(job.payload[:0], payload...)
	job.fanout.Keep(&job.redundancy)
	return job
}

// Step implements wire.Job. A job that has ended is dropped, also by a panic, so that the
// talker's next packets do not wait for it.
func (j *fanoutJob) Step(out *wire.Batch, n int) (more bool) {
	defer func() {
		if !more {
			j.Drop()
		}
	}()
	n = min(n, j.fanout.Len())
	now := j.fanout.Part(0, n)
	now.Send(out, j.payload)
	j.fanout = j.fanout.Part(n, j.fanout.Len())
	return j.fanout.Len() > 0
}

// Drop implements wire.Job.
func (j *fanoutJob) Drop() {
	j.in.deferred.Add(-1)
	j.in, j.fanout = nil, forward.Fanout{}
	fanoutJobs.Put(j)
}
