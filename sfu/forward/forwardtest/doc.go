// Package forwardtest checks RTP streams made by package forward, for its tests and for
// those of whatever sends them on. It judges what goes out the way the far end would, and
// shares no code with what it judges.
package forwardtest
