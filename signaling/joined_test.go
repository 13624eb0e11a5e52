package signaling

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// Whatever becomes of a channel, who joins is told of those who are there, and what others were told stays as it was.
func TestMemberListFollows(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	var list memberList
	var members []sfu.MemberInfo
	type said struct {
		list protocol.Members
		text string
		want []protocol.Member
	}
	const joins = 500
	all := make([]said, 0, joins)
	for i := range joins {
		members = slices.Clone(members)
		switch at := random.IntN(len(members) + 1); random.IntN(8) {
		case 0: // from there on they left
			members = members[:at]
		case 1:
			if at < len(members) {
				members[at].SelfMute = true
			}
		}
		members = append(members, sfu.MemberInfo{UserID: fmt.Sprint(i), Talker: true})
		told, err := list.follow(members)
		require.NoError(t, err)
		all = append(all, said{told, string(told), wireMembers(members)})
	}
	for _, s := range all {
		require.Equal(t, s.text, string(s.list))
		var got []protocol.Member
		require.NoError(t, json.Unmarshal([]byte("["+s.text+"]"), &got))
		require.Equal(t, s.want, got)
	}
}

// A crowd that comes at once costs memory by its number, and not by its square.
func TestMemberListIsShared(t *testing.T) {
	t.Parallel()
	const crowd = 500
	var list memberList
	var members []sfu.MemberInfo
	arrays := make(map[*byte]int) // what they share, and how much of it
	for i := range crowd {
		members = append(slices.Clone(members), sfu.MemberInfo{UserID: fmt.Sprint(i)})
		told, err := list.follow(members)
		require.NoError(t, err)
		arrays[&told[0]] = len(told)
	}
	total := 0
	for _, n := range arrays {
		total += n
	}
	require.Less(t, total, 4*arrays[&list.json[0]], "in %d arrays", len(arrays))
}
