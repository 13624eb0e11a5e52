package protocol

// MessageCreate is the d of MESSAGE_CREATE.
type MessageCreate struct {
	ChannelID string `json:"channel_id"`
	Content   string `json:"content"`
	// Nonce is the author's own name for the message, which is posted once however often it is sent, or empty.
	Nonce string `json:"nonce,omitempty"`
	// ReplyTo is the id of the message of this channel that it answers, or empty.
	ReplyTo string `json:"reply_to,omitempty"`
}

// MessageCreated is the data of the ACK to MESSAGE_CREATE.
type MessageCreated struct {
	MessageID string `json:"message_id"`
	// Timestamp in milliseconds since the Unix epoch.
	Timestamp int64 `json:"timestamp"`
	// Nonce is the request's.
	Nonce string `json:"nonce,omitempty"`
}

// MessageEvent is the d of MESSAGE_EVENT, and a message as HISTORY has it.
type MessageEvent struct {
	MessageID string `json:"message_id"`
	ChannelID string `json:"channel_id"`
	AuthorID  string `json:"author_id"`
	// AuthorName is the author's display name when the message was sent.
	AuthorName string `json:"author_name"`
	Content    string `json:"content"`
	// Timestamp in milliseconds since the Unix epoch.
	Timestamp int64 `json:"timestamp"`
	// ReplyTo is the id of the message that it answers, which may be gone; or empty.
	ReplyTo string `json:"reply_to,omitempty"`
	// EditedAt in milliseconds since the Unix epoch; 0: the content is the first one.
	EditedAt int64 `json:"edited_at,omitempty"`
}

// History is the d of HISTORY: the newest messages, or those next to one, older or newer, without it.
type History struct {
	ChannelID string `json:"channel_id"`
	// Before and After are ids of messages; at most one of them is set.
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
	// Limit is at most MaxHistory; 0 means DefaultHistory.
	Limit int `json:"limit,omitempty"`
}

// Messages is the data of the ACK to HISTORY.
type Messages struct {
	// Messages are in the order in which they were said.
	Messages []MessageEvent `json:"messages"`
	// More says that there are others in the direction that was asked for.
	More bool `json:"more"`
}

// MessageUpdate is the d of MESSAGE_UPDATE.
type MessageUpdate struct {
	MessageID string `json:"message_id"`
	Content   string `json:"content"`
}

// MessageRef is the d of MESSAGE_DELETE.
type MessageRef struct {
	MessageID string `json:"message_id"`
}

// MessageChange is the d of MESSAGE_CHANGE and the data of the ACK to MESSAGE_UPDATE and MESSAGE_DELETE.
type MessageChange struct {
	ChannelID string `json:"channel_id"`
	MessageID string `json:"message_id"`
	// Content is what the message says now, unless it was deleted.
	Content string `json:"content,omitempty"`
	// EditedAt in milliseconds since the Unix epoch.
	EditedAt int64 `json:"edited_at,omitempty"`
	Deleted  bool  `json:"deleted,omitempty"`
}

// Search is the d of SEARCH.
type Search struct {
	// Query has all words that a message must have; of the last one the beginning is enough.
	Query string `json:"query"`
	// ChannelID, AuthorID and Before, the id of a message of which only older ones are wanted, or the Next of an answer, narrow
	// the search where they are not empty.
	ChannelID string `json:"channel_id,omitempty"`
	AuthorID  string `json:"author_id,omitempty"`
	Before    string `json:"before,omitempty"`
	// Limit is at most MaxSearch; 0 means DefaultSearch.
	Limit int `json:"limit,omitempty"`
}

// FoundMessages is the data of the ACK to SEARCH.
type FoundMessages struct {
	// Messages are the best first.
	Messages []FoundMessage `json:"messages"`
	// More says that there are others, or may be.
	More bool `json:"more"`
	// Next, where it is not empty, is what to give as Before to look at messages that were not looked at.
	Next string `json:"next,omitempty"`
}

// FoundMessage is a message that was searched for.
type FoundMessage struct {
	MessageEvent

	// Marks are the places in Content of what was searched for: the first code point, and how many.
	Marks [][2]int `json:"marks"`
}

// Read is the d of READ. Without a MessageID nothing is marked, and without a ChannelID all channels are asked for.
type Read struct {
	ChannelID string `json:"channel_id,omitempty"`
	// MessageID is the last message that was read.
	MessageID string `json:"message_id,omitempty"`
}

// ReadMarks is the data of the ACK to READ.
type ReadMarks struct {
	Channels []ReadMark `json:"channels"`
}

// ReadMark says what somebody has not read of a channel.
type ReadMark struct {
	ChannelID string `json:"channel_id"`
	// Unread is how many messages of others came after LastRead, up to 100.
	Unread int `json:"unread"`
	// LastRead is empty when nothing was read that is still there.
	LastRead string `json:"last_read,omitempty"`
}
