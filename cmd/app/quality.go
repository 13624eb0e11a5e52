package app

import (
	"context"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/forward"
	"github.com/mini-livechat/mini-livechat/sfu/peer"
	"github.com/mini-livechat/mini-livechat/sfu/quality"
)

// runQuality estimates once a minute how good each connection was in it.
func (a *App) runQuality(ctx context.Context) {
	ticker := time.NewTicker(minuteOfQuality)
	defer ticker.Stop()
	var minutes minutes
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			minutes.look(a.media.Networks, func(up bool, mos float64) { a.metrics.mos.of(up).Observe(mos) })
		}
	}
}

// minutes is what was counted of each connection up to the last look. One goroutine uses it.
type minutes struct{ before map[uint64]minute }

type minute struct {
	network peer.Network
	voice   forward.SourceStats
}

// look tells how good each connection was since the last look, in the directions in which it carried voice and reports came of it.
func (m *minutes) look(networks func(func(uint64, peer.Network, forward.SourceStats)), score func(up bool, mos float64)) {
	now := make(map[uint64]minute)
	networks(func(id uint64, network peer.Network, voice forward.SourceStats) {
		is, was := minute{network, voice}, m.before[id]
		now[id] = is
		if sent := network.SentDown - was.network.SentDown; sent > 0 {
			loss := float64(network.LostDown-was.network.LostDown) / float64(sent)
			score(false, quality.MOS(quality.Rating(quality.Conditions{
				RTT: network.RTT, Jitter: network.JitterDown, Loss: quality.Unrepaired(loss, network.Redundancy),
			})))
		}
		if reports := network.UpReports - was.network.UpReports; reports > 0 && voice.Packets > was.voice.Packets {
			arrivals := quality.Arrivals{
				Loss:     (network.UpLosses - was.network.UpLosses) / float64(reports),
				Passed:   voice.Packets - was.voice.Packets,
				Repaired: voice.Recovered + voice.Restored - was.voice.Recovered - was.voice.Restored,
			}
			score(true, quality.MOS(quality.Rating(quality.Conditions{RTT: network.RTT, Jitter: network.JitterUp, Loss: arrivals.Residual()})))
		}
	})
	m.before = now
}
