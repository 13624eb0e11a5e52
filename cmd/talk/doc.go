// Package talk is the client behind "livechat talk": it plays into a channel, records everybody in it into a file of their own, writes
// and reads messages, and says who speaks. It knows the server only by the protocol.
//
// What a recording is made of (recording, track, clock, fill) has no clock and no goroutine: times are told to it. A recorder runs
// one on a goroutine of its own, so that neither a slow disk nor a full one is noticed by whoever talks.
package talk
