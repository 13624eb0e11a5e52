package arbiter

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"github.com/mini-livechat/mini-livechat/signaling/cluster"
)

// view is who is there, as a node sees it and as the others say that they do. But for memory it never changes. The zero value sees nobody.
type view struct {
	self   cluster.NodeID
	quorum bool
	most   func(int) bool
	lives  map[string]struct{}
	// own are those that may decide; votes are what all nodes say of that, those of one mind together.
	own   []cluster.NodeID
	votes []votes
	// found is what was found out, by channel.
	found sync.Map
}

// votes are so many nodes that take these for those that may decide.
type votes struct {
	nodes []cluster.NodeID
	count int
}

// found is who is to decide about a channel.
type found struct {
	node    string
	elected bool
}

// vote counts one that takes these, sorted, for those that may decide.
func (v *view) vote(nodes []cluster.NodeID) {
	for i := range v.votes {
		if slices.Equal(v.votes[i].nodes, nodes) {
			v.votes[i].count++
			return
		}
	}
	v.votes = append(v.votes, votes{nodes, 1})
}

// same reports whether two views come to the same.
func (v *view) same(o *view) bool {
	return v.self == o.self && v.quorum == o.quorum && maps.Equal(v.lives, o.lives) && slices.Equal(v.own, o.own) &&
		slices.EqualFunc(v.votes, o.votes, func(a, b votes) bool { return a.count == b.count && slices.Equal(a.nodes, b.nodes) })
}

// arbiter returns who is to decide about a channel, "" for nobody; elected says of this node that most take it for that.
func (v *view) arbiter(channelID string) (node string, elected bool) {
	if !v.quorum {
		return "", false
	}
	if known, ok := v.found.Load(channelID); ok {
		f, _ := known.(found)
		return f.node, f.elected
	}
	f := v.find(channelID)
	v.found.Store(channelID, f)
	return f.node, f.elected
}

func (v *view) find(channelID string) found {
	home := homeOf(channelID, v.own)
	if home != v.self {
		return found{node: home.String()}
	}
	count := 0
	for _, votes := range v.votes {
		if homeOf(channelID, votes.nodes) == v.self {
			count += votes.count
		}
	}
	return found{home.String(), v.most(count)}
}

func homeOf(channelID string, ids []cluster.NodeID) cluster.NodeID {
	home, _ := cluster.Home(channelID, ids)
	return home
}

func compare(a, b cluster.NodeID) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Boot, b.Boot))
}
