package protocol

import (
	"encoding/json"
	"fmt"
	"slices"
)

// Members is a list of members in JSON, without its brackets. It is only ever continued, so that those who have seen it
// shorter may share its bytes; of one list only the newest may be continued, and by one goroutine at a time.
type Members []byte

// Append returns the list with one more member.
func (l Members) Append(m Member) (Members, error) {
	data, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode a member: %w", err)
	}
	if len(l) > 0 {
		l = append(l, ',')
	}
	return append(l, data...), nil
}

// EncodeJoined renders the ACK of a CHANNEL_JOIN, with members in place of j's. They are shared, not copied.
func EncodeJoined(j Joined, members Members) (*Body, error) {
	body, err := EncodeBody(OpAck, Ack{Op: OpChannelJoin, Data: struct {
		Joined

		ActiveMembers any `json:"active_members,omitempty"` // hides the other
	}{Joined: j}})
	if err != nil {
		return nil, err
	}
	const rest = "}}"
	body.d = append(body.d[:len(body.d)-len(rest)], `,"active_members":[`...)
	body.list, body.rest = slices.Clip(members), "]"+rest
	return body, nil
}
