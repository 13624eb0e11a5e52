package signaling

import (
	"slices"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// memberList is the members of a channel in JSON, as those who join are told of them. Each reply is kept until it is
// acknowledged, so that lists encoded for each alone would take memory with the square of a crowd that comes at once. This one
// is continued from joiner to joiner, and all share its bytes, until somebody in it changes. It is the channel's note.
type memberList struct {
	infos []sfu.MemberInfo
	json  protocol.Members
}

// follow makes the list that of members, and returns it.
func (l *memberList) follow(members []sfu.MemberInfo) (protocol.Members, error) {
	known := len(l.infos)
	if known > len(members) || !slices.Equal(l.infos, members[:known]) {
		*l, known = memberList{}, 0 // what was told of the old one lives on
	}
	for _, m := range members[known:] {
		longer, err := l.json.Append(wireMember(m))
		if err != nil {
			*l = memberList{}
			return nil, err
		}
		l.json = longer
	}
	l.infos = members
	return l.json, nil
}

// joined answers a CHANNEL_JOIN; it is OnJoined of an sfu.JoinRequest.
func (r *request) joined(found sfu.Snapshot) {
	list, ok := (*found.Note).(*memberList)
	if !ok {
		list = new(memberList)
		*found.Note = list
	}
	members, err := list.follow(found.Members)
	var body *protocol.Body
	if err == nil {
		body, err = protocol.EncodeJoined(protocol.Joined{
			ChannelID: found.Channel.ID, ChannelName: found.Channel.Name,
			Mode: protocol.Mode(found.Channel.Mode), SDPAnswer: found.Answer, Slots: wireSlots(found.Slots),
			Floor: r.conn.session.wireFloor(&found.Channel, found.Floor, found.Mine),
		}, members)
	}
	if err != nil {
		r.lost(err)
		return
	}
	r.replyBody(body)
}
