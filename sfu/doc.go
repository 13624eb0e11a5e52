// Package sfu is the media plane: which channels exist, who is in them, and who hears
// whom on which slot.
//
// ChannelHub knows the channels by id, Channel its members, MediaPeerHub the members' media
// by connection and by channel. Every exported method may be called from any goroutine.
// Each of the three has one mutex, held to decide and copy. Locks are taken in the order
// ChannelHub, Channel, MediaPeerHub.
//
// The package never imports signaling: it tells the outside through Notifier.
package sfu
