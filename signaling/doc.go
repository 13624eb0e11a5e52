// Package signaling is the gateway: it speaks the protocol of PROTOCOL.md over
// WebSockets, knows who is identified, and moves between JSON frames and the media
// plane in package sfu.
//
// A frame's journey: Session.readLoop → the op table in ops.go → a handler (one file per
// group of ops) → sfu, which decides under its own locks → notifier → UserHub → each
// session's egress queue → Session.writeLoop.
//
// Goroutines: a Session has two, a reader, which owns all of the session's state and
// runs its handlers one after the other, and a writer, which owns the sending half of
// the socket. Gateway and UserHub may be used from any goroutine.
package signaling
