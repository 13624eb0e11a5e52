package arbiter

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/sfu/floor"
	"github.com/mini-livechat/mini-livechat/signaling/cluster"
)

// three is a town of three nodes with one person on each, who is called as the node is.
func three(t *testing.T, story func(t *testing.T, w *town, arbiter, ben, cy *person)) {
	t.Helper()
	inTown(t, func(t *testing.T, w *town) {
		t.Helper()
		w.shared = true
		for _, name := range []string{"a", "b", "c"} {
			w.come(name, "on "+name)
		}
		w.pass(100 * time.Millisecond)
		first := w.arbiter()
		people := []*person{w.people["on "+first]}
		for _, name := range []string{"a", "b", "c"} {
			if name != first {
				people = append(people, w.people["on "+name])
			}
		}
		story(t, w, people[0], people[1], people[2])
	}, "a", "b", "c")
}

// Requests, the queue, priorities and what is stale, whatever node people are on.
func TestOneFloor(t *testing.T) {
	three(t, func(t *testing.T, w *town, ada, ben, cy *person) {
		t.Helper()
		first := ben.talks()
		require.Equal(t, []string{"granted"}, ben.takes())
		require.Equal(t, []string{"taken " + ben.id}, cy.takes())
		require.Equal(t, []string{"taken " + ben.id}, ada.takes())
		require.Equal(t, []string{ben.id, "", ben.id}, []string{ada.last, ben.last, cy.last})

		waits, later := cy.press(sfu.FloorRequest{Queue: true}), ada.press(sfu.FloorRequest{Queue: true})
		w.pass(100 * time.Millisecond)
		require.Equal(t, "queued 2/2", waits.String(), "the arbiter's own are nearer")
		require.Equal(t, "queued 1/2", later.String()[:8]+"/2")
		stale := cy.release(first.got.Grant.ID)
		w.pass(100 * time.Millisecond)
		require.ErrorIs(t, stale.err, sfu.ErrNotHolder)
		released := ben.release(first.got.Grant.ID)
		w.pass(floor.DefaultTail - 50*time.Millisecond)
		require.NoError(t, released.err)
		require.Equal(t, ben.id, cy.last, "the last syllable")
		w.pass(200 * time.Millisecond)
		require.Equal(t, []string{"", ada.id, ada.id}, []string{ada.last, ben.last, cy.last})
		again := ben.release(first.got.Grant.ID)
		w.pass(100 * time.Millisecond)
		require.ErrorIs(t, again.err, sfu.ErrNotHolder, "that one is over")

		urgent := cy.press(sfu.FloorRequest{Priority: 9})
		w.pass(100 * time.Millisecond)
		require.Equal(t, "granted", urgent.String())
		require.Equal(t, []string{cy.id, cy.id, ""}, []string{ada.last, ben.last, cy.last})
		require.Contains(t, ada.takes(), "revoked 4")
		cy.member.SetVoiceState(new(true), nil, nil)
		w.pass(100 * time.Millisecond)
		require.Equal(t, []string{"", "", ""}, []string{ada.last, ben.last, cy.last})
		require.Contains(t, cy.takes(), "revoked 3")

		// Beside who has the floor, on its own slot.
		ben.talks()
		over := cy.press(sfu.FloorRequest{Over: true})
		w.pass(100 * time.Millisecond)
		require.ErrorIs(t, over.err, sfu.ErrFloorSilent)
		cy.member.SetVoiceState(new(false), nil, nil)
		over = cy.press(sfu.FloorRequest{Over: true})
		w.pass(100 * time.Millisecond)
		require.Equal(t, "granted", over.String())
		require.Len(t, ada.house.radio().Holders(), 2)
		late := w.come(ada.house.name, "late")
		require.Equal(t, ben.house.radio().Holders()[0].UserID, late.house.radio().Holders()[0].UserID)
		w.pass(100 * time.Millisecond)
		require.Equal(t, ben.id, late.last)
	})
}

// The arbiter dies: nobody is heard, all are told, and everybody can talk again within three seconds.
func TestArbiterDies(t *testing.T) {
	three(t, func(t *testing.T, w *town, ada, ben, cy *person) {
		t.Helper()
		ben.talks()
		waits := cy.press(sfu.FloorRequest{Queue: true})
		w.pass(100 * time.Millisecond)
		require.Equal(t, "queued 1/1", waits.String())
		ben.takes()
		cy.takes()
		w.kill(ada.house.name)
		w.pass(50 * time.Millisecond)
		require.Equal(t, []string{"revoked 102", "idle"}, ben.takes())
		require.Equal(t, []string{"denied 255", "idle"}, cy.takes())
		require.Empty(t, cy.last)
		asked := cy.press(sfu.FloorRequest{Queue: true})
		w.pass(sfu.FloorPause - 200*time.Millisecond)
		require.Equal(t, "waits", asked.String(), "who asks meanwhile is answered later")
		w.pass(700 * time.Millisecond)
		require.Equal(t, "granted", asked.String())
		require.Equal(t, cy.id, ben.last)
	})
}

// The holder's node dies: the floor is nobody's, and then that of who waits.
func TestHoldersNodeDies(t *testing.T) {
	three(t, func(t *testing.T, w *town, ada, ben, cy *person) {
		t.Helper()
		ben.talks()
		waits := cy.press(sfu.FloorRequest{Queue: true})
		w.pass(100 * time.Millisecond)
		require.Equal(t, "queued 1/1", waits.String())
		cy.takes()
		w.kill(ben.house.name)
		w.pass(50 * time.Millisecond)
		require.Equal(t, []string{"idle"}, cy.takes())
		require.Empty(t, cy.last)
		w.pass(sfu.FloorPause + 500*time.Millisecond)
		require.Equal(t, []string{"granted"}, cy.takes())
		require.Equal(t, cy.id, ada.last)
	})
}

// A network comes apart, 2 to 1, and the side without most of the nodes has no floor; media may go on between the sides or not.
func TestPartition(t *testing.T) {
	for name, deaf := range map[string]bool{"media too": true, "not media": false} {
		for who, alone := range map[string]int{"the arbiter": 0, "another": 1} {
			t.Run(who+" alone, "+name, func(t *testing.T) {
				three(t, func(t *testing.T, w *town, ada, ben, cy *person) {
					t.Helper()
					people := []*person{ada, ben, cy}
					one := people[alone]
					two := append(append([]*person{}, people[:alone]...), people[alone+1:]...)
					w.come(one.house.name, "beside")
					one.talks() // who is cut off has the floor
					w.tear(one.house.name, two[0].house.name, two[1].house.name)
					for _, o := range two {
						w.deaf[one.house.name+" "+o.house.name], w.deaf[o.house.name+" "+one.house.name] = deaf, deaf
					}
					w.pass(10 * time.Millisecond)
					require.Equal(t, one.id, one.house.radio().Holders()[0].UserID, "it has not noticed")
					asked := two[0].press(sfu.FloorRequest{Queue: true})
					w.pass(1400 * time.Millisecond)
					require.Contains(t, one.takes(), "revoked 102", "it has noticed")
					refused := one.press(sfu.FloorRequest{Queue: true})
					w.pass(10 * time.Millisecond)
					require.Equal(t, "unsettled", refused.String())
					w.pass(500 * time.Millisecond)
					require.Contains(t, []string{"granted", "queued 1/1"}, asked.String())
					require.Equal(t, two[0].id, two[1].last)
					for range 3 { // 10 s
						w.pass(2 * time.Second)
						ping(t, two[0])
					}
					require.Empty(t, one.last)

					w.net.Heal()
					clear(w.deaf)
					w.pass(2 * time.Second)
					first := two[0].house.radio().Holders()
					for _, p := range people {
						require.Equal(t, userIDs(first), userIDs(p.house.radio().Holders()), "they agree")
						require.Len(t, p.house.radio().Members(), 4)
					}
					w.arbiter()
					one.talksSoon()
				})
			})
		}
	}
}

func userIDs(grants []sfu.FloorGrant) (ids []string) {
	for _, g := range grants {
		ids = append(ids, g.UserID)
	}
	return ids
}

// ping says that somebody still talks.
func ping(t *testing.T, p *person) {
	t.Helper()
	for _, g := range p.house.radio().Holders() {
		if g.UserID != p.id {
			continue
		}
		err := make(chan error, 1)
		go func() { err <- p.member.PingFloor(t.Context(), g.ID, func(time.Duration) {}) }()
		p.house.town.pass(50 * time.Millisecond)
		require.NoError(t, <-err)
	}
}

// talksSoon has somebody get the floor by an emergency, whoever has it.
func (p *person) talksSoon() {
	p.house.town.t.Helper()
	o := p.press(sfu.FloorRequest{Priority: 255, Queue: true})
	p.house.town.pass(100 * time.Millisecond)
	require.Equal(p.house.town.t, "granted", o.String())
}

// A node comes that decides from then on: the one before hands over, and nobody notices.
func TestHandOver(t *testing.T) {
	three(t, func(t *testing.T, w *town, ada, ben, cy *person) {
		t.Helper()
		home := ada.house.name
		w.kill(home)
		w.pass(3 * time.Second)
		before := w.arbiter()
		grant := ben.talks().got.Grant.ID
		waits := cy.press(sfu.FloorRequest{Queue: true})
		w.pass(100 * time.Millisecond)
		require.Equal(t, "queued 1/1", waits.String())
		ben.takes()
		cy.takes()
		w.start(home)
		for range 60 {
			w.pass(50 * time.Millisecond)
			require.Equal(t, ben.id, cy.last, "there was no break")
		}
		require.Equal(t, home, w.arbiter())
		require.NotEqual(t, before, home)
		require.Empty(t, ben.takes())
		require.Empty(t, cy.takes())
		released := ben.release(grant)
		w.pass(500 * time.Millisecond)
		require.NoError(t, released.err)
		require.Equal(t, cy.id, ben.last, "who waited waits no more")
	})
}

// A node that is about to go decides nothing any more, and hands over while it is still there.
func TestDraining(t *testing.T) {
	three(t, func(t *testing.T, w *town, ada, ben, cy *person) {
		t.Helper()
		ben.talks()
		ben.takes()
		before := w.arbiter()
		ada.house.bus.Say(cluster.Status{Draining: true})
		for range 60 {
			w.pass(50 * time.Millisecond)
			require.Equal(t, ben.id, cy.last, "there was no break")
			require.Equal(t, ben.id, ada.last)
		}
		require.NotEqual(t, before, w.arbiter())
		require.Empty(t, ben.takes())
		w.kill(before)
		w.pass(50 * time.Millisecond)
		require.Equal(t, ben.id, cy.last)
	})
}
