package forward

import (
	"fmt"
	"testing"
	"time"
)

func BenchmarkRewrite(b *testing.B) {
	r := newRewriter(DefaultClockRate, 0, 0)
	now := time.Unix(0, 0)
	f := frame{epoch: 1}
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(frameLen)
		f.index++
		f.ts += 960
		if _, v := r.rewrite(&f, now); v != pass {
			b.Fatal("dropped")
		}
	}
}

// BenchmarkForward is one packet to n listeners with a writer that does nothing.
func BenchmarkForward(b *testing.B) {
	for _, n := range []int{1, 10, 100} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			source, p := crowd(b, n)
			now := time.Unix(0, 0)
			b.ReportAllocs()
			for b.Loop() {
				now = now.Add(frameLen)
				p.SequenceNumber++
				p.Timestamp += 960
				source.Forward(p, now)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/listener")
		})
	}
}
