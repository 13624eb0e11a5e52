package cluster

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

const (
	// frozen is how late a look at who is silent may come before it is taken for this process that was stopped, and not the others.
	frozen = DeadAfter / 2
	// maxRefused is how many refused nodes are remembered.
	maxRefused = 32
	// refusedAnew is after how long without a try it is said again that a node was refused: somebody has started it once more.
	refusedAnew = 10 * time.Second
)

// roll is who is there: a decision without a clock. Its guard is its station's.
type roll struct {
	self     NodeID
	identity func() Identity
	// expected are the names of the nodes that there should be, this one too.
	expected []string
	alive    map[string]*member
	refused  []Refused
	looked   time.Time // when silence was looked for; zero: never
	lost     int64     // beats that did not come
	clocks   clocks
	// saidOff is what was last said of this node's clock.
	saidOff time.Duration
}

// member is another node that is there.
type member struct {
	node  Node
	heard time.Time
	beats uint64
	clock reckoned
	// said is what was last said of its clock.
	said word
	// roundTrip is how long a message takes there and back; 0: not known.
	roundTrip time.Duration
	// rival is the boot of another that has its name, "" while there is none.
	rival string
}

// Refused is a node that was refused.
type Refused struct {
	// Name is what it says it is called, or where it is when it did not get as far as saying it.
	Name string
	// Why says it in words.
	Why string
	// At is when it was last refused.
	At time.Time
}

// finding is what comes of a beat, or of none: changes to be told, and words for the log.
type finding struct {
	changes []Change
	words   []word
}

// word is a line for the log about a node.
type word struct {
	node, text string
	clock      time.Duration // how far its clock is ahead; not 0: only in words about that
}

func (f *finding) change(n *Node, alive bool, why string) {
	f.changes = append(f.changes, Change{*n, alive, why})
}

// hear takes a beat.
func (r *roll) hear(now time.Time, b *beat) (f finding) {
	if b.id() == r.self {
		return f
	}
	own := r.identity()
	why := own.differs(b.identity())
	m := r.alive[b.Name]
	switch {
	case why != "" && m != nil && m.node.ID.Boot == b.Boot: // it was let in, and something changed
		r.drop(&f, m, why)
	case why == "":
		why = r.stranger(b.id())
	}
	if why != "" {
		r.refuse(&f, now, b.Name, why)
		return f
	}
	if m != nil && m.node.ID.Boot != b.Boot {
		// One that was started anew is silent under its old id; only while both speak there are two.
		m.rival = b.Boot
		return f
	}
	if b.Leaving {
		if m != nil {
			r.drop(&f, m, WhyLeft)
		}
		return f
	}
	if m == nil {
		m = &member{node: Node{ID: b.id(), Since: now}, beats: b.Number}
		r.alive[b.Name] = m
		m.node.Status = b.Status
		r.refused = slices.DeleteFunc(r.refused, func(one Refused) bool { return one.Name == b.Name })
		f.change(&m.node, true, "")
		if other := own.otherList(b.identity()); other != "" {
			f.words = append(f.words, word{node: b.Name, text: "a node is let in while the list is changed: " + other + "; give all nodes the same"})
		}
	}
	if m.rival != "" {
		m.rival = ""
		r.refuse(&f, now, b.Name, twoOfOneName)
	}
	r.note(&f, m, b, now)
	return f
}

// stranger says why a node that has what all have in common is none of this cluster's all the same, "" if it is.
func (r *roll) stranger(id NodeID) string {
	switch {
	case id == r.self: // this node reaches itself by an address of its own
	case id.Name == r.self.Name:
		return "it has the name of this node: give each its own --node-name"
	case !slices.Contains(r.expected, id.Name):
		return "it is not in --cluster-peers of this node"
	}
	return ""
}

// refusal says why a node may not connect, "" if it may.
func (r *roll) refusal(id NodeID) string {
	if why := r.stranger(id); why != "" {
		return why
	}
	if m := r.alive[id.Name]; m != nil && m.node.ID.Boot != id.Boot {
		return twoOfOneName
	}
	return ""
}

// twoOfOneName is said when a node comes that is there already.
const twoOfOneName = "there are two nodes of this name: give each its own --node-name"

// note takes what a member's beat says.
func (r *roll) note(f *finding, m *member, b *beat, now time.Time) {
	if b.Number > m.beats+1 {
		r.lost += int64(b.Number - m.beats - 1) //nolint:gosec // a few
	}
	m.beats, m.heard, m.node.Status = max(m.beats, b.Number), now, b.Status
	m.clock.note(now, r.clocks.then(time.UnixMilli(b.At), now))
	r.compare(f, m, now)
}

// What is said of clocks.
const (
	clockOff     = "the clock of a node is off, so it goes by that of most nodes; let NTP set it"
	ownClockOff  = "this node's clock is off, so it goes by that of most nodes; let NTP set it"
	clocksDiffer = "the clock of a node differs from this one's, and too few are there to tell which is right: times that people read will not agree, " +
		"nor what ends at a time; let NTP set both"
)

// compare settles what time it is, of which a member has said something, and has said which clocks are off.
func (r *roll) compare(f *finding, m *member, now time.Time) {
	others := make([]time.Time, 0, len(r.alive)+1)
	for _, one := range r.alive {
		others = append(others, one.clock.showed())
	}
	r.clocks.settle(now, others, r.most)
	off := r.clocks.off(now)
	if off.Abs() > clockApart && (off-r.saidOff).Abs() > clockApart {
		f.words = append(f.words, word{r.self.Name, ownClockOff, off})
	}
	r.saidOff = off
	is := word{m.node.ID.Name, clockOff, r.ahead(m, now)}
	if !r.clocks.agreed {
		is.text = clocksDiffer
	}
	if is.clock.Abs() > clockApart && (is.text != m.said.text || (is.clock-m.said.clock).Abs() > clockApart) {
		f.words = append(f.words, is)
	}
	m.said = is
}

// ahead returns how far a member's clock is ahead of the right time.
func (r *roll) ahead(m *member, now time.Time) time.Duration {
	return m.clock.showed().Sub(r.clocks.then(r.clocks.time(now), now))
}

// look finds who has been silent for too long.
func (r *roll) look(now time.Time) (f finding) {
	late := !r.looked.IsZero() && now.Sub(r.looked) > frozen
	r.looked = now
	var silent []*member
	for _, m := range r.alive {
		switch {
		case late: // what they said waits to be read
			m.heard = now
		case now.Sub(m.heard) > DeadAfter:
			silent = append(silent, m)
		}
	}
	for _, m := range byName(silent) {
		r.drop(&f, m, fmt.Sprintf("nothing was heard of it for %v", DeadAfter))
	}
	return f
}

// cut takes it that the way to a node is closed; "" is every node.
func (r *roll) cut(name, why string) (f finding) {
	for _, m := range r.sorted() {
		if name == "" || m.node.ID.Name == name {
			r.drop(&f, m, why)
		}
	}
	return f
}

func (r *roll) drop(f *finding, m *member, why string) {
	delete(r.alive, m.node.ID.Name)
	f.change(&m.node, false, why)
}

// refuse remembers that a node was refused, and has it said when it is news.
func (r *roll) refuse(f *finding, now time.Time, name, why string) {
	i := slices.IndexFunc(r.refused, func(one Refused) bool { return one.Name == name })
	if i >= 0 && r.refused[i].Why == why && now.Sub(r.refused[i].At) < refusedAnew {
		r.refused[i].At = now
		return
	}
	if i < 0 {
		r.refused = slices.Delete(r.refused, 0, max(0, len(r.refused)+1-maxRefused))
		r.refused = append(r.refused, Refused{})
		i = len(r.refused) - 1
	}
	r.refused[i] = Refused{name, why, now}
	f.words = append(f.words, word{node: name, text: "a node was refused: " + why})
}

func (r *roll) sorted() []*member {
	all := make([]*member, 0, len(r.alive))
	for _, m := range r.alive {
		all = append(all, m)
	}
	return byName(all)
}

func byName(all []*member) []*member {
	slices.SortFunc(all, func(a, b *member) int { return cmp.Compare(a.node.ID.Name, b.node.ID.Name) })
	return all
}

// member reports whether this start of a node is there.
func (r *roll) member(id NodeID) bool {
	m := r.alive[id.Name]
	return m != nil && m.node.ID == id
}

// quorum reports whether most of those that there should be are there.
func (r *roll) quorum() bool { return r.most(1 + len(r.alive)) }

// most reports whether so many are most of those that there should be.
func (r *roll) most(count int) bool { return 2*count > len(r.expected) }
