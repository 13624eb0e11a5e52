package forward

import (
	"fmt"
	"testing"
	"time"
)

func BenchmarkUnmarshal(b *testing.B) {
	packet := join(fixedHeader(0x90), []byte{0xbe, 0xde, 0, 2, 0x10, 0x85, 0x32, 1, 2, 3, 0, 0}, make([]byte, 100))
	b.ReportAllocs()
	var p Packet
	for b.Loop() {
		if err := p.Unmarshal(packet); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkExtension(b *testing.B) {
	packet := join(fixedHeader(0x90), []byte{0xbe, 0xde, 0, 2, 0x10, 0x85, 0x32, 1, 2, 3, 0, 0}, make([]byte, 100))
	var p Packet
	if err := p.Unmarshal(packet); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if p.Extension(3) == nil {
			b.Fatal("no element 3")
		}
	}
}

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
