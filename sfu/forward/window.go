package forward

// windowSize is how many of the newest packet numbers a window remembers: the 64 an SRTP
// receiver must remember too (RFC 3711 §3.3.2). What is older it may refuse anyway, and
// comes more than a second late in 20 ms frames.
const windowSize = 64

// window remembers which of the last windowSize numbers were used. Numbers are extended
// ones that never wrap. The zero value has used nothing and stands at number 0.
type window struct {
	highest int64
	// Bit i of used is highest-i.
	used uint64
}

// reset forgets everything and marks n as the highest and only used number.
func (w *window) reset(n int64) {
	*w = window{highest: n, used: 1}
}

// advance marks n, which must be above w.highest, as the new highest used number.
func (w *window) advance(n int64) {
	w.used = w.used<<(n-w.highest) | 1 // a shift by 64 or more leaves 0
	w.highest = n
}

// place tells whether n, at or below w.highest, is too old to tell, or used already; if
// neither, it marks n as used.
func (w *window) place(n int64) verdict {
	age := w.highest - n
	if age >= windowSize {
		return dropLate
	}
	bit := uint64(1) << age
	if w.used&bit != 0 {
		return dropDuplicate
	}
	w.used |= bit
	return pass
}

// has reports whether n is known to be used; n is at or below w.highest.
func (w *window) has(n int64) bool {
	age := w.highest - n
	return age < windowSize && w.used&(1<<age) != 0
}
