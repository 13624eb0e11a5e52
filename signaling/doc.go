// Package signaling is the gateway: it speaks the protocol of PROTOCOL.md over
// WebSockets, knows who is identified, and moves between JSON frames and the media
// plane in package sfu.
//
// A Conn is a WebSocket, a Session is a person who has identified.
//
// A frame's journey: Conn.readLoop → the op table in ops.go → a handler (one file per
// group of ops) → sfu, which decides under its own locks → notifier → UserHub → each
// session's outbox → Conn.writeLoop.
//
// Goroutines: a Conn has two, a reader, which runs the handlers of its Session one after
// the other, and a writer, which owns the sending half of the socket. A Session has none.
// Gateway and UserHub may be used from any goroutine.
package signaling
