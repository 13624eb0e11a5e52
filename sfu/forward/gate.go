package forward

import "sync/atomic"

// gate lets a source's packets out, or holds them back for as long as there is a reason to.
// Its word has a bit for each reason and above them its generation, the count of changes.
// The zero value is open. Safe for concurrent use.
//
// A packet is marked with the word under which it was prepared, and a slot writes it only
// while that is still the word: so what was prepared before the gate closed stays in, even
// if it is open again by then.
type gate struct{ word atomic.Uint32 }

// reason is why a gate is closed.
type reason uint32

const (
	// byMute: the talker does not want to be heard.
	byMute reason = 1 << iota
	// byFloor: in a channel where one talks at a time, it is not the talker's turn.
	byFloor

	// reasonBits is how many reasons there can be; the generation, of 24 bits, stands above.
	reasonBits = 8
)

// load returns the present word.
func (g *gate) load() uint32 { return g.word.Load() }

// set adds a reason to be closed or takes it away. That it is there already is no change.
func (g *gate) set(why reason, closed bool) {
	for {
		word := g.word.Load()
		if closed == (word&uint32(why) != 0) {
			return
		}
		if g.word.CompareAndSwap(word, (word^uint32(why))+1<<reasonBits) {
			return
		}
	}
}

// isOpen reports whether packets marked with this word may leave.
func isOpen(word uint32) bool { return word&(1<<reasonBits-1) == 0 }
