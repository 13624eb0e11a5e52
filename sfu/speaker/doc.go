// Package speaker decides who is speaking and who is heard.
//
// A [Meter] follows the audio levels of one talker's packets (RFC 6464). A [Room] ranks
// the talkers of one channel by their meters, and each [Listener] of it gives its slots
// to the loudest.
//
// Nothing here has a clock, a goroutine or a lock: time is an argument. A Meter is fed by
// one goroutine, and may be read from any. A Room, with all its Talkers and Listeners,
// belongs to whoever holds the lock of the channel it stands for.
package speaker
