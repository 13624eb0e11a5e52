package forward

import (
	"sync"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/repair"
	"github.com/mini-livechat/mini-livechat/sfu/rtp"
)

// reception keeps the statistics of one talker's stream. The lock is contended only
// when a report is made.
type reception struct {
	mu       sync.Mutex
	arrivals repair.Arrivals // guarded by mu
}

// observe counts one packet that arrived at now.
func (r *reception) observe(p *rtp.Packet, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.arrivals.Observe(p.SSRC, p.SequenceNumber, p.Timestamp, now)
}

// report sums up what was received since the last report.
func (r *reception) report() (report repair.Reception, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.arrivals.Report()
}
