package rtp

import (
	"bytes"
	"errors"
	"testing"

	pion "github.com/pion/rtp"
)

// fixedHeader is a valid RTP header of 12 bytes; first is its first byte.
func fixedHeader(first byte) []byte {
	return []byte{first, 0x80 | 111, 0x12, 0x34, 1, 2, 3, 4, 0xca, 0xfe, 0xba, 0xbe}
}

func join(parts ...[]byte) []byte {
	return bytes.Join(parts, nil)
}

func TestUnmarshal(t *testing.T) {
	payload := []byte("opus")
	tests := map[string]struct {
		packet []byte
		want   []byte // payload
		err    error
	}{
		"plain":                  {packet: join(fixedHeader(0x80), payload), want: payload},
		"no payload":             {packet: fixedHeader(0x80), want: []byte{}},
		"two CSRCs":              {packet: join(fixedHeader(0x82), make([]byte, 8), payload), want: payload},
		"extension":              {packet: join(fixedHeader(0x90), []byte{0xbe, 0xde, 0, 1, 0x10, 7, 0, 0}, payload), want: payload},
		"empty extension":        {packet: join(fixedHeader(0x90), []byte{0xbe, 0xde, 0, 0}, payload), want: payload},
		"CSRC and extension":     {packet: join(fixedHeader(0x91), make([]byte, 4), []byte{0, 0, 0, 1, 1, 2, 3, 4}, payload), want: payload},
		"padding":                {packet: join(fixedHeader(0xa0), payload, []byte{0, 0, 3}), want: payload},
		"padding only":           {packet: join(fixedHeader(0xa0), []byte{0, 2}), want: []byte{}},
		"padding after all":      {packet: join(fixedHeader(0xb1), make([]byte, 4), []byte{0xbe, 0xde, 0, 0}, payload, []byte{1}), want: payload},
		"empty":                  {packet: nil, err: ErrShort},
		"eleven bytes":           {packet: fixedHeader(0x80)[:11], err: ErrShort},
		"version 1":              {packet: fixedHeader(0x40), err: ErrVersion},
		"version 3":              {packet: fixedHeader(0xc0), err: ErrVersion},
		"CSRC list cut":          {packet: join(fixedHeader(0x82), make([]byte, 7)), err: ErrShort},
		"extension head cut":     {packet: join(fixedHeader(0x90), []byte{0xbe, 0xde, 0}), err: ErrShort},
		"extension body cut":     {packet: join(fixedHeader(0x90), []byte{0xbe, 0xde, 0, 1, 1, 2, 3}), err: ErrShort},
		"extension of 256 KiB":   {packet: join(fixedHeader(0x90), []byte{0xbe, 0xde, 0xff, 0xff}, payload), err: ErrShort},
		"padding of 0":           {packet: join(fixedHeader(0xa0), payload, []byte{0}), err: ErrPadding},
		"padding over payload":   {packet: join(fixedHeader(0xa0), payload, []byte{6}), err: ErrPadding},
		"padding over extension": {packet: join(fixedHeader(0xb0), []byte{0, 0, 0, 1, 0, 0, 0, 4}), err: ErrPadding},
		"padding without octet":  {packet: fixedHeader(0xa0), err: ErrPadding},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := Packet{SSRC: 99, Payload: []byte("old"), Header: []byte("old")}
			if err := p.Unmarshal(test.packet); !errors.Is(err, test.err) {
				t.Fatalf("got error %v, want %v", err, test.err)
			}
			if test.err != nil {
				if p.SSRC != 0 || p.Payload != nil || p.Header != nil {
					t.Errorf("got %+v after an error, want the zero Packet", p)
				}
				return
			}
			if !bytes.Equal(p.Payload, test.want) {
				t.Errorf("got payload %q, want %q", p.Payload, test.want)
			}
			if p.SSRC != 0xcafebabe || p.Timestamp != 0x01020304 || p.SequenceNumber != 0x1234 ||
				p.PayloadType != 111 || !p.Marker {
				t.Errorf("got header %+v", p)
			}
		})
	}
}

func TestUnmarshalClearsMarker(t *testing.T) {
	b := fixedHeader(0x80)
	b[1] = 111
	p := Packet{Marker: true}
	if err := p.Unmarshal(b); err != nil || p.Marker || p.PayloadType != 111 {
		t.Errorf("got %+v, %v", p, err)
	}
}

func TestUnmarshalAliases(t *testing.T) {
	b := join(fixedHeader(0x80), []byte("opus"), []byte("behind"))
	var p Packet
	if err := p.Unmarshal(b[:16]); err != nil {
		t.Fatal(err)
	}
	b[12] = 'O'
	if string(p.Payload) != "Opus" || cap(p.Payload) != 4 {
		t.Errorf("payload %q with capacity %d is no view of the buffer", p.Payload, cap(p.Payload))
	}
}

func TestExtension(t *testing.T) {
	tests := map[string]struct {
		profile uint16
		body    []byte
		id      uint8
		want    []byte // nil for none
	}{
		"one byte, first":              {0xbede, []byte{0x10, 7, 0, 0}, 1, []byte{7}},
		"one byte, of two":             {0xbede, []byte{0x11, 7, 8, 0x30, 9, 0, 0, 0}, 3, []byte{9}},
		"one byte, padding between":    {0xbede, []byte{0x10, 7, 0, 0, 0x30, 9, 0, 0}, 3, []byte{9}},
		"one byte, sixteen bytes":      {0xbede, append([]byte{0xef}, bytes.Repeat([]byte{5}, 19)...), 14, bytes.Repeat([]byte{5}, 16)},
		"one byte, first of the same":  {0xbede, []byte{0x10, 7, 0x10, 8}, 1, []byte{7}},
		"one byte, absent":             {0xbede, []byte{0x10, 7, 0, 0}, 2, nil},
		"one byte, id 0":               {0xbede, []byte{0x00, 7, 0, 0}, 0, nil},
		"one byte, id 15":              {0xbede, []byte{0xf0, 7, 0, 0}, 15, nil},
		"one byte, id over 15":         {0xbede, []byte{0x10, 7, 0, 0}, 17, nil},
		"one byte, behind id 15":       {0xbede, []byte{0xf0, 7, 0x10, 8}, 1, nil},
		"one byte, before id 15":       {0xbede, []byte{0x10, 8, 0xf0, 7}, 1, []byte{8}},
		"one byte, behind id 0 length": {0xbede, []byte{0x01, 5, 5, 0x10, 8, 0, 0, 0}, 1, nil},
		"one byte, cut":                {0xbede, []byte{0x30, 9, 0x13, 8}, 1, nil},
		"one byte, before the cut":     {0xbede, []byte{0x30, 9, 0x13, 8}, 3, []byte{9}},
		"one byte, no data left":       {0xbede, []byte{0, 0, 0, 0x10}, 1, nil},
		"one byte, empty":              {0xbede, nil, 1, nil},
		"two bytes":                    {0x1000, []byte{200, 2, 7, 8}, 200, []byte{7, 8}},
		"two bytes, application bits":  {0x100f, []byte{1, 1, 7, 0}, 1, []byte{7}},
		"two bytes, id 15":             {0x1000, []byte{15, 1, 7, 0}, 15, []byte{7}},
		"two bytes, without data":      {0x1000, []byte{3, 0, 1, 1, 7, 0, 0, 0}, 3, []byte{}},
		"two bytes, behind no data":    {0x1000, []byte{3, 0, 1, 1, 7, 0, 0, 0}, 1, []byte{7}},
		"two bytes, padding between":   {0x1000, []byte{0, 0, 0, 9, 1, 7, 0, 0}, 9, []byte{7}},
		"two bytes, absent":            {0x1000, []byte{1, 1, 7, 0}, 2, nil},
		"two bytes, id 0":              {0x1000, []byte{0, 1, 7, 0}, 0, nil},
		"two bytes, cut":               {0x1000, []byte{1, 3, 7, 0}, 1, nil},
		"two bytes, head cut":          {0x1000, []byte{0, 0, 0, 1}, 1, nil},
		"other profile":                {0x2000, []byte{0x10, 7, 0, 0}, 1, nil},
		"no extension":                 {0, nil, 1, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			words := byte(len(test.body) / 4)
			if len(test.body)%4 != 0 {
				t.Fatal("body is not in words")
			}
			var p Packet
			err := p.Unmarshal(join(fixedHeader(0x90),
				[]byte{byte(test.profile >> 8), byte(test.profile), 0, words}, test.body, []byte("payload")))
			if err != nil {
				t.Fatal(err)
			}
			got := p.Extension(test.id)
			if !bytes.Equal(got, test.want) || (got == nil) != (test.want == nil) || cap(got) != len(got) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
	var p Packet
	if err := p.Unmarshal(fixedHeader(0x80)); err != nil || p.Extension(1) != nil {
		t.Errorf("got %v, %v of a packet without extension", p.Extension(1), err)
	}
}

func TestAllocsUnmarshal(t *testing.T) {
	b := join(fixedHeader(0x91), make([]byte, 4), []byte{0xbe, 0xde, 0, 1, 0x10, 7, 0x30, 1}, make([]byte, 100))
	var p Packet
	var level []byte
	got := testing.AllocsPerRun(1000, func() {
		if p.Unmarshal(b) != nil {
			t.Error("not a packet")
		}
		level = p.Extension(3)
	})
	if got != 0 || len(level) != 1 {
		t.Errorf("got %v allocations a packet, want none", got)
	}
}

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

// FuzzUnmarshal compares with another parser where that one accepts the packet too.
func FuzzUnmarshal(f *testing.F) {
	f.Add(join(fixedHeader(0x80), []byte("opus")))
	f.Add(join(fixedHeader(0x91), make([]byte, 4), []byte{0xbe, 0xde, 0, 1, 0x10, 7, 0x30, 1}, []byte("opus")))
	f.Add(join(fixedHeader(0x90), []byte{0x10, 0, 0, 2, 1, 2, 7, 7, 0, 0, 3, 0}, []byte("opus")))
	f.Add(join(fixedHeader(0xa0), []byte{1, 2, 3, 0, 2}))
	f.Fuzz(func(t *testing.T, b []byte) {
		var p Packet
		if p.Unmarshal(b) != nil {
			return
		}
		n, err := HeaderLen(b)
		if err != nil || n < FixedLen || n+len(p.Payload) > len(b) {
			t.Fatalf("header of %d bytes (%v) and payload of %d in a packet of %d", n, err, len(p.Payload), len(b))
		}
		for id := range 256 {
			p.Extension(uint8(id))
		}
		var other pion.Packet
		if other.Unmarshal(b) != nil {
			return
		}
		if size, _ := new(pion.Header).Unmarshal(b); n != size || p.CSRC() != append(other.CSRC, 0)[0] {
			t.Fatalf("header of %d bytes with CSRC %d, the other parser has %d and %v", n, p.CSRC(), size, other.CSRC)
		}
		if p.SSRC != other.SSRC || p.Timestamp != other.Timestamp || p.SequenceNumber != other.SequenceNumber ||
			p.PayloadType != other.PayloadType || p.Marker != other.Marker || !bytes.Equal(p.Payload, other.Payload) {
			t.Fatalf("got %+v, the other parser has %+v", p, other)
		}
		if profile, _ := p.extension(); profile != oneByteProfile && profile != twoByteProfile {
			return // the other parser calls an extension of any other form element 0
		}
		for _, id := range other.GetExtensionIDs() {
			if got, want := p.Extension(id), other.GetExtension(id); !bytes.Equal(got, want) {
				t.Fatalf("element %d: got %v, the other parser has %v", id, got, want)
			}
		}
	})
}
