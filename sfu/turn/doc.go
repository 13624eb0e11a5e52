// Package turn is the built-in TURN server (RFC 8656): a way to the media port for
// clients whose network lets no UDP through, or none to that port.
//
// It relays to one place only, the SFU's own media port. A relay is a UDP socket that is
// connected to it, so that the kernel itself neither sends anywhere else nor takes in
// anything from anyone else; the permission handler refuses every other address before,
// and the relay every other port (relay.go).
//
// Credentials are bound to a session (credentials.go): Mint makes them. They count from
// Admit to Revoke, which closes the session's allocations as well. Allocations are
// counted per session and in total, relayed bytes per session and second (sessions.go).
//
// What strangers can cause is bounded: a source address that never proved it can
// receive is not sent more than one and a half times what came from it (budget.go), and
// connections without an allocation are few and short-lived (stream.go).
//
// The sockets are the caller's, so that a TCP port can be shared with HTTP. The protocol
// itself is pion/turn's. All methods may be called from any goroutine.
package turn
