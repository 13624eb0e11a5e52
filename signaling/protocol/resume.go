package protocol

// Resume is the d of RESUME, the first request on a new connection of a session that lost the one before.
type Resume struct {
	V int `json:"v"`
	// SessionID is READY's.
	SessionID string `json:"session_id"`
	// ResumeToken is that of READY, or of the last RESUMED.
	ResumeToken string `json:"resume_token"`
	// S is the number of the last event seen, 0 before the first.
	S uint64 `json:"s"`
}

// Resumed is the d of RESUMED, which comes after the events that were missed.
type Resumed struct {
	// Replayed is how many those were.
	Replayed int `json:"replayed"`
	// ResumeToken takes the place of the one before.
	ResumeToken string `json:"resume_token"`
	// ICEServers take the place of READY's: the client may have come back by another way.
	ICEServers []ICEServer `json:"ice_servers"`
	// Floor is that of the channel one is in, where people talk by turns.
	Floor *Floor `json:"floor,omitempty"`
}

// InvalidSession is the d of INVALID_SESSION, the answer to a RESUME that cannot be: identify anew on the same connection.
type InvalidSession struct {
	Reason string `json:"reason"`
}

// Reconnect is the d of RECONNECT: the server will close the connection soon, and then the client is to come again.
type Reconnect struct {
	Reason string `json:"reason"`
	// AfterMS is how long to wait then, in milliseconds: different for each client, so that not all come at once.
	AfterMS int64 `json:"after_ms"`
	// URL, unless empty, is another node's, to which the client is to go as soon as AfterMS is over, without waiting for the end.
	URL string `json:"url,omitempty"`
}

// ReconnectRestart is why RECONNECT is sent: the server is told to end, and as a rule to begin anew.
const ReconnectRestart = "restart"

// Renegotiate is the d of RENEGOTIATE: the offer of the same connection, with new ICE credentials (RFC 8445, section 9).
type Renegotiate struct {
	SDPOffer string `json:"sdp_offer"`
}

// Renegotiated is the data of the ACK to RENEGOTIATE.
type Renegotiated struct {
	SDPAnswer string `json:"sdp_answer"`
}
