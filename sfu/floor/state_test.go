package floor

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Nobody has a floor that is suspended before then; who waits gets it.
func TestSuspend(t *testing.T) {
	run(t, usual(), append(cWaits[:3:3],
		step{time.Second, Suspend{at(3 * time.Second)}, "shut a; revoked a#1 cause 102; idle"},
		step{time.Second, ask("d", 255), "denied c full; queued d 1/2 p255; queued b 2/2 p3"},
		step{2 * time.Second, Suspend{at(2500 * time.Millisecond)}, ""},
		step{2999 * time.Millisecond, Tick{}, ""},
		step{3 * time.Second, Tick{}, "open d; granted d#2 p255; taken d#2 p255; queued b 1/1 p3"},
	)...)
	run(t, usual(),
		step{0, Suspend{at(time.Second)}, ""},
		step{time.Second, Tick{}, ""},
		step{time.Second, ask("a", 0), "open a; granted a#1 p0; taken a#1 p0"},
	)
	f := run(t, with(func(c *Config) { c.Pause = time.Minute }), step{0, Suspend{at(time.Second)}, ""})
	f.Configure(at(0), usual())
	require.Empty(t, f.Apply(at(999*time.Millisecond), Tick{}), "a shorter pause ends no suspension")
	due, ok := f.Next()
	require.True(t, ok)
	require.Equal(t, at(time.Second), due)
}

// Only the grant that is meant is revoked.
func TestRevokeOf(t *testing.T) {
	run(t, usual(), append(aTalks[:1:1],
		step{time.Second, Revoke{"m", 2}, ""},
		step{time.Second, Revoke{"m", 1}, "shut a; revoked a#1 moderator by m; idle"},
	)...)
}

// One that was restored goes on as the other does.
func TestRestore(t *testing.T) {
	copied := func(f *Floor, now time.Duration) *Floor {
		c := New(usual())
		c.Restore(at(now), f.State())
		require.Equal(t, f.State(), c.State())
		return c
	}
	f := copied(run(t, usual(), cWaits...), time.Second)
	require.Equal(t, "released a", show(f.Apply(at(2*time.Second), Release{User: "a", Grant: 1})))
	f = copied(f, 2*time.Second)
	require.Equal(t, "shut a; open b; granted b#2 p3; taken b#2 p3; queued c 1/1 p1", show(f.Apply(at(2250*time.Millisecond), Tick{})))
	f = copied(f, 3*time.Second)
	require.Equal(t, "shut b; revoked b#2 silent; open c; granted c#3 p1; taken c#3 p1", show(f.Apply(at(9*time.Second), Tick{})), "it counts as having pinged")
	f = copied(run(t, usual(), aWarned...), 25*time.Second)
	require.Equal(t, "pong a#1 4s", show(f.Apply(at(26*time.Second), Ping{"a", 1})), "it is not warned again")
}

func TestBetween(t *testing.T) {
	states := map[string]State{
		"idle": New(usual()).State(), "a talks": run(t, usual(), aTalks...).State(), "b waits": run(t, usual(), bWaits...).State(),
		"c waits": run(t, usual(), cWaits...).State(), "a is heard": run(t, usual(), aReleases...).State(),
		"b talks": run(t, usual(), append(bWaits[:2:2], step{
			time.Second,
			Revoke{By: "m"},
			"shut a; revoked a#1 moderator by m; open b; granted b#2 p3; taken b#2 p3",
		})...).State(),
	}
	for _, one := range []struct{ from, to, want string }{
		{"idle", "idle", ""},
		{"idle", "a talks", "open a; granted a#1 p3; taken a#1 p3"},
		{"idle", "a is heard", "open a; taken a#1 p3"},
		{"a talks", "a talks", ""},
		{"a talks", "a is heard", ""},
		{"a is heard", "idle", "shut a; idle"},
		{"a talks", "idle", "shut a; revoked a#1 cause 102; idle"},
		{"a talks", "c waits", "queued b 1/2 p3; queued c 2/2 p1"},
		{"c waits", "b waits", "denied c ended; queued b 1/1 p3"},
		{"c waits", "b talks", "shut a; revoked a#1 cause 102; denied c ended; open b; granted b#2 p3; taken b#2 p3"},
		{"c waits", "idle", "shut a; revoked a#1 cause 102; denied b ended; denied c ended; idle"},
	} {
		require.Equal(t, one.want, show(Between(states[one.from], states[one.to], true, CauseLost)), "from %s to %s", one.from, one.to)
	}
	require.Equal(t, "shut a; revoked a#1 moderator; open a; granted a#1 p3; taken a#1 p3",
		show(Between(states["a talks"], states["a talks"], false, CauseModerator)), "another's grant of the same id")
}

// Whoever follows by states alone, and misses some, has the same heard and the same wait.
func TestBetweenFollows(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	f := New(with(func(c *Config) { c.Queue = 3 }))
	before, heard, waits := f.State(), "", make(map[string]bool)
	now := time.Duration(0)
	for range 20_000 {
		now += time.Duration(random.IntN(2000)) * time.Millisecond
		user := string('a' + rune(random.IntN(6)))
		f.Apply(at(now), []Event{
			ask(user, uint8(random.IntN(3))), askNow(user, 0), Release{User: user}, Leave{user}, Revoke{By: "m"}, Tick{}, Suspend{at(now + time.Second)},
		}[random.IntN(7)])
		if random.IntN(3) == 0 {
			continue // missed
		}
		for _, effect := range Between(before, f.State(), true, CauseLost) {
			switch e := effect.(type) {
			case Open:
				require.Empty(t, heard)
				heard = e.User
				delete(waits, e.User)
			case Shut:
				require.Equal(t, heard, e.User)
				heard = ""
			case Denied:
				require.True(t, waits[e.User])
				delete(waits, e.User)
			case Queued:
				waits[e.User] = true
			default:
			}
		}
		before = f.State()
		held, ok := f.Holder()
		require.Equal(t, ok, heard != "")
		require.True(t, !ok || held.User == heard)
		require.Len(t, waits, f.Waiting())
		for _, w := range before.Waiting {
			require.True(t, waits[w.User])
		}
	}
}
