// Package forward carries one talker's RTP packets to many listeners: a Source is a
// talker's microphone, a Slot is one of a listener's audio lines, and a Slot rewrites
// whatever Source it is assigned to into one continuous RTP stream.
//
// It does not know how packets arrive or leave. Whoever receives them calls
// [Source.Prepare] and, at once or from other goroutines, [Fanout.Send]. Whoever sends them
// implements [Writer]. Time is an argument: there is no clock, no goroutine and no queue
// inside, and no allocation per packet.
//
// # Why numbers are rewritten with such care
//
// A listener decrypts a slot with SRTP, which numbers packets by a 48-bit index of which
// only the low 16 bits are sent (RFC 3711 §3.3.1). The listener guesses the rest, and a
// wrong guess makes every later packet undecipherable. Two different packets under one
// index would on the other hand give away the key stream. So, whatever a talker sends:
//
//   - a slot's first sequence number is below 2^15, so that losing the first packets
//     around a wrap cannot put the listener one rollover behind;
//   - the numbers of a slot are contiguous across a change of Source, a mute, and a
//     restart of the talker's own numbering; nothing but a sent packet, and a loss on
//     the way to us, takes a number;
//   - gaps of the talker are kept as gaps while they are small, so that the listener
//     conceals the loss, and closed when they are large (more than maxGap packets);
//   - a reordered packet keeps its place if that place is this talker's and was not
//     used yet; otherwise it is dropped.
//
// A Source keeps its newest packets. [Slot.Resend] answers a NACK with the very bytes that
// were sent under that number, or not at all; [Slot.Promote] begins a slot's new stream
// with what the talker said just before.
//
// Two pure types make these decisions: tracker reads a talker's numbering once per
// packet, rewriter maps it into a slot once per listener.
//
// # Concurrency
//
// Prepare is called by one goroutine at a time per Source. All other methods may be
// called from any goroutine, but not from inside [Writer.WriteRTP]. A Source walks an
// immutable snapshot of its slots; each Slot has a lock of its own, taken only by the
// Source it is assigned to and by whoever changes or inspects it, so two talkers never
// wait for each other outside the moment a slot passes from one to the other.
package forward
