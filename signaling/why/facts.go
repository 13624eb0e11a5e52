package why

import "time"

// Facts are what is known of one who is not heard, the talker, and one who does not hear, the listener.
type Facts struct {
	// Yourself: both are the same.
	Yourself         bool
	Talker, Listener Party
	// Together: both are in one channel; else Tuned says that the listener listens to the talker's, and Hidden that the listener
	// may not know which it is.
	Together, Tuned, Hidden bool
	// Turns: one talks at a time in the talker's channel; Open: it is the talker's turn; Holder: somebody has the floor.
	Turns, Open, Holder bool
	Excluded            bool
	// Slots is how many of the listener's slots the talker could be on, Slot says that they are on one.
	Slots int
	Slot  bool
	Voice Voice
	// Between is the way from the talker's node to the listener's; nil where both are on one.
	Between *Between
	// Out is what was sent on that slot.
	Out Out
	// Playback is what the listener's client says of how it plays the talker; nil: it says nothing.
	Playback *Playback
}

// Party is one of the two.
type Party struct {
	// Here: they have a session. Away: it has no connection at present.
	Here, Away bool
	// Gone is the node that they were on and that does not answer; empty: it does.
	Gone string
	// Channel is where they are; empty: in none. MediaEnd is then why their connection of media ended, if it did by itself.
	Channel, MediaEnd string

	Microphone                   bool // they offered one
	Mic, Sound                   string
	SelfMute, SelfDeaf           bool
	Muted, Suppressed, MediaLost bool

	Path Path
}

// Path is a party's connection of media. Times are how long ago something was.
type Path struct {
	Age     time.Duration // since it was agreed upon
	Checked bool          // an ICE check of theirs has come
	Keyed   bool          // DTLS is done
	Sending bool          // something may be sent to them
	Silent  time.Duration // since the last sign of life
	// LossUp is the share of their packets that was lost, LossDown of those to them, by reports that are no older than half a minute.
	LossUp, LossDown float64
}

// Voice is what is heard of the talker.
type Voice struct {
	// Came: a packet that may be heard came, Newest ago.
	Came   bool
	Newest time.Duration
	// Levels: the client says how loud it is. Sounded: there was a sound, Silent ago.
	Levels, Sounded bool
	Silent          time.Duration
	Speaking        bool
}

// Between is how the talker's voice goes from one node of the server to another.
type Between struct {
	// Node is the talker's. There is what that one knows, Here what the listener's does.
	Node        string
	There, Here End
}

// End is what a node knows of the link to another, and of a talker's voice on it.
type End struct {
	// Up: each end hears the other. Since is for how long that, or the contrary, is so, and Heard says that it was up before.
	Up    bool
	Since time.Duration
	Heard bool
	// Loss is the share of the packets from the other end that did not come lately.
	Loss float64
	// Wanted: the other end wants to hear the talker's channel. Line: there is a stream for the talker.
	Wanted, Line bool
	// Sent and Came are how long ago a packet of the talker's went, or came; nil: none has.
	Sent, Came *time.Duration
}

// Out is what goes to the listener of the talker.
type Out struct {
	// Sent is how many packets the slot has sent; of the last Unconfirmed of them no report of the listener's speaks.
	Sent, Unconfirmed uint64
}

// Playback is what a client says of how it plays somebody; nil: it does not say.
type Playback struct {
	Sound                string
	Volume, PersonVolume *float64
	Playing              *bool
	// Packets and Lost are of Over.
	Over          time.Duration
	Packets, Lost *int64
	Concealed     *float64
}

const (
	// settling is how long a connection may take before something is wrong with it.
	settling = 3 * time.Second
	// quietMedia is after how long without a sign of life a path is broken: those who are silent were asked for one by then.
	quietMedia = 5500 * time.Millisecond
	// noPackets is after how long without a packet nothing comes of a microphone: in silence DTX sends one every 400 ms
	// (RFC 6716, section 2.1.9).
	noPackets = 2 * time.Second
	// sameMoment is how much older than a packet a sign of life may seem that was that packet.
	sameMoment = 100 * time.Millisecond
	// zeros is after how long without any sound a microphone gives nothing but zeros: the quietest room has some.
	zeros = 5 * time.Second
	// heavyLoss is the share of lost packets from which on words are lost, redundancy or not.
	heavyLoss = 0.3
	// unconfirmed is how many packets must have been sent of which no report speaks, to be sure that none arrives: browsers
	// report every 2.5 to 7.5 s (RFC 3550, section 6.2), which is up to 375 packets.
	unconfirmed = 400
	// few is how many packets a client should have got while it looked, to be believed when it says that it got none.
	few = 5
	// heavyConcealment is the share of what is played that is made up, from which on nothing can be understood.
	heavyConcealment = 0.5
	// littleConcealment is the share up to which it does not disturb.
	littleConcealment = 0.1
)
