// Package why finds out why somebody is not heard by somebody else. It is pure: Facts are what was known at one moment, and Walk
// goes the way of a voice along them, from the one's microphone to the other's loudspeaker, until it comes to a link that is broken.
//
// What somebody was told or has decided, such as a mute, is looked at before what is concluded from packets: who is muted sends
// none, and that is no fault of their network.
package why
