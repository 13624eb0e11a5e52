package arbiter

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu"
)

// Who has the floor, or waits for it, goes to another node, whichever decides: with the same grant, at the same place, told of nothing, and heard by
// everybody all the time.
func TestHolderMoves(t *testing.T) {
	for name, way := range map[string]struct{ from, to int }{
		"from the arbiter": {0, 1}, "to the arbiter": {1, 0}, "past the arbiter": {1, 2},
	} {
		t.Run(name, func(t *testing.T) {
			three(t, func(t *testing.T, w *town, ada, ben, cy *person) {
				t.Helper()
				nodes := []*person{ada, ben, cy}
				from, to := nodes[way.from].house.name, nodes[way.to].house.name
				dan, eve := w.come(from, "dan"), w.come(from, "eve")
				w.pass(100 * time.Millisecond)
				grant := dan.talks().got.Grant
				for _, p := range []*person{eve, ada} {
					p.press(sfu.FloorRequest{Queue: true})
					w.pass(100 * time.Millisecond)
				}
				for _, p := range nodes {
					p.takes()
				}
				const both = 300 * time.Millisecond
				silent := make(map[string]int)
				listen := func() {
					for _, p := range nodes {
						if p.last != "dan" {
							silent[p.house.name]++
						}
					}
				}
				dan = dan.moves(to, both, listen)
				require.Equal(t, grant.ID, dan.kept.Grant.ID)
				for _, p := range nodes { // until it is known that he speaks there; where he was, he is heard no more before he is out
					if p.house.name == from {
						require.LessOrEqual(t, silent[from], int(both/frame), "on the node that is left")
					} else {
						require.LessOrEqual(t, silent[p.house.name], 3, "on %s", p.house.name)
					}
				}
				clear(silent)
				w.pass(2 * frame)
				eve = eve.moves(to, both, listen)
				require.Equal(t, &sfu.FloorPlace{Position: 1, Size: 2}, eve.kept.Place)
				require.Empty(t, silent)
				for _, p := range append(nodes, dan, eve) {
					require.Empty(t, p.takes())
				}
				ping(t, dan)
				released := dan.release(grant.ID)
				w.pass(500 * time.Millisecond)
				require.NoError(t, released.err)
				require.Equal(t, "eve", cy.last, "whose turn it is")
				require.Equal(t, []string{"granted"}, filter(eve.takes(), "granted"))
			})
		})
	}
}

func filter(words []string, wanted string) (found []string) {
	for _, word := range words {
		if word == wanted {
			found = append(found, word)
		}
	}
	return found
}

// Another session of the same user is not the one that had the floor.
func TestAnotherSessionHasNoFloor(t *testing.T) {
	three(t, func(t *testing.T, w *town, ada, ben, cy *person) {
		t.Helper()
		before := w.come(ben.house.name, "dan")
		w.pass(100 * time.Millisecond)
		before.talks()
		w.come(cy.house.name, "dan")
		w.pass(200 * time.Millisecond)
		require.Empty(t, ada.house.radio().Holders())
		require.Empty(t, []string{ada.last, ben.last, cy.last}[0])
		before.member.Leave(sfu.LeaveGone)
	})
}

// The holder's new node dies, or they do not come there after all: the floor is free again.
func TestMoveFails(t *testing.T) {
	three(t, func(t *testing.T, w *town, ada, ben, cy *person) {
		t.Helper()
		dan := w.come(ben.house.name, "dan")
		w.pass(100 * time.Millisecond)
		dan.talks()
		next := w.enter(cy.house.name, "dan", true)
		w.pass(100 * time.Millisecond)
		require.Equal(t, "dan", ada.last)
		next.member.Leave(sfu.LeaveMediaFailed)
		dan.leave()
		w.pass(100 * time.Millisecond)
		require.Empty(t, ada.house.radio().Holders())
		ben.talks()
	})
}
