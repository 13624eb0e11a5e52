// Package sfu is the media plane: which channels exist, who is in them, and who hears
// whom on which slot.
//
// Three hubs hold the state: ChannelHub (channel_id → Channel), Channel (its members)
// and MediaPeerHub ((connection, SSRC) → MediaPeer). Every exported method may be
// called from any goroutine. Each hub and each channel has one mutex, held to decide
// and copy; locks are taken in the order ChannelHub, Channel, MediaPeerHub.
//
// The package never imports signaling: it tells the outside through Notifier.
package sfu
