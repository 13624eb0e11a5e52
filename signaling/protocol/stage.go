package protocol

// Speaking says who is heard in a channel.
type Speaking string

const (
	// SpeakingAll has everybody be heard.
	SpeakingAll Speaking = "all"
	// SpeakingModerators has those be heard who moderate there.
	SpeakingModerators Speaking = "moderators"
	// SpeakingAllowed has these be heard, and whom one of them let speak.
	SpeakingAllowed Speaking = "allowed"
)

// Known reports whether s is one of the constants.
func (s Speaking) Known() bool {
	return s == SpeakingAll || s == SpeakingModerators || s == SpeakingAllowed
}

// Hand is the d of HAND. Raised is of one's own hand; or a moderator lets somebody speak, or no more.
type Hand struct {
	Raised *bool  `json:"raised,omitempty"`
	UserID string `json:"user_id,omitempty"`
	Allow  *bool  `json:"allow,omitempty"`
}

// RaisedHand is somebody's hand that is raised.
type RaisedHand struct {
	UserID string `json:"user_id"`
	HandAt int64  `json:"hand_at"`
}

// FeatureStage in HELLO says that channels have Speaking, and that there is HAND.
const FeatureStage = "stage"
