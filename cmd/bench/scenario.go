package bench

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Kind is a sort of scenario.
type Kind string

// The kinds of scenarios; the usage text says what they do.
const (
	Fanout     Kind = "fanout"
	Conference Kind = "conference"
	Rooms      Kind = "rooms"
	Crowd      Kind = "crowd"
	Idle       Kind = "idle"
	Join       Kind = "join"
	Storm      Kind = "storm"
	Chat       Kind = "chat"
	Turns      Kind = "floor"
)

// Usage explains the scenarios, one a line.
const Usage = `  fanout N       one talks, N listen
  conference N   N talk and listen, all in one channel
  rooms RxN      R channels, in each of which N talk and listen
  crowd N        one channel of N, of whom one in ten talks
  idle N         one channel of N, and nobody talks
  join N         N come and go one after another in a conference of ten
  storm N        N connect at the same moment, to channels of 25
  chat N         N messages a second are written beside a conference of 20
  floor [N]      push-to-talk: a button is pressed N times, 200 if not said; how
                 long all that follows takes, over a bad network, too`

const (
	// maxParticipants bounds a scenario, in people: each takes two file descriptors here.
	maxParticipants = 8000
	// defaultSlots is how many others a participant offers to hear, like an ordinary client.
	defaultSlots = 8
	// maxSlots is the most the protocol allows.
	maxSlots = 32
	// crowdTalkers: one in so many of a crowd talks.
	crowdTalkers = 10
	// runningChannel is how many are in the channel into which join joins, the joiner
	// included: the size in which others have published their times.
	runningChannel = 10
	// chatCall is how many talk beside the chat.
	chatCall = 20
	// chatters is how many people write, each in a channel of their own, so that what is measured is remembering and not telling.
	chatters = 40
	// stormChannel is how many newcomers share a channel in a storm.
	stormChannel = 25
	// defaultPresses is what the 99th percentile of them is worth something for.
	defaultPresses = 200
)

// ErrScenario is in every error about a scenario's name or size.
var ErrScenario = errors.New("bad scenario")

// Scenario is what is measured.
type Scenario struct {
	Kind Kind
	// Rooms is the number of channels, for Rooms only.
	Rooms int
	// N is the scenario's size; what it counts depends on the kind.
	N int
}

// String writes the scenario as it is given on the command line.
func (s Scenario) String() string {
	if s.Kind == Rooms {
		return fmt.Sprintf("%s %dx%d", s.Kind, s.Rooms, s.N)
	}
	return fmt.Sprintf("%s %d", s.Kind, s.N)
}

// ParseScenarios reads scenarios, each a kind and a size. Whether the two are in one
// argument or in two does not matter.
func ParseScenarios(args []string) ([]Scenario, error) {
	words := strings.Fields(strings.Join(args, " "))
	if len(words) == 0 {
		return nil, fmt.Errorf("%w: none is given; try %q", ErrScenario, "conference 20")
	}
	scenarios := make([]Scenario, 0, len(words)/2)
	for len(words) > 0 {
		if Kind(words[0]) == Turns && (len(words) < 2 || !isNumber(words[1])) {
			words = slices.Insert(words, 1, strconv.Itoa(defaultPresses))
		}
		if len(words) < 2 {
			return nil, fmt.Errorf("%w: %q lacks its size, as in %q", ErrScenario, words[0], "conference 20")
		}
		s, err := parseScenario(words[0], words[1])
		if err != nil {
			return nil, err
		}
		scenarios, words = append(scenarios, s), words[2:]
	}
	return scenarios, nil
}

func isNumber(word string) bool {
	_, err := strconv.Atoi(word)
	return err == nil || errors.Is(err, strconv.ErrRange)
}

func parseScenario(kind, size string) (Scenario, error) {
	s := Scenario{Kind: Kind(kind), Rooms: 1}
	least := 1
	switch s.Kind {
	case Conference:
		least = 2
	case Rooms:
		rooms, n, ok := strings.Cut(size, "x")
		var err error
		if s.Rooms, err = strconv.Atoi(rooms); err != nil || !ok || s.Rooms < 1 {
			return s, fmt.Errorf("%w: rooms %q: must be channels x people, as in %q", ErrScenario, size, "rooms 30x4")
		}
		size, least = n, 2
	case Crowd:
		least = 2 * crowdTalkers
	case Fanout, Idle, Join, Storm, Chat, Turns:
	default:
		return s, fmt.Errorf("%w: %q is none of fanout, conference, rooms, crowd, idle, join, storm, chat, floor", ErrScenario, kind)
	}
	var err error
	s.N, err = strconv.Atoi(size)
	if errors.Is(err, strconv.ErrRange) {
		return s, fmt.Errorf("%w: %s: at most %d people", ErrScenario, kind, maxParticipants)
	}
	if err != nil || s.N < least {
		return s, fmt.Errorf("%w: %s %q: must be a number, at least %d", ErrScenario, kind, size, least)
	}
	// Rooms is bounded first, so that the product cannot overflow.
	if s.N > maxParticipants || s.Rooms > maxParticipants || s.Rooms*s.N > maxParticipants {
		return s, fmt.Errorf("%w: %s: at most %d people", ErrScenario, s, maxParticipants)
	}
	return s, nil
}

// member is a participant as planned.
type member struct {
	room  int
	talks bool
	// hears are the members whose packets come here, at most plan.slots. Which talkers
	// the server picks when there are more is its own business; how many is not.
	hears []int
	// newcomer joins during the measurement, not before it.
	newcomer bool
	// node is on which one they are, from 0.
	node uint8
}

// plan is a scenario worked out: everybody in it, those who talk before those who do not.
type plan struct {
	Scenario

	slots   int
	members []member
	nodes   int // that are one server; 1: it is alone
	// rate is how many messages are written a second, readers how many people read and search; silent: nobody talks. All are for Chat only.
	rate    int
	readers int
	silent  bool
	// fanout is, for each room, how many packets have to come out of it on average for
	// one that a talker sends. Newcomers are not counted.
	fanout []float64
}

// plan works the scenario out. slots is how many others each can hear; 0 means as many as
// suits the scenario.
func (s Scenario) plan(slots int) plan {
	p := plan{Scenario: s, slots: slots, nodes: 1}
	if slots == 0 {
		p.slots = defaultSlots
		if s.Kind == Conference || s.Kind == Rooms {
			p.slots = max(p.slots, s.N-1)
		}
		if s.Kind == Conference {
			p.slots = s.N - 1
		}
		if s.Kind == Chat {
			p.slots = chatCall - 1
		}
		if s.Kind == Join {
			p.slots = runningChannel - 1
		}
	}
	p.slots = min(p.slots, maxSlots)

	switch s.Kind {
	case Fanout:
		p.add(0, 1, true)
		p.add(0, s.N, false)
	case Conference, Rooms:
		for room := range s.Rooms {
			p.add(room, s.N, true)
		}
	case Crowd:
		p.add(0, s.N/crowdTalkers, true)
		p.add(0, s.N-s.N/crowdTalkers, false)
	case Idle:
		p.add(0, s.N, false)
	case Join:
		p.add(0, runningChannel-1, true)
		p.addNewcomers(0, s.N)
	case Chat:
		p.add(0, chatCall, true)
		for i := range chatters {
			p.add(1+i, 1, false)
		}
	case Turns: // has people of its own
		return p
	case Storm:
		for room := range (s.N + stormChannel - 1) / stormChannel {
			p.add(room, 1, true)
		}
		for room := range (s.N + stormChannel - 1) / stormChannel {
			p.add(room, 1, false)
		}
		for i := range s.N {
			p.addNewcomers(i/stormChannel, 1)
		}
	}
	p.connect()
	return p
}

func (p *plan) add(room, count int, talks bool) {
	for range count {
		p.members = append(p.members, member{room: room, talks: talks})
	}
}

func (p *plan) addNewcomers(room, count int) {
	for range count {
		p.members = append(p.members, member{room: room, newcomer: true})
	}
}

// spread puts everybody on so many nodes in turn, so that each has as many of those who talk and of those who do not, in every channel.
func (p *plan) spread(nodes int) plan {
	q := *p
	q.nodes, q.members = nodes, slices.Clone(p.members)
	for i := range q.members {
		q.members[i].node = uint8(i % nodes) //nolint:gosec // at most maxNodes
	}
	return q
}

// part is the plan of as many people as one of so many nodes has, each of whom hears as many others; false if there is none.
func (p *plan) part(nodes int) (plan, bool) {
	s := p.Scenario
	switch s.Kind {
	case Fanout, Crowd, Conference:
		s.N /= nodes
	case Rooms:
		s.Rooms /= nodes
	default:
		return plan{}, false // not the same people all the time, or nothing is heard, or the call is not of N
	}
	if s.N == 0 || s.Rooms == 0 {
		return plan{}, false
	}
	q := s.plan(p.slots)
	return q, len(q.members[len(q.members)-1].hears) == len(p.members[len(p.members)-1].hears)
}

// people is how many are on a node at once, newcomers of Join apart.
func (p *plan) people(node int) int {
	n := 0
	for _, m := range p.members {
		if int(m.node) == node && (p.Kind != Join || !m.newcomer) {
			n++
		}
	}
	return n
}

// rooms is the number of channels.
func (p *plan) rooms() int { return p.members[len(p.members)-1].room + 1 }

// connect decides who hears whom: the first talkers of one's room, as many as fit.
func (p *plan) connect() {
	talkers := make([][]int, p.rooms())
	for i, m := range p.members {
		if m.talks {
			talkers[m.room] = append(talkers[m.room], i)
		}
	}
	p.fanout = make([]float64, p.rooms())
	for i := range p.members {
		m := &p.members[i]
		for _, t := range talkers[m.room] {
			if t != i && len(m.hears) < p.slots {
				m.hears = append(m.hears, t)
			}
		}
		if !m.newcomer && len(talkers[m.room]) > 0 {
			p.fanout[m.room] += float64(len(m.hears)) / float64(len(talkers[m.room]))
		}
	}
}

// participants is how many people the figures are about: everybody who is there at once.
func (p *plan) participants() int {
	if p.Kind == Join {
		return runningChannel
	}
	return len(p.members)
}

// steady reports whether the same people are there from the beginning of the measurement
// to its end, and talk: only then floor and reference are a measure of anything.
func (p *plan) steady() bool {
	return p.Kind == Fanout || p.Kind == Conference || p.Kind == Rooms || p.Kind == Crowd || p.Kind == Chat
}
