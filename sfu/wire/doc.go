// Package wire owns the UDP sockets of the media port. It takes packets off them in batches, tells STUN, DTLS, SRTCP
// and SRTP apart, is the ICE-lite agent and DTLS server of every peer, undoes and applies SRTP, and sends what is to be
// forwarded in batches again, without allocating.
//
// # What goes where
//
// An [Engine] opens, for every listen address, one SO_REUSEPORT socket per core and runs one loop on each. The kernel
// hashes a flow (source and destination address and port) to one of them, so a peer's packets arrive on one loop;
// replies may leave by any of the sockets, since all have the same address.
//
// An [Endpoint] is one peer. [Endpoint.Accept] gives it ICE credentials; from then on checks that prove them are answered
// by the loop that reads them, and what else comes from their addresses is the endpoint's: DTLS records go to the one
// handshake it has, which yields its keys, SRTP and SRTCP are decrypted on the loop and handed to its [Receiver]. The
// pair that the peer nominates says where to send. From addresses that no check came from nothing is taken but SRTP that
// authenticates: a NAT may have moved its sender. A [Sender] is
// one outgoing RTP stream of an endpoint: it keeps the rollover counter and sees to it that no SRTP index is ever used
// for two different packets. A link to another server ([Engine.NewLink]) is an endpoint whose address and keys are given.
//
// # Goroutines
//
// Each loop is a goroutine, and so is each lane (see [Job]) and each handshake; [Engine.Close] stops and awaits all of
// them. pion keeps three more for a DTLS association, asleep, until its endpoint is closed. A [Batch]
// collects outgoing packets and belongs to one goroutine: the loop's or lane's own is handed to the callbacks and is
// flushed after them, any other goroutine makes its own with [Engine.NewBatch] and flushes it. Endpoints and Senders
// may be used from all goroutines; two talkers who write to one listener use two Senders and share no lock. Calls of
// one Receiver never overlap.
//
// A receiver must not keep the packet it is given, nor block, nor close the Engine.
package wire
