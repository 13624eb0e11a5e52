package arbiter

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu"
)

// Whatever happens on five nodes, with delays, partitions and deaths: nobody hears two at once, and when all see each other again they agree
// within 2 s, and everybody gets the floor.
func TestNobodyHearsTwo(t *testing.T) {
	for seed := range 4 {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(2, uint64(seed)))
			names := []string{"a", "b", "c", "d", "e"}
			inTown(t, func(t *testing.T, w *town) {
				t.Helper()
				late := rand.New(rand.NewPCG(3, uint64(seed))) // asked while the network's lock is held
				w.net.Delay(func(string, string) time.Duration { return time.Duration(late.IntN(40)) * time.Millisecond })
				granted := 0
				for range 2 {
					for range 120 {
						w.something(random, names, &granted)
						w.pass(time.Duration(random.IntN(80)) * time.Millisecond)
					}
					w.settle(names)
				}
				require.Greater(t, granted, 5, "hardly anybody got the floor")
			}, names...)
		})
	}
}

// settle has all be well, and looks whether the nodes agree.
func (w *town) settle(names []string) {
	w.t.Helper()
	w.net.Heal()
	clear(w.deaf)
	for _, name := range names {
		if w.houses[name] == nil {
			w.start(name)
		}
	}
	w.pass(2 * time.Second)
	w.arbiter()
	for _, name := range names {
		require.Equal(w.t, userIDs(w.houses["a"].radio().Holders()), userIDs(w.houses[name].radio().Holders()), "%s and a do not agree", name)
	}
	for i, name := range names {
		id := fmt.Sprint("last", i)
		p := w.come(name, id)
		w.pass(200 * time.Millisecond)
		p.talksSoon()
		p.leave()
		w.pass(200 * time.Millisecond)
	}
}

// something has one thing happen.
func (w *town) something(random *rand.Rand, names []string, granted *int) {
	name, userID := names[random.IntN(len(names))], fmt.Sprint("user", random.IntN(10))
	p, h := w.people[userID], w.houses[name]
	switch what := random.IntN(100); {
	case what < 3:
		sides := [2][]string{}
		for _, one := range names {
			side := random.IntN(2)
			sides[side] = append(sides[side], one)
		}
		w.net.Part(sides[0], sides[1])
	case what < 8:
		w.net.Heal()
	case what < 9 && len(w.houses) > 3 && h != nil:
		w.kill(name)
	case what < 12:
		w.net.Cut(name, names[random.IntN(len(names))])
	case what < 14: // a way on which messages pass, and no media
		w.deaf[name+" "+names[random.IntN(len(names))]] = random.IntN(2) == 0
	case h == nil:
		w.start(name)
	case p == nil:
		w.come(name, userID)
	case what < 18:
		p.leave()
	case what < 22 && h != p.house:
		p.moves(name, time.Duration(random.IntN(200))*time.Millisecond, func() {})
	case what < 25:
		p.member.SetVoiceState(new(random.IntN(2) == 0), nil, nil)
	case what < 55:
		o := p.press(sfu.FloorRequest{Priority: uint8(random.IntN(3)), Queue: random.IntN(4) > 0, Over: random.IntN(6) == 0})
		w.pass(100 * time.Millisecond)
		if o.String() == "granted" {
			*granted++
		}
	default:
		p.release(0)
	}
}
