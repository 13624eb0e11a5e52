package arbiter

import (
	"errors"
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

// Who is sent away may be out before anything is heard of them at the other node. Who does not come there has the floor no more after a second.
func TestOutBeforeIn(t *testing.T) {
	for _, comes := range []bool{true, false} {
		three(t, func(t *testing.T, w *town, ada, ben, cy *person) {
			t.Helper()
			for _, from := range []*person{ada, ben} {
				dan := w.come(from.house.name, "dan")
				w.pass(100 * time.Millisecond)
				dan.talks()
				cy.takes()
				w.net.Delay(func(string, string) time.Duration { return 20 * time.Millisecond })
				dan.member.SendAway()
				var next *person
				if comes {
					next = w.enter(cy.house.name, "dan", true)
				}
				dan.leave()
				w.net.Delay(func(string, string) time.Duration { return 0 })
				w.pass(2 * time.Second)
				if !comes {
					require.Empty(t, ada.house.radio().Holders())
					require.Equal(t, []string{"idle"}, cy.takes())
					continue
				}
				require.Len(t, ada.house.radio().Holders(), 1)
				require.Empty(t, cy.takes())
				w.people["dan"] = next
				w.pass(100 * time.Millisecond)
				require.Equal(t, []string{"dan", "dan", "dan"}, []string{ada.last, ben.last, cy.last})
				next.leave()
				w.pass(200 * time.Millisecond)
				require.Empty(t, ada.house.radio().Holders())
			}
		})
	}
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

// The holder goes to a node that has just begun, which is yet to hear who has the floor: they have it there at the latest when it has heard, and until then
// it does not say that they have not.
func TestHolderMovesToWhoHasJustBegun(t *testing.T) {
	three(t, func(t *testing.T, w *town, ada, ben, cy *person) {
		t.Helper()
		there := cy.house.name
		w.kill(there)
		w.pass(3 * time.Second)
		dan := w.come(ben.house.name, "dan")
		w.pass(100 * time.Millisecond)
		grant := dan.talks().got.Grant.ID
		w.start(there)
		for node := ""; node == "" || len(ben.house.bus.Nodes()) < 3 || len(ada.house.bus.Nodes()) < 3; { // else he would not be sent there
			w.pass(5 * time.Millisecond)
			node, _ = w.houses[there].arbiters.Arbiter("radio")
		}
		require.Empty(t, w.houses[there].radio().Holders())
		next := w.enter(there, "dan", true)
		said := make(chan error, 1)
		go func() { said <- next.member.PingFloor(t.Context(), grant, func(time.Duration) {}) }()
		w.pass(20 * time.Millisecond)
		err := <-said
		require.True(t, err == nil || errors.Is(err, sfu.ErrFloorUnsettled), "%v", err)
		w.people["dan"] = next
		w.pass(100 * time.Millisecond)
		dan.member.Leave(sfu.LeaveHungUp)
		for began := w.frames; len(next.house.radio().Holders()) == 0 && w.frames < began+400; {
			w.pass(5 * time.Millisecond)
		}
		w.pass(2 * frame)
		require.Equal(t, []uint64{grant}, grantIDs(next.house.radio().Holders()))
		require.Equal(t, "dan", ada.last)
		ping(t, next)
	})
}

func grantIDs(grants []sfu.FloorGrant) (ids []uint64) {
	for _, g := range grants {
		ids = append(ids, g.ID)
	}
	return ids
}
