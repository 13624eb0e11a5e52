package protocol

const (
	// FeatureWhy is what HELLO names when one may ask why somebody is not heard.
	FeatureWhy = "why"
	// FeaturePlayback is what IDENTIFY names when the client answers PLAYBACK_WANTED.
	FeaturePlayback = "playback"
	// MaxFeatures bounds how many IDENTIFY names.
	MaxFeatures = 32
)

// Why is the d of WHY.
type Why struct {
	// UserID is who is not heard.
	UserID string `json:"user_id"`
	// Playback is how the client plays them, if it likes to say so.
	Playback *Playback `json:"playback,omitempty"`
}

// WhyFound is the data of WHY's ACK: the first broken link of the way of somebody's voice.
type WhyFound struct {
	UserID string `json:"user_id"`
	// Cause is "ok" when no link is broken, Link where it was found, and Side whose it is.
	Cause string `json:"cause"`
	Link  string `json:"link"`
	Side  string `json:"side"`
	// What is wrong, and what mends it.
	What string `json:"what"`
	Mend string `json:"mend"`
}

// Playback is how a client plays somebody. What it does not know is absent.
type Playback struct {
	Sound Sound `json:"sound,omitempty"`
	// Volume is that of everything, PersonVolume that of this person; 0 is silence.
	Volume       *float64 `json:"volume,omitempty"`
	PersonVolume *float64 `json:"person_volume,omitempty"`
	// Playing is false when nothing is played though the sound is well.
	Playing *bool `json:"playing,omitempty"`
	// Packets came of this person, and Lost did not, in OverMS.
	OverMS  int64  `json:"over_ms,omitempty"`
	Packets *int64 `json:"packets,omitempty"`
	Lost    *int64 `json:"lost,omitempty"`
	// Concealed is the share of what was played in that time that was made up, 0 to 1, and Level how loud it was, likewise.
	Concealed *float64 `json:"concealed,omitempty"`
	Level     *float64 `json:"level,omitempty"`
}

// PlaybackWanted is the d of PLAYBACK_WANTED.
type PlaybackWanted struct {
	AskID  string `json:"ask_id"`
	UserID string `json:"user_id"`
}

// PlaybackTold is the d of PLAYBACK.
type PlaybackTold struct {
	AskID    string   `json:"ask_id"`
	Playback Playback `json:"playback"`
}
