package peer

import (
	"context"
	"time"

	"github.com/pion/rtcp"

	"github.com/mini-livechat/mini-livechat/sfu/repair"
	"github.com/mini-livechat/mini-livechat/sfu/wire"
)

const (
	// defaultReportInterval is how often a client that talks or hears is sent a report
	// (RFC 3550, section 6.2). A report costs as much as ten forwarded packets.
	defaultReportInterval = 5 * time.Second
	// reportShares is into how many turns an interval is cut, so that the reports of a
	// thousand clients do not leave at once.
	reportShares = 20
)

// runReports sends every peer its reports until ctx is done, a share of them a turn.
func (f *Factory) runReports(ctx context.Context) {
	out := f.engine.NewBatch()
	ticker := time.NewTicker(f.cfg.ReportInterval / reportShares)
	defer ticker.Stop()
	for turn := uint64(0); ; turn++ {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			for _, p := range f.share(turn % reportShares) {
				p.report(out, now)
			}
			out.Flush()
		}
	}
}

func (f *Factory) share(turn uint64) []*Peer {
	f.mu.Lock()
	defer f.mu.Unlock()
	var peers []*Peer
	for _, p := range f.peers {
		if p.id%reportShares == turn {
			peers = append(peers, p)
		}
	}
	return peers
}

// report sends the client what there is to report, and looks whether it misbehaves.
func (p *Peer) report(out *wire.Batch, now time.Time) {
	if p.endpoint.Refused() > 0 {
		// More SSRCs than any microphone has: the next sweep takes it out.
		p.dead.Store(true)
		return
	}
	packets := p.reports(now)
	if len(packets) == 0 {
		return
	}
	raw, err := rtcp.Marshal(packets)
	if err != nil {
		return // they are ours
	}
	// Before the connection is up there is nothing to report; after it is down nobody to
	// tell.
	_ = p.endpoint.WriteRTCP(out, raw)
}

// reports returns sender reports for the slots that sent something since the last call
// and a receiver report for the microphone if something of it came; a client with
// neither costs nothing.
func (p *Peer) reports(now time.Time) []rtcp.Packet {
	var packets []rtcp.Packet
	for i := range p.slots {
		slot := &p.slots[i]
		stats := slot.Stats()
		if stats.Packets == p.reported[i] {
			continue
		}
		p.reported[i] = stats.Packets
		elapsed := now.Sub(stats.LastTime)
		packets = append(packets, &rtcp.SenderReport{
			SSRC:    slot.ssrc,
			NTPTime: repair.NTP(now),
			// The slot's clock, extrapolated from its last packet to now.
			RTPTime:     stats.LastTimestamp + uint32(elapsed.Seconds()*opusClockRate),
			PacketCount: uint32(stats.Packets), //nolint:gosec // wraps, RFC 3550 section 6.4.1
			OctetCount:  uint32(stats.Octets),  //nolint:gosec // wraps likewise
		})
	}
	if received, ok := p.source.Reception(); ok {
		block := rtcp.ReceptionReport{
			SSRC: received.SSRC, FractionLost: received.FractionLost, TotalLost: received.TotalLost,
			LastSequenceNumber: received.HighestSequenceNumber, Jitter: received.Jitter,
		}
		block.LastSenderReport, block.Delay = p.network.received(&received, now)
		packets = append(packets, &rtcp.ReceiverReport{SSRC: p.reporter(), Reports: []rtcp.ReceptionReport{block}})
	}
	return packets
}

// reporter is the SSRC the server reports under: its first slot's, or 1 for a client that
// only talks, which is what WebRTC endpoints do that send nothing.
func (p *Peer) reporter() uint32 {
	if len(p.slots) > 0 {
		return p.slots[0].ssrc
	}
	return 1
}
