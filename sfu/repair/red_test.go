package repair

import (
	"bytes"
	"errors"
	"testing"
)

func TestREDUnmarshal(t *testing.T) {
	tests := map[string]struct {
		in        []byte
		err       error
		redundant []Block
		primary   Block
	}{
		"primary only":    {in: []byte{111, 1, 2}, primary: Block{Data: []byte{1, 2}, PayloadType: 111}},
		"silence":         {in: []byte{111}, primary: Block{Data: []byte{}, PayloadType: 111}},
		"empty":           {err: ErrREDShort},
		"head cut short":  {in: []byte{0x80 | 111, 0, 4}, err: ErrREDShort},
		"no primary head": {in: []byte{0x80 | 111, 0, 4, 1}, err: ErrREDShort},
		"one redundant": {
			// 960 ticks before: 960<<10|3 = 0x0f0003.
			in:        []byte{0x80 | 111, 0x0f, 0x00, 0x03, 112, 1, 2, 3, 4},
			redundant: []Block{{Data: []byte{1, 2, 3}, Offset: 960, PayloadType: 111}},
			primary:   Block{Data: []byte{4}, PayloadType: 112},
		},
		"largest offset and a block without data": {
			in:        []byte{0xff, 0xff, 0xfc, 0x00, 1, 9},
			redundant: []Block{{Data: []byte{}, Offset: MaxOffset, PayloadType: 127}},
			primary:   Block{Data: []byte{9}, PayloadType: 1},
		},
		"two redundant": {
			in: []byte{0xef, 0x1e, 0x00, 0x01, 0xef, 0x0f, 0x00, 0x02, 111, 1, 2, 3, 4},
			redundant: []Block{
				{Data: []byte{1}, Offset: 1920, PayloadType: 111}, {Data: []byte{2, 3}, Offset: 960, PayloadType: 111},
			},
			primary: Block{Data: []byte{4}, PayloadType: 111},
		},
		"block one longer than the payload":    {in: []byte{0xef, 0x0f, 0x00, 0x03, 111, 1, 2}, err: ErrREDLength},
		"block of all the payload":             {in: []byte{0xef, 0x0f, 0x00, 0x02, 111, 1, 2}, redundant: []Block{{Data: []byte{1, 2}, Offset: 960, PayloadType: 111}}, primary: Block{Data: []byte{}, PayloadType: 111}},
		"lengths that only together are wrong": {in: []byte{0xef, 0x1e, 0, 2, 0xef, 0x0f, 0, 2, 111, 1, 2, 3}, err: ErrREDLength},
		"as many blocks as allowed":            {in: append(bytes.Repeat([]byte{0xef, 0, 4, 0}, MaxBlocks), 111), redundant: blocks(MaxBlocks), primary: Block{Data: []byte{}, PayloadType: 111}},
		"one block more":                       {in: append(bytes.Repeat([]byte{0xef, 0, 4, 0}, MaxBlocks+1), 111), err: ErrREDBlocks},
		"nothing but heads":                    {in: bytes.Repeat([]byte{0xff}, 1400), err: ErrREDBlocks},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var r RED
			if err := r.Unmarshal([]byte{0xef, 0, 4, 0, 111}); err != nil { // something to forget
				t.Fatal(err)
			}
			if err := r.Unmarshal(test.in); !errors.Is(err, test.err) {
				t.Fatalf("got %v, want %v", err, test.err)
			}
			got := append(append([]Block(nil), r.Redundant()...), r.Primary())
			for i, want := range append(test.redundant, test.primary) {
				if i >= len(got) || !bytes.Equal(got[i].Data, want.Data) || got[i].Offset != want.Offset || got[i].PayloadType != want.PayloadType {
					t.Fatalf("got %+v, want %+v before %+v", got, test.redundant, test.primary)
				}
			}
			if len(got) != len(test.redundant)+1 {
				t.Fatalf("got %d blocks, want %d", len(got), len(test.redundant)+1)
			}
		})
	}
}

// blocks is n blocks without data, one tick old.
func blocks(n int) []Block {
	all := make([]Block, n)
	for i := range all {
		all[i] = Block{Offset: 1, PayloadType: 111}
	}
	return all
}

func TestSetPayloadType(t *testing.T) {
	made := func(payloadType uint8) []byte {
		return AppendRED(nil, Block{[]byte{1, 2}, 1920, payloadType}, Block{[]byte{3}, 960, payloadType}, Block{[]byte{4}, 0, payloadType})
	}
	red := made(111)
	SetPayloadType(red, 2, 96)
	if want := made(96); !bytes.Equal(red, want) {
		t.Errorf("got % x, want % x", red, want)
	}
}

func TestAllocsRED(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	in := AppendRED(nil, Block{make([]byte, 80), 960, 111}, Block{make([]byte, 90), 0, 111})
	var r RED
	out := make([]byte, 0, 1500)
	if got := testing.AllocsPerRun(100, func() {
		if r.Unmarshal(in) != nil {
			t.Error("not taken")
		}
		out = AppendRED(out[:0], r.Redundant()[0], r.Primary())
	}); got != 0 || !bytes.Equal(in, out) {
		t.Errorf("got %v allocations", got)
	}
}

// FuzzRED: whatever comes is refused, or is what its blocks make again.
func FuzzRED(f *testing.F) {
	f.Add([]byte{111})
	f.Add([]byte{0xef, 0x1e, 0x00, 0x01, 0xef, 0x0f, 0x00, 0x02, 111, 1, 2, 3, 4})
	f.Add([]byte{0xef, 0x1e, 0x00, 0xff, 0xef, 0x0f, 0x00, 0x02, 111, 1, 2, 3, 4})
	f.Add(bytes.Repeat([]byte{0xff}, 50))
	f.Fuzz(func(t *testing.T, b []byte) {
		var r RED
		if err := r.Unmarshal(b); err != nil {
			if len(r.Redundant()) != 0 || r.Primary().Data != nil {
				t.Errorf("%v, but %+v", err, r)
			}
			return
		}
		if got := AppendRED(nil, append(append([]Block(nil), r.Redundant()...), r.Primary())...); !bytes.Equal(got, b) {
			t.Errorf("got % x again, of % x", got, b)
		}
	})
}
