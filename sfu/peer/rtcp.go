package peer

import (
	"context"
	"runtime/debug"
	"time"

	"github.com/pion/rtcp"

	"github.com/mini-livechat/mini-livechat/sfu/pulse"
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
	ticker := pulse.NewTicker(f.cfg.ReportInterval / reportShares)
	defer ticker.Stop()
	for turn := uint64(0); ; turn++ {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			for _, p := range f.share(turn % reportShares) {
				f.report(p, out, now)
			}
			out.Flush()
		}
	}
}

// report has a peer report. A panic in it ends that peer and nothing else.
func (f *Factory) report(p *Peer, out *wire.Batch, now time.Time) {
	defer func() {
		if value := recover(); value != nil {
			f.panicked(value, debug.Stack())
			p.end(ErrPanic)
		}
	}()
	p.report(out, now)
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
		p.end(ErrTooManyStreams)
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

// reports returns sender reports for the slots that sent something since the last call,
// and a receiver report for the microphone if something of it came.
func (p *Peer) reports(now time.Time) []rtcp.Packet {
	packets := p.listener.senderReports(nil, now)
	if received, ok := p.talker.Source().Reception(); ok {
		block := rtcp.ReceptionReport{
			SSRC: received.SSRC, FractionLost: received.FractionLost, TotalLost: received.TotalLost,
			LastSequenceNumber: received.HighestSequenceNumber, Jitter: received.Jitter,
		}
		block.LastSenderReport, block.Delay = p.network.received(&received, now)
		packets = append(packets, &rtcp.ReceiverReport{SSRC: p.listener.reporter(), Reports: []rtcp.ReceptionReport{block}})
	}
	return packets
}

// OnRTCP implements wire.Receiver: it runs on the loop of the socket, for each compound
// packet that authenticated. What it says of the network concerns both halves of the peer.
func (p *Peer) OnRTCP(out *wire.Batch, _ *wire.Endpoint, raw []byte, now time.Time) {
	compound, err := repair.ParseRTCP(raw)
	if err != nil {
		p.badRTCP.Add(1)
		return
	}
	for feedback := range compound.Packets() {
		if feedback.Kind == repair.KindNACK {
			p.listener.resend(out, &feedback, now)
			continue
		}
		if ssrc, _ := p.talker.SSRC(); feedback.FromSender && feedback.Sender == ssrc {
			p.network.sent(feedback.NTP, now)
		}
		p.listener.heard(&feedback, now, &p.network)
		p.talker.Source().SetRTT(p.network.rtt())
	}
}
