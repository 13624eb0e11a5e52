package wire

import (
	"sync/atomic"
	"time"
)

// engineCounters count what belongs to no endpoint. They are added to once per batch or on rare paths.
type engineCounters struct {
	received, sent, sendCalls, reads   atomic.Int64
	sendFull, sendFailed, jobsDropped  atomic.Int64
	unknown, truncated, unbound        atomic.Int64
	stunUnknown, stunRefused, dtlsFull atomic.Int64
	panics, readErrors, handshakes     atomic.Int64
	stunTaken, consentExpired          atomic.Int64
	asked, strays, stunRate            atomic.Int64
	failures                           failureCounters
}

// Stats are an engine's counters since it started.
type Stats struct {
	Received, Reads int64 // datagrams, and the system calls that read them
	Sent, SendCalls int64 // datagrams, and the system calls that sent them

	SendFull    int64 // dropped: no room in a send buffer
	SendFailed  int64 // dropped: the kernel refused them
	JobsDropped int64 // deferred fan-outs that found their lane full
	Unknown     int64 // dropped: neither STUN, DTLS, SRTP nor SRTCP
	Truncated   int64 // dropped: longer than any we take
	Unbound     int64 // dropped: DTLS, SRTP or SRTCP from an address no endpoint was checked from
	Strays      int64 // addresses that became an endpoint's by authentic SRTP, unchecked
	STUNUnknown int64 // dropped: checks that name no endpoint
	STUNRefused int64 // dropped: STUN that is no authentic check
	STUNRate    int64 // dropped: checks of an endpoint that came faster than Intake allows
	STUNTaken   int64 // refused: checks from an address that is another endpoint's
	DTLSFull    int64 // dropped: records that came faster than the handshake takes them, or, after it, than Intake allows
	ReadErrors  int64
	Panics      int64 // of receivers

	Asked          int64 // checks of our own, to peers that were silent
	ConsentExpired int64 // times that sending stopped because a nominated pair was checked no more

	Handshakes int64 // DTLS handshakes that yielded keys
	Failures   HandshakeFailures
}

// Stats returns the counters.
func (e *Engine) Stats() Stats {
	c := &e.stat
	return Stats{
		Received: c.received.Load(), Reads: c.reads.Load(), Sent: c.sent.Load(), SendCalls: c.sendCalls.Load(),
		SendFull: c.sendFull.Load(), SendFailed: c.sendFailed.Load(), JobsDropped: c.jobsDropped.Load(),
		Unknown: c.unknown.Load(), Truncated: c.truncated.Load(), Unbound: c.unbound.Load(), Strays: c.strays.Load(),
		STUNUnknown: c.stunUnknown.Load(), STUNRefused: c.stunRefused.Load(),
		STUNRate: c.stunRate.Load(), STUNTaken: c.stunTaken.Load(), ConsentExpired: c.consentExpired.Load(), Asked: c.asked.Load(), DTLSFull: c.dtlsFull.Load(),
		ReadErrors: c.readErrors.Load(), Panics: c.panics.Load(),
		Handshakes: c.handshakes.Load(), Failures: c.failures.stats(),
	}
}

// Progress is how far an endpoint has come, and whether something may be sent to it.
type Progress struct {
	FirstCheck time.Time // zero: none has come
	Keyed      bool      // DTLS is done
	Sending    bool      // there is a nominated pair, to which the peer consents
	Expired    bool      // the peer has not consented to it for too long
}

// Progress returns how far the endpoint has come.
func (ep *Endpoint) Progress() Progress {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	return Progress{FirstCheck: ep.firstCheck, Keyed: ep.keyed, Sending: ep.dest.Load() != nil, Expired: ep.path.expired}
}

// EndpointStats are one endpoint's counters.
type EndpointStats struct {
	PacketsIn, BytesIn   int64 // authenticated SRTP
	PacketsOut, BytesOut int64 // SRTP handed to a batch

	SendDropped int64 // dropped: the kernel had no room or refused
	IndexReused int64 // refused: a different packet under an SRTP index already used

	EndpointDrops
}

// EndpointDrops count what came from an endpoint's addresses and was dropped, by reason.
type EndpointDrops struct {
	RTPRate, RTCPRate int64 // SRTP and SRTCP that came faster than Intake allows
	AuthFailed        int64 // wrong tag, or SRTCP seen before
	Replayed          int64 // seen before or too old
	Refused           int64 // of one SSRC too many; a peer that does this should go
	Malformed         int64 // not RTP
	NotReady          int64 // arrived before the keys
}

// Add adds another endpoint's.
func (d *EndpointDrops) Add(o *EndpointDrops) {
	d.RTPRate += o.RTPRate
	d.RTCPRate += o.RTCPRate
	d.AuthFailed += o.AuthFailed
	d.Replayed += o.Replayed
	d.Refused += o.Refused
	d.Malformed += o.Malformed
	d.NotReady += o.NotReady
}

// Refused is how many packets were dropped for being of one SSRC too many.
func (ep *Endpoint) Refused() int64 { return ep.stat.refused.Load() }

// Drops returns the counters of what was dropped. It takes no lock.
func (ep *Endpoint) Drops() EndpointDrops {
	c := &ep.stat
	return EndpointDrops{
		RTPRate: c.rtpRate.Load(), RTCPRate: c.rtcpRate.Load(),
		AuthFailed: c.authFailed.Load(), Replayed: c.replayed.Load(), Refused: c.refused.Load(),
		Malformed: c.malformed.Load(), NotReady: c.notReady.Load(),
	}
}

// Stats returns the counters.
func (ep *Endpoint) Stats() EndpointStats {
	c := &ep.stat
	s := EndpointStats{
		PacketsIn: c.packetsIn.Load(), BytesIn: c.bytesIn.Load(), SendDropped: c.sendDropped.Load(), EndpointDrops: ep.Drops(),
	}
	ep.mu.Lock()
	defer ep.mu.Unlock()
	for _, o := range ep.senders {
		o.mu.Lock()
		s.PacketsOut += o.packets
		s.BytesOut += o.bytes
		s.IndexReused += o.reused
		o.mu.Unlock()
	}
	return s
}
