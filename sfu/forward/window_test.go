package forward

import "testing"

// TestWindow compares with a set of all numbers ever used.
func TestWindow(t *testing.T) {
	used := map[int64]bool{10: true}
	var w window
	w.reset(10)
	steps := []int64{1, 1, 2, 5, 31, 1, 62, 63, 64, 1, 65, 1, 500, 1, 1}
	for _, step := range steps {
		w.advance(w.highest + step)
		used[w.highest] = true
		for age := range int64(80) {
			n := w.highest - age
			want := pass
			switch {
			case age >= windowSize:
				want = dropLate
			case used[n]:
				want = dropDuplicate
			}
			// Not all are placed, so that some are left for the next round.
			if want == pass && n%3 != 0 {
				continue
			}
			if got := w.place(n); got != want {
				t.Fatalf("number %d, %d below the highest: got verdict %d, want %d", n, age, got, want)
			}
			used[n] = used[n] || want == pass
		}
	}
}
