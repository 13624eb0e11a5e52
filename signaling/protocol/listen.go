package protocol

const (
	// FeatureListen is what HELLO names when one may listen to other channels than one's own.
	FeatureListen = "listen"
	// MaxListened bounds to how many.
	MaxListened = 8
)

// Listen is the d of LISTEN, the data of its ACK and the d of LISTENING: to which channels one listens without being in them.
type Listen struct {
	// Channels are by rank; none to listen no more. Nil is an error.
	Channels []string `json:"channels"`
	// Priority is one of them, which interrupts the others; empty for none.
	Priority string `json:"priority,omitempty"`
	// Slots is how many of one's slots, the last ones, are for that; 0 in LISTEN is 1.
	Slots int `json:"slots"`
}

// Listener is somebody who listens to a channel without being in it.
type Listener struct {
	UserID string `json:"user_id"`
	Name   string `json:"name"`
}
