package peer

import (
	"context"
	"sync"
	"time"

	"github.com/pion/rtcp"

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

// lastReport is what a receiver report has to say of the last sender report (RFC 3550,
// section 6.4.1): the middle of its NTP timestamp, and when it came.
type lastReport struct {
	mu  sync.Mutex // guards the fields below
	ntp uint32
	at  time.Time
}

// OnRTCP implements wire.Receiver: it runs on the loop of the socket, for each compound
// packet that authenticated.
func (p *Peer) OnRTCP(_ *wire.Batch, _ *wire.Endpoint, raw []byte, now time.Time) {
	packets, err := rtcp.Unmarshal(raw)
	if err != nil {
		p.dropped.Add(1)
		return
	}
	for _, packet := range packets {
		report, ok := packet.(*rtcp.SenderReport)
		if !ok || report.SSRC != p.ssrc.Load() {
			continue
		}
		p.heard.mu.Lock()
		p.heard.ntp, p.heard.at = uint32(report.NTPTime>>16), now //nolint:gosec // the middle 32 bits are meant
		p.heard.mu.Unlock()
	}
}

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
			NTPTime: ntpTime(now),
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
		p.heard.mu.Lock()
		if !p.heard.at.IsZero() {
			block.LastSenderReport = p.heard.ntp
			block.Delay = uint32(now.Sub(p.heard.at).Seconds() * 65536) // in 1/65536 s
		}
		p.heard.mu.Unlock()
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

// ntpTime is a moment in the 64-bit format of RFC 3550, section 4: seconds since 1900 and
// their fraction.
func ntpTime(t time.Time) uint64 {
	const since1900 = 2_208_988_800
	seconds := uint64(t.Unix() + since1900)                  //nolint:gosec // after 1900
	fraction := uint64(t.Nanosecond()) << 32 / 1_000_000_000 //nolint:gosec // not negative
	return seconds<<32 | fraction
}
