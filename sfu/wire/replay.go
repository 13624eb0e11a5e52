package wire

// window is a replay window (RFC 3711 §3.3.2) over packet indexes: a ring of bits, so that moving it on costs no
// shifting. One word more than the window is kept, because the newest word is rarely full.
type window struct {
	highest uint64
	words   [replayWindow/64 + 1]uint64
}

// fresh reports whether index is neither too old nor seen.
func (w *window) fresh(index uint64) bool {
	if index > w.highest {
		return true
	}
	if w.highest-index >= replayWindow {
		return false
	}
	return w.words[index/64%uint64(len(w.words))]&(1<<(index%64)) == 0
}

// mark notes an index that was fresh.
func (w *window) mark(index uint64) {
	if index > w.highest {
		steps := min(index/64-w.highest/64, uint64(len(w.words)))
		for i := range steps {
			w.words[(index/64-i)%uint64(len(w.words))] = 0
		}
		w.highest = index
	}
	w.words[index/64%uint64(len(w.words))] |= 1 << (index % 64)
}
