// Package repair holds what both ends of an RTP stream need to mend losses: the codec of
// redundant audio (RED, RFC 2198), the decision how much of it to send, and the
// bookkeeping of negative acknowledgements (NACK, RFC 4585 §6.2.1): what to ask for, and
// what to answer.
//
// Everything here is pure: no goroutine, no clock, no I/O; time is an argument. Nothing
// allocates per packet. No type is safe for concurrent use.
package repair
