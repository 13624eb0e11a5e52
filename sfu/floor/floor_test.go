package floor

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// usual has a queue for two. Who holds the floor in the tables pings at 1 s.
func usual() Config {
	config := Defaults()
	config.Queue = 2
	return config
}

func with(change func(*Config)) Config {
	config := usual()
	change(&config)
	return config
}

// ask is a request of one who waits if need be, askNow of one who does not.
func ask(user string, priority uint8) Event {
	return Request{User: user, Priority: priority, Queue: true}
}

func askNow(user string, priority uint8) Event { return Request{User: user, Priority: priority} }

// step is something that happens, when, and what follows from it.
type step struct {
	at    time.Duration
	event Event
	want  string
}

// run checks a story from its beginning.
func run(t *testing.T, config Config, steps ...step) *Floor {
	t.Helper()
	f := New(config)
	for i, s := range steps {
		require.Equal(t, s.want, show(f.Apply(at(s.at), s.event)), "step %d: %T %+v", i+1, s.event, s.event)
	}
	return f
}

// Where the tables begin: a has or had the floor with priority 3, b and c wait.
//
//nolint:gochecknoglobals // constants in all but the language
var (
	aTalks = []step{{0, ask("a", 3), "open a; granted a#1 p3; taken a#1 p3"}}
	// aReleases leaves the tail until 1.25 s.
	aReleases = append(aTalks[:1:1], step{time.Second, Release{User: "a"}, "released a"})
	// bWaits and cWaits fill the queue.
	bWaits = append(aTalks[:1:1], step{0, ask("b", 3), "queued b 1/1 p3"})
	cWaits = append(bWaits[:2:2], step{0, ask("c", 1), "queued c 2/2 p1"})
	// aWarned has five seconds left.
	aWarned = append(cWaits[:3:3], step{5 * time.Second, Ping{"a", 1}, "pong a#1 25s"}, step{10 * time.Second, Ping{"a", 1}, "pong a#1 20s"},
		step{15 * time.Second, Ping{"a", 1}, "pong a#1 15s"}, step{20 * time.Second, Ping{"a", 1}, "pong a#1 10s"},
		step{25 * time.Second, Ping{"a", 1}, "revoked a#1 too long in 5s; pong a#1 5s"})
	// tailWaits: who waits for a tail to end.
	tailWaits = append(cWaits[:3:3], step{time.Second, Release{User: "a"}, "released a"})
	// pauses until 2.25 s.
	pauses    = append(aReleases[:2:2], step{1250 * time.Millisecond, Tick{}, "shut a; idle"})
	pauseWait = append(pauses[:3:3], step{1300 * time.Millisecond, ask("b", 3), "queued b 1/1 p3"},
		step{1300 * time.Millisecond, ask("c", 1), "queued c 2/2 p1"})
)

// TestEveryEventInEveryState: what follows, in its order.
func TestEveryEventInEveryState(t *testing.T) {
	pause := with(func(c *Config) { c.Pause = time.Second })
	cutIn := with(func(c *Config) { c.CutIn = true })
	noQueue := with(func(c *Config) { c.Queue = 0 })
	for name, state := range map[string]struct {
		config Config
		before []step
		at     time.Duration
		want   []step // each from the same beginning
	}{
		"idle": {usual(), nil, 0, []step{
			{0, ask("a", 0), "open a; granted a#1 p0; taken a#1 p0"},
			{0, askNow("a", 255), "open a; granted a#1 p255; taken a#1 p255"},
			{0, Release{User: "a"}, "stale a"},
			{0, Release{"a", 1}, "stale a"},
			{0, Ping{"a", 1}, "stale a"},
			{0, Ping{"a", 0}, "stale a"},
			{0, Leave{"a"}, ""},
			{0, Revoke{By: "m"}, ""},
			{0, Clear{}, ""},
			{0, Tick{}, ""},
		}},
		"taken": {usual(), aTalks, time.Second, []step{
			{0, ask("a", 2), "again a#1 p3"},
			{0, ask("a", 3), "again a#1 p3"},
			{0, askNow("a", 3), "again a#1 p3"},
			{0, ask("a", 4), "again a#1 p4; taken a#1 p4"},
			{0, ask("d", 2), "queued d 1/1 p2"},
			{0, ask("d", 3), "queued d 1/1 p3"},
			{0, askNow("d", 2), "denied d busy"},
			{0, askNow("d", 3), "denied d busy"},
			{0, ask("d", 4), "shut a; revoked a#1 pre-empted; open d; granted d#2 p4; taken d#2 p4"},
			{0, askNow("d", 4), "shut a; revoked a#1 pre-empted; open d; granted d#2 p4; taken d#2 p4"},
			{0, Release{User: "a"}, "released a"},
			{0, Release{"a", 1}, "released a"},
			{0, Release{"a", 2}, "stale a"},
			{0, Release{User: "d"}, "stale d"},
			{0, Release{"d", 1}, "stale d"},
			{0, Ping{"a", 1}, "pong a#1 29s"},
			{0, Ping{"a", 2}, "stale a"},
			{0, Ping{"a", 0}, "stale a"},
			{0, Ping{"d", 1}, "stale d"},
			{0, Leave{"a"}, "shut a; revoked a#1 forbidden; idle"},
			{0, Leave{"d"}, ""},
			{0, Revoke{By: "m"}, "shut a; revoked a#1 moderator by m; idle"},
			{0, Clear{}, "shut a; revoked a#1 forbidden; idle"},
			{0, Tick{}, ""},
			{5 * time.Second, Tick{}, "shut a; revoked a#1 silent; idle"},
		}},
		"taken, one waits": {usual(), bWaits, time.Second, []step{
			{0, ask("b", 2), "queued b 1/1 p3"},
			{0, askNow("b", 3), "queued b 1/1 p3"},
			{0, ask("b", 4), "shut a; revoked a#1 pre-empted; open b; granted b#2 p4; taken b#2 p4"},
			{0, ask("d", 2), "queued d 2/2 p2"},
			{0, ask("d", 3), "queued d 2/2 p3"},
			{0, ask("d", 4), "shut a; revoked a#1 pre-empted; open d; granted d#2 p4; taken d#2 p4"},
			{0, Release{User: "b"}, "released b"},
			{0, Release{"b", 1}, "stale b"},
			{0, Ping{"b", 1}, "stale b"},
			{0, Leave{"b"}, "denied b ended"},
			{0, Leave{"a"}, "shut a; revoked a#1 forbidden; open b; granted b#2 p3; taken b#2 p3"},
		}},
		"taken, the queue is full": {usual(), cWaits, time.Second, []step{
			{0, ask("a", 4), "again a#1 p4; taken a#1 p4"},
			{0, ask("c", 2), "queued c 2/2 p2"},
			{0, ask("c", 3), "queued c 2/2 p3"},
			{0, ask("c", 0), "queued c 2/2 p1"},
			{0, ask("d", 1), "denied d full"},
			{0, ask("d", 2), "denied c full; queued d 2/2 p2"},
			{0, ask("d", 3), "denied c full; queued d 2/2 p3"},
			{0, askNow("d", 3), "denied d busy"},
			{0, ask("d", 4), "shut a; revoked a#1 pre-empted; open d; granted d#2 p4; taken d#2 p4"},
			{0, Release{User: "a"}, "released a"},
			{0, Release{User: "b"}, "released b; queued c 1/1 p1"},
			{0, Release{User: "c"}, "released c"},
			{0, Leave{"b"}, "denied b ended; queued c 1/1 p1"},
			{0, Leave{"a"}, "shut a; revoked a#1 forbidden; open b; granted b#2 p3; taken b#2 p3; queued c 1/1 p1"},
			{0, Revoke{By: "m"}, "shut a; revoked a#1 moderator by m; open b; granted b#2 p3; taken b#2 p3; queued c 1/1 p1"},
			{0, Clear{}, "denied b ended; denied c ended; shut a; revoked a#1 forbidden; idle"},
			{5 * time.Second, Tick{}, "shut a; revoked a#1 silent; open b; granted b#2 p3; taken b#2 p3; queued c 1/1 p1"},
			{5 * time.Second, Ping{"a", 1}, "pong a#1 24s"},
			{5 * time.Second, Ping{"a", 2}, "shut a; revoked a#1 silent; open b; granted b#2 p3; taken b#2 p3; stale a; queued c 1/1 p1"},
		}},
		"warned": {usual(), aWarned, 26 * time.Second, []step{
			{0, ask("a", 3), "again a#1 p3"},
			{0, ask("d", 4), "shut a; revoked a#1 pre-empted; open d; granted d#2 p4; taken d#2 p4"},
			{0, Release{User: "a"}, "released a"},
			{0, Ping{"a", 1}, "pong a#1 4s"},
			{0, Leave{"a"}, "shut a; revoked a#1 forbidden; open b; granted b#2 p3; taken b#2 p3; queued c 1/1 p1"},
			{0, Tick{}, ""},
			{4 * time.Second, Tick{}, "shut a; revoked a#1 too long; open b; granted b#2 p3; taken b#2 p3; queued c 1/1 p1"},
			{4 * time.Second, Ping{"a", 1}, "shut a; revoked a#1 too long; open b; granted b#2 p3; taken b#2 p3; stale a; queued c 1/1 p1"},
			{4 * time.Second, ask("a", 3), "shut a; revoked a#1 too long; open b; granted b#2 p3; taken b#2 p3; queued a 1/2 p3"},
		}},
		"tailing": {usual(), aReleases, 1100 * time.Millisecond, []step{
			{0, ask("a", 0), "open a; granted a#2 p0; taken a#2 p0"},
			{0, ask("d", 3), "queued d 1/1 p3"},
			{0, askNow("d", 3), "queued d 1/1 p3"}, // and is granted, or denied, when the floor is free
			{0, ask("d", 4), "shut a; open d; granted d#2 p4; taken d#2 p4"},
			{0, Release{User: "a"}, "stale a"},
			{0, Release{"a", 1}, "stale a"},
			{0, Ping{"a", 1}, "stale a"},
			{0, Leave{"a"}, "shut a; idle"},
			{0, Leave{"d"}, ""},
			{0, Revoke{By: "m"}, "shut a; idle"},
			{0, Clear{}, "shut a; idle"},
			{0, Tick{}, ""},
			{150 * time.Millisecond, Tick{}, "shut a; idle"},
			{150 * time.Millisecond, ask("d", 3), "shut a; idle; open d; granted d#2 p3; taken d#2 p3"},
		}},
		"tailing, and some wait": {usual(), tailWaits, 1100 * time.Millisecond, []step{
			{0, ask("a", 4), "shut a; open a; granted a#2 p4; taken a#2 p4"},
			{0, ask("a", 3), "denied c full; queued a 2/2 p3"},
			{0, ask("a", 1), "denied a full"},
			{0, askNow("d", 2), "denied c full; queued d 2/2 p2"},
			{0, Leave{"a"}, "shut a; open b; granted b#2 p3; taken b#2 p3; queued c 1/1 p1"},
			{0, Leave{"b"}, "denied b ended; queued c 1/1 p1"},
			{0, Release{User: "c"}, "released c"},
			{0, Revoke{By: "m"}, "shut a; open b; granted b#2 p3; taken b#2 p3; queued c 1/1 p1"},
			{0, Clear{}, "denied b ended; denied c ended; shut a; idle"},
			{150 * time.Millisecond, Tick{}, "shut a; open b; granted b#2 p3; taken b#2 p3; queued c 1/1 p1"},
		}},
		"pausing": {pause, pauses, 1500 * time.Millisecond, []step{
			{0, ask("a", 3), "queued a 1/1 p3"},
			{0, ask("d", 255), "queued d 1/1 p255"},
			{0, askNow("d", 0), "queued d 1/1 p0"},
			{0, Release{User: "a"}, "stale a"},
			{0, Ping{"a", 1}, "stale a"},
			{0, Leave{"a"}, ""},
			{0, Revoke{By: "m"}, ""},
			{0, Clear{}, ""},
			{0, Tick{}, ""},
			{750 * time.Millisecond, Tick{}, ""},
			{750 * time.Millisecond, ask("d", 0), "open d; granted d#2 p0; taken d#2 p0"},
		}},
		"pausing, and some wait": {pause, pauseWait, 1500 * time.Millisecond, []step{
			{0, ask("c", 3), "queued c 2/2 p3"},
			{0, ask("c", 4), "queued c 1/2 p4; queued b 2/2 p3"},
			{0, ask("d", 1), "denied d full"},
			{0, ask("d", 4), "denied c full; queued d 1/2 p4; queued b 2/2 p3"},
			{0, Release{User: "b"}, "released b; queued c 1/1 p1"},
			{0, Leave{"c"}, "denied c ended"},
			{0, Revoke{By: "m"}, ""},
			{0, Clear{}, "denied b ended; denied c ended"},
			{750 * time.Millisecond, Tick{}, "open b; granted b#2 p3; taken b#2 p3; queued c 1/1 p1"},
		}},
		"cut in": {cutIn, aTalks, time.Second, []step{
			{0, ask("a", 0), "again a#1 p3"},
			{0, ask("d", 0), "shut a; revoked a#1 pre-empted; open d; granted d#2 p0; taken d#2 p0"},
			{0, askNow("d", 0), "shut a; revoked a#1 pre-empted; open d; granted d#2 p0; taken d#2 p0"},
		}},
		"cut in on a tail": {cutIn, aReleases, 1100 * time.Millisecond, []step{
			{0, ask("d", 0), "shut a; open d; granted d#2 p0; taken d#2 p0"},
		}},
		"no queue": {noQueue, aTalks, time.Second, []step{
			{0, ask("d", 3), "denied d busy"},
			{0, ask("d", 4), "shut a; revoked a#1 pre-empted; open d; granted d#2 p4; taken d#2 p4"},
		}},
		// The first to come in the moment before the floor is free has it.
		"no queue, tailing": {
			noQueue, append(aReleases[:2:2], step{1050 * time.Millisecond, ask("b", 3), "queued b 1/1 p3"}),
			1100 * time.Millisecond,
			[]step{
				{0, ask("d", 3), "denied d busy"},
				{150 * time.Millisecond, Tick{}, "shut a; open b; granted b#2 p3; taken b#2 p3"},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, s := range state.want {
				s.at += state.at
				run(t, state.config, append(slices.Clip(state.before), s)...)
			}
		})
	}
}

// TestConfigure: it counts from then on, and takes nothing from anybody.
func TestConfigure(t *testing.T) {
	long := with(func(c *Config) { c.MaxTalk, c.Warn, c.Queue = time.Minute, 10*time.Second, 1 })
	for name, state := range map[string]struct {
		before []step
		at     time.Duration
		after  []step
	}{
		"idle": {nil, 0, []step{{0, ask("a", 0), "open a; granted a#1 p0; taken a#1 p0"}}},
		"taken": {aTalks, time.Second, []step{
			{2 * time.Second, Ping{"a", 1}, "pong a#1 28s"}, // of the grant as it was
			{2 * time.Second, ask("b", 0), "queued b 1/1 p0"},
			{2 * time.Second, ask("c", 0), "denied c full"},
		}},
		"taken, more wait than may": {cWaits, time.Second, []step{
			{2 * time.Second, ask("d", 3), "denied c full; queued d 2/2 p3"},
			{2 * time.Second, ask("c", 1), "denied c full"},
		}},
		"warned": {aWarned, 26 * time.Second, []step{
			{30 * time.Second, Tick{}, "shut a; revoked a#1 too long; open b; granted b#2 p3; taken b#2 p3; queued c 1/1 p1"},
			{31 * time.Second, Ping{"b", 2}, "pong b#2 59s"},
		}},
		"tailing": {aReleases, 1100 * time.Millisecond, []step{{1250 * time.Millisecond, Tick{}, "shut a; idle"}}},
	} {
		t.Run(name, func(t *testing.T) {
			f := run(t, usual(), state.before...)
			f.Configure(at(state.at), long)
			for i, s := range state.after {
				require.Equal(t, s.want, show(f.Apply(at(s.at), s.event)), "step %d: %T %+v", i+1, s.event, s.event)
			}
		})
	}

	// A longer warning than what is left comes at once, and the holder of a floor that now wants pings has that long from now on.
	f := run(t, Config{MaxTalk: 10 * time.Second, Warn: time.Second}, aTalks...)
	f.Configure(at(7*time.Second), Config{MaxTalk: 10 * time.Second, Warn: 5 * time.Second, Ping: 2 * time.Second})
	due, ok := f.Next()
	require.True(t, ok)
	require.Equal(t, at(5*time.Second), due)
	require.Equal(t, "revoked a#1 too long in 3s", show(f.Apply(at(7*time.Second), Tick{})))
	require.Equal(t, "shut a; revoked a#1 silent; idle", show(f.Apply(at(9*time.Second), Tick{})))

	// With cut-in, also those who wait already take the floor when they ask.
	f = run(t, usual(), cWaits...)
	f.Configure(at(0), with(func(c *Config) { c.CutIn = true }))
	require.Equal(t, "shut a; revoked a#1 pre-empted; open c; granted c#2 p1; taken c#2 p1", show(f.Apply(at(0), ask("c", 0))))
}

// TestFloorStories are those that take more than one event.
func TestFloorStories(t *testing.T) {
	second := time.Second
	for name, story := range map[string]struct {
		config Config
		steps  []step
	}{
		"priority, then as they came": {with(func(c *Config) { c.Queue = 9 }), []step{
			{0, ask("a", 9), "open a; granted a#1 p9; taken a#1 p9"},
			{0, ask("b", 1), "queued b 1/1 p1"},
			{0, ask("c", 5), "queued c 1/2 p5; queued b 2/2 p1"},
			{0, ask("d", 1), "queued d 3/3 p1"},
			{0, ask("e", 5), "queued e 2/4 p5; queued b 3/4 p1; queued d 4/4 p1"},
			{0, ask("d", 5), "queued d 3/4 p5; queued b 4/4 p1"},
			{second, Leave{"a"}, "shut a; revoked a#1 forbidden; open c; granted c#2 p5; taken c#2 p5; queued e 1/3 p5; queued d 2/3 p5; queued b 3/3 p1"},
			{second, Leave{"c"}, "shut c; revoked c#2 forbidden; open e; granted e#3 p5; taken e#3 p5; queued d 1/2 p5; queued b 2/2 p1"},
			{second, Leave{"e"}, "shut e; revoked e#3 forbidden; open d; granted d#4 p5; taken d#4 p5; queued b 1/1 p1"},
			{second, Leave{"d"}, "shut d; revoked d#4 forbidden; open b; granted b#5 p1; taken b#5 p1"},
			{second, Leave{"b"}, "shut b; revoked b#5 forbidden; idle"},
		}},
		"who does not like to wait is denied when the floor is another's": {usual(), append(aReleases[:2:2],
			step{1100 * time.Millisecond, ask("b", 3), "queued b 1/1 p3"},
			step{1100 * time.Millisecond, askNow("d", 3), "queued d 2/2 p3"},
			step{1250 * time.Millisecond, Tick{}, "shut a; open b; granted b#2 p3; taken b#2 p3; denied d busy"})},
		"unless they change their mind": {usual(), append(aReleases[:2:2],
			step{1100 * time.Millisecond, ask("b", 3), "queued b 1/1 p3"},
			step{1100 * time.Millisecond, askNow("d", 3), "queued d 2/2 p3"},
			step{1100 * time.Millisecond, ask("d", 3), "queued d 2/2 p3"},
			step{1250 * time.Millisecond, Tick{}, "shut a; open b; granted b#2 p3; taken b#2 p3; queued d 1/1 p3"})},
		"who waits again while still heard leaves altogether": {usual(), append(bWaits[:2:2],
			step{second, Release{User: "a"}, "released a"},
			step{1100 * time.Millisecond, ask("a", 3), "queued a 2/2 p3"},
			step{1100 * time.Millisecond, Leave{"a"}, "denied a ended; shut a; open b; granted b#2 p3; taken b#2 p3"})},
		"no tail": {with(func(c *Config) { c.Tail = 0 }), append(aTalks[:1:1], step{second, Release{User: "a"}, "released a; shut a; idle"})},
		"no tail, but a pause": {with(func(c *Config) { c.Tail, c.Pause = 0, second }), append(bWaits[:2:2],
			step{second, Release{User: "a"}, "released a; shut a; idle"},
			step{2 * second, Tick{}, "open b; granted b#2 p3; taken b#2 p3"})},
		"a pause after a grant that was taken back": {with(func(c *Config) { c.Pause = second }), append(bWaits[:2:2],
			step{second, Revoke{By: "m"}, "shut a; revoked a#1 moderator by m; idle"},
			step{2 * second, Tick{}, "open b; granted b#2 p3; taken b#2 p3"})},
		"no pause where one pre-empts": {with(func(c *Config) { c.Pause = second }), append(aTalks[:1:1],
			step{second, ask("b", 4), "shut a; revoked a#1 pre-empted; open b; granted b#2 p4; taken b#2 p4"})},
		"a tick that comes late": {usual(), append(bWaits[:2:2],
			step{time.Hour, Tick{}, "shut a; revoked a#1 silent; open b; granted b#2 p3; taken b#2 p3"})},
		"too late to warn": {with(func(c *Config) { c.Ping = 0 }), append(bWaits[:2:2],
			step{30 * second, Tick{}, "shut a; revoked a#1 too long; open b; granted b#2 p3; taken b#2 p3"})},
		"nearly too late to warn": {with(func(c *Config) { c.Ping = 0 }), append(bWaits[:2:2],
			step{29 * second, Tick{}, "revoked a#1 too long in 1s"},
			step{30 * second, Tick{}, "shut a; revoked a#1 too long; open b; granted b#2 p3; taken b#2 p3"})},
		"without a warning": {with(func(c *Config) { c.Ping, c.Warn = 0, 0 }), append(aTalks[:1:1],
			step{29 * second, Tick{}, ""},
			step{30 * second, Tick{}, "shut a; revoked a#1 too long; idle"})},
		"for as long as they like": {Config{}, append(aTalks[:1:1],
			step{1000 * time.Hour, Tick{}, ""},
			step{1000 * time.Hour, Ping{"a", 1}, "pong a#1 0s"},
			step{1000 * time.Hour, Release{"a", 1}, "released a; shut a; idle"})},
		"a former grant's release does not end the next": {usual(), append(aReleases[:2:2],
			step{1100 * time.Millisecond, ask("a", 3), "open a; granted a#2 p3; taken a#2 p3"},
			step{1200 * time.Millisecond, Release{"a", 1}, "stale a"},
			step{1250 * time.Millisecond, Tick{}, ""},
			step{2 * second, Ping{"a", 2}, "pong a#2 29.1s"})},
	} {
		t.Run(name, func(t *testing.T) { run(t, story.config, story.steps...) })
	}
}

// TestNext is when a tick is due, and that what Has and Position say is so.
func TestNext(t *testing.T) {
	due := func(f *Floor) time.Duration {
		when, ok := f.Next()
		if !ok {
			return -1
		}
		return when.Sub(epoch)
	}
	require.EqualValues(t, -1, due(run(t, usual())))
	require.Equal(t, 6*time.Second, due(run(t, usual(), aTalks...)), "the ping")
	require.Equal(t, 30*time.Second, due(run(t, usual(), aWarned...)), "the end")
	require.Equal(t, 1250*time.Millisecond, due(run(t, usual(), aReleases...)), "the tail")
	pause := with(func(c *Config) { c.Pause = time.Second })
	require.Equal(t, 2250*time.Millisecond, due(run(t, pause, pauses...)))
	require.EqualValues(t, -1, due(run(t, Config{Tail: time.Second}, aTalks...)))
	require.Equal(t, 25*time.Second, due(run(t, with(func(c *Config) { c.Ping = 0 }), aTalks...)), "the warning")

	f := run(t, usual(), cWaits...)
	require.True(t, f.Has("a"))
	require.False(t, f.Has("b"))
	for user, want := range map[string]int{"a": 0, "b": 1, "c": 2, "d": 0} {
		position, size := f.Position(user)
		require.Equal(t, [2]int{want, 2}, [2]int{position, size}, user)
	}
	f.Apply(at(time.Second), Release{User: "a"})
	held, ok := f.Holder()
	require.True(t, ok && held.User == "a", "is still heard")
	require.False(t, f.Has("a"))
}

func TestValidate(t *testing.T) {
	require.NoError(t, Defaults().Validate())
	require.NoError(t, Config{}.Validate())
	for field, wrong := range map[string]func(*Config){
		"MaxTalk": func(c *Config) { c.MaxTalk = MaxTalk + 1 },
		"Warn":    func(c *Config) { c.Warn = c.MaxTalk },
		"Ping":    func(c *Config) { c.Ping = -1 },
		"Tail":    func(c *Config) { c.Tail = MaxPause + 1 },
		"Pause":   func(c *Config) { c.Pause = -1 },
		"Queue":   func(c *Config) { c.Queue = MaxQueue + 1 },
	} {
		err := with(wrong).Validate()
		require.ErrorIs(t, err, ErrConfig)
		require.ErrorContains(t, err, field)
	}
}
